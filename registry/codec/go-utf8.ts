const replacement = '\ufffd'

/** Bytes as text, each byte that belongs to no UTF-8 sequence being U+FFFD, as Go decodes (browsers join some of them into one). */
export function decodeUtf8 (bytes: Buffer): string {
  let out = ''
  let start = 0
  for (let i = 0; i < bytes.length;) {
    const n = sequenceLength(bytes, i)
    if (n === 0) {
      out += bytes.toString('utf8', start, i) + replacement
      start = ++i
    } else {
      i += n
    }
  }
  return out + bytes.toString('utf8', start)
}

/** The length of the UTF-8 sequence that begins at `i`, 0 if there is none. */
function sequenceLength (bytes: Buffer, i: number): number {
  const b = bytes[i]!
  if (b < 0x80) return 1
  if (b < 0xc2 || b > 0xf4) return 0
  const n = b < 0xe0 ? 2 : b < 0xf0 ? 3 : 4
  if (i + n > bytes.length) return 0
  const second = bytes[i + 1]!
  const low = b === 0xe0 ? 0xa0 : b === 0xf0 ? 0x90 : 0x80
  const high = b === 0xed ? 0x9f : b === 0xf4 ? 0x8f : 0xbf
  if (second < low || second > high) return 0
  for (let k = 2; k < n; k++) if ((bytes[i + k]! & 0xc0) !== 0x80) return 0
  return n
}

/** The first byte of the character at `i` of a text, in UTF-8. */
export function firstUtf8Byte (text: string, i: number): number {
  const c = text.codePointAt(i)!
  return c < 0x80 ? c : c < 0x800 ? 0xc0 | (c >> 6) : c < 0x10000 ? 0xe0 | (c >> 12) : 0xf0 | (c >> 18)
}
