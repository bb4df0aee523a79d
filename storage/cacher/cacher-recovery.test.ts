import t from 'tap'
import { drain, line, PREFIX, startCacher, startReady } from '../../test/suites/cacher-fixture.js'
import type { Thing } from '../../test/suites/cacher-fixture.js'
import { turn } from '../../test/suites/fake-clock.js'
import { rejectsWith, ScriptedStorage } from '../../test/suites/scripted-storage.js'
import type { CacheWatchOptions } from './interfaces.js'

const all: CacheWatchOptions<Thing> = { scope: PREFIX, start: { from: 'initial', bookmarkEnd: false }, bookmarks: false }

/** Longer than any pause between attempts. */
const LONGEST_PAUSE_MS = 5_000

t.test('a watch that breaks is resumed where it was: watchers stay and miss nothing', async (t) => {
  const { cacher, storage, clock, reports } = await startReady(t)
  const watcher = cacher.watch(all)
  storage.put(`${PREFIX}a`, '1')
  await turn()
  storage.away = true
  storage.breakWatches('Unavailable')
  storage.put(`${PREFIX}a`, '2')
  for (let i = 0; i < 10; i++) await clock.advance(LONGEST_PAUSE_MS)
  t.ok(reports.length >= 10, 'it keeps trying')
  t.ok(reports.every((report) => report === 'watch'))
  t.strictSame(await drain(watcher), ['ADDED a=1@2'], 'silent meanwhile')
  storage.put(`${PREFIX}a`, '3')
  storage.away = false
  await clock.advance(LONGEST_PAUSE_MS)
  t.strictSame(await drain(watcher), ['MODIFIED a=2@3', 'MODIFIED a=3@4'])
  t.equal(storage.calls.list, 1)
  t.equal(cacher.stats().initializations, 1)
})

t.test('the pauses between attempts grow, and are short again after a success', async (t) => {
  const { storage, clock } = await startReady(t, { backoffMs: { initial: 100, max: 5_000 } })
  storage.away = true
  storage.breakWatches('Unavailable')
  await turn()
  const tries = async (ms: number): Promise<number> => {
    const before = storage.calls.currentRevision
    await clock.advance(ms)
    return storage.calls.currentRevision - before
  }
  const early = await tries(1_500)
  t.ok(early >= 3 && early <= 5, `${early} attempts in the first 1.5 s`)
  await clock.advance(20_000)
  const late = await tries(20_000)
  t.ok(late >= 4 && late <= 8, `${late} attempts in 20 s later on`)
  storage.away = false
  await clock.advance(LONGEST_PAUSE_MS)
  t.equal(storage.watches.size, 1)
  storage.breakWatches('Unavailable')
  await turn()
  t.equal(storage.watches.size, 0)
  await clock.advance(100)
  t.equal(storage.watches.size, 1)
})

t.test('a read that finds the storage working again does not wait for the next attempt', async (t) => {
  const { cacher, storage, clock } = await startReady(t)
  storage.away = true
  storage.breakWatches('Unavailable')
  await clock.advance(60_000)
  const { currentRevision: attempts } = storage.calls
  while (storage.calls.currentRevision === attempts) await clock.advance(10) // the next pause has just begun
  storage.away = false
  const written = storage.put(`${PREFIX}a`, '1')
  await clock.advance(150)
  t.equal(storage.watches.size, 0)
  t.equal(await cacher.waitFresh('consistent'), written)
})

t.test('what a resumed watch repeats is passed over', async (t) => {
  const { cacher, storage } = await startReady(t)
  const watcher = cacher.watch(all)
  storage.put(`${PREFIX}a`, '1')
  storage.put(`${PREFIX}a`, '2')
  await turn()
  storage.deliver({
    events: [
      { type: 'put', key: `${PREFIX}a`, value: Buffer.from('1'), modRevision: 2n },
      { type: 'put', key: `${PREFIX}a`, value: Buffer.from('2'), modRevision: 3n },
      { type: 'put', key: `${PREFIX}a`, value: Buffer.from('3'), modRevision: 4n }
    ],
    revision: 4n
  })
  t.strictSame(await drain(watcher), ['ADDED a=1@2', 'MODIFIED a=2@3', 'MODIFIED a=3@4'])
  t.equal(cacher.get(`${PREFIX}a`)?.revision, 4n)
})

