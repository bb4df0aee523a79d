/** kubectl's JSONPath is malformed. */
export class JsonPathSyntaxError extends Error {
  override readonly name = 'JsonPathSyntaxError'
}

/** One step of a path; a path is a list of them, each applied to what the one before it found. */
export type Step =
  | { readonly type: 'field'; readonly name: string }
  | { readonly type: 'wildcard' }
  | { readonly type: 'recursive' }
  /** `[start:end:step]`; an index is a slice of one (`single`). Absent parts are undefined. */
  | { readonly type: 'slice'; readonly start?: number; readonly end?: number; readonly step?: number; readonly single: boolean }
  | { readonly type: 'union'; readonly paths: readonly Path[] }
  | { readonly type: 'filter'; readonly left: Path; readonly operator: string; readonly right: Path }
  | { readonly type: 'literal'; readonly value: string | boolean | number; readonly float: boolean }
  /** A bare word: kubectl's templates know `range` and `end`; in a path it finds nothing. */
  | { readonly type: 'identifier'; readonly name: string }
export type Path = readonly Step[]

/**
 * Parses kubectl's JSONPath without the braces around it: `.spec.ports[*].port`, `.conditions[?(@.type=="Ready")].status`,
 * `.annotations.foo\.bar`, `['a','b']`, `..image`.
 * Templates of more than one expression are refused.
 * @throws JsonPathSyntaxError
 * Source: `client-go/util/jsonpath/parser.go`.
 */
export function parseJsonPath (text: string): Path {
  return new Parser(text).parse()
}

const terminator = /[ \t\r\n.,[\]$@{}]/
const wordStart = /[\p{L}\p{Nd}_]/u

class Parser {
  readonly #text: string
  readonly #steps: Step[] = []
  #at = 0

  constructor (text: string) {
    this.#text = text
  }

  parse (): Path {
    while (this.#at < this.#text.length) this.#step()
    return this.#steps
  }

  #step (): void {
    const rest = this.#text.slice(this.#at)
    const c = String.fromCodePoint(rest.codePointAt(0)!)
    if (rest.startsWith('[?(')) this.#filter()
    else if (rest.startsWith('..')) this.#recursive()
    else if (c === ' ' || c === '@' || c === '$') this.#at++
    else if (c === '[') this.#bracket()
    else if (c === '"' || c === "'") this.#quoted(c)
    else if (c === '.') this.#field(1)
    else if (/[+\-\p{Nd}]/u.test(c)) this.#number()
    else if (wordStart.test(c)) this.#word()
    else if (c === '\n' || c === '\r') throw new JsonPathSyntaxError('unclosed action')
    else if (c === '}') throw new JsonPathSyntaxError('only one expression is supported')
    else throw new JsonPathSyntaxError(`unrecognized character in action: U+${c.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')} '${c}'`)
  }

  /** Up to the next character that ends a name; a backslash keeps the one after it. */
  #name (): string {
    const start = this.#at
    while (this.#at < this.#text.length && !terminator.test(this.#text[this.#at]!)) this.#at += this.#text[this.#at] === '\\' ? 2 : 1
    if (this.#at > this.#text.length) throw new JsonPathSyntaxError('unclosed action')
    return this.#text.slice(start, this.#at).replaceAll('\\', '')
  }

  #field (skip: number): void {
    this.#at += skip
    const name = this.#name()
    this.#steps.push(name === '*' ? { type: 'wildcard' } : { type: 'field', name })
  }

  #recursive (): void {
    if (this.#steps.at(-1)?.type === 'recursive') throw new JsonPathSyntaxError('invalid multiple recursive descent')
    this.#at += 2
    this.#steps.push({ type: 'recursive' })
    if (this.#at < this.#text.length && wordStart.test(this.#text.slice(this.#at, this.#at + 2))) this.#field(0)
  }

  #word (): void {
    const name = this.#name()
    this.#steps.push(name === 'true' || name === 'false' ? { type: 'literal', value: name === 'true', float: false } : { type: 'identifier', name })
  }

