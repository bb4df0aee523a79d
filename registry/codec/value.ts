/**
 * A decoded JSON document. Integers that a double cannot hold exactly but an int64 can are bigints (Go's unstructured decoder keeps
 * them as int64); every other number is a double, as there. Objects have string keys only; "__proto__" is an ordinary own key.
 */
export type JsonValue = null | boolean | number | bigint | string | JsonValue[] | JsonObject
export interface JsonObject { [key: string]: JsonValue }

export const isObject = (v: unknown): v is JsonObject => typeof v === 'object' && v !== null && !Array.isArray(v)

/** Sets a member of an object; assigning to "__proto__" would change the object's prototype instead. */
export function setMember (object: JsonObject, key: string, value: JsonValue): void {
  if (key === '__proto__') Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true })
  else object[key] = value
}

/** A member of an object, undefined if it has none of that name (an inherited "toString" is none). */
export const getMember = (object: JsonObject, key: string): JsonValue | undefined => Object.hasOwn(object, key) ? object[key] : undefined
