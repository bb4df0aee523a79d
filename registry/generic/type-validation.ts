import { asJson, type KubeObject } from '../meta/object-meta.js'
import { invalid, type FieldError } from '../meta/field-error.js'
import { goNumber } from '../meta/go-format.js'
import type { GroupKind } from '../meta/status-error.js'
import { isObject, type JsonValue } from '../codec/value.js'
import type { Resource, ResourceVersion } from './resource.js'

/** What an object calls itself; messages about an invalid object use it, right or wrong. */
export function groupKindOf (object: KubeObject): GroupKind {
  const slash = (object.apiVersion ?? '').indexOf('/')
  return { group: slash < 0 ? '' : object.apiVersion.slice(0, slash), kind: object.kind }
}

/** kind and apiVersion must be the resource's. */
export function validateTypeMeta (object: KubeObject, version: ResourceVersion, resource: Resource): FieldError[] {
  const errors: FieldError[] = []
  if (object.kind !== resource.names.kind) errors.push(invalid('kind', object.kind, `must be ${resource.names.kind}`))
  if (object.apiVersion !== version.apiVersion) errors.push(invalid('apiVersion', object.apiVersion, `must be ${version.apiVersion}`))
  return errors
}

/**
 * What the scale subresource needs of the object itself: replica counts that are int32 and not negative, a selector that is a string.
 * Paths are printed as the declaration spells them, with the leading dot.
 */
export function validateScale (object: KubeObject, version: ResourceVersion, check: { spec: boolean }): FieldError[] {
  const scale = version.subresources.scale
  if (scale === undefined) return []
  const errors: FieldError[] = []
  const count = (path: string): void => {
    const found = nestedInt64(object, path)
    if ('error' in found) errors.push(invalid(path, 0, found.error))
    else if (found.value < 0) errors.push(invalid(path, found.value, 'should be a non-negative integer'))
    else if (found.value > 2147483647) errors.push(invalid(path, found.value, 'should be less than or equal to 2147483647'))
  }
  if (check.spec) count(scale.specReplicasPath)
  count(scale.statusReplicasPath)
  if (scale.labelSelectorPath !== undefined) {
    const found = nestedString(object, scale.labelSelectorPath)
    if ('error' in found) errors.push(invalid(scale.labelSelectorPath, '', found.error))
  }
  return errors
}

export type Nested<T> = { readonly value: T; readonly found: boolean } | { readonly error: string }

/** An int64 at a path of dots and names; absent is 0. The error is Go's NestedInt64's. */
export function nestedInt64 (object: KubeObject, path: string): Nested<number | bigint> {
  const found = nested(object, path)
  if ('error' in found) return found
  if (!found.found) return { value: 0, found: false }
  const v = found.value
  if (typeof v === 'bigint' || (typeof v === 'number' && Number.isInteger(v) && Number.isSafeInteger(v))) return { value: v, found: true }
  return { error: accessorError(path, v, 'int64') }
}

/** A string at a path of dots and names; absent is empty. */
export function nestedString (object: KubeObject, path: string): Nested<string> {
  const found = nested(object, path)
  if ('error' in found) return found
  if (!found.found) return { value: '', found: false }
  return typeof found.value === 'string' ? { value: found.value, found: true } : { error: accessorError(path, found.value, 'string') }
}

function nested (object: KubeObject, path: string): Nested<JsonValue> {
  const keys = path.replace(/^\./, '').split('.')
  let at: JsonValue = asJson(object)
  for (const [i, key] of keys.entries()) {
    if (at === null) return { value: null, found: false }
    if (!isObject(at)) return { error: `${'.' + keys.slice(0, i + 1).join('.')} accessor error: ${goValue(at)} is of the type ${goType(at)}, expected map[string]interface{}` }
    if (!Object.hasOwn(at, key)) return { value: null, found: false }
    at = at[key]!
  }
  return { value: at, found: true }
}

const accessorError = (path: string, v: JsonValue, type: string): string =>
  `.${path.replace(/^\./, '')} accessor error: ${goValue(v)} is of the type ${goType(v)}, expected ${type}`

/** A decoded value as `%v` prints it. */
export function goValue (v: JsonValue): string {
  if (v === null) return '<nil>'
  if (typeof v === 'number') return goNumber(v)
  if (Array.isArray(v)) return `[${v.map(goValue).join(' ')}]`
  if (typeof v === 'object') return `map[${Object.keys(v).sort().map(k => `${k}:${goValue(v[k]!)}`).join(' ')}]`
  return String(v)
}

/** A decoded value's Go type as `%T` prints it. */
export function goType (v: JsonValue): string {
  if (v === null) return '<nil>'
  if (typeof v === 'bigint') return 'int64'
  if (typeof v === 'number') return Number.isSafeInteger(v) ? 'int64' : 'float64'
  if (typeof v === 'boolean') return 'bool'
  if (typeof v === 'string') return 'string'
  return Array.isArray(v) ? '[]interface {}' : 'map[string]interface {}'
}
