import t from 'tap'
import { drain, line, PREFIX, startReady } from '../../test/suites/cacher-fixture.js'
import type { Thing } from '../../test/suites/cacher-fixture.js'
import { turn } from '../../test/suites/fake-clock.js'
import { ScriptedStorage } from '../../test/suites/scripted-storage.js'
import type { CacheWatchOptions } from './interfaces.js'

const all: CacheWatchOptions<Thing> = { scope: PREFIX, start: { from: 'initial', bookmarkEnd: false }, bookmarks: false }

function after (revision: bigint): Pick<CacheWatchOptions<Thing>, 'start'> {
  return { start: { from: 'revision', after: revision } }
}

function red (thing: Thing): boolean {
  return thing.text.startsWith('red')
}

t.test('the initial state comes first, then its end, then every change', async (t) => {
  const storage = new ScriptedStorage()
  storage.put(`${PREFIX}b`, '1')
  storage.put(`${PREFIX}a`, '1')
  const { cacher } = await startReady(t, {}, storage)
  const plain = cacher.watch(all)
  const announced = cacher.watch({ ...all, start: { from: 'initial', bookmarkEnd: true } })
  storage.put(`${PREFIX}a`, '2')
  storage.remove(`${PREFIX}b`)
  storage.put(`${PREFIX}c`, '1')
  const live = ['MODIFIED a=2@4', 'DELETED b=1@5', 'ADDED c=1@6']
  t.strictSame(await drain(plain), ['ADDED a=1@3', 'ADDED b=1@2', ...live])
  t.strictSame(await drain(announced), ['ADDED a=1@3', 'ADDED b=1@2', 'BOOKMARK 3 end', ...live])
  t.strictSame(await drain(plain), [])
})

t.test('what happens while initial events are being taken comes after them, and does not change them', async (t) => {
  const storage = new ScriptedStorage()
  for (const name of ['a', 'b', 'c', 'd']) storage.put(PREFIX + name, '1')
  const { cacher } = await startReady(t, {}, storage)
  const watcher = cacher.watch({ ...all, start: { from: 'initial', bookmarkEnd: true } })
  t.strictSame(watcher.take(2).map(line), ['ADDED a=1@2', 'ADDED b=1@3'])
  storage.remove(`${PREFIX}c`)
  storage.put(`${PREFIX}d`, '2')
  storage.put(`${PREFIX}aa`, '1')
  await turn()
  t.strictSame(await drain(watcher, 1), ['ADDED c=1@4', 'ADDED d=1@5', 'BOOKMARK 5 end', 'DELETED c=1@6', 'MODIFIED d=2@7', 'ADDED aa=1@8'])
})

t.test('a watcher with a predicate sees values come and go', async (t) => {
  const { cacher, storage } = await startReady(t)
  const watcher = cacher.watch({ ...all, matches: red })
  for (const text of ['blue', 'red 1', 'red 2', 'green', 'blue', 'red 3']) storage.put(`${PREFIX}a`, text)
  storage.remove(`${PREFIX}a`)
  storage.put(`${PREFIX}a`, 'blue')
  storage.remove(`${PREFIX}a`)
  t.strictSame(await drain(watcher), ['ADDED a=red 1@3', 'MODIFIED a=red 2@4', 'DELETED a=red 2@5', 'ADDED a=red 3@7', 'DELETED a=red 3@8'])
})

t.test('all watchers share one event, and its content is renumbered once', async (t) => {
  let renumbered = 0
  const { cacher, storage } = await startReady(t, {
    withRevision: (thing, revision) => {
      renumbered++
      return { ...thing, revision }
    }
  })
  const watchers = Array.from({ length: 20 }, (_, i) => cacher.watch(i % 2 === 0 ? all : { ...all, matches: red }))
  storage.put(`${PREFIX}a`, 'red')
  storage.put(`${PREFIX}b`, 'red')
  await turn()
  const added = watchers.map((watcher) => watcher.take())
  t.ok(added.every((events) => events.length === 2 && events[0] === added[0]?.[0]))
  storage.remove(`${PREFIX}a`)
  storage.put(`${PREFIX}b`, 'blue')
  await turn()
  const late = cacher.watch({ ...all, ...after(3n) })
  const deleted = [...watchers, late].map((watcher) => watcher.take())
  t.ok(deleted.every((events) => events[0]?.type === 'DELETED' && events[0] === deleted[0]?.[0]))
  t.equal(renumbered, 2, 'once for the delete, once for the change of colour')
  storage.remove(`${PREFIX}b`)
  await turn()
  t.equal(renumbered, 3)
  const unwatched = await startReady(t, { withRevision: () => t.fail('nobody watches') as never })
  unwatched.storage.put(`${PREFIX}a`, 'x')
  unwatched.storage.remove(`${PREFIX}a`)
  await turn()
  t.equal(unwatched.cacher.stats().eventsReceived, 2)
})

