import { goNumber, goQuote } from './go-format.js'
import { printJson } from '../codec/json-print.js'
import type { JsonValue } from '../codec/value.js'

/** Cause reasons of a Status, as `metav1.CauseType` names them. */
export type FieldErrorType =
  | 'FieldValueNotFound' | 'FieldValueRequired' | 'FieldValueDuplicate' | 'FieldValueInvalid' | 'FieldValueNotSupported'
  | 'FieldValueForbidden' | 'FieldValueTooLong' | 'FieldValueTooShort' | 'FieldValueTooMany' | 'FieldValueTooFew' | 'InternalError' | 'FieldValueTypeInvalid'

/** One thing wrong with one field. Returned by validation, never thrown. */
export interface FieldError {
  readonly type: FieldErrorType
  /** `spec.items[0].name`, `metadata.labels`, `spec.map[key]`; where Go has no path at all, what it prints then: `<nil>`. */
  readonly field: string
  /** What stood there; `omitValue` prints none. */
  readonly badValue?: JsonValue | typeof omitValue
  readonly detail: string
}

/** The field of an error that has no path: how Go prints an absent field.Path. */
export const noPath = '<nil>'

/** Stands for "print no value" (Go's field.OmitValueType). */
export const omitValue = Symbol('omitted')

const titles: Record<FieldErrorType, string> = {
  FieldValueNotFound: 'Not found',
  FieldValueRequired: 'Required value',
  FieldValueDuplicate: 'Duplicate value',
  FieldValueInvalid: 'Invalid value',
  FieldValueNotSupported: 'Unsupported value',
  FieldValueForbidden: 'Forbidden',
  FieldValueTooLong: 'Too long',
  FieldValueTooShort: 'Too short',
  FieldValueTooMany: 'Too many',
  FieldValueTooFew: 'Too few',
  InternalError: 'Internal error',
  FieldValueTypeInvalid: 'Invalid value'
}

export const required = (field: string, detail: string): FieldError => ({ type: 'FieldValueRequired', field, badValue: '', detail })
export const invalid = (field: string, badValue: JsonValue | typeof omitValue, detail: string): FieldError => ({ type: 'FieldValueInvalid', field, badValue, detail })
export const typeInvalid = (field: string, badValue: JsonValue | typeof omitValue, detail: string): FieldError => ({ type: 'FieldValueTypeInvalid', field, badValue, detail })
export const duplicate = (field: string, badValue: JsonValue): FieldError => ({ type: 'FieldValueDuplicate', field, badValue, detail: '' })
export const forbidden = (field: string, detail: string): FieldError => ({ type: 'FieldValueForbidden', field, badValue: '', detail })
export const notFound = (field: string, badValue: JsonValue): FieldError => ({ type: 'FieldValueNotFound', field, badValue, detail: '' })
export const notSupported = (field: string, badValue: JsonValue, supported: readonly string[]): FieldError =>
  ({ type: 'FieldValueNotSupported', field, badValue, detail: supported.length ? 'supported values: ' + supported.map(goQuote).join(', ') : '' })
/** `maxLength` in bytes; below 0 it is not named. */
export const tooLong = (field: string, maxLength: number): FieldError =>
  ({ type: 'FieldValueTooLong', field, detail: maxLength >= 0 ? `may not be more than ${maxLength} byte${maxLength === 1 ? '' : 's'}` : 'value is too long' })
export const tooMany = (field: string, actual: number, max: number): FieldError =>
  ({ type: 'FieldValueTooMany', field, badValue: actual, detail: max >= 0 ? `must have at most ${max} item${max === 1 ? '' : 's'}` : 'has too many items' })
export const internal = (field: string, detail: string): FieldError => ({ type: 'InternalError', field, detail })

/** The text of one error without its path: `Invalid value: "x": why` (Go's field.Error.ErrorBody). */
export function fieldErrorBody (e: FieldError): string {
  let s = titles[e.type]
  const bare = e.type === 'FieldValueRequired' || e.type === 'FieldValueForbidden' || e.type === 'FieldValueTooLong' || e.type === 'FieldValueTooShort' || e.type === 'InternalError'
  if (!bare && e.badValue !== omitValue) s += ': ' + formatBadValue(e.badValue ?? null)
  return e.detail === '' ? s : `${s}: ${e.detail}`
}

function formatBadValue (v: JsonValue): string {
  if (typeof v === 'string') return goQuote(v)
  if (typeof v === 'number') return goNumber(v)
  if (typeof v === 'boolean' || typeof v === 'bigint') return String(v)
  return printJson(v)
}

/** `path: body`. */
export const fieldErrorText = (e: FieldError): string => `${e.field}: ${fieldErrorBody(e)}`

/** Joins a path and a property: `spec` + `name` is `spec.name`. */
export const child = (path: string, name: string): string => path === '' ? name : `${path}.${name}`
/** Joins a path and a list index: `spec.items[0]`. */
export const index = (path: string, i: number): string => `${path}[${i}]`
/** Joins a path and a map key: `spec.map[key]`. */
export const mapKey = (path: string, key: string): string => `${path}[${key}]`