  #number (): void {
    const text = /^[+-]?[.\p{Nd}]*/u.exec(this.#text.slice(this.#at))![0]
    this.#at += text.length
    if (!/^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)$/.test(text)) throw new JsonPathSyntaxError(`cannot parse number ${text}`)
    this.#steps.push({ type: 'literal', value: Number(text), float: text.includes('.') })
  }

  #quoted (mark: string): void {
    const start = ++this.#at
    for (; ; this.#at++) {
      const c = this.#text[this.#at]
      if (c === undefined || c === '\n') throw new JsonPathSyntaxError('unterminated quoted string')
      if (c === mark && this.#text[this.#at - 1] !== '\\') break
    }
    const raw = this.#text.slice(start, this.#at++)
    this.#steps.push({ type: 'literal', value: unquote(raw, mark), float: false })
  }

  #bracket (): void {
    const end = /[\]\n]/.exec(this.#text.slice(this.#at))
    if (end === null || end[0] === '\n') throw new JsonPathSyntaxError('unterminated array')
    const inner = this.#text.slice(this.#at + 1, this.#at + end.index)
    this.#at += end.index + 1
    const parts = inner.split(',')
    if (parts.length > 1) {
      this.#steps.push({ type: 'union', paths: parts.map(p => parseJsonPath(`[${p.replace(/^ +| +$/g, '')}]`)) })
      return
    }
    const key = /^'([^']*)'$/.exec(inner)
    if (key !== null) {
      this.#steps.push(...parseJsonPath(`.${key[1]}`))
      return
    }
    const slice = /^(-?[0-9]*)(:-?[0-9]*)?(:-?[0-9]*)?$/.exec(inner === '*' ? ':' : inner)
    if (slice === null) throw new JsonPathSyntaxError(`invalid array index ${inner}`)
    const [start, to, step] = slice.slice(1, 4).map(part => part === undefined || part === '' || part === ':' ? undefined : Number(part.replace(':', '')))
    if ([start, to, step].some(Number.isNaN)) throw new JsonPathSyntaxError(`array index ${inner} is not a number`)
    this.#steps.push({ type: 'slice', ...(start !== undefined && { start }), ...(to !== undefined && { end: to }), ...(step !== undefined && { step }), single: slice[2] === undefined })
  }

  #filter (): void {
    const start = this.#at += 3
    let quotes = 0
    let mark = ''
    for (; ; this.#at++) {
      const c = this.#text[this.#at]
      if (c === undefined || c === '\n') throw new JsonPathSyntaxError('unterminated filter')
      if (c === ')' && quotes !== 1) break
      if (c !== '"' && c !== "'") continue
      if (quotes === 0) {
        quotes = 1
        mark = c
      } else if (c === mark && this.#text[this.#at - 1] !== '\\') {
        quotes = 2
      }
    }
    const inner = this.#text.slice(start, this.#at++)
    if (this.#text[this.#at++] !== ']') throw new JsonPathSyntaxError('unclosed array expect ]')
    const parts = /^([^!<>=]+)([!<>=]+)(.+?)$/.exec(inner)
    this.#steps.push(parts === null
      ? { type: 'filter', left: parseJsonPath(inner), operator: 'exists', right: [] }
      : { type: 'filter', left: parseJsonPath(parts[1]!), operator: parts[2]!, right: parseJsonPath(parts[3]!) })
  }
}

const escapes: Readonly<Record<string, string>> = { a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v', '\\': '\\' }

/** Go's escapes; the mark itself may be escaped, the other one may not. */
function unquote (raw: string, mark: string): string {
  return raw.replace(/\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.|$)/gs, (_, code: string) => {
    if (code === mark) return code
    if (Object.hasOwn(escapes, code)) return escapes[code]!
    const point = /^[xuU]./.test(code) ? parseInt(code.slice(1), 16) : /^[0-7]{3}$/.test(code) ? parseInt(code, 8) : NaN
    if (!(point <= 0x10ffff) || (point >= 0xd800 && point <= 0xdfff)) throw new JsonPathSyntaxError(`unquote string ${mark}${raw}${mark} error invalid syntax`)
    return String.fromCodePoint(point)
  })
}