t.test('watchers are offered only what is in their scope', async (t) => {
  const { cacher, storage } = await startReady(t)
  const offered: string[] = []
  const spy = (name: string) => ({
    bookmarks: false,
    start: { from: 'initial', bookmarkEnd: false } as const,
    matches: (thing: Thing) => {
      offered.push(`${name} ${thing.text}`)
      return true
    }
  })
  const watchers = {
    all: cacher.watch({ scope: PREFIX, ...spy('all') }),
    ns1: cacher.watch({ scope: `${PREFIX}ns1/`, ...spy('ns1') }),
    key: cacher.watch({ scope: `${PREFIX}ns1/a`, exactKey: true, ...spy('key') })
  }
  for (const name of ['ns1/a', 'ns1/ab', 'ns10/a', 'cluster']) storage.put(PREFIX + name, name)
  const seen = { all: await drain(watchers.all), ns1: await drain(watchers.ns1), key: await drain(watchers.key) }
  t.strictSame(seen, {
    all: ['ADDED ns1/a=ns1/a@2', 'ADDED ns1/ab=ns1/ab@3', 'ADDED ns10/a=ns10/a@4', 'ADDED cluster=cluster@5'],
    ns1: ['ADDED ns1/a=ns1/a@2', 'ADDED ns1/ab=ns1/ab@3'],
    key: ['ADDED ns1/a=ns1/a@2']
  })
  t.strictSame(offered.sort(), ['all cluster', 'all ns1/a', 'all ns1/ab', 'all ns10/a', 'key ns1/a', 'ns1 ns1/a', 'ns1 ns1/ab'])
  offered.length = 0
  const replayed = cacher.watch({ ...spy('replay'), ...after(1n), scope: `${PREFIX}ns1/` })
  t.strictSame(await drain(replayed), seen.ns1)
  const one = cacher.watch({ ...spy('replay'), ...after(1n), scope: `${PREFIX}ns1/a`, exactKey: true })
  t.strictSame(await drain(one), seen.key)
  const initial = cacher.watch({ ...spy('initial'), scope: `${PREFIX}ns1/a`, exactKey: true })
  t.strictSame(await drain(initial), seen.key)
  t.throws(() => cacher.watch({ ...all, scope: `${PREFIX}ns1` }), RangeError)
})

t.test('a start at a revision', async (t) => {
  const storage = new ScriptedStorage()
  storage.put(`${PREFIX}a`, '0')
  const { cacher } = await startReady(t, {}, storage)
  for (const text of ['1', '2', '3']) storage.put(`${PREFIX}a`, text)
  await cacher.waitFresh('consistent')
  const lines = ['MODIFIED a=1@3', 'MODIFIED a=2@4', 'MODIFIED a=3@5', 'MODIFIED a=4@6', 'MODIFIED a=5@7', 'MODIFIED a=6@8']
  const watchers = [2n, 3n, 4n, 5n, 6n, 7n].map((revision) => cacher.watch({ ...all, ...after(revision) }))
  storage.put(`${PREFIX}a`, '4')
  await turn()
  t.strictSame(watchers[4]?.take(), [], 'silent up to a revision in the future')
  storage.put(`${PREFIX}a`, '5')
  storage.put(`${PREFIX}a`, '6')
  for (const [i, watcher] of watchers.entries()) t.strictSame(await drain(watcher, i + 1), lines.slice(i), `after ${i + 2}`)
  const old = cacher.watch({ ...all, ...after(1n) })
  t.strictSame(old.ended, { reason: 'expired', oldest: 2n })
  t.strictSame(await drain(old), [])
})

