import { parseJson } from './json-parse.js'
import type { JsonObject } from './value.js'

// Integers that a double would round: only then is the exact parser needed, for the store holds nothing else that JSON.parse would change.
const longInteger = /[0-9]{16}/

/** Parses what this server stored. @throws SyntaxError or JsonSyntaxError when the bytes are not a JSON object */
export function parseStored (bytes: Buffer): JsonObject {
  const text = bytes.toString()
  const value: unknown = longInteger.test(text) ? parseJson(text).value : JSON.parse(text)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new SyntaxError('the stored value is not a JSON object')
  return value as JsonObject
}