t.test('lost history: the cache is filled anew, watchers are ended, reads go on', async (t) => {
  const storage = new ScriptedStorage()
  storage.put(`${PREFIX}gone`, '1')
  storage.put(`${PREFIX}kept`, '1')
  const { cacher } = await startReady(t, {}, storage)
  const idle = cacher.watch(all)
  const busy = cacher.watch(all)
  let told = 0
  busy.onReadable(() => {
    if (busy.ended !== undefined) told++
    else busy.take()
  })
  await turn()
  storage.holdEvents = true
  storage.remove(`${PREFIX}gone`)
  const now = storage.put(`${PREFIX}new`, '1')
  await storage.compact(now)
  let inTheMeantime: unknown
  storage.duringList = () => {
    inTheMeantime = [cacher.ready(), cacher.get(`${PREFIX}gone`)?.value.text, idle.ended]
  }
  storage.breakWatches('Compacted')
  await turn(5)
  t.strictSame(inTheMeantime, [true, '1', undefined], 'until the new state is there, the old one is served')
  t.strictSame([idle.ended, busy.ended], [{ reason: 'reset' }, { reason: 'reset' }])
  t.equal(told, 1)
  t.strictSame(cacher.list({ scope: PREFIX }).items.map((item) => item.key.slice(PREFIX.length)), ['kept', 'new'])
  t.equal(cacher.currentRevision, now)
  t.equal(cacher.unchangedSince(now - 1n), false)
  const old: CacheWatchOptions<Thing> = { ...all, start: { from: 'revision', after: now - 1n } }
  t.strictSame(cacher.watch(old).ended, { reason: 'expired', oldest: now })
  t.equal(cacher.stats().initializations, 2)
  storage.holdEvents = false
  const watcher = cacher.watch({ ...all, start: { from: 'revision', after: now } })
  storage.put(`${PREFIX}new`, '2')
  t.strictSame(await drain(watcher), [`MODIFIED new=2@${now + 1n}`])
})

t.test('a list that is compacted under way begins again', async (t) => {
  const storage = new ScriptedStorage()
  for (const name of ['a', 'b', 'c']) storage.put(PREFIX + name, '1')
  let lists = 0
  storage.duringList = async () => {
    if (++lists === 2) await storage.compact(storage.put(`${PREFIX}d`, '1'))
  }
  const { cacher, clock, reports } = startCacher(t, { listPageSize: 1 }, storage)
  await turn(4)
  t.equal(cacher.ready(), false)
  t.strictSame(reports, ['list'])
  await clock.advance(LONGEST_PAUSE_MS)
  await cacher.whenReady()
  t.equal(cacher.size, 4)
})

t.test('what is written during a list of many pages is not lost', async (t) => {
  const storage = new ScriptedStorage()
  for (const name of ['a', 'b', 'c', 'd']) storage.put(PREFIX + name, '1')
  let lists = 0
  storage.duringList = () => {
    if (++lists === 2) storage.write([{ key: `${PREFIX}a`, value: undefined }, { key: `${PREFIX}d`, value: '2' }, { key: `${PREFIX}e`, value: '1' }])
  }
  const { cacher } = await startReady(t, { listPageSize: 1 }, storage)
  await cacher.waitFresh('consistent')
  t.strictSame(cacher.list({ scope: PREFIX }).items.map((item) => item.value.text), ['1', '1', '2', '1'])
})

t.test('a storage that went back in time makes the cache follow', async (t) => {
  for (const noticed of ['by a read', 'on reconnecting'] as const) {
    const { cacher, storage, clock } = await startReady(t)
    storage.put(`${PREFIX}a`, '1')
    storage.put(`${PREFIX}b`, '1')
    await cacher.waitFresh('consistent')
    const watcher = cacher.watch(all)
    storage.restore(2n)
    if (noticed === 'by a read') {
      await rejectsWith(cacher.waitFresh('consistent'), 'Unavailable')
    } else {
      storage.breakWatches('Unavailable')
      await turn()
      await clock.advance(LONGEST_PAUSE_MS)
    }
    await turn()
    t.strictSame(watcher.ended, { reason: 'reset' }, noticed)
    t.equal(await cacher.waitFresh('consistent'), 2n, noticed)
    t.strictSame(cacher.list({ scope: PREFIX }).items.map((item) => item.key), [`${PREFIX}a`], noticed)
    storage.put(`${PREFIX}c`, '1')
    await cacher.waitFresh('consistent')
    t.equal(cacher.get(`${PREFIX}c`)?.revision, 3n, noticed)
  }
})

