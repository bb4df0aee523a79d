import { child, invalid, required, type FieldError } from '../meta/field-error.js'
import { isPathSegment } from '../meta/names.js'
import type { ObjectMeta } from '../meta/object-meta.js'
import { validateObjectMeta } from '../meta/object-meta-validation.js'
import { compareUtf8 } from '../codec/json-print.js'
import type { JsonObject, JsonValue } from '../codec/value.js'
import { decodeObjectMeta } from './object-meta-decoding.js'
import type { SchemaNode } from './schema-node.js'

/**
 * Whole API objects inside an object (`x-kubernetes-embedded-resource`): their metadata is decoded as that of objects is, and validated.
 * Source: `apiextensions-apiserver/pkg/apiserver/schema/objectmeta/{algorithm,validation}.go`.
 */

export interface CoerceResult {
  /** Removed members of embedded metadata: `spec.template.metadata.foo`, sorted. */
  readonly unknown: string[]
  /** What could not be decoded; the object is then half done and must not be used. */
  readonly error?: FieldError
}

/**
 * Brings the metadata of embedded resources into shape, in place. On the way it removes members that are null where null is not
 * allowed and no default stands in.
 * @param options.dropInvalid drops what is malformed instead of refusing it: for objects that are stored already
 */
export function coerceEmbedded (object: JsonObject, root: SchemaNode, options: { dropInvalid: boolean }): CoerceResult {
  const unknown: string[] = []
  const error = coerce(object, root, '', { unknown, dropInvalid: options.dropInvalid })
  unknown.sort(compareUtf8)
  return error === undefined ? { unknown } : { unknown, error }
}

interface Coercion { readonly unknown: string[]; readonly dropInvalid: boolean }

function coerce (value: JsonValue, node: SchemaNode, path: string, coercion: Coercion): FieldError | undefined {
  if (value === null || typeof value !== 'object') return undefined
  if (Array.isArray(value)) {
    const { items } = node
    if (items === undefined) return undefined
    for (let i = 0; i < value.length; i++) {
      const error = coerce(value[i]!, items, `${path}[${i}]`, coercion)
      if (error !== undefined) return error
    }
    return undefined
  }
  for (const key of Object.keys(value)) {
    const original = value[key]!
    if (typeof original !== 'object' && !node.embeddedResource) continue
    const property = node.property(key)
    const below = property ?? node.additional
    if (original === null && below !== undefined && !below.nullable && !below.hasDefault) {
      delete value[key]
      continue
    }
    const error = (node.embeddedResource ? coerceMember(value, key, path, coercion) : undefined) ??
      (below && coerce(original, below, property === undefined ? `${path}[${key}]` : child(path, key), coercion))
    if (error !== undefined) return error
  }
  return undefined
}

function coerceMember (object: JsonObject, key: string, path: string, { unknown, dropInvalid }: Coercion): FieldError | undefined {
  const value = object[key]!
  if (key === 'apiVersion' || key === 'kind') {
    if (typeof value === 'string') return undefined
    if (!dropInvalid) return invalid(child(path, key), value, 'must be a string')
    delete object[key]
  } else if (key === 'metadata') {
    const at = child(path, key)
    const decoded = decodeObjectMeta(value, { dropMalformed: dropInvalid })
    if ('error' in decoded) return dropInvalid ? undefined : invalid(at, value, decoded.error)
    for (const name of decoded.unknown) unknown.push(`${at}.${name}`)
    object[key] = decoded.meta
  }
  return undefined
}

/** What is wrong with apiVersion, kind and metadata of the embedded resources in an object. */
export function validateEmbedded (object: JsonObject, root: SchemaNode): FieldError[] {
  const errors: FieldError[] = []
  check(object, root, '', errors)
  return errors
}

function check (value: JsonValue, node: SchemaNode, path: string, errors: FieldError[]): void {
  if (value === null || typeof value !== 'object') return
  if (Array.isArray(value)) {
    const { items } = node
    if (items !== undefined) for (let i = 0; i < value.length; i++) check(value[i]!, items, `${path}[${i}]`, errors)
    return
  }
  if (node.embeddedResource) errors.push(...checkResource(value, path))
  for (const key of Object.keys(value)) {
    const member = value[key]!
    if (member === null || typeof member !== 'object') continue
    const property = node.property(key)
    if (property !== undefined) {
      check(member, property, child(path, key), errors)
      continue
    }
    const { additional } = node
    if (additional !== undefined) check(member, additional, `${path}[${key}]`, errors)
  }
}

function checkResource (resource: JsonObject, path: string): FieldError[] {
  const errors: FieldError[] = []
  for (const [name, problemOf] of [['apiVersion', apiVersionProblem], ['kind', kindProblem]] as const) {
    const at = child(path, name)
    const value = Object.hasOwn(resource, name) ? resource[name]! : undefined
    if (value === undefined) {
      errors.push(required(at, ''))
    } else if (typeof value !== 'string') {
      errors.push(invalid(at, value, 'must be a string'))
    } else {
      const problem = value === '' ? 'must not be empty' : problemOf(value)
      if (problem !== undefined) errors.push(invalid(at, value, problem))
    }
  }
  if (Object.hasOwn(resource, 'metadata')) errors.push(...checkMetadata(resource['metadata']!, child(path, 'metadata')))
  return errors
}

const apiVersionProblem = (value: string): string | undefined => value.split('/').length > 2 ? `unexpected GroupVersion string: ${value}` : undefined

const kindPattern = '[a-z]([-a-z0-9]*[a-z0-9])?'
const kindRegExp = new RegExp(`^${kindPattern}$`)
const kindMessage = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character " +
  `(e.g. 'my-name',  or 'abc-123', regex used for validation is '${kindPattern}')`

function kindProblem (value: string): string | undefined {
  const lower = value.toLowerCase()
  const problems: string[] = []
  if (Buffer.byteLength(lower) > 63) problems.push('must be no more than 63 characters')
  if (!kindRegExp.test(lower)) problems.push(kindMessage)
  return problems.length === 0 ? undefined : `may have mixed case, but should otherwise match: ${problems.join(',')}`
}

function checkMetadata (value: JsonValue, path: string): FieldError[] {
  const decoded = decodeObjectMeta(value, { dropMalformed: false })
  if ('error' in decoded) return [invalid(path, value, decoded.error)]
  const meta = decoded.meta as unknown as ObjectMeta
  // An embedded object needs no name, and its namespace says whether it is namespaced.
  const errors = validateObjectMeta({ ...meta, name: meta.name ?? 'unnamed' }, { namespaced: meta.namespace !== undefined, nameRule: isPathSegment })
  return errors.map(e => ({ ...e, field: path + e.field.slice('metadata'.length) }))
}
