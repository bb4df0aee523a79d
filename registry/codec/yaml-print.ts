import { formatFloat } from './go-float.js'
import type { JsonObject, JsonValue } from './value.js'
import { looksLikeOtherType } from './yaml-resolve.js'

const bestWidth = 80
const maxSimpleKeyLength = 128

/**
 * YAML as sigs.k8s.io/yaml prints it (yaml.v2): members in its "natural" order, lists not indented below their key, long lines folded at
 * a space beyond column 80, text of several lines as a block.
 */
export function printYaml (value: JsonValue): string {
  const printer = new Printer()
  printer.node(value, { indent: -1, inMapping: false })
  return printer.end()
}

/** Where a node stands: the indentation of its collection, and whether that is a mapping (and the node not on a line of its own). */
interface Place { readonly indent: number, readonly inMapping: boolean }

class Printer {
  #out = ''
  #column = 0
  /** The last character was white space. */
  #spaced = true
  /** So far the line has only indentation and dashes. */
  #indenting = true

  end (): string {
    this.#startLine(0)
    return this.#out
  }

  node (value: JsonValue, place: Place): void {
    if (Array.isArray(value)) {
      if (value.length === 0) this.#indicator('[]', { needsSpace: true })
      else this.#sequence(value, place)
    } else if (typeof value === 'object' && value !== null) {
      const keys = Object.keys(value).sort(compareNaturally)
      if (keys.length === 0) this.#indicator('{}', { needsSpace: true })
      else this.#mapping(value, keys, place)
    } else {
      this.#scalar(value, place.indent, false)
    }
  }

