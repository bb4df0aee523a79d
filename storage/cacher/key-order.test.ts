import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { comparatorFor, compareKeys } from './key-order.js'

const keys = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 6 }),
  fc.string({ unit: fc.constantFrom('a', '/', '\0', '\u07ff', '\ud7ff', '\ue000', '\uffff', '\u{10000}', '\u{10ffff}'), maxLength: 5 })
)

t.test('keys are ordered by their UTF-8 bytes', async (t) => {
  t.doesNotThrow(() => fc.assert(fc.property(keys, keys, (a, b) => {
    const expected = Buffer.compare(Buffer.from(a), Buffer.from(b))
    assert.equal(Math.sign(compareKeys(a, b)), expected)
    assert.equal(Math.sign(comparatorFor(a)(a, b)), expected)
    assert.equal(Math.sign(comparatorFor(b)(a, b)), expected)
  }), { numRuns: 500 }))
})
