import { isBlank, isBlankOrEnd, isBreak, isBreakOrEnd, isDigit, type Mark, type YamlReader } from './yaml-reader.js'
import { scannerError, type Token } from './yaml-token.js'

/** White space between the words of a scalar: a break alone is a space, further breaks are kept. */
class Spacing {
  blanks = ''
  leadingBreak = ''
  trailingBreaks = ''
  /** A break was read, so that blanks are indentation. */
  broken = false

  read (reader: YamlReader): void {
    const c = reader.peek()
    if (isBlank(c)) {
      const blanks = reader.take()
      if (!this.broken) this.blanks += blanks
    } else if (!this.broken) {
      this.blanks = ''
      this.leadingBreak += reader.takeBreak()
      this.broken = true
    } else {
      this.trailingBreaks += reader.takeBreak()
    }
  }

  /** The text that the white space stands for. */
  take (): string {
    const text = !this.broken
      ? this.blanks
      : this.leadingBreak.startsWith('\n') ? this.trailingBreaks || ' ' : this.leadingBreak + this.trailingBreaks
    this.blanks = this.leadingBreak = this.trailingBreaks = ''
    this.broken = false
    return text
  }
}

export function scanPlainScalar (reader: YamlReader, parentIndent: number, flow: boolean): { token: Token, endsWithBreak: boolean } {
  const start = reader.mark
  let end = start
  let value = ''
  const spacing = new Spacing()
  const isWord = (c: number): boolean => !isBlankOrEnd(c) && !(c === 0x3a && isBlankOrEnd(reader.peek(1))) && !(flow && endsFlowScalar(c))
  while (!reader.isDocumentIndicator() && reader.peek() !== 0x23) {
    const word = reader.takeWhile(isWord)
    if (word !== '') {
      value += spacing.take() + word
      end = reader.mark
    }
    if (!isBlank(reader.peek()) && !isBreak(reader.peek())) break
    while (isBlank(reader.peek()) || isBreak(reader.peek())) {
      if (spacing.broken && reader.column <= parentIndent && reader.peek() === 0x09) {
        throw scannerError('found a tab character that violates indentation', reader.mark, start)
      }
      spacing.read(reader)
    }
    if (!flow && reader.column <= parentIndent) break
  }
  return { token: { type: 'scalar', start, end, value, style: 'plain' }, endsWithBreak: spacing.broken }
}

const endsFlowScalar = (c: number): boolean => c === 0x2c || c === 0x3f || c === 0x5b || c === 0x5d || c === 0x7b || c === 0x7d

export function scanFlowScalar (reader: YamlReader): Token {
  const start = reader.mark
  const single = reader.peek() === 0x27
  const quote = single ? 0x27 : 0x22
  const isOrdinary = (c: number): boolean => c !== quote && (single || c !== 0x5c) && !isBlankOrEnd(c)
  reader.take()
  let value = ''
  for (;;) {
    if (reader.isDocumentIndicator()) throw scannerError('found unexpected document indicator', reader.mark, start)
    if (reader.peek() === 0) throw scannerError('found unexpected end of stream', reader.mark, start)
    const spacing = new Spacing()
    for (let c = reader.peek(); !isBlankOrEnd(c); c = reader.peek()) {
      if (single && c === quote && reader.peek(1) === quote) {
        reader.take(2)
        value += "'"
      } else if (c === quote) {
        break
      } else if (!single && c === 0x5c) {
        if (isBreak(reader.peek(1))) {
          reader.take()
          reader.takeBreak()
          spacing.broken = true
          break
        }
        value += scanEscape(reader, start)
      } else {
        value += reader.takeWhile(isOrdinary)
      }
    }
    if (reader.peek() === quote) break
    const escapedBreak = spacing.broken
    while (isBlank(reader.peek()) || isBreak(reader.peek())) spacing.read(reader)
    value += escapedBreak ? spacing.trailingBreaks : spacing.take()
  }
  reader.take()
  return { type: 'scalar', start, end: reader.mark, value, style: single ? 'single-quoted' : 'double-quoted' }
}

const escapes: ReadonlyMap<string, string> = new Map([
  ['0', '\0'], ['a', '\x07'], ['b', '\b'], ['t', '\t'], ['\t', '\t'], ['n', '\n'], ['v', '\v'], ['f', '\f'], ['r', '\r'], ['e', '\x1b'],
  [' ', ' '], ['"', '"'], ["'", "'"], ['\\', '\\'], ['N', '\x85'], ['_', '\xa0'], ['L', '\u2028'], ['P', '\u2029']
])
const codeLengths: ReadonlyMap<string, number> = new Map([['x', 2], ['u', 4], ['U', 8]])

