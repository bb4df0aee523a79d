import { child, invalid, noPath, notSupported, omitValue, required, tooLong, tooMany, typeInvalid, type FieldError } from '../meta/field-error.js'
import { goNumber } from '../meta/go-format.js'
import { goQuote } from '../meta/go-format.js'
import { printJson } from '../codec/json-print.js'
import type { JsonValue } from '../codec/value.js'

/**
 * What validation against a schema finds, with the texts of kube-openapi, and its translation into field errors.
 * Source: `kube-openapi/pkg/validation/errors`, `apiextensions-apiserver/pkg/apiserver/validation/validation.go`.
 */
export interface Finding {
  /** Where, as kube-openapi writes it; absent for findings that carry no path. */
  readonly name?: string
  /** What kube-openapi says; equal texts are reported once. Made only when it is needed: most findings belong to alternatives that fail. */
  readonly text: () => string
  readonly toError: (field: string, text: string) => FieldError
}

/** What one walk finds: the findings, and what it noticed on its way for the checks that come after. */
export class Findings {
  readonly all: Finding[] = []
  /** There are embedded resources. */
  hasEmbedded = false
  /** A set or a map has something twice. */
  breaksListType = false

  get size (): number { return this.all.length }

  push (...findings: readonly Finding[]): void {
    this.all.push(...findings)
  }

  /** Forgets all but the first findings. */
  cut (size: number): void {
    this.all.length = size
  }
}

/**
 * The field errors of findings, each text once.
 * @param root the path of the value that was validated; empty for a whole object
 */
export function fieldErrors (findings: Findings, root: string): FieldError[] {
  if (findings.size === 0) return []
  const seen = new Set<string>()
  const errors: FieldError[] = []
  for (const { name = '', text: print, toError } of findings.all) {
    const text = print()
    if (seen.has(text)) continue
    seen.add(text)
    const below = name.startsWith('.') ? name.slice(1) : name
    errors.push(toError(below === '' ? root === '' ? noPath : root : child(root, below), text))
  }
  return errors
}

const invalidOf = (value: JsonValue) => (field: string, text: string): FieldError => invalid(field, value ?? '', text)

/** `actual` is what stands there: a type, a format, or the string that has not the format. */
export const wrongType = (name: string, wanted: string, actual: string): Finding => ({
  name,
  text: () => `${name} in body must be of type ${wanted}: ${goQuote(actual)}`,
  toError: (field, text) => typeInvalid(field, actual, text)
})
export const missing = (name: string): Finding => ({ name, text: () => `${name} in body is required`, toError: field => required(field, '') })
export const notInEnum = (name: string, value: JsonValue, allowed: readonly JsonValue[]): Finding => ({
  name,
  text: () => `${name} in body should be one of ${printJson([...allowed])}`,
  toError: field => notSupported(field, value, allowed.map(v => typeof v === 'string' ? v : printJson(v)))
})
export const longerThan = (name: string, max: number): Finding => ({ name, text: () => `${name} in body should be at most ${max} chars long`, toError: field => tooLong(field, max) })
export const shorterThan = (name: string, min: number, value: string): Finding => ({ name, text: () => `${name} in body should be at least ${min} chars long`, toError: invalidOf(value) })
export const unmatched = (name: string, pattern: string, value: string): Finding => ({ name, text: () => `${name} in body should match '${pattern}'`, toError: invalidOf(value) })
export const moreItems = (name: string, max: number, actual: number): Finding => ({ name, text: () => `${name} in body should have at most ${max} items`, toError: field => tooMany(field, actual, max) })
export const fewerItems = (name: string, min: number, actual: number): Finding => ({ name, text: () => `${name} in body should have at least ${min} items`, toError: invalidOf(actual) })
export const repeated = (name: string): Finding => ({ name, text: () => `${name} in body shouldn't contain duplicates`, toError: invalidOf('') })
export const moreProperties = (name: string, max: number, actual: number): Finding => ({ name, text: () => `${name} in body should have at most ${max} properties`, toError: field => tooMany(field, actual, max) })
export const fewerProperties = (name: string, min: number, actual: number): Finding => ({ name, text: () => `${name} in body should have at least ${min} properties`, toError: invalidOf(actual) })
export const forbiddenProperty = (name: string, key: string): Finding => ({ name, text: () => `${name}.${key} in body is a forbidden property`, toError: invalidOf(key) })
/** A rule about the value's size: `rule` is `should be less than 5` and the like. */
export const outOfBounds = (name: string, rule: string, value: number | bigint): Finding => ({ name, text: () => `${name} in body ${rule}`, toError: invalidOf(value) })
/** The same where an integer was compared as a float, and is printed as one. */
export const outOfFloatBounds = (name: string, rule: string, value: number): Finding => ({
  name,
  text: () => `${name} in body ${rule}`,
  toError: (field, text) => invalid(field, omitValue, `${goNumber(value, { float: true })}: ${text}`)
})
export const badFactor = (name: string, factor: number, factorText: string): Finding => ({ name, text: () => `factor MultipleOf declared for ${name} must be positive: ${factorText}`, toError: invalidOf(factor) })
/** A finding about the schema's junctors or number formats: kube-apiserver reports these without a path. */
export const pathless = (text: string): Finding => ({ text: () => text, toError: invalidOf('') })

