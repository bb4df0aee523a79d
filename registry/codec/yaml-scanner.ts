import { maxNestingDepth } from './json-parse.js'
import { isBlank, isBlankOrEnd, isBreakOrEnd, isDigit, isWord, YamlReader, type Mark } from './yaml-reader.js'
import { scanBlockScalar, scanFlowScalar, scanPlainScalar } from './yaml-scalars.js'
import { scanTag, scanTagHandle, scanTagUri } from './yaml-tags.js'
import { scannerError, type Token, type TokenType } from './yaml-token.js'

/** What may turn out to be a key when a colon follows on the same line. */
interface SimpleKey { possible: boolean, required: boolean, tokenNumber: number, mark: Mark }

const maxSimpleKeyLength = 1024

const indicators: ReadonlySet<number> = new Set([...',[]{}#&*!|>\'"%@`'].map(c => c.charCodeAt(0)))

/**
 * Splits a YAML 1.1 text into tokens as libyaml does, indentation included: block collections get start and end tokens. What stands before a
 * colon is known to be a key only afterwards, so that tokens are inserted before others that were read already.
 */
export class YamlScanner {
  readonly #reader: YamlReader
  #tokens: Token[] = []
  #parsed = 0
  #ended = false
  #indent = -1
  readonly #indents: number[] = []
  #flowLevel = 0
  #simpleKeyAllowed = true
  readonly #simpleKeys: SimpleKey[] = [{ possible: false, required: false, tokenNumber: 0, mark: { index: 0, line: 0, column: 0 } }]

  /**
   * The flow level of the possible key that begins with the token of a number. yaml.v2 forgets the entry of a flow collection without
   * content when that ends, so that it is not recognized as a key; neither is it here.
   */
  readonly #keyLevels = new Map<number, number>()

  constructor (bytes: Buffer) {
    this.#reader = new YamlReader(bytes)
  }

  /** The next token. Throws YamlError. */
  peek (): Token {
    while (this.#tokens.length === 0 || this.#headMayBeKey()) this.#fetch()
    return this.#tokens[0] as Token
  }

  /** Removes the token that peek returned. */
  skip (): void {
    if (this.#tokens[0]?.type !== 'stream-end') {
      this.#tokens.shift()
      this.#parsed++
    }
  }

  #headMayBeKey (): boolean {
    const level = this.#keyLevels.get(this.#parsed)
    return level !== undefined && this.#isValid(this.#simpleKeys[level] as SimpleKey)
  }

  #insert (token: Token, tokenNumber = Infinity): void {
    const at = tokenNumber - this.#parsed
    if (at >= 0 && at < this.#tokens.length) this.#tokens.splice(at, 0, token)
    else this.#tokens.push(token)
  }

