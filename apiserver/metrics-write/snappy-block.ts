import { uncompress } from 'snappyjs'

/** A body that is no snappy block, or a larger one than is taken. */
export class SnappyError extends Error {
  override readonly name = 'SnappyError'
  readonly tooLarge: boolean
  constructor (message: string, options: { tooLarge?: boolean } = {}) {
    super(message)
    this.tooLarge = options.tooLarge ?? false
  }
}

/**
 * Decompresses a snappy block (not the framed format). The whole block is checked before a byte is decompressed, for a made-up one could
 * otherwise run for minutes.
 * @param limit bytes of the result. @throws SnappyError. Source: google/snappy format_description.txt
 */
export function uncompressSnappy (block: Buffer, limit: number): Buffer {
  const { length, begin } = uncompressedLength(block)
  if (length > limit) throw new SnappyError(`the body has ${length} bytes when it is decompressed; the limit is ${limit}`, { tooLarge: true })
  check(block, begin, length)
  return uncompress(block)
}

const malformed = (): SnappyError => new SnappyError('the body is no snappy block')

/** A varint of 32 bits. */
function uncompressedLength (block: Buffer): { length: number; begin: number } {
  let length = 0
  for (let i = 0; i < 5; i++) {
    const byte = block[i]
    if (byte === undefined) throw malformed()
    length += (byte & 0x7f) * 2 ** (7 * i)
    if (byte < 0x80) {
      if (length >= 2 ** 32) throw malformed()
      return { length, begin: i + 1 }
    }
  }
  throw malformed()
}

/** Walks the elements: every one must lie within the block, refer to what is there already, and all must make exactly the length. */
function check (block: Buffer, begin: number, length: number): void {
  let made = 0
  for (let at = begin; at < block.length;) {
    const tag = block[at]!
    const kind = tag & 3
    if (kind === 0) {
      let literal = (tag >>> 2) + 1
      const extra = literal > 60 ? literal - 60 : 0
      if (at + 1 + extra > block.length) throw malformed()
      if (extra > 0) literal = block.readUIntLE(at + 1, extra) + 1
      at += 1 + extra + literal
      if (at > block.length) throw malformed()
      made += literal
    } else {
      const extra = kind === 3 ? 4 : kind
      if (at + 1 + extra > block.length) throw malformed()
      const offset = kind === 1 ? (tag >>> 5) * 256 + block[at + 1]! : block.readUIntLE(at + 1, extra)
      if (offset === 0 || offset > made) throw malformed()
      made += kind === 1 ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1
      at += 1 + extra
    }
    if (made > length) throw malformed()
  }
  if (made !== length) throw malformed()
}
