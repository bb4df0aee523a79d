import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { compareKeys } from './key-order.js'
import { SortedKeys } from './sorted-keys.js'
import type { KeyCursor } from './sorted-keys.js'

interface Item {
  readonly key: string
  readonly version: number
}

function read (cursor: KeyCursor<Item>): Item[] {
  const items: Item[] = []
  for (let item = cursor.next(); item !== undefined; item = cursor.next()) items.push(item)
  return items
}

function sorted (model: ReadonlyMap<string, Item>): Item[] {
  return [...model.values()].sort((a, b) => compareKeys(a.key, b.key))
}

function same (actual: readonly Item[], expected: readonly Item[]): boolean {
  return actual.length === expected.length && actual.every((item, i) => item === expected[i])
}

/** A generator of our own: tens of thousands of steps would be too many for fast-check to shrink. */
function randomly (seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor(state / 2 ** 32 * below)
  }
}

const key = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '/', '\ue000', '\u{1f600}'), maxLength: 4 })
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('set' as const), key }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('delete' as const), key }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('snapshot' as const), key }) }
)

t.test('small: every step agrees with a sorted map, and snapshots stay as they were', async (t) => {
  t.doesNotThrow(() => fc.assert(fc.property(fc.uniqueArray(key), fc.array(step, { maxLength: 60 }), key, (first, steps, probe) => {
    const model = new Map(first.map((key) => [key, { key, version: 0 }]))
    const keys = SortedKeys.from<Item>(model.values())
    const snapshots: { from: string; expected: Item[]; actual: KeyCursor<Item> }[] = []
    steps.forEach((step, i) => {
      const item = { key: step.key, version: i + 1 }
      if (step.do === 'set') {
        model.set(step.key, item)
        keys.set(item)
      } else if (step.do === 'delete') {
        assert.equal(keys.delete(step.key), model.delete(step.key))
      } else {
        const expected = sorted(model).filter((item) => compareKeys(item.key, step.key) >= 0)
        snapshots.push({ from: step.key, expected, actual: keys.snapshot().from(step.key) })
      }
    })
    const all = sorted(model)
    assert.equal(keys.size, all.length)
    assert.deepEqual(read(keys.from('')), all)
    assert.deepEqual(read(keys.from(probe)), all.filter((item) => compareKeys(item.key, probe) >= 0))
    assert.equal(keys.rank(probe), all.filter((item) => compareKeys(item.key, probe) < 0).length)
    assert.equal(keys.rankAfterPrefix(probe), all.filter((item) => compareKeys(item.key, probe) < 0 || item.key.startsWith(probe)).length)
    for (const { expected, actual } of snapshots) assert.deepEqual(read(actual), expected)
  }), { numRuns: 300 }))
})

t.test('large: chunks split, merge and are copied without losing order, ranks or snapshots', async (t) => {
  for (const seed of [1, 2, 3]) {
    const random = randomly(seed)
    const model = new Map<string, Item>()
    const keys = new SortedKeys<Item>()
    let snapshot: { expected: Item[]; taken: ReturnType<typeof keys.snapshot> } | undefined
    // Grows to some thousands, shrinks to almost nothing, grows again.
    for (const [steps, deletes] of [[8_000, 10], [16_000, 90], [4_000, 30]] as const) {
      for (let i = 0; i < steps; i++) {
        const key = `/r/ns-${random(5)}/n-${random(4_000)}`
        if (random(100) < deletes) {
          if (keys.delete(key) !== model.delete(key)) t.fail(`delete of ${key} disagrees`)
        } else {
          const item = { key, version: i }
          keys.set(item)
          model.set(key, item)
        }
        if (i % 1_000 === 0) {
          if (snapshot !== undefined) t.ok(same(read(snapshot.taken.from('')), snapshot.expected))
          snapshot = { expected: sorted(model), taken: keys.snapshot() }
        }
      }
      const all = sorted(model)
      t.equal(keys.size, all.length)
      t.ok(same(read(keys.from('')), all))
      for (let ns = 0; ns < 5; ns++) {
        const prefix = `/r/ns-${ns}/`
        const inside = all.filter((item) => item.key.startsWith(prefix))
        t.equal(keys.rankAfterPrefix(prefix) - keys.rank(prefix), inside.length)
        const middle = inside[inside.length >>> 1]
        if (middle !== undefined) t.equal(keys.rank(middle.key), all.indexOf(middle))
      }
    }
  }
})

t.test('an unsorted beginning is sorted', async (t) => {
  const keys = SortedKeys.from<Item>(['b', 'a', 'c'].map((key) => ({ key, version: 0 })))
  t.strictSame(read(keys.from('')).map((item) => item.key), ['a', 'b', 'c'])
})

t.test('a snapshot costs nothing while nothing changes', async (t) => {
  const keys = SortedKeys.from<Item>([{ key: 'a', version: 0 }])
  const first = keys.snapshot()
  t.equal(keys.snapshot(), first)
  keys.set({ key: 'a', version: 1 })
  t.not(keys.snapshot(), first)
  t.strictSame(read(first.from('')), [{ key: 'a', version: 0 }])
})