t.test('a start before the remembered events has expired', async (t) => {
  const { cacher, storage } = await startReady(t, { historyLimit: 3, historyMinimum: 1 })
  for (let i = 0; i < 5; i++) storage.put(`${PREFIX}a`, String(i))
  await cacher.waitFresh('consistent')
  t.equal(cacher.stats().oldestRevision, 3n)
  t.strictSame(cacher.watch({ ...all, ...after(2n) }).ended, { reason: 'expired', oldest: 3n })
  t.strictSame(await drain(cacher.watch({ ...all, ...after(3n) })), ['MODIFIED a=2@4', 'MODIFIED a=3@5', 'MODIFIED a=4@6'])
})

t.test('events that grow old are forgotten even if none come, down to the minimum', async (t) => {
  const { cacher, storage, clock } = await startReady(t, { historyMinimum: 2 })
  for (let i = 0; i < 5; i++) storage.put(`${PREFIX}a`, String(i))
  await turn()
  await clock.advance(75_000)
  t.equal(cacher.stats().historyEvents, 5)
  await clock.advance(1_000)
  t.equal(cacher.stats().historyEvents, 2)
  t.equal(cacher.stats().oldestRevision, 4n)
})

t.test('a replay whose events are forgotten before they are taken ends as slow', async (t) => {
  const { cacher, storage } = await startReady(t, { historyLimit: 4, historyMinimum: 1 })
  for (let i = 0; i < 4; i++) storage.put(`${PREFIX}a`, String(i))
  await turn()
  const watcher = cacher.watch({ ...all, ...after(1n) })
  t.strictSame(watcher.take(1).map(line), ['ADDED a=0@2'])
  for (let i = 4; i < 6; i++) storage.put(`${PREFIX}a`, String(i))
  await turn()
  t.strictSame(watcher.take(), [])
  t.strictSame(watcher.ended, { reason: 'slow' })
})

t.test('a watcher that does not take is ended when its buffer is full, and disturbs nobody', async (t) => {
  const { cacher, storage } = await startReady(t, { watchBufferSize: 4 })
  const slow = cacher.watch(all)
  const quick = cacher.watch(all)
  const roomy = cacher.watch({ ...all, bufferSize: 5 })
  const seen: string[] = []
  quick.onReadable(() => seen.push(...quick.take().map(line)))
  let ended = 0
  for (let i = 0; i < 4; i++) storage.put(`${PREFIX}a`, String(i))
  await turn()
  t.equal(slow.ended, undefined, 'full, but not beyond')
  slow.onReadable(() => {
    if (slow.ended !== undefined) ended++
  })
  await turn()
  storage.put(`${PREFIX}a`, '4')
  await turn()
  t.strictSame(slow.ended, { reason: 'slow' })
  t.equal(ended, 1, 'told once')
  t.strictSame(slow.take(), [])
  t.equal(seen.length, 5)
  t.equal((await drain(roomy)).length, 5)
  t.equal(cacher.stats().watchers, 2)
  t.equal(cacher.stats().watchersEndedSlow, 1)
})

t.test('initial events do not count against the buffer, those that arrive meanwhile do', async (t) => {
  const storage = new ScriptedStorage()
  for (let i = 0; i < 50; i++) storage.put(`${PREFIX}${i}`, 'x')
  const { cacher } = await startReady(t, { watchBufferSize: 4 }, storage)
  const watchers = [cacher.watch(all), cacher.watch(all)]
  t.equal(watchers[0]?.take(10).length, 10)
  for (let i = 0; i < 4; i++) storage.put(`${PREFIX}new`, 'x')
  await turn()
  t.equal((await drain(watchers[0] as typeof watchers[number], 7)).length, 44)
  storage.put(`${PREFIX}new`, 'x')
  await turn()
  t.strictSame(watchers.map((watcher) => watcher.ended?.reason), [undefined, 'slow'])
})

t.test('a burst does not end a watcher that takes whenever it is told', async (t) => {
  const { cacher, storage } = await startReady(t, { watchBufferSize: 100 })
  const watcher = cacher.watch(all)
  let seen = 0
  watcher.onReadable(() => {
    seen += watcher.take().length
  })
  storage.holdEvents = true
  for (let i = 0; i < 5_000; i++) storage.put(`${PREFIX}${i % 7}`, 'x')
  storage.holdEvents = false
  storage.flush()
  await cacher.waitFresh('consistent')
  await turn()
  t.equal(watcher.ended, undefined)
  t.equal(seen, 5_000)
})

