/** A place in a YAML text: all three count from 0, in characters. */
export interface Mark { readonly index: number; readonly line: number; readonly column: number }

/** What is wrong with a YAML text, in the words of Go's yaml.v2: `yaml: line 3: mapping values are not allowed in this context`. */
export class YamlError extends Error {
  override readonly name = 'YamlError'

  /** `line` counts from 1; 0 is not named. */
  constructor (problem: string, line = 0) {
    super(line === 0 ? `yaml: ${problem}` : `yaml: line ${line}: ${problem}`)
  }
}

// yaml.v2 reads its input in pieces of this many bytes, and checks a whole piece before it looks at its characters.
const pieceLength = 512
// Only at the end is it known that no more bytes come.
const incomplete = 'incomplete UTF-8 octet sequence'

/** The characters of a YAML text, with the place of the next one. What is beyond the end reads as 0. */
export class YamlReader {
  readonly #text: string
  /** From here on the text cannot be read, for the reason given. */
  readonly #limit: number
  readonly #problem: string
  #at = 0
  #index = 0
  #line = 0
  #column = 0

  constructor (bytes: Buffer) {
    const start = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0
    const bad = findUnreadable(bytes, start)
    if (bad === undefined) {
      this.#text = bytes.toString('utf8', start)
      this.#limit = Infinity
      this.#problem = ''
    } else {
      this.#text = bytes.toString('utf8', start, bad.problem === incomplete ? bad.at : bad.at - bad.at % pieceLength)
      this.#limit = this.#text.length
      this.#problem = bad.problem
    }
  }

  get mark (): Mark { return { index: this.#index, line: this.#line, column: this.#column } }
  get line (): number { return this.#line }
  get column (): number { return this.#column }
  get index (): number { return this.#index }

  /** The UTF-16 code of a character ahead. Throws YamlError where the bytes are no text. */
  peek (ahead = 0): number {
    const at = this.#at + ahead
    if (at >= this.#limit) throw new YamlError(this.#problem)
    return at < this.#text.length ? this.#text.charCodeAt(at) : 0
  }

  /** Reads characters of one line. */
  take (count = 1): string {
    const start = this.#at
    for (let i = 0; i < count; i++) {
      const c = this.peek()
      this.#at += c >= 0xd800 && c < 0xdc00 ? 2 : 1
      this.#index++
      this.#column++
    }
    return this.#text.slice(start, this.#at)
  }

  /** Reads characters of one line while they match. The function may peek further. */
  takeWhile (matches: (c: number) => boolean): string {
    const start = this.#at
    let astral = 0
    for (let c = this.peek(); matches(c); c = this.peek()) {
      if (c >= 0xd800 && c < 0xdc00) {
        this.#at++
        astral++
      }
      this.#at++
    }
    const length = this.#at - start - astral
    this.#index += length
    this.#column += length
    return this.#text.slice(start, this.#at)
  }

  /** Reads a line break, if there is one, and says what it stands for: LF, except for U+2028 and U+2029. */
  takeBreak (): string {
    const c = this.peek()
    if (!isBreak(c)) return ''
    const crlf = c === 0x0d && this.peek(1) === 0x0a
    this.#at += crlf ? 2 : 1
    this.#index += crlf ? 2 : 1
    this.#line++
    this.#column = 0
    return c === 0x2028 || c === 0x2029 ? String.fromCharCode(c) : '\n'
  }

  /** At the end of the text: the stream ends at the beginning of a line. */
  endLine (): void {
    if (this.#column === 0) return
    this.#column = 0
    this.#line++
  }

  skipComment (): void {
    if (this.peek() === 0x23) this.takeWhile(c => !isBreakOrEnd(c))
  }

  /** Whether `---` or `...` stands here, alone at the beginning of a line. */
  isDocumentIndicator (): boolean {
    const c = this.peek()
    return this.#column === 0 && (c === 0x2d || c === 0x2e) && this.peek(1) === c && this.peek(2) === c && isBlankOrEnd(this.peek(3))
  }
}

export const isBreak = (c: number): boolean => c === 0x0a || c === 0x0d || c === 0x85 || c === 0x2028 || c === 0x2029
export const isBreakOrEnd = (c: number): boolean => c === 0 || isBreak(c)
export const isBlank = (c: number): boolean => c === 0x20 || c === 0x09
export const isBlankOrEnd = (c: number): boolean => isBlank(c) || isBreakOrEnd(c)
export const isDigit = (c: number): boolean => c >= 0x30 && c <= 0x39
export const isWord = (c: number): boolean => isDigit(c) || (c >= 0x41 && c <= 0x5a) || (c >= 0x61 && c <= 0x7a) || c === 0x5f || c === 0x2d

/** The first byte that YAML cannot have, and why. */
function findUnreadable (bytes: Buffer, start: number): { at: number, problem: string } | undefined {
  for (let i = start; i < bytes.length;) {
    const b = bytes[i]!
    if (b < 0x80) {
      if (b < 0x20 ? b !== 0x09 && b !== 0x0a && b !== 0x0d : b === 0x7f) return { at: i, problem: 'control characters are not allowed' }
      i++
      continue
    }
    const width = (b & 0xe0) === 0xc0 ? 2 : (b & 0xf0) === 0xe0 ? 3 : (b & 0xf8) === 0xf0 ? 4 : 0
    if (width === 0) return { at: i, problem: 'invalid leading UTF-8 octet' }
    if (i + width > bytes.length) return { at: i, problem: incomplete }
    let c = b & (0x7f >> width)
    for (let k = 1; k < width; k++) {
      const next = bytes[i + k]!
      if ((next & 0xc0) !== 0x80) return { at: i, problem: 'invalid trailing UTF-8 octet' }
      c = (c << 6) | (next & 0x3f)
    }
    if (c < (width === 2 ? 0x80 : width === 3 ? 0x800 : 0x10000)) return { at: i, problem: 'invalid length of a UTF-8 sequence' }
    if ((c >= 0xd800 && c <= 0xdfff) || c > 0x10ffff) return { at: i, problem: 'invalid Unicode character' }
    if ((c < 0xa0 && c !== 0x85) || c === 0xfffe || c === 0xffff) return { at: i, problem: 'control characters are not allowed' }
    i += width
  }
  return undefined
}
