import t from 'tap'
import { drain, PREFIX, startReady } from '../../test/suites/cacher-fixture.js'
import type { CacherFixture, Thing } from '../../test/suites/cacher-fixture.js'
import { ScriptedStorage } from '../../test/suites/scripted-storage.js'
import type { CacheWatchOptions } from './interfaces.js'

const live: CacheWatchOptions<Thing> = { scope: PREFIX, start: { from: 'revision', after: 1n }, bookmarks: true }

/** The seconds (from now) in which a watcher was told something, with what it was told. */
async function follow ({ cacher, clock }: CacherFixture, options: CacheWatchOptions<Thing>, seconds: number): Promise<[number, string][]> {
  const watcher = cacher.watch(options)
  const seen: [number, string][] = []
  for (let second = 1; second <= seconds; second++) {
    await clock.advance(1_000)
    for (const line of await drain(watcher)) seen.push([second, line])
  }
  watcher.close()
  return seen
}

t.test('bookmarks come once a minute, and are fresh though nobody writes to the prefix', async (t) => {
  const fixture = await startReady(t)
  fixture.storage.put('/registry/elsewhere', 'x')
  t.strictSame(await follow(fixture, live, 125), [[60, 'BOOKMARK 2'], [120, 'BOOKMARK 2']])
})

t.test('a bookmark comes two seconds before the deadline', async (t) => {
  const fixture = await startReady(t)
  fixture.storage.put('/registry/elsewhere', 'x')
  t.strictSame(await follow(fixture, { ...live, deadlineMs: 30_000 }, 40), [[28, 'BOOKMARK 2']])
  t.strictSame(await follow(fixture, { ...live, deadlineMs: 70_000 }, 80), [[60, 'BOOKMARK 2'], [68, 'BOOKMARK 2']])
  t.strictSame(await follow(fixture, { ...live, deadlineMs: 1_500 }, 10), [])
})

t.test('who does not ask gets none', async (t) => {
  const fixture = await startReady(t)
  fixture.storage.put(`${PREFIX}a`, 'x')
  t.strictSame(await follow(fixture, { ...live, bookmarks: false }, 70), [[1, 'ADDED a=x@2']])
})

t.test('no bookmark leads back before the start', async (t) => {
  const fixture = await startReady(t)
  t.strictSame(await follow(fixture, live, 70), [], 'the start itself is no news')
  fixture.storage.put(`${PREFIX}a`, 'x')
  t.strictSame(await follow(fixture, { ...live, start: { from: 'revision', after: 10n } }, 70), [])
})

t.test('a bookmark stands behind the events it covers, and before the later ones', async (t) => {
  const { cacher, storage, clock } = await startReady(t)
  const watcher = cacher.watch(live)
  storage.put(`${PREFIX}a`, '1')
  await clock.advance(60_000)
  storage.put(`${PREFIX}a`, '2')
  await clock.advance(0)
  t.strictSame(await drain(watcher), ['ADDED a=1@2', 'BOOKMARK 2', 'MODIFIED a=2@3'])
})

t.test('a bookmark that nobody has taken is replaced by the next one', async (t) => {
  const { cacher, storage, clock } = await startReady(t)
  const watcher = cacher.watch(live)
  storage.put(`${PREFIX}a`, '1')
  await clock.advance(60_000)
  storage.put('/registry/elsewhere', 'x')
  await clock.advance(60_000)
  t.strictSame(await drain(watcher), ['ADDED a=1@2', 'BOOKMARK 3'])
})

t.test('a bookmark waits behind initial events, and a full buffer goes without', async (t) => {
  const storage = new ScriptedStorage()
  storage.put(`${PREFIX}a`, '1')
  const { cacher, clock } = await startReady(t, {}, storage)
  const initial = cacher.watch({ ...live, start: { from: 'initial', bookmarkEnd: true } })
  const full = cacher.watch({ ...live, start: { from: 'initial', bookmarkEnd: false }, bufferSize: 1 })
  storage.put(`${PREFIX}b`, '1')
  await clock.advance(60_000)
  t.strictSame(await drain(initial), ['ADDED a=1@2', 'BOOKMARK 2 end', 'ADDED b=1@3', 'BOOKMARK 3'])
  t.strictSame(await drain(full), ['ADDED a=1@2', 'ADDED b=1@3'])
  t.equal(full.ended, undefined)
})
