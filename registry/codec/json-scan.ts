import { goQuote } from '../meta/go-format.js'
import { firstUtf8Byte } from './go-utf8.js'
import { JsonSyntaxError, JsonTypeError, strictFieldError } from './json-errors.js'
import { parseGoNumber } from './json-number.js'
import type { ParsedJson } from './json-parse.js'
import { setMember, type JsonObject, type JsonValue } from './value.js'

export interface ScanOptions {
  readonly maxDepth: number
  /** Each character of the text stands for one byte. */
  readonly bytes?: boolean
  /** Is told of each name, before its value is read, and whether its object has it already. The path is only lent. */
  readonly onName?: (path: ReadonlyArray<string | number>, isDuplicate: boolean) => void
  /** Is told of each value, inner ones first, and where its text begins and ends. A number out of range is null. */
  readonly onValue?: (path: ReadonlyArray<string | number>, value: JsonValue, start: number, end: number) => void
}

/**
 * Decodes a JSON text character by character, for what the built-in parser cannot tell: which names are equal, which integers are exact,
 * where a value stands in the text, and what is wrong with it in Go's words. Throws JsonSyntaxError and JsonTypeError.
 */
export function scanJson (text: string, options: ScanOptions): ParsedJson {
  const scanner = new Scanner(text, options)
  const value = scanner.document()
  if (scanner.rangeError !== undefined) throw new JsonTypeError(scanner.rangeError, value)
  return { value, duplicates: scanner.duplicates }
}

class Scanner {
  readonly #text: string
  readonly #options: ScanOptions
  readonly #path: Array<string | number> = []
  readonly #strictErrors = new StrictErrors()
  #at = 0
  rangeError: string | undefined

  constructor (text: string, options: ScanOptions) {
    this.#text = text
    this.#options = options
  }

  get duplicates (): string[] { return this.#strictErrors.texts }

  document (): JsonValue {
    const value = this.#value()
    this.#space()
    if (this.#at < this.#text.length) this.#fail('after top-level value')
    return value
  }

  #value (): JsonValue {
    this.#space()
    const start = this.#at
    const value = this.#bareValue()
    this.#options.onValue?.(this.#path, value, start, this.#at)
    return value
  }

  #bareValue (): JsonValue {
    const c = this.#text.charCodeAt(this.#at)
    switch (c) {
      case 0x7b: return this.#object()
      case 0x5b: return this.#array()
      case 0x22: return this.#string()
      case 0x74: return this.#literal('true', true)
      case 0x66: return this.#literal('false', false)
      case 0x6e: return this.#literal('null', null)
    }
    if (c === 0x2d || isDigit(c)) return this.#number()
    return this.#end('looking for beginning of value')
  }

