import { isIp } from './ip-address.js'

/**
 * The `email` format: one address that Go's mail.ParseAddress takes: `a@b`, `"a b"@c`, `Name <a@b>`, a group of one, comments.
 * Source: `net/mail`, RFC 5322 and RFC 6532.
 */
export function isEmailAddress (text: string): boolean {
  const parser = new AddressParser(text)
  return parser.address({ groups: true }) === 1 && parser.comments() && parser.atEnd
}

const vchar = '[!-~\\u0080-\\u{10ffff}]'
const atext = '(?:(?![()<>[\\]:;@\\\\,".])[!-~]|[\\u0080-\\u{10ffff}])'
const dotAtom = new RegExp(`(?:${atext}|\\.)+`, 'uy')
const quotedString = new RegExp(`"((?:(?!["\\\\])${vchar}|[ \\t]|\\\\(?:${vchar}|[ \\t]))*)"`, 'uy')
const domainLiteral = /\[((?:(?![[\]\\])[!-~\u0080-\u{10ffff}])*)\]/uy

/** Reads an address from the start of a text. Each method moves on where it succeeds. */
class AddressParser {
  readonly #text: string
  #at = 0

  constructor (text: string) {
    this.#text = text
  }

  get atEnd (): boolean { return this.#at === this.#text.length }

  /** @returns how many addresses were read (a group has any number); undefined if there is none */
  address ({ groups }: { groups: boolean }): number | undefined {
    this.#space()
    if (this.atEnd) return undefined
    if (this.#addrSpec()) {
      this.#space()
      return this.#peek() !== '(' || this.#comment({ decoded: true }) ? 1 : undefined
    }
    if (this.#peek() !== '<' && !this.#phrase()) return undefined
    this.#space()
    if (groups && this.#consume(':')) return this.#group()
    return this.#consume('<') && this.#addrSpec() && this.#consume('>') ? 1 : undefined
  }

  /** Skips spaces and comments. False if a comment is not closed. */
  comments (): boolean {
    this.#space()
    while (this.#peek() === '(') {
      if (!this.#comment({ decoded: false })) return false
      this.#space()
    }
    return true
  }

  #group (): number | undefined {
    this.#space()
    if (this.#consume(';')) return this.comments() ? 0 : undefined
    for (let count = 1; ; count++) {
      this.#space()
      if (this.address({ groups: false }) === undefined || !this.comments()) return undefined
      if (this.#consume(';')) return this.comments() ? count : undefined
      if (!this.#consume(',')) return undefined
    }
  }

  #addrSpec (): boolean {
    const start = this.#at
    if (this.#localPart() && this.#consume('@') && this.#domain()) return true
    this.#at = start
    return false
  }

  #localPart (): boolean {
    this.#space()
    const text = this.#peek() === '"' ? this.#match(quotedString)?.[1] : this.#strictAtom()
    return text !== undefined && text !== ''
  }

  #domain (): boolean {
    this.#space()
    if (this.#peek() !== '[') return this.#strictAtom() !== undefined
    const literal = this.#match(domainLiteral)
    return literal !== undefined && isIp(literal[1]!)
  }

  /** Dots stand between characters only. */
  #strictAtom (): string | undefined {
    const atom = this.#match(dotAtom)?.[0]
    return atom === undefined || /^\.|\.\.|\.$/.test(atom) ? undefined : atom
  }

  /** One or more words; what is no word any more is left for others to read. Encoded words count once something else follows. */
  #phrase (): boolean {
    let words = 0
    let encoded = false
    for (;;) {
      if (words > 0 && !this.comments()) return false
      this.#space()
      if (this.atEnd) return true
      const word = this.#peek() === '"' ? this.#match(quotedString)?.[0] : this.#match(dotAtom)?.[0]
      if (word === undefined || hasUnknownCharset(word)) return words > 0 || encoded
      const text = encodedText(word)
      if (text === undefined) words += encoded ? 2 : 1
      encoded = text === undefined ? false : encoded || text !== ''
    }
  }

  #comment ({ decoded }: { decoded: boolean }): boolean {
    const start = ++this.#at
    for (let depth = 1; !this.atEnd; this.#at++) {
      const c = this.#peek()
      if (c === '\\' && this.#at + 1 < this.#text.length) this.#at++
      else if (c === '(') depth++
      else if (c === ')' && --depth === 0) {
        const text = this.#text.slice(start, this.#at++).replace(/\\(.)/gs, '$1')
        return !decoded || !text.split(/[ \t]/).some(hasUnknownCharset)
      }
    }
    return false
  }

  #space (): void {
    while (this.#peek() === ' ' || this.#peek() === '\t') this.#at++
  }

  #peek (): string | undefined { return this.#text[this.#at] }

  #consume (c: string): boolean {
    if (this.#peek() !== c) return false
    this.#at++
    return true
  }

  #match (pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)
    if (found === null) return undefined
    this.#at = pattern.lastIndex
    return found
  }
}

const encodedWord = /^=\?([^?]+)\?(?:q\?((?:[ -<>@-~]|=[0-9a-f]{2})*)|b\?((?:[a-z0-9+/]{4})*(?:[a-z0-9+/]{2}==|[a-z0-9+/]{3}=)?))\?=$/i
const decodedCharset = /^(?:utf-8|iso-8859-1|us-ascii)$/i

/** The text in an RFC 2047 encoded word; undefined for ordinary words, malformed encoded ones among them. */
function encodedText (word: string): string | undefined {
  const parts = encodedWord.exec(word)
  return parts === null ? undefined : parts[2] ?? parts[3] ?? ''
}

/** Encoded words in charsets that Go does not decode by itself are errors. */
function hasUnknownCharset (word: string): boolean {
  const parts = encodedWord.exec(word)
  return parts !== null && !decodedCharset.test(parts[1]!)
}
