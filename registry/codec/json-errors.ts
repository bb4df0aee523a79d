import { goQuote } from '../meta/go-format.js'
import type { JsonValue } from './value.js'

/** The text is no JSON. The message is the one of Go's encoding/json. */
export class JsonSyntaxError extends Error {
  override readonly name = 'JsonSyntaxError'
}

/**
 * The text is JSON, but not of the type it is decoded into: `json: cannot unmarshal number 1E400 into Go value of type float64`.
 * `value` is what could be decoded, with null for the numbers out of range, as Go leaves it.
 */
export class JsonTypeError extends Error {
  override readonly name = 'JsonTypeError'
  readonly value: JsonValue

  constructor (message: string, value: JsonValue) {
    super(message)
    this.value = value
  }
}

/** What encoding/json calls the type of a value: `json: cannot unmarshal <this> into …`. */
export function jsonTypeName (v: JsonValue): string {
  if (v === null) return 'null'
  if (Array.isArray(v)) return 'array'
  return typeof v === 'boolean' ? 'bool' : typeof v === 'bigint' ? 'number' : typeof v
}

/** `duplicate field "a.b"`, `unknown field "a.b"`. */
export const strictFieldError = (type: 'duplicate' | 'unknown', path: string): string => `${type} field ${goQuote(path)}`
