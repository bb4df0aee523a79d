import { isBlankOrEnd, isWord, type Mark, type YamlReader } from './yaml-reader.js'
import { scannerError, type Token } from './yaml-token.js'

/** Reads `!suffix`, `!!suffix`, `!handle!suffix` or `!<uri>`; an empty handle stands before a whole tag. */
export function scanTag (reader: YamlReader): Token {
  const start = reader.mark
  let value = ''
  let suffix: string
  if (reader.peek(1) === 0x3c) {
    reader.take(2)
    suffix = scanTagUri(reader, start, '')
    if (reader.peek() !== 0x3e) throw scannerError("did not find the expected '>'", reader.mark, start)
    reader.take()
  } else {
    const handle = scanTagHandle(reader, start, false)
    if (handle.length > 1 && handle.endsWith('!')) {
      value = handle
      suffix = scanTagUri(reader, start, '')
    } else {
      value = '!'
      suffix = scanTagUri(reader, start, handle)
      if (suffix === '') [value, suffix] = ['', '!']
    }
  }
  if (!isBlankOrEnd(reader.peek())) throw scannerError('did not find expected whitespace or line break', reader.mark, start)
  return { type: 'tag', start, end: reader.mark, value, suffix }
}

export function scanTagHandle (reader: YamlReader, start: Mark, directive: boolean): string {
  const missing = "did not find expected '!'"
  if (reader.peek() !== 0x21) throw scannerError(missing, reader.mark, start)
  let handle = reader.take() + reader.takeWhile(isWord)
  if (reader.peek() === 0x21) handle += reader.take()
  else if (directive && handle !== '!') throw scannerError(missing, reader.mark, start)
  return handle
}

/** Reads the URI of a tag. What was taken for its handle, without the exclamation mark, is its beginning. */
export function scanTagUri (reader: YamlReader, start: Mark, head: string): string {
  let uri = head.slice(1)
  let found = head !== ''
  for (let c = reader.peek(); isWord(c) || (c !== 0 && ";/?:@&=+$,.!~*'()[]%".includes(String.fromCharCode(c))); c = reader.peek()) {
    uri += c === 0x25 ? scanEscapedCharacter(reader, start) : reader.take()
    found = true
  }
  if (!found) throw scannerError('did not find expected tag URI', reader.mark, start)
  return uri
}

function scanEscapedCharacter (reader: YamlReader, start: Mark): string {
  const octets: number[] = []
  let width = 1
  do {
    const hex = String.fromCharCode(reader.peek(1), reader.peek(2))
    if (reader.peek() !== 0x25 || !/^[0-9a-fA-F]{2}$/.test(hex)) throw scannerError('did not find URI escaped octet', reader.mark, start)
    const octet = parseInt(hex, 16)
    if (octets.length === 0) {
      width = octet < 0x80 ? 1 : (octet & 0xe0) === 0xc0 ? 2 : (octet & 0xf0) === 0xe0 ? 3 : (octet & 0xf8) === 0xf0 ? 4 : 0
      if (width === 0) throw scannerError('found an incorrect leading UTF-8 octet', reader.mark, start)
    } else if ((octet & 0xc0) !== 0x80) {
      throw scannerError('found an incorrect trailing UTF-8 octet', reader.mark, start)
    }
    octets.push(octet)
    reader.take(3)
  } while (octets.length < width)
  return Buffer.from(octets).toString('utf8')
}
