import fc from 'fast-check'
import t from 'tap'
import { LongestWaiting } from './longest-waiting.js'
import { OneAtATime } from './one-at-a-time.js'
import { Rotation } from './rotation.js'

t.test('A rotation goes on where it ended, whatever comes and goes', async t => {
  const items = new Set(['a', 'b', 'c', 'd', 'e'])
  const rotation = new Rotation(() => items)
  t.same([...rotation.next(2)], ['a', 'b'])
  items.delete('c')
  items.add('f')
  t.same([...rotation.next(2)], ['d', 'e'])
  t.same([...rotation.next(2)], ['f'], 'to the end')
  t.same([...rotation.next(9)], ['a', 'b', 'd', 'e', 'f'], 'and from the beginning, once')
  items.clear()
  t.same([...rotation.next(9)], [])
})

t.test('Those that waited longest are kept', async () => {
  fc.assert(fc.property(fc.array(fc.oneof(fc.nat({ max: 20 }), fc.constant(Infinity)), { maxLength: 50 }), fc.nat({ max: 10 }), (waited, limit) => {
    const kept = new LongestWaiting<number>(limit)
    waited.forEach((ms, i) => { kept.offer(i, ms) })
    const sorted = waited.map((ms, i) => ({ ms, i })).sort((a, b) => a.ms === b.ms ? a.i - b.i : b.ms > a.ms ? 1 : -1)
    return JSON.stringify(kept.items) === JSON.stringify(sorted.slice(0, limit).map(s => s.i))
  }))
})

t.test('One at a time, in the order they came, whether those before fail or not', async t => {
  const log: string[] = []
  const inTurn = new OneAtATime()
  const work = (name: string, fails = false) => async (): Promise<string> => {
    log.push(`begin ${name}`)
    await new Promise(resolve => { setImmediate(resolve) })
    log.push(`end ${name}`)
    if (fails) throw new Error(name)
    return name
  }
  const results = await Promise.allSettled([inTurn.run(work('a')), inTurn.run(work('b', true)), inTurn.run(work('c'))])
  t.match(results, [{ value: 'a' }, { reason: { message: 'b' } }, { value: 'c' }])
  t.same(log, ['begin a', 'end a', 'begin b', 'end b', 'begin c', 'end c'])
})
