import { isUtf8 } from 'node:buffer'
import { decodeUtf8 } from './go-utf8.js'
import { scanJson } from './json-scan.js'
import type { JsonObject, JsonValue } from './value.js'

export { JsonSyntaxError, JsonTypeError } from './json-errors.js'

/**
 * How deeply a document may nest. Go's decoder stops at 10000; the walkers of this server (pruning, validation, comparing, printing) are
 * recursive, and what was stored must always be readable again, so it stops earlier, with Go's text.
 */
export const maxNestingDepth = 512

export interface ParsedJson {
  value: JsonValue
  /** `duplicate field "spec.replicas"` in the order of the text, each once, at most 100 (the limit of sigs.k8s.io/json). */
  duplicates: string[]
}

export interface ParseJsonOptions { readonly maxDepth?: number }

/**
 * Decodes a JSON document as kube-apiserver does (sigs.k8s.io/json, UnmarshalStrict into an `any`): names are case-sensitive, of equal
 * names the last wins and each is reported, integers within int64 are exact, other numbers are doubles, and what is not UTF-8 inside a
 * string becomes U+FFFD byte by byte. Throws JsonSyntaxError, or JsonTypeError for a number that no double can hold.
 */
export function parseJson (input: Buffer | string, options: ParseJsonOptions = {}): ParsedJson {
  const maxDepth = options.maxDepth ?? maxNestingDepth
  const text = decode(input, maxDepth)
  const value = parseNatively(text, maxDepth)
  return value === undefined ? scanJson(text, { maxDepth }) : { value, duplicates: [] }
}

function decode (input: Buffer | string, maxDepth: number): string {
  if (typeof input === 'string') return input.toWellFormed()
  if (isUtf8(input)) return input.toString('utf8')
  scanJson(input.toString('latin1'), { maxDepth, bytes: true }) // so that a syntax error names the very byte
  return decodeUtf8(input)
}

const surrogateEscape = /\\u[dD][89a-fA-F]/

/**
 * The built-in parser, several times faster, where its answer is the same. It drops equal names silently and makes every number a double,
 * so its result is used only if it has as many members as the text has names, and no number that needs a second look.
 */
function parseNatively (text: string, maxDepth: number): JsonValue | undefined {
  let value: JsonValue
  try {
    value = JSON.parse(text) as JsonValue
  } catch {
    return undefined
  }
  const escapes = text.includes('\\')
  if (escapes && surrogateEscape.test(text)) return undefined
  const members = countMembers(value, maxDepth)
  return members === countNames(text, escapes) ? value : undefined
}

/** How many members all objects of a value have; NaN if it nests too deeply or has a number that the text must decide. */
function countMembers (v: JsonValue, depth: number): number {
  if (typeof v === 'number') {
    return Number.isInteger(v) ? (Number.isSafeInteger(v) && !Object.is(v, -0) ? 0 : NaN) : (v - v)
  }
  if (typeof v !== 'object' || v === null) return 0
  if (depth === 0) return NaN
  let n = 0
  if (Array.isArray(v)) {
    for (let i = 0; i < v.length; i++) {
      const item = v[i]
      if (typeof item !== 'string') n += countMembers(item as JsonValue, depth - 1)
    }
    return n
  }
  for (const key in v) {
    const member = (v as JsonObject)[key]
    n++
    if (typeof member !== 'string') n += countMembers(member as JsonValue, depth - 1)
  }
  return n
}

const quote = 0x22
const colon = 0x3a
const backslash = 0x5c

/** How many strings of a JSON text are followed by a colon. The text is known to be correct. */
function countNames (text: string, escapes: boolean): number {
  let n = 0
  for (let start = text.indexOf('"'); start >= 0;) {
    let end = text.indexOf('"', start + 1)
    if (escapes) while (isEscaped(text, end)) end = text.indexOf('"', end + 1)
    let next = end + 1
    let c = text.charCodeAt(next)
    while (c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09) c = text.charCodeAt(++next)
    if (c === colon) n++
    start = c === quote ? next : text.indexOf('"', next)
  }
  return n
}

function isEscaped (text: string, at: number): boolean {
  let n = 0
  while (text.charCodeAt(at - 1 - n) === backslash) n++
  return n % 2 === 1
}