function scanEscape (reader: YamlReader, start: Mark): string {
  const c = String.fromCharCode(reader.peek(1))
  const length = codeLengths.get(c)
  const simple = escapes.get(c)
  if (simple === undefined && length === undefined) throw scannerError('found unknown escape character', reader.mark, start)
  reader.take(2)
  if (simple !== undefined) return simple
  let code = 0
  for (let i = 0; i < (length as number); i++) {
    const digit = String.fromCharCode(reader.peek(i))
    if (!/^[0-9a-fA-F]$/.test(digit)) throw scannerError('did not find expected hexdecimal number', reader.mark, start)
    code = code * 16 + parseInt(digit, 16)
  }
  if ((code >= 0xd800 && code <= 0xdfff) || code > 0x10ffff) throw scannerError('found invalid Unicode character escape code', reader.mark, start)
  reader.take(length)
  return String.fromCodePoint(code)
}

export function scanBlockScalar (reader: YamlReader, parentIndent: number, literal: boolean): Token {
  const start = reader.mark
  reader.take()
  const { chomping, increment } = scanBlockHeader(reader, start)
  let indent = increment === 0 ? 0 : Math.max(parentIndent, 0) + increment
  let end = reader.mark
  const scanBreaks = (): string => {
    const scanned = scanBlockBreaks(reader, { indent, parentIndent, start })
    indent = scanned.indent
    end = scanned.end
    return scanned.breaks
  }
  let value = ''
  let leadingBreak = ''
  let leadingBlank = false
  let trailingBreaks = scanBreaks()
  while (reader.column === indent && reader.peek() !== 0) {
    const blank = isBlank(reader.peek())
    const folds = !literal && !leadingBlank && !blank && leadingBreak.startsWith('\n')
    value += (folds ? (trailingBreaks === '' ? ' ' : '') : leadingBreak) + trailingBreaks
    leadingBlank = blank
    value += reader.takeWhile(c => !isBreakOrEnd(c))
    leadingBreak = reader.takeBreak()
    trailingBreaks = scanBreaks()
  }
  if (chomping !== '-') value += leadingBreak
  if (chomping === '+') value += trailingBreaks
  return { type: 'scalar', start, end, value, style: 'block' }
}

function scanBlockHeader (reader: YamlReader, start: Mark): { chomping: string, increment: number } {
  const scanChomping = (): string => reader.peek() === 0x2b || reader.peek() === 0x2d ? reader.take() : ''
  const scanIncrement = (): number => {
    if (!isDigit(reader.peek())) return 0
    if (reader.peek() === 0x30) throw scannerError('found an indentation indicator equal to 0', reader.mark, start)
    return Number(reader.take())
  }
  let chomping = scanChomping()
  const increment = scanIncrement()
  if (chomping === '' && increment > 0) chomping = scanChomping()
  reader.takeWhile(isBlank)
  reader.skipComment()
  if (!isBreakOrEnd(reader.peek())) throw scannerError('did not find expected comment or line break', reader.mark, start)
  reader.takeBreak()
  return { chomping, increment }
}

interface BlockIndent { readonly indent: number, readonly parentIndent: number, readonly start: Mark }

/** Reads indentation and empty lines; an indent of 0 is not known yet, and is that of the first line with text. */
function scanBlockBreaks (reader: YamlReader, { indent, parentIndent, start }: BlockIndent): { breaks: string, indent: number, end: Mark } {
  const isIndentation = (): boolean => indent === 0 || reader.column < indent
  let breaks = ''
  let end = reader.mark
  let deepest = 0
  for (;;) {
    while (isIndentation() && reader.peek() === 0x20) reader.take()
    deepest = Math.max(deepest, reader.column)
    if (isIndentation() && reader.peek() === 0x09) throw scannerError('found a tab character where an indentation space is expected', reader.mark, start)
    const lineBreak = reader.takeBreak()
    if (lineBreak === '') break
    breaks += lineBreak
    end = reader.mark
  }
  return { breaks, indent: indent === 0 ? Math.max(deepest, parentIndent + 1, 1) : indent, end }
}
