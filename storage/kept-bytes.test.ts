import fc from 'fast-check'
import t from 'tap'
import { keptCopy, keptText } from './kept-bytes.js'

const isAlone = (bytes: Buffer): boolean => bytes.buffer.byteLength === bytes.length

t.test('a text is the UTF-8 that Buffer.from makes, with nothing beside it', async () => {
  // Halves of surrogate pairs, too.
  fc.assert(fc.property(fc.string({ unit: 'binary' }), text => Buffer.from(text).equals(keptText(text)) && isAlone(keptText(text))))
})

t.test('a copy stays what it was, with nothing beside it', async t => {
  const bytes = Buffer.from('before')
  const copy = keptCopy(bytes)
  bytes.write('after!')
  t.equal(copy.toString(), 'before')
  t.ok(isAlone(copy))
  t.ok(keptCopy(Buffer.alloc(0)).length === 0)
})
