import t from 'tap'
import { PREFIX, startCacher, startReady } from '../../test/suites/cacher-fixture.js'
import type { Thing } from '../../test/suites/cacher-fixture.js'
import { turn } from '../../test/suites/fake-clock.js'
import { rejectsWith, ScriptedStorage } from '../../test/suites/scripted-storage.js'
import { isStorageError } from '../errors.js'
import type { CacheList } from './interfaces.js'

function names (list: CacheList<Thing>): string[] {
  return list.items.map((item) => item.key.slice(PREFIX.length))
}

function settled (promise: Promise<unknown>): () => boolean {
  let done = false
  const mark = (): void => {
    done = true
  }
  promise.then(mark, mark)
  return () => done
}

t.test('get and list show what is stored, with its revisions', async (t) => {
  const storage = new ScriptedStorage()
  storage.put(`${PREFIX}a/1`, 'x')
  const other = storage.put('/registry/g/thingsother/z', 'foreign')
  const { cacher } = await startReady(t, {}, storage)
  t.strictSame(cacher.get(`${PREFIX}a/1`), { key: `${PREFIX}a/1`, revision: 2n, value: { text: 'x', revision: 2n } })
  t.equal(cacher.get(`${PREFIX}a/2`), undefined)
  t.equal(cacher.currentRevision, other)
  const written = storage.put(`${PREFIX}b/1`, 'y')
  t.equal(await cacher.waitFresh('consistent'), written)
  const list = cacher.list({ scope: PREFIX })
  t.strictSame(names(list), ['a/1', 'b/1'])
  t.equal(list.revision, written)
  storage.remove(`${PREFIX}a/1`)
  await cacher.waitFresh('consistent')
  t.equal(cacher.get(`${PREFIX}a/1`), undefined)
  t.equal(cacher.size, 1)
})

t.test('lists in pages', async (t) => {
  const storage = new ScriptedStorage()
  for (const name of ['ns1/a', 'ns1/b', 'ns1/c', 'ns1/d', 'ns10/a', 'ns2/a']) storage.put(PREFIX + name, name.endsWith('c') ? 'odd' : 'even')
  const { cacher } = await startReady(t, { listPageSize: 2 }, storage)
  t.equal(storage.calls.list, 3, 'filled in pages')
  const even = (thing: Thing): boolean => thing.text === 'even'
  const cases = [
    { name: 'everything', options: { scope: PREFIX }, expected: ['ns1/a', 'ns1/b', 'ns1/c', 'ns1/d', 'ns10/a', 'ns2/a'], remaining: 0 },
    { name: 'a namespace ends at its slash', options: { scope: `${PREFIX}ns1/` }, expected: ['ns1/a', 'ns1/b', 'ns1/c', 'ns1/d'], remaining: 0 },
    { name: 'a limit', options: { scope: `${PREFIX}ns1/`, limit: 3 }, expected: ['ns1/a', 'ns1/b', 'ns1/c'], remaining: 1, nextKey: 'ns1/c\0' },
    { name: 'a limit that is just enough', options: { scope: `${PREFIX}ns1/`, limit: 4 }, expected: ['ns1/a', 'ns1/b', 'ns1/c', 'ns1/d'], remaining: 0 },
    { name: 'the next page', options: { scope: `${PREFIX}ns1/`, limit: 3, startKey: `${PREFIX}ns1/c\0` }, expected: ['ns1/d'], remaining: 0 },
    { name: 'a start before the scope', options: { scope: `${PREFIX}ns10/`, startKey: `${PREFIX}ns1/b` }, expected: ['ns10/a'], remaining: 0 },
    { name: 'a start after the scope', options: { scope: `${PREFIX}ns1/`, startKey: `${PREFIX}ns2/` }, expected: [], remaining: 0 },
    { name: 'a filter before the limit', options: { scope: `${PREFIX}ns1/`, limit: 3, matches: even }, expected: ['ns1/a', 'ns1/b', 'ns1/d'], remaining: 0 },
    { name: 'what remains is not filtered', options: { scope: `${PREFIX}ns1/`, limit: 2, matches: even }, expected: ['ns1/a', 'ns1/b'], remaining: 2, nextKey: 'ns1/b\0' },
    { name: 'one key', options: { scope: `${PREFIX}ns1/b`, exactKey: true }, expected: ['ns1/b'], remaining: 0 },
    { name: 'one key that is not there', options: { scope: `${PREFIX}ns1/`, exactKey: true }, expected: [], remaining: 0 },
    { name: 'one key that does not match', options: { scope: `${PREFIX}ns1/c`, exactKey: true, matches: even }, expected: [], remaining: 0 },
    { name: 'one key, continued after it', options: { scope: `${PREFIX}ns1/b`, exactKey: true, startKey: `${PREFIX}ns1/b\0` }, expected: [], remaining: 0 }
  ]
  for (const { name, options, expected, remaining, nextKey } of cases) {
    const list = cacher.list(options)
    t.strictSame(names(list), expected, name)
    t.equal(list.remaining, remaining, name)
    t.equal(list.nextKey, nextKey === undefined ? undefined : PREFIX + nextKey, name)
  }
  t.throws(() => cacher.list({ scope: '/registry/g/' }), RangeError)
  t.throws(() => cacher.list({ scope: `${PREFIX}ns1` }), RangeError, 'ns1 would include ns10')
})