  #fetch (): void {
    const reader = this.#reader
    if (this.#ended) return
    this.#skipToToken()
    this.#unrollIndent(reader.column)
    const c = reader.peek()
    if (c === 0) return this.#fetchStreamEnd()
    if (reader.column === 0 && c === 0x25) return this.#fetchDirective()
    if (reader.isDocumentIndicator()) return this.#fetchDocumentIndicator(c === 0x2d ? 'document-start' : 'document-end')
    const next = (): number => reader.peek(1)
    const flow = this.#flowLevel > 0
    switch (c) {
      case 0x5b: return this.#fetchFlowStart('flow-sequence-start')
      case 0x7b: return this.#fetchFlowStart('flow-mapping-start')
      case 0x5d: return this.#fetchFlowEnd('flow-sequence-end')
      case 0x7d: return this.#fetchFlowEnd('flow-mapping-end')
      case 0x2c: return this.#fetchFlowEntry()
      case 0x2d: if (isBlankOrEnd(next())) return this.#fetchBlockEntry(); break
      case 0x3f: if (flow || isBlankOrEnd(next())) return this.#fetchKey(); break
      case 0x3a: if (flow || isBlankOrEnd(next())) return this.#fetchValue(); break
      case 0x2a: return this.#fetchAnchor('alias')
      case 0x26: return this.#fetchAnchor('anchor')
      case 0x21: return this.#fetchTag()
      case 0x7c: if (!flow) return this.#fetchBlockScalar(true); break
      case 0x3e: if (!flow) return this.#fetchBlockScalar(false); break
      case 0x27: case 0x22: return this.#fetchScalar(() => scanFlowScalar(reader))
    }
    if (this.#startsPlain(c)) return this.#fetchScalar(() => this.#plainScalar())
    throw scannerError('found character that cannot start any token', reader.mark)
  }

  #startsPlain (c: number): boolean {
    if (c === 0x2d) return !isBlank(this.#reader.peek(1))
    if (c === 0x3f || c === 0x3a) return this.#flowLevel === 0 && !isBlankOrEnd(this.#reader.peek(1))
    return !indicators.has(c) && !isBlankOrEnd(c)
  }

  #plainScalar (): Token {
    const { token, endsWithBreak } = scanPlainScalar(this.#reader, this.#indent, this.#flowLevel > 0)
    if (endsWithBreak) this.#simpleKeyAllowed = true
    return token
  }

  /** Tabs may separate tokens only where no key can begin. */
  #skipToToken (): void {
    const reader = this.#reader
    for (;;) {
      if (reader.column === 0 && reader.peek() === 0xfeff) reader.take()
      while (reader.peek() === 0x20 || (reader.peek() === 0x09 && (this.#flowLevel > 0 || !this.#simpleKeyAllowed))) reader.take()
      reader.skipComment()
      if (reader.takeBreak() === '') return
      if (this.#flowLevel === 0) this.#simpleKeyAllowed = true
    }
  }

  #isValid (key: SimpleKey): boolean {
    if (!key.possible) return false
    if (key.mark.line < this.#reader.line || key.mark.index + maxSimpleKeyLength < this.#reader.index) {
      if (key.required) throw scannerError("could not find expected ':'", this.#reader.mark, key.mark)
      key.possible = false
    }
    return key.possible
  }

  #saveSimpleKey (): void {
    if (!this.#simpleKeyAllowed) return
    this.#removeSimpleKey()
    this.#simpleKeys[this.#simpleKeys.length - 1] = {
      possible: true,
      required: this.#flowLevel === 0 && this.#indent === this.#reader.column,
      tokenNumber: this.#parsed + this.#tokens.length,
      mark: this.#reader.mark
    }
    this.#keyLevels.set(this.#parsed + this.#tokens.length, this.#simpleKeys.length - 1)
  }

  #removeSimpleKey (): void {
    const key = this.#simpleKeys.at(-1) as SimpleKey
    if (!key.possible) return
    if (key.required) throw scannerError("could not find expected ':'", this.#reader.mark, key.mark)
    key.possible = false
    this.#keyLevels.delete(key.tokenNumber)
  }

  /** Opens a block collection at a column further right, before the token of the given number. */
  #rollIndent (column: number, type: TokenType, mark: Mark, tokenNumber?: number): void {
    if (this.#flowLevel > 0 || this.#indent >= column) return
    this.#indents.push(this.#indent)
    this.#indent = column
    if (this.#indents.length > maxNestingDepth) throw scannerError('exceeded max depth of 10000', this.#reader.mark, mark)
    this.#insert({ type, start: mark, end: mark }, tokenNumber)
  }

  /** Closes the block collections that are further right. */
  #unrollIndent (column: number): void {
    if (this.#flowLevel > 0) return
    while (this.#indent > column) {
      const mark = this.#reader.mark
      this.#tokens.push({ type: 'block-end', start: mark, end: mark })
      this.#indent = this.#indents.pop() as number
    }
  }

  #fetchStreamEnd (): void {
    this.#reader.endLine()
    this.#unrollIndent(-1)
    this.#removeSimpleKey()
    this.#simpleKeyAllowed = false
    this.#ended = true
    const mark = this.#reader.mark
    this.#tokens.push({ type: 'stream-end', start: mark, end: mark })
  }

  #fetchDirective (): void {
    this.#unrollIndent(-1)
    this.#removeSimpleKey()
    this.#simpleKeyAllowed = false
    this.#tokens.push(this.#scanDirective())
  }

  #fetchDocumentIndicator (type: TokenType): void {
    this.#unrollIndent(-1)
    this.#removeSimpleKey()
    this.#simpleKeyAllowed = false
    this.#pushIndicator(type, 3)
  }

  #fetchFlowStart (type: TokenType): void {
    this.#saveSimpleKey()
    this.#simpleKeys.push({ possible: false, required: false, tokenNumber: this.#parsed + this.#tokens.length, mark: this.#reader.mark })
    if (++this.#flowLevel > maxNestingDepth) throw scannerError('exceeded max depth of 10000', this.#reader.mark)
    this.#simpleKeyAllowed = true
    this.#pushIndicator(type)
  }

  #fetchFlowEnd (type: TokenType): void {
    this.#removeSimpleKey()
    if (this.#flowLevel > 0) {
      this.#flowLevel--
      this.#keyLevels.delete((this.#simpleKeys.pop() as SimpleKey).tokenNumber)
    }
    this.#simpleKeyAllowed = false
    this.#pushIndicator(type)
  }