  #sequence (items: JsonValue[], place: Place): void {
    const indent = place.inMapping && !this.#indenting ? place.indent : place.indent < 0 ? 0 : place.indent + 2
    for (const item of items) {
      this.#startLine(indent)
      this.#indicator('-', { needsSpace: true, keepsIndenting: true })
      this.node(item, { indent, inMapping: false })
    }
  }

  #mapping (object: JsonObject, keys: string[], place: Place): void {
    const indent = place.indent < 0 ? 0 : place.indent + 2
    for (const key of keys) {
      this.#startLine(indent)
      if (!/[\n\r\x85\u2028\u2029]/.test(key) && Buffer.byteLength(key) <= maxSimpleKeyLength) {
        this.#scalar(key, indent, true)
        this.#indicator(':', { needsSpace: false })
      } else {
        this.#indicator('?', { needsSpace: true, keepsIndenting: true })
        this.#scalar(key, indent, false)
        this.#startLine(indent)
        this.#indicator(':', { needsSpace: true, keepsIndenting: true })
      }
      this.node(object[key] as JsonValue, { indent, inMapping: true })
    }
  }

  #scalar (value: null | boolean | number | bigint | string, parentIndent: number, isKey: boolean): void {
    const indent = parentIndent < 0 ? 2 : parentIndent + 2
    if (typeof value !== 'string') return this.#plain(value === null ? 'null' : typeof value === 'number' ? numberText(value) : String(value), indent, false)
    const shape = analyze(value)
    if (value.includes('\n')) {
      if (shape.block && !isKey) this.#block(value, indent)
      else this.#doubleQuoted(value, indent, !isKey)
    } else if (looksLikeOtherType(value) || isBase60Float(value)) {
      this.#doubleQuoted(value, indent, !isKey)
    } else if (shape.plain) {
      this.#plain(value, indent, !isKey)
    } else if (shape.singleQuoted && !(isKey && shape.multiline)) {
      this.#singleQuoted(value, indent, !isKey)
    } else {
      this.#doubleQuoted(value, indent, !isKey)
    }
  }

  #plain (text: string, indent: number, folds: boolean): void {
    if (!this.#spaced) this.#put(' ')
    this.#words(text, indent, { folds, quote: '' })
  }

  #singleQuoted (text: string, indent: number, folds: boolean): void {
    this.#indicator("'", { needsSpace: true })
    this.#words(text, indent, { folds, quote: "'" })
    this.#indicator("'", { needsSpace: false })
  }

  /** Text whose spaces may become line breaks; its own breaks are doubled or, being U+2028 or U+2029, kept. */
  #words (text: string, indent: number, { folds, quote }: { folds: boolean, quote: string }): void {
    const chars = [...text]
    let afterSpace = false
    let afterBreak = false
    for (const [i, c] of chars.entries()) {
      if (c === ' ') {
        const inside = quote === '' || (i > 0 && i < chars.length - 1)
        if (folds && !afterSpace && this.#column > bestWidth && inside && chars[i + 1] !== ' ') this.#startLine(indent)
        else this.#put(c)
        afterSpace = true
      } else if (isBreak(c)) {
        this.#putBreak(c)
        afterBreak = true
      } else {
        if (afterBreak) this.#startLine(indent)
        this.#put(c === "'" ? quote + c : c)
        this.#indenting = afterSpace = afterBreak = false
      }
    }
    this.#spaced = this.#indenting = false
  }

  #doubleQuoted (text: string, indent: number, folds: boolean): void {
    this.#indicator('"', { needsSpace: true })
    const chars = [...text]
    const escapesAll = text.startsWith('\ufeff') // a slip of yaml.v2's
    let afterSpace = false
    for (const [i, c] of chars.entries()) {
      if (escapesAll) {
        this.#put(escapeOf(c))
      } else if (c === ' ' && folds && !afterSpace && this.#column > bestWidth && i > 0 && i < chars.length - 1) {
        this.#startLine(indent)
        if (chars[i + 1] === ' ') this.#put('\\')
        afterSpace = true
      } else {
        this.#put(isPrintable(c) && !isBreak(c) && c !== '"' && c !== '\\' ? c : escapeOf(c))
        afterSpace = c === ' '
      }
    }
    this.#indicator('"', { needsSpace: false })
  }

  #block (text: string, indent: number): void {
    this.#indicator('|', { needsSpace: true })
    if (/^[ \n\u2028\u2029]/.test(text)) this.#put('2')
    const ends = /([\n\u2028\u2029]?)([\n\u2028\u2029]?)$/.exec(text) as RegExpExecArray
    if (ends[1] === '') this.#put('-')
    else if (ends[2] !== '' || text.length === 1) this.#put('+')
    this.#putBreak('\n')
    this.#spaced = this.#indenting = true
    let atStart = true
    for (const c of text) {
      if (isBreak(c)) {
        this.#putBreak(c)
        atStart = true
      } else {
        if (atStart) this.#startLine(indent)
        this.#put(c)
        this.#indenting = atStart = false
      }
    }
  }

  /** Goes to the given column of a line that has nothing else yet. */
  #startLine (indent: number): void {
    if (!this.#indenting || this.#column > indent || (this.#column === indent && !this.#spaced)) this.#putBreak('\n')
    this.#put(' '.repeat(Math.max(indent - this.#column, 0)))
    this.#spaced = this.#indenting = true
  }

  #indicator (text: string, { needsSpace, keepsIndenting = false }: { needsSpace: boolean, keepsIndenting?: boolean }): void {
    this.#put(needsSpace && !this.#spaced ? ` ${text}` : text)
    this.#spaced = false
    this.#indenting &&= keepsIndenting
  }

  #put (text: string): void {
    this.#out += text
    this.#column += text.length
  }

  #putBreak (c: string): void {
    this.#out += c
    this.#column = 0
    this.#indenting = true
  }
}

const isBreak = (c: string): boolean => c === '\n' || c === '\r' || c === '\x85' || c === '\u2028' || c === '\u2029'

/** What yaml.v2 prints as it is: nothing beyond the Basic Multilingual Plane, for example. */
const isPrintable = (text: string): boolean => /^[\n\x20-\x7e\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd]*$/.test(text)

const shortEscapes: ReadonlyMap<string, string> = new Map([
  ['\0', '\\0'], ['\x07', '\\a'], ['\b', '\\b'], ['\t', '\\t'], ['\n', '\\n'], ['\v', '\\v'], ['\f', '\\f'], ['\r', '\\r'], ['\x1b', '\\e'],
  ['"', '\\"'], ['\\', '\\\\'], ['\x85', '\\N'], ['\xa0', '\\_'], ['\u2028', '\\L'], ['\u2029', '\\P']
])

