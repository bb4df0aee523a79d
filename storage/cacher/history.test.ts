import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { History } from './history.js'

interface Change {
  readonly revision: bigint
}

function filled (count: number, options: { limit: number; minimum: number; maxAgeMs: number }, at: (i: number) => number): History<Change> {
  const history = new History<Change>(0n, options)
  for (let i = 1; i <= count; i++) history.append({ revision: BigInt(i) }, at(i))
  return history
}

t.test('what is kept', async (t) => {
  const cases = [
    { name: 'young changes are kept beyond the minimum', limit: 1_000, minimum: 10, count: 500, at: () => 0, kept: 500, floor: 0n },
    { name: 'the limit cuts even young changes', limit: 300, minimum: 10, count: 500, at: () => 0, kept: 300, floor: 200n },
    { name: 'old changes go, down to the minimum', limit: 1_000, minimum: 10, count: 500, at: (i: number) => i * 1_000, kept: 76, floor: 424n },
    { name: 'the minimum is kept whatever its age', limit: 1_000, minimum: 10, count: 50, at: (i: number) => i * 1_000_000, kept: 11, floor: 39n }
  ]
  for (const { name, limit, minimum, count, at, kept, floor } of cases) {
    const history = filled(count, { limit, minimum, maxAgeMs: 75_000 }, at)
    t.equal(history.size, kept, name)
    t.equal(history.floor, floor, name)
    t.equal(history.at(history.first)?.revision, floor + 1n, name)
    t.equal(history.at(history.first - 1), undefined, name)
    t.equal(history.at(history.end), undefined, name)
  }
})

t.test('the ring grows under load and shrinks when the load is gone', async (t) => {
  const history = filled(5_000, { limit: 10_000, minimum: 100, maxAgeMs: 75_000 }, () => 0)
  t.equal(history.capacity, 8_192)
  history.trim(75_000)
  t.equal(history.size, 5_000, 'exactly as old as allowed')
  history.trim(75_001)
  t.equal(history.size, 100)
  t.equal(history.capacity, 256)
  t.equal(history.at(history.end - 1)?.revision, 5_000n)
})

t.test('sequenceAfter finds the first change after any revision', async (t) => {
  t.doesNotThrow(() => fc.assert(fc.property(
    fc.array(fc.nat({ max: 2 }), { maxLength: 400 }),
    fc.integer({ min: 1, max: 150 }),
    fc.nat({ max: 500 }),
    (steps, limit, probe) => {
      const history = new History<Change>(0n, { limit, minimum: 1, maxAgeMs: Infinity })
      let revision = 1n
      for (const step of steps) {
        revision += BigInt(step)
        history.append({ revision }, 0)
      }
      if (BigInt(probe) < history.floor) return
      const after = history.sequenceAfter(BigInt(probe))
      assert.ok(after === history.end || (history.at(after) as Change).revision > BigInt(probe))
      assert.ok(after === history.first || (history.at(after - 1) as Change).revision <= BigInt(probe))
      assert.ok(history.size <= limit)
    }
  ), { numRuns: 200 }))
})