t.test('onReadable is called once per turn, when something has come to an empty queue', async (t) => {
  const { cacher, storage } = await startReady(t)
  const watcher = cacher.watch({ ...all, ...after(1n) })
  let calls = 0
  watcher.onReadable(() => {
    calls++
  })
  await turn()
  t.equal(calls, 0, 'nothing is there')
  for (let i = 0; i < 3; i++) storage.put(`${PREFIX}a`, 'x')
  t.equal(calls, 0, 'never synchronously')
  await turn()
  t.equal(calls, 1, 'a burst is one call')
  watcher.take(1)
  storage.put(`${PREFIX}a`, 'x')
  await turn()
  t.equal(calls, 1, 'what is left has been announced')
  t.equal(watcher.take().length, 3)
  storage.put(`${PREFIX}a`, 'x')
  await turn()
  t.equal(calls, 2)
  watcher.onReadable(() => {
    calls += 10
  })
  await turn()
  t.equal(calls, 12, 'a new callback hears of what is waiting')
  watcher.close()
  storage.put(`${PREFIX}a`, 'x')
  await turn()
  t.equal(calls, 12)
  t.strictSame(watcher.ended, { reason: 'closed' })
  t.equal(cacher.stats().watchers, 0)
})

t.test('a callback that throws is reported and keeps nobody from being called', async (t) => {
  const { cacher, storage, reports } = await startReady(t)
  const first = cacher.watch({ ...all, ...after(1n) })
  first.onReadable(() => {
    throw new Error('a bug')
  })
  const second = cacher.watch({ ...all, ...after(1n) })
  let called = false
  second.onReadable(() => {
    called = true
  })
  storage.put(`${PREFIX}a`, 'x')
  await turn()
  t.equal(called, true)
  t.strictSame(reports, ['onReadable'])
})

t.test('a predicate that throws ends its watcher only', async (t) => {
  const storage = new ScriptedStorage()
  storage.put(`${PREFIX}a`, 'x')
  const { cacher, reports } = await startReady(t, {}, storage)
  const matches = (): boolean => {
    throw new Error('a bug')
  }
  const initial = cacher.watch({ ...all, matches })
  t.strictSame(initial.take(), [])
  const live = cacher.watch({ ...all, ...after(2n), matches })
  const sound = cacher.watch({ ...all, ...after(2n) })
  storage.put(`${PREFIX}a`, 'y')
  t.strictSame(await drain(sound), ['MODIFIED a=y@3'])
  t.strictSame([initial.ended, live.ended, sound.ended], [{ reason: 'reset' }, { reason: 'reset' }, undefined])
  t.strictSame(reports, ['matches', 'matches'])
})

t.test('a predicate that refuses almost everything is given several turns', async (t) => {
  const storage = new ScriptedStorage()
  storage.write(Array.from({ length: 12_000 }, (_, i) => ({ key: `${PREFIX}${String(i).padStart(5, '0')}`, value: i === 11_999 ? 'red' : 'blue' })))
  const { cacher } = await startReady(t, { listPageSize: 20_000 }, storage)
  const watcher = cacher.watch({ ...all, matches: red, start: { from: 'initial', bookmarkEnd: true } })
  const batches: string[][] = []
  const end = new Promise<void>((resolve) => {
    watcher.onReadable(() => {
      const batch = watcher.take().map(line)
      batches.push(batch)
      if (batch.includes('BOOKMARK 2 end')) resolve()
    })
  })
  await end
  t.strictSame(batches, [[], [], ['ADDED 11999=red@2', 'BOOKMARK 2 end']])
})

t.test('several changes under one revision are all delivered, and never seen in part', async (t) => {
  const { cacher, storage } = await startReady(t, { watchBufferSize: 2 })
  const watcher = cacher.watch({ ...all, bufferSize: 100 })
  const revision = storage.write(Array.from({ length: 5 }, (_, i) => ({ key: `${PREFIX}${i}`, value: 'x' })))
  const sizes = new Set<number>()
  for (let i = 0; i < 10; i++) {
    sizes.add(cacher.size)
    await turn(1)
  }
  t.strictSame([...sizes], [0, 5])
  t.strictSame(await drain(watcher), [0, 1, 2, 3, 4].map((i) => `ADDED ${i}=x@${revision}`))
  t.strictSame(await drain(cacher.watch({ ...all, ...after(revision) })), [])
})
