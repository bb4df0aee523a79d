import type { JsonObject, JsonValue } from './value.js'

/**
 * JSON as Go's encoding/json writes an unstructured object: keys sorted by bytes, no spaces, `<`, `>`, `&`, U+2028 and U+2029 escaped,
 * numbers in their shortest form, bigints in full. Members that are undefined are left out; what has no JSON form is null.
 */
export function printJson (v: JsonValue | undefined): string {
  if (typeof v !== 'object' || v === null || !suitsNative(v)) return print(v)
  return printInOrder(v)
}

/**
 * JSON as Go writes one of its own types: members in the order that they have, else as printJson. For values without bigints.
 * @param indent spaces a level; absent: one line
 */
export function printInOrder (v: object, indent?: number): string {
  const out = JSON.stringify(v, undefined, indent)
  return needsReplacing.test(out) ? out.replace(goEscapes, escape) : out
}

/**
 * Whether JSON.stringify, which is faster, writes the same but for the escapes: keys in order already, as in everything that was printed
 * by this function before, and no value that it writes otherwise.
 */
function suitsNative (v: JsonValue): boolean {
  if (typeof v === 'number') return v !== 0 || !Object.is(v, -0)
  if (typeof v === 'bigint') return false
  if (typeof v !== 'object' || v === null) return true
  if (Array.isArray(v)) {
    for (let i = 0; i < v.length; i++) {
      const item = v[i] as JsonValue
      if (typeof item !== 'string' && !suitsNative(item)) return false
    }
    return true
  }
  let last: string | undefined
  for (const key in v) {
    if (last !== undefined && compareUtf8(last, key) > 0) return false
    last = key
    const member = (v as JsonObject)[key] as JsonValue
    if (typeof member !== 'string' && !suitsNative(member)) return false
  }
  return true
}

function print (v: JsonValue | undefined): string {
  switch (typeof v) {
    case 'string': return printString(v)
    case 'number': return Number.isFinite(v) ? (Object.is(v, -0) ? '-0' : String(v)) : 'null'
    case 'boolean': return v ? 'true' : 'false'
    case 'bigint': return v.toString()
    case 'object': break
    default: return 'null'
  }
  if (v === null) return 'null'
  if (Array.isArray(v)) {
    let out = '['
    for (let i = 0; i < v.length; i++) out += (i === 0 ? '' : ',') + print(v[i])
    return out + ']'
  }
  let out = '{'
  let first = true
  for (const key of sortedKeys(v)) {
    const member = v[key]
    if (member === undefined) continue
    out += (first ? '' : ',') + printString(key) + ':' + print(member)
    first = false
  }
  return out + '}'
}

/** Keys in the order of their UTF-8 bytes, which for keys outside the BMP is not JavaScript's order. */
export function sortedKeys (o: object): string[] {
  const keys = Object.keys(o)
  for (let i = 1; i < keys.length; i++) if (compareUtf8(keys[i - 1]!, keys[i]!) > 0) return keys.sort(compareUtf8)
  return keys
}

/** Compares two strings by their UTF-8 bytes. */
export function compareUtf8 (a: string, b: string): number {
  if (a === b) return 0
  const n = Math.min(a.length, b.length)
  for (let i = 0; i < n; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x !== y) return (isSurrogate(x) ? x + 0x10000 : x) - (isSurrogate(y) ? y + 0x10000 : y)
  }
  return a.length - b.length
}

// In UTF-8 the characters that UTF-16 writes as surrogates sort after U+FFFF.
const isSurrogate = (c: number): boolean => c >= 0xd800 && c <= 0xdfff

// eslint-disable-next-line no-control-regex -- these are what JSON escapes
const needsEscape = /[\u0000-\u001f"\\<>&\u2028\u2029\ud800-\udfff]/

function printString (s: string): string {
  if (!needsEscape.test(s)) return '"' + s + '"'
  return JSON.stringify(s.toWellFormed()).replace(goEscapes, escape)
}

// A lone surrogate is what JSON.stringify writes as \ud…; Go has no such string and writes the replacement character.
const needsReplacing = /[<>&\u2028\u2029]|\\ud/
const goEscapes = /[<>&\u2028\u2029]|\\\\|\\ud[0-9a-f]{3}/g
const escape = (s: string): string => s.length === 1 ? '\\u' + s.charCodeAt(0).toString(16).padStart(4, '0') : s.length === 2 ? s : '\ufffd'