t.test('a consistent read waits for what was acknowledged before it, even if nobody writes to the prefix', async (t) => {
  const { cacher, storage } = await startReady(t)
  const foreign = storage.put('/registry/elsewhere', 'x')
  t.ok((cacher.currentRevision ?? 0n) < foreign)
  t.equal(await cacher.waitFresh('consistent'), foreign)
  storage.holdEvents = true
  const written = storage.put(`${PREFIX}a`, 'x')
  const read = cacher.waitFresh('consistent')
  const done = settled(read)
  await turn()
  t.equal(done(), false, 'the cache does not have it yet')
  t.equal(cacher.stats().waitingReads, 1)
  storage.holdEvents = false
  storage.flush()
  t.equal(await read, written)
  t.equal(cacher.get(`${PREFIX}a`)?.revision, written)
})

t.test('concurrent consistent reads share a call, but never one that has begun before them', async (t) => {
  const { cacher, storage } = await startReady(t)
  const before = storage.calls.currentRevision
  const answer = storage.holdRevisions()
  const early = [cacher.waitFresh('consistent'), cacher.waitFresh('consistent'), cacher.waitFresh('consistent')]
  await turn()
  t.equal(storage.calls.currentRevision, before + 1, 'the reads of one turn share a call')
  storage.holdEvents = true
  const written = storage.put(`${PREFIX}a`, 'x')
  const late = [cacher.waitFresh('consistent'), cacher.waitFresh('consistent')]
  const done = late.map(settled)
  await turn()
  t.equal(storage.calls.currentRevision, before + 1, 'one call at a time')
  answer()
  for (const read of early) t.ok(await read < written, 'the early ones need not know of the write')
  await turn()
  t.strictSame(done.map((done) => done()), [false, false], 'the late ones must')
  t.equal(storage.calls.currentRevision, before + 2, 'and share the next call')
  storage.holdEvents = false
  storage.flush()
  for (const read of late) t.equal(await read, written)
})

t.test('progress is asked for once while an answer is due, and again should it get lost', async (t) => {
  const { cacher, storage, clock } = await startReady(t)
  storage.ignoreProgress = true
  const foreign = storage.put('/registry/elsewhere', 'x')
  const before = storage.calls.requestProgress
  const reads = [cacher.waitFresh('consistent')]
  await turn()
  reads.push(cacher.waitFresh('consistent'))
  await turn()
  t.equal(storage.calls.requestProgress, before + 1)
  storage.ignoreProgress = false
  await clock.advance(100)
  t.equal(storage.calls.requestProgress, before + 2)
  t.strictSame(await Promise.all(reads), [foreign, foreign])
  await clock.advance(500)
  t.equal(storage.calls.requestProgress, before + 2, 'nobody waits, nobody asks')
})

t.test('a revision that does not come within three seconds is in the future', async (t) => {
  const { cacher, storage, clock } = await startReady(t)
  const current = storage.put(`${PREFIX}a`, 'x')
  const future = rejectsWith(cacher.waitFresh(999n), 'FutureRevision')
  const done = settled(future)
  await clock.advance(2_999)
  t.equal(done(), false)
  await clock.advance(1)
  t.equal((await future).revision, current)
  t.equal(cacher.stats().waitingReads, 0)
  const soon = cacher.waitFresh(current + 1n)
  storage.put('/registry/elsewhere', 'x')
  await clock.advance(100)
  t.equal(await soon, current + 1n)
})

t.test('a consistent read whose events stay away is told so, with the revision that there is', async (t) => {
  const { cacher, storage, clock } = await startReady(t)
  const reached = cacher.currentRevision
  storage.holdEvents = true
  storage.put(`${PREFIX}a`, 'x')
  const read = rejectsWith(cacher.waitFresh('consistent'), 'FutureRevision')
  await clock.advance(3_000)
  t.equal((await read).revision, reached)
})

