import fc from 'fast-check'
import { compress } from 'snappyjs'
import t from 'tap'
import { SnappyError, uncompressSnappy } from './snappy-block.js'

const limit = 1024 * 1024

t.test('What a compressor has made is what it was', async () => {
  const texts = fc.oneof(fc.uint8Array({ maxLength: 3000 }), fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 2000 })).map(([part, times]) => Buffer.concat(Array.from({ length: times }, () => part))))
  fc.assert(fc.property(texts, bytes => {
    const original = Buffer.from(bytes)
    return uncompressSnappy(Buffer.from(compress(original)), limit).equals(original)
  }))
})

t.test('A long literal has its length in the next bytes', async t => {
  const original = Buffer.from(Array.from({ length: 70_000 }, (_, i) => (i * 7919) % 251))
  t.ok(uncompressSnappy(Buffer.from(compress(original)), limit).equals(original))
})

t.test('Anything else is refused at once', async t => {
  for (const [name, bytes] of [
    ['empty', []],
    ['a length without an end', [0x80]],
    ['a length beyond 32 bits', [0xff, 0xff, 0xff, 0xff, 0xff, 0x01]],
    ['nothing behind the length', [0x05]],
    ['a literal that goes on behind the end', [0x05, 0x10, 0x61]],
    ['a literal whose length is negative in 32 bits', [0x05, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x61, 0x62, 0x63, 0x64]],
    ['a copy of nothing', [0x04, 0x01, 0x00]],
    ['a copy from before the beginning', [0x08, 0x00, 0x61, 0x0d, 0x05]],
    ['a copy cut short', [0x08, 0x00, 0x61, 0x0e]],
    ['more than the length says', [0x01, 0x04, 0x61, 0x62]],
    ['less than the length says', [0x03, 0x04, 0x61, 0x62]]
  ] as const) t.throws(() => uncompressSnappy(Buffer.from(bytes), limit), SnappyError, name)
  t.throws(() => uncompressSnappy(Buffer.from(compress(Buffer.alloc(limit + 1))), limit), new SnappyError('the body has 1048577 bytes when it is decompressed; the limit is 1048576', { tooLarge: true }))
})

t.test('No bytes at all do anything but decompress or fail', async () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), bytes => {
    try {
      return uncompressSnappy(Buffer.from(bytes), limit).length <= limit
    } catch (error) {
      return error instanceof SnappyError
    }
  }), { numRuns: 2000 })
})