function escapeOf (c: string): string {
  const code = c.codePointAt(0) as number
  const hex = code.toString(16).toUpperCase()
  return shortEscapes.get(c) ?? (code <= 0xff ? `\\x${hex.padStart(2, '0')}` : code <= 0xffff ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`)
}

interface Shape { readonly multiline: boolean, readonly plain: boolean, readonly singleQuoted: boolean, readonly block: boolean }

/** In which styles a string can be written. */
function analyze (text: string): Shape {
  if (text === '') return { multiline: false, plain: true, singleQuoted: true, block: false }
  const multiline = /[\n\r\x85\u2028\u2029]/.test(text)
  const special = !isPrintable(text) || / [\n\r\x85\u2028\u2029]/.test(text)
  const breakThenSpace = /[\n\r\x85\u2028\u2029] /.test(text)
  const indicator = /^(?:---|\.\.\.)|^[#,[\]{}&*!|>'"%@`]|^[?:-](?:[ \t]|$)|:(?:[ \t]|$)|[ \t\n\r\x85\u2028\u2029\0]#/.test(text)
  const edge = /^[ \n\r\x85\u2028\u2029]|[ \n\r\x85\u2028\u2029]$/.test(text)
  return {
    multiline,
    plain: !multiline && !special && !indicator && !edge,
    singleQuoted: !special && !breakThenSpace,
    block: !special && !text.endsWith(' ')
  }
}

/** YAML 1.1 would read `1:30` as a number; yaml.v2 does not, but writes it so that others do not either. */
const isBase60Float = (text: string): boolean => /^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$/.test(text)

function numberText (n: number): string {
  if (Number.isInteger(n) && Math.abs(n) < 1e21) {
    const big = BigInt(String(n)) // of the digits that JSON has, as sigs.k8s.io/yaml reads them, not of the exact value
    return big >= -(2n ** 63n) && big < 2n ** 64n ? big.toString() : formatFloat(n)
  }
  return formatFloat(n)
}

/** yaml.v2's order of keys: digits are compared as numbers, and letters come after everything else. */
export function compareNaturally (a: string, b: string): number {
  let same = 0
  while (same < a.length && a.charCodeAt(same) === b.charCodeAt(same)) same++
  const p = a.charCodeAt(same)
  const q = b.charCodeAt(same)
  return isAsciiLetter(p) && isAsciiLetter(q) ? p - q : compareCharacters(a, b)
}

function compareCharacters (a: string, b: string): number {
  const x = [...a]
  const y = [...b]
  for (let i = 0; i < x.length && i < y.length; i++) {
    const p = x[i] as string
    const q = y[i] as string
    if (p === q) continue
    if (isLetter(p) !== isLetter(q)) return isLetter(q) ? -1 : 1
    return isLetter(p) ? codeOf(p) - codeOf(q) : compareNumbers(x, y, i)
  }
  return x.length - y.length
}

/** Compares from the first difference on, where neither has a letter. */
function compareNumbers (x: string[], y: string[], i: number): number {
  // A zero after another digit belongs to a number that has begun already.
  let lead = ''
  if (x[i] === '0' || y[i] === '0') {
    for (let j = i - 1; j >= 0 && isDigit(x[j] as string); j--) if (x[j] !== '0') lead = '1'
  }
  const digits = (s: string[]): string => /^\p{Nd}*/u.exec(s.slice(i).join(''))?.[0] ?? ''
  const m = digits(x)
  const n = digits(y)
  const order = numberOf(lead + m) - numberOf(lead + n)
  if (order !== 0n) return order < 0n ? -1 : 1
  return [...m].length - [...n].length || codeOf(x[i] as string) - codeOf(y[i] as string)
}

const isAsciiLetter = (c: number): boolean => (c >= 0x61 && c <= 0x7a) || (c >= 0x41 && c <= 0x5a)
const isLetter = (c: string): boolean => /^\p{L}$/u.test(c)
const isDigit = (c: string): boolean => /^\p{Nd}$/u.test(c)
const codeOf = (c: string): number => c.codePointAt(0) as number
/** int64 arithmetic, overflow included. */
const numberOf = (digits: string): bigint => [...digits].reduce((n, c) => BigInt.asIntN(64, n * 10n + BigInt(codeOf(c) - 0x30)), 0n)