t.test('a value that cannot be decoded is reported and left out, and hinders nothing', async (t) => {
  const storage = new ScriptedStorage()
  storage.put(`${PREFIX}bad`, 'corrupt')
  storage.put(`${PREFIX}good`, '1')
  const { cacher, reports } = await startReady(t, {}, storage)
  t.strictSame(reports, ['corrupt /registry/g/things/bad'])
  t.equal(cacher.isCorrupt(`${PREFIX}bad`), true)
  t.equal(cacher.stats().corruptItems, 1)
  t.strictSame(cacher.list({ scope: PREFIX }).items.map((item) => item.value.text), ['1'])
  const watcher = cacher.watch(all)
  storage.put(`${PREFIX}good`, 'corrupt')
  storage.put(`${PREFIX}good`, '2')
  storage.put(`${PREFIX}bad`, 'corrupt')
  storage.put(`${PREFIX}bad`, '2')
  storage.put(`${PREFIX}new`, 'corrupt')
  storage.remove(`${PREFIX}new`)
  t.strictSame(await drain(watcher), ['ADDED good=1@3', 'DELETED good=1@4', 'ADDED good=2@5', 'ADDED bad=2@7'])
  t.equal(cacher.stats().corruptItems, 0)
  t.equal(cacher.currentRevision, 9n)
})

t.test('reports that throw do no harm', async (t) => {
  const storage = new ScriptedStorage()
  storage.put(`${PREFIX}bad`, 'corrupt')
  const fail = (): never => {
    throw new Error('a bug')
  }
  const { cacher } = await startReady(t, { onCorrupt: fail, onError: fail }, storage)
  t.equal(await cacher.waitFresh('any'), 2n)
})

t.test('an error of ours while a change is applied makes the cache fill itself anew', async (t) => {
  const { cacher, storage, clock, reports } = await startReady(t)
  const watcher = cacher.watch(all)
  const now = clock.now.bind(clock)
  clock.now = () => {
    clock.now = now
    throw new Error('a bug')
  }
  storage.put(`${PREFIX}a`, '1')
  await turn()
  await clock.advance(LONGEST_PAUSE_MS)
  t.strictSame(reports, ['watch'])
  t.strictSame(watcher.ended, { reason: 'reset' })
  t.equal(cacher.stats().initializations, 2)
  t.equal(cacher.get(`${PREFIX}a`)?.value.text, '1')
})

t.test('stop ends watchers and waits, and asks nothing of the storage any more', async (t) => {
  const { cacher, storage, clock } = await startReady(t)
  const watcher = cacher.watch(all)
  await drain(watcher)
  let told = false
  watcher.onReadable(() => {
    told = true
  })
  const read = rejectsWith(cacher.waitFresh(99n), 'Closed')
  await turn()
  await cacher.stop()
  await cacher.stop()
  await read
  await turn()
  t.equal(told, true)
  t.strictSame(watcher.ended, { reason: 'closed' })
  t.equal(cacher.ready(), false)
  t.equal(storage.watches.size, 0)
  t.equal(clock.pending, 0)
  await rejectsWith(cacher.waitFresh('any'), 'Closed')
  t.strictSame(cacher.watch(all).ended, { reason: 'closed' })
  const calls = { ...storage.calls }
  await clock.advance(60_000)
  t.strictSame(storage.calls, calls)
})

t.test('stop works while the storage is away, too', async (t) => {
  const storage = new ScriptedStorage()
  storage.away = true
  const { cacher, clock } = startCacher(t, {}, storage)
  await turn()
  const ready = rejectsWith(cacher.whenReady(), 'Closed')
  await cacher.stop()
  await ready
  t.equal(clock.pending, 0)
})

t.test('a storage that closes is an outage like any other', async (t) => {
  const { cacher, storage, clock, reports } = await startReady(t)
  storage.put(`${PREFIX}a`, '1')
  await turn()
  await storage.close()
  await turn()
  t.strictSame(reports, ['watch'])
  t.equal(cacher.get(`${PREFIX}a`)?.value.text, '1')
  const watcher = cacher.watch(all)
  await clock.advance(LONGEST_PAUSE_MS)
  storage.put(`${PREFIX}a`, '2')
  await turn()
  t.strictSame(watcher.take().map(line), ['ADDED a=1@2', 'MODIFIED a=2@3'])
})