  #object (): JsonObject {
    this.#checkDepth()
    const object: JsonObject = {}
    this.#at++
    this.#space()
    if (this.#take(0x7d)) return object
    for (;;) {
      this.#space()
      if (this.#text.charCodeAt(this.#at) !== 0x22) this.#end('looking for beginning of object key string')
      const key = this.#string()
      this.#space()
      if (!this.#take(0x3a)) this.#end('after object key')
      this.#path.push(key)
      const isDuplicate = Object.hasOwn(object, key)
      if (isDuplicate) this.#strictErrors.add('duplicate', this.#path)
      this.#options.onName?.(this.#path, isDuplicate)
      setMember(object, key, this.#value())
      this.#path.pop()
      this.#space()
      if (this.#take(0x7d)) return object
      if (!this.#take(0x2c)) this.#end('after object key:value pair')
    }
  }

  #array (): JsonValue[] {
    this.#checkDepth()
    const array: JsonValue[] = []
    this.#at++
    this.#space()
    if (this.#take(0x5d)) return array
    for (;;) {
      this.#path.push(array.length)
      array.push(this.#value())
      this.#path.pop()
      this.#space()
      if (this.#take(0x5d)) return array
      if (!this.#take(0x2c)) this.#end('after array element')
    }
  }

  #string (): string {
    const text = this.#text
    let start = ++this.#at
    let out = ''
    let escaped = false
    for (;; this.#at++) {
      const c = text.charCodeAt(this.#at)
      if (c === 0x22) break
      if (c === 0x5c) {
        out += text.slice(start, this.#at) + this.#escape()
        start = this.#at + 1
        escaped = true
      } else if (!(c >= 0x20)) {
        this.#end('in string literal')
      }
    }
    const rest = text.slice(start, this.#at++)
    return escaped ? (out + rest).toWellFormed() : rest
  }

  /** Reads one escape and leaves the place at its last character. */
  #escape (): string {
    const c = this.#text[++this.#at]
    const simple = c === undefined ? undefined : escapes.get(c)
    if (simple !== undefined) return simple
    if (c !== 'u') this.#fail('in string escape code')
    let code = 0
    for (let i = 0; i < 4; i++) {
      const digit = this.#text[++this.#at] ?? ''
      if (!/^[0-9a-fA-F]$/.test(digit)) this.#fail('in \\u hexadecimal character escape')
      code = code * 16 + parseInt(digit, 16)
    }
    return String.fromCharCode(code)
  }

  #number (): JsonValue {
    const start = this.#at
    if (this.#text.charCodeAt(this.#at) === 0x2d) this.#at++
    if (!this.#take(0x30)) this.#digits('in numeric literal')
    if (this.#take(0x2e)) this.#digits('after decimal point in numeric literal')
    if (this.#take(0x65) || this.#take(0x45)) {
      if (!this.#take(0x2b)) this.#take(0x2d)
      this.#digits('in exponent of numeric literal')
    }
    const literal = this.#text.slice(start, this.#at)
    const value = parseGoNumber(literal)
    if (value === undefined) {
      this.rangeError ??= `json: cannot unmarshal number ${literal} into Go value of type float64`
      return null
    }
    return value
  }

  #digits (context: string): void {
    if (!isDigit(this.#text.charCodeAt(this.#at))) this.#fail(context)
    while (isDigit(this.#text.charCodeAt(this.#at))) this.#at++
  }

  #literal (word: string, value: boolean | null): boolean | null {
    for (let i = 1; i < word.length; i++) {
      this.#at++
      if (this.#text[this.#at] !== word[i]) this.#fail(`in literal ${word} (expecting '${word[i]}')`)
    }
    this.#at++
    return value
  }

  #space (): void {
    for (;; this.#at++) {
      const c = this.#text.charCodeAt(this.#at)
      if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return
    }
  }

  #take (c: number): boolean {
    if (this.#text.charCodeAt(this.#at) !== c) return false
    this.#at++
    return true
  }

  #checkDepth (): void {
    if (this.#path.length >= this.#options.maxDepth) this.#fail('exceeded max depth')
  }

  /** Where a text may go on after white space: its end is "unexpected end", anything else an invalid character. */
  #end (context: string): never {
    if (this.#at >= this.#text.length) throw new JsonSyntaxError('unexpected end of JSON input')
    this.#fail(context)
  }

  /** Inside a literal, number or escape Go sees the end of the text as a space. */
  #fail (context: string): never {
    const at = this.#at
    const code = at >= this.#text.length ? 0x20 : this.#options.bytes === true ? this.#text.charCodeAt(at) : firstUtf8Byte(this.#text, at)
    throw new JsonSyntaxError(`invalid character ${quoteCharacter(code)} ${context}`)
  }
}

const escapes: ReadonlyMap<string, string> = new Map([['"', '"'], ['\\', '\\'], ['/', '/'], ['b', '\b'], ['f', '\f'], ['n', '\n'], ['r', '\r'], ['t', '\t']])

const isDigit = (c: number): boolean => c >= 0x30 && c <= 0x39

function quoteCharacter (code: number): string {
  if (code === 0x27) return "'\\''"
  if (code === 0x22) return "'\"'"
  return `'${goQuote(String.fromCharCode(code)).slice(1, -1)}'`
}

/** A list of strict errors as sigs.k8s.io/json keeps it: each once, at most 100. */
export class StrictErrors {
  readonly #texts = new Set<string>()

  get texts (): string[] { return [...this.#texts] }

  add (type: 'duplicate' | 'unknown', path: ReadonlyArray<string | number>): void {
    if (this.#texts.size < maxStrictErrors) this.#texts.add(strictFieldError(type, fieldPath(path)))
  }
}

const maxStrictErrors = 100

/** `spec.items[0].name`, `[0].op`: a path as sigs.k8s.io/json joins it; names are not escaped. */
export function fieldPath (path: ReadonlyArray<string | number>): string {
  return path.map((part, i) => typeof part === 'number' ? `[${part}]` : i === 0 ? part : `.${part}`).join('')
}
