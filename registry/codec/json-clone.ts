import { setMember, type JsonObject, type JsonValue } from './value.js'

/** A copy that shares nothing with the value. */
export function cloneJson<T extends JsonValue> (value: T): T
export function cloneJson (value: JsonValue): JsonValue {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) {
    const copy: JsonValue[] = []
    for (let i = 0; i < value.length; i++) copy.push(cloneJson(value[i] as JsonValue))
    return copy
  }
  const copy: JsonObject = {}
  for (const key in value) setMember(copy, key, cloneJson(value[key] as JsonValue))
  return copy
}