t.test('while the storage is away, old reads are served and fresh ones are refused', async (t) => {
  const { cacher, storage, clock } = await startReady(t)
  const written = storage.put(`${PREFIX}a`, 'x')
  await cacher.waitFresh(written)
  storage.away = true
  storage.breakWatches('Unavailable')
  await turn()
  t.equal(await cacher.waitFresh('any'), written)
  t.equal(await cacher.waitFresh(written), written)
  t.equal(cacher.get(`${PREFIX}a`)?.value.text, 'x')
  await rejectsWith(cacher.waitFresh('consistent'), 'Unavailable')
  const future = rejectsWith(cacher.waitFresh(written + 1n), 'Unavailable')
  await clock.advance(3_000)
  await future
  const answer = storage.holdRevisions()
  const silent = rejectsWith(cacher.waitFresh('consistent'), 'Unavailable')
  await clock.advance(3_000)
  await silent
  answer()
})

t.test('an aborted wait ends at once and leaves nothing behind', async (t) => {
  const { cacher, storage } = await startReady(t)
  t.ok(isStorageError(await rejectsWith(cacher.waitFresh('any', AbortSignal.abort()), 'Aborted')))
  const abort = new AbortController()
  const future = rejectsWith(cacher.waitFresh(999n, abort.signal), 'Aborted')
  const answer = storage.holdRevisions()
  const consistent = rejectsWith(cacher.waitFresh('consistent', abort.signal), 'Aborted')
  await turn()
  abort.abort(new Error('client gone'))
  t.match((await future).cause, { message: 'client gone' })
  await consistent
  t.equal(cacher.stats().waitingReads, 0)
  answer()
})

t.test('before the cache is filled, reads wait for it', async (t) => {
  const storage = new ScriptedStorage()
  storage.put(`${PREFIX}a`, 'x')
  storage.away = true
  const { cacher, clock } = startCacher(t, {}, storage)
  await turn()
  t.equal(cacher.ready(), false)
  t.equal(cacher.currentRevision, undefined)
  t.equal(cacher.get(`${PREFIX}a`), undefined)
  t.throws(() => cacher.list({ scope: PREFIX }), { code: 'Unavailable' })
  t.throws(() => cacher.watch({ scope: PREFIX, start: { from: 'initial', bookmarkEnd: false }, bookmarks: false }), { code: 'Unavailable' })
  const any = rejectsWith(cacher.waitFresh('any'), 'Unavailable')
  await clock.advance(3_000)
  await any
  await rejectsWith(cacher.whenReady(AbortSignal.abort()), 'Aborted')
  const reads = [cacher.waitFresh('any'), cacher.waitFresh('consistent'), cacher.waitFresh(2n)]
  storage.away = false
  await clock.advance(2_900)
  t.strictSame(await Promise.all(reads), [2n, 2n, 2n])
  await cacher.whenReady()
  t.equal(cacher.ready(), true)
})

t.test('unchangedSince tells whether a revision can be read from the present state', async (t) => {
  const storage = new ScriptedStorage()
  storage.put(`${PREFIX}a/1`, 'x')
  const filled = storage.put('/registry/elsewhere', 'x')
  const { cacher } = await startReady(t, { historyLimit: 3, historyMinimum: 1 }, storage)
  const expect = (revision: bigint, scope: string, unchanged: boolean, why: string): void => {
    t.equal(cacher.unchangedSince(revision, scope), unchanged, why)
  }
  expect(filled, PREFIX, true, 'as it was filled')
  expect(filled - 1n, PREFIX, false, 'nothing is known of the time before')
  expect(filled + 1n, PREFIX, false, 'in the future')
  const a = storage.put(`${PREFIX}a/2`, 'x')
  storage.put('/registry/elsewhere', 'y')
  const now = await cacher.waitFresh('consistent')
  expect(filled, PREFIX, false, 'a/2 came')
  expect(a, PREFIX, true, 'after a/2')
  expect(now, PREFIX, true, 'now')
  expect(filled, `${PREFIX}b/`, true, 'elsewhere nothing happened')
  expect(filled, `${PREFIX}a/`, false, 'but here')
  const bad = storage.put(`${PREFIX}c/1`, 'corrupt')
  await cacher.waitFresh('consistent')
  expect(bad - 1n, `${PREFIX}b/`, false, 'something undecodable came')
  expect(bad, `${PREFIX}b/`, true, 'it is there since')
  for (let i = 0; i < 4; i++) storage.put(`${PREFIX}a/${i}`, 'z')
  await cacher.waitFresh('consistent')
  expect(bad, `${PREFIX}b/`, false, 'forgotten')
  expect(storage.revision - 2n, `${PREFIX}b/`, true, 'remembered')
})
