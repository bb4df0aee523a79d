import { printJson } from '../codec/json-print.js'
import { isObject, type JsonObject, type JsonValue } from '../codec/value.js'
import { goNumber } from '../meta/go-format.js'

/** The value at a path of dots and names. */
export function valueAt (object: JsonObject, path: readonly string[]): JsonValue | undefined {
  let at: JsonValue | undefined = object
  for (const key of path) {
    if (!isObject(at) || !Object.hasOwn(at, key)) return undefined
    at = at[key]
  }
  return at
}

/** A selectable field's value as selectors compare it: the text that Go's fmt.Sprint makes of it, empty when absent or null. */
export function fieldValue (object: JsonObject, field: string): string {
  const v = valueAt(object, field.split('.'))
  if (v === undefined || v === null) return ''
  if (typeof v === 'string') return v
  if (typeof v === 'number') return goNumber(v)
  return typeof v === 'object' ? printJson(v) : String(v)
}