  #fetchFlowEntry (): void {
    this.#removeSimpleKey()
    this.#simpleKeyAllowed = true
    this.#pushIndicator('flow-entry')
  }

  #fetchBlockEntry (): void {
    if (this.#flowLevel === 0) {
      if (!this.#simpleKeyAllowed) throw scannerError('block sequence entries are not allowed in this context', this.#reader.mark)
      this.#rollIndent(this.#reader.column, 'block-sequence-start', this.#reader.mark)
    }
    this.#removeSimpleKey()
    this.#simpleKeyAllowed = true
    this.#pushIndicator('block-entry')
  }

  #fetchKey (): void {
    if (this.#flowLevel === 0) {
      if (!this.#simpleKeyAllowed) throw scannerError('mapping keys are not allowed in this context', this.#reader.mark)
      this.#rollIndent(this.#reader.column, 'block-mapping-start', this.#reader.mark)
    }
    this.#removeSimpleKey()
    this.#simpleKeyAllowed = this.#flowLevel === 0
    this.#pushIndicator('key')
  }

  #fetchValue (): void {
    const key = this.#simpleKeys.at(-1) as SimpleKey
    if (this.#isValid(key)) {
      this.#insert({ type: 'key', start: key.mark, end: key.mark }, key.tokenNumber)
      this.#rollIndent(key.mark.column, 'block-mapping-start', key.mark, key.tokenNumber)
      key.possible = false
      this.#keyLevels.delete(key.tokenNumber)
      this.#simpleKeyAllowed = false
    } else {
      if (this.#flowLevel === 0) {
        if (!this.#simpleKeyAllowed) throw scannerError('mapping values are not allowed in this context', this.#reader.mark)
        this.#rollIndent(this.#reader.column, 'block-mapping-start', this.#reader.mark)
      }
      this.#simpleKeyAllowed = this.#flowLevel === 0
    }
    this.#pushIndicator('value')
  }

  #fetchAnchor (type: 'alias' | 'anchor'): void {
    this.#saveSimpleKey()
    this.#simpleKeyAllowed = false
    const start = this.#reader.mark
    this.#reader.take()
    const value = this.#reader.takeWhile(isWord)
    const c = this.#reader.peek()
    if (value === '' || !(isBlankOrEnd(c) || '?:,]}%@`'.includes(String.fromCharCode(c)))) {
      throw scannerError('did not find expected alphabetic or numeric character', this.#reader.mark, start)
    }
    this.#tokens.push({ type, start, end: this.#reader.mark, value })
  }

  #fetchTag (): void {
    this.#saveSimpleKey()
    this.#simpleKeyAllowed = false
    this.#tokens.push(scanTag(this.#reader))
  }

  #fetchBlockScalar (literal: boolean): void {
    this.#removeSimpleKey()
    this.#simpleKeyAllowed = true
    this.#tokens.push(scanBlockScalar(this.#reader, this.#indent, literal))
  }

  #fetchScalar (scan: () => Token): void {
    this.#saveSimpleKey()
    this.#simpleKeyAllowed = false
    this.#tokens.push(scan())
  }

  #pushIndicator (type: TokenType, length = 1): void {
    const start = this.#reader.mark
    this.#reader.take(length)
    this.#tokens.push({ type, start, end: this.#reader.mark })
  }

  #scanDirective (): Token {
    const reader = this.#reader
    const start = reader.mark
    const fail = (problem: string): never => { throw scannerError(problem, reader.mark, start) }
    reader.take()
    const name = reader.takeWhile(isWord)
    if (name === '') fail('could not find expected directive name')
    if (!isBlankOrEnd(reader.peek())) fail('found unexpected non-alphabetical character')
    let token: Token
    if (name === 'YAML') {
      reader.takeWhile(isBlank)
      const version = [this.#versionNumber(fail)]
      if (reader.peek() !== 0x2e) fail("did not find expected digit or '.' character")
      reader.take()
      version.push(this.#versionNumber(fail))
      token = { type: 'version-directive', start, end: reader.mark, suffix: version.join('.') }
    } else if (name === 'TAG') {
      reader.takeWhile(isBlank)
      const value = scanTagHandle(reader, start, true)
      if (!isBlank(reader.peek())) fail('did not find expected whitespace')
      reader.takeWhile(isBlank)
      const suffix = scanTagUri(reader, start, '')
      if (!isBlankOrEnd(reader.peek())) fail('did not find expected whitespace or line break')
      token = { type: 'tag-directive', start, end: reader.mark, value, suffix }
    } else {
      return fail('found unknown directive name')
    }
    reader.takeWhile(isBlank)
    reader.skipComment()
    if (!isBreakOrEnd(reader.peek())) fail('did not find expected comment or line break')
    reader.takeBreak()
    return token
  }

  #versionNumber (fail: (problem: string) => never): number {
    let digits = ''
    while (isDigit(this.#reader.peek())) {
      if (digits.length === 2) fail('found extremely long version number')
      digits += this.#reader.take()
    }
    if (digits === '') fail('did not find expected version number')
    return Number(digits)
  }
}
