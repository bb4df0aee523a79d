import t from 'tap'
import { compareDelivery, expectedEvents, type Write } from './scale-events.js'

const writes: readonly Write[] = [
  { name: 'a', revision: 3, before: 's1', after: 's1' },
  { name: 'b', revision: 5, before: undefined, after: 's1' },
  { name: 'a', revision: 4, before: 's1', after: 's2' },
  { name: 'b', revision: 6, before: 's1', after: undefined }
]
const whole = ['M3', 'M4', 'A5', 'D6']

t.test('what a selection stands for', async t => {
  t.strictSame(expectedEvents({ of: 'all' }, writes), whole)
  t.strictSame(expectedEvents({ of: 'shard', shard: 's1' }, writes), ['M3', 'D4', 'A5', 'D6'], 'an object that leaves it is deleted from it')
  t.strictSame(expectedEvents({ of: 'shard', shard: 's2' }, writes), ['A4'])
  t.strictSame(expectedEvents({ of: 'name', name: 'b' }, writes), ['A5', 'D6'])
})

t.test('a delivery that lacks nothing, and each way to lack something', async t => {
  const of = (...events: string[]): ReturnType<typeof compareDelivery> => compareDelivery([{ selection: { of: 'all' }, events }, { selection: { of: 'name', name: 'a' }, events: ['M3', 'M4'] }], writes)
  const good = { events: 6, lost: 0, duplicate: 0, outOfOrder: 0, unexpected: 0 }
  t.strictSame(of(...whole), good)
  t.strictSame(of('M3', 'M4', 'D6'), { ...good, events: 5, lost: 1 })
  t.strictSame(of('M3', 'M3', 'M4', 'A5', 'D6'), { ...good, events: 7, duplicate: 1 })
  t.strictSame(of('M3', 'A5', 'M4', 'D6'), { ...good, outOfOrder: 1 })
  t.strictSame(of('M3', 'M4', 'A5', 'D6', 'M9'), { ...good, events: 7, unexpected: 1 })
  t.strictSame(of('M3', 'A4', 'A5', 'D6'), { ...good, lost: 1, unexpected: 1 }, 'a wrong type')
})
