import { parseJson } from '../../registry/codec/json-parse.js'
import { printJson } from '../../registry/codec/json-print.js'
import type { JsonValue } from '../../registry/codec/value.js'

/** An integer that a double may not hold. */
const longNumber = /[:,[\s]-?\d{16}/

/** Parses an answer; integers beyond 2^53 become bigints, so that writing an object back does not change them. */
export const decodeJson = (text: string): unknown => longNumber.test(text) ? parseJson(text).value : JSON.parse(text)

/** The JSON of an object that may hold bigints. */
export function encodeJson (value: unknown): string {
  try {
    return JSON.stringify(value)
  } catch (error) {
    if (error instanceof TypeError && /BigInt/.test(error.message)) return printJson(value as JsonValue)
    throw error
  }
}
