import { jsonTypeName } from '../codec/json-errors.js'
import { isObject, setMember, type JsonObject, type JsonValue } from '../codec/value.js'
import { decodeObjectMeta as decode, isMetaError } from '../meta/decode-meta.js'

/** Decoded metadata and the paths, relative to it, of members that ObjectMeta does not have; or why it cannot be decoded. */
export type DecodedObjectMeta = { readonly meta: JsonObject; readonly unknown: readonly string[] } | { readonly error: string }

/**
 * Metadata that is not an object's own (an embedded resource's), or that was stored: decoded as `registry/meta/decode-meta.ts` does, with
 * errors as values.
 * @param options.dropMalformed drops members that cannot be decoded, where the value is an object at all
 * Source: `apiextensions-apiserver/pkg/apiserver/schema/objectmeta/coerce.go`.
 */
export function decodeObjectMeta (value: JsonValue, options: { dropMalformed: boolean }): DecodedObjectMeta {
  const whole = tryDecode(value)
  if (!('error' in whole) || !options.dropMalformed) return whole
  if (!isObject(value)) return { error: `invalid metadata: expected object, got ${jsonTypeName(value)}` }
  const meta: JsonObject = {}
  const unknown: string[] = []
  for (const key of Object.keys(value)) {
    const one: JsonObject = {}
    setMember(one, key, value[key]!)
    const decoded = tryDecode(one)
    if ('error' in decoded) continue
    for (const name of Object.keys(decoded.meta)) meta[name] = decoded.meta[name]!
    unknown.push(...decoded.unknown)
  }
  return { meta, unknown }
}

function tryDecode (value: JsonValue): DecodedObjectMeta {
  try {
    const { meta, unknown } = decode(value, '')
    return { meta: meta as unknown as JsonObject, unknown: unknown.map(path => path.slice(1)) }
  } catch (error) {
    if (isMetaError(error)) return { error: error.message }
    throw error
  }
}
