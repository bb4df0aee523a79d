import t, { type Test } from 'tap'
import { failure } from '../../test/suites/storage-under-test.js'
import { WatchReader } from '../../test/suites/watch-reader.js'
import type { Revision } from '../interfaces.js'
import { CommitQueue } from './commit-queue.js'
import { Compactor } from './compactor.js'
import { openDatabase } from './database.js'
import { EmbeddedStorage, type EmbeddedStorageOptions } from './storage.js'
import { Tables } from './tables.js'

async function open (t: Test, options: Partial<EmbeddedStorageOptions> = {}): Promise<EmbeddedStorage> {
  const storage = await EmbeddedStorage.open({ directory: t.testdirName, compactionIntervalMs: 0, ...options })
  t.teardown(async () => { await storage.close() })
  return storage
}

async function writeMany (storage: EmbeddedStorage, count: number): Promise<Revision> {
  const heads = new Map<string, Revision>()
  let last = 1n
  for (let i = 0; i < count; i++) {
    const key = `/k/${i % 7}`
    const modRevision = heads.get(key)
    if (modRevision !== undefined && i % 5 === 0) {
      last = (await storage.delete(key, { modRevision })).revision
      heads.delete(key)
    } else {
      last = (modRevision === undefined ? await storage.create(key, Buffer.from(`${i}`)) : await storage.update(key, Buffer.from(`${i}`), { modRevision })).revision
      heads.set(key, last)
    }
  }
  return last
}

t.test('compaction leaves the live keys and nothing else', async t => {
  t.testdir()
  const storage = await open(t)
  const revision = await writeMany(storage, 700)
  const before = await storage.list('/')
  await storage.compact(revision)
  const { keys, deadKeys, oldVersions, logLines, compactRevision } = storage.stats()
  t.equal(keys, before.items.length)
  t.equal(deadKeys, 0)
  t.equal(oldVersions, 0)
  // The last write may have been a delete, which keeps its line for watches that begin with it.
  t.ok(logLines === keys || logLines === keys + 1)
  t.equal(compactRevision, revision)
  t.same((await storage.list('/')).items, before.items)
  await storage.close()
  const again = await open(t)
  t.equal(await again.currentRevision(), revision, 'a restart finds the revision although its history is gone')
  t.same((await again.list('/')).items, before.items)
  await failure(again.get('/k/1', { revision: revision - 1n }), 'Compacted')
})

t.test('compaction at a delete keeps its event for a watch that begins there, as in etcd', async t => {
  t.testdir()
  const storage = await open(t)
  const a = await storage.create('/a', Buffer.from('x'))
  const b = await storage.delete('/a', { modRevision: a.revision })
  await storage.compact(b.revision)
  const reader = new WatchReader(storage.watch('/', { afterRevision: a.revision }), a.revision)
  t.same((await reader.count(1)).map(event => `${event.type} ${event.modRevision}`), ['delete 3'])
  reader.watch.close()
  await failure(new WatchReader(storage.watch('/', { afterRevision: a.revision - 1n }), 1n).next(), 'Compacted')
  const c = await storage.create('/a', Buffer.from('y'))
  await storage.compact(c.revision)
  t.equal(storage.stats().logLines, 1)
  t.equal((await storage.get('/a')).value?.value.toString(), 'y')
})

t.test('a compaction that was interrupted is finished by the next open', async t => {
  t.testdir()
  const storage = await open(t)
  const revision = await writeMany(storage, 1_000)
  const { items } = await storage.list('/')
  const compaction = storage.compact(revision)
  while (storage.stats().compactRevision < revision) await new Promise(resolve => setImmediate(resolve))
  await Promise.allSettled([storage.close(), compaction])
  const again = await open(t)
  t.equal(again.stats().compactRevision, revision)
  while (again.stats().oldVersions > 0) await new Promise(resolve => setTimeout(resolve, 1))
  t.same((await again.list('/')).items, items)
})

t.test('compactions at the same time all succeed, and the highest revision counts, also after a restart', async t => {
  t.testdir()
  const storage = await open(t)
  const revision = await writeMany(storage, 400)
  await Promise.all([200n, revision, 100n, 300n, revision].map(async at => { await storage.compact(at) }))
  t.equal(storage.stats().compactRevision, revision)
  await failure(storage.compact(revision + 1n), 'FutureRevision')
  await storage.close()
  t.equal((await open(t)).stats().compactRevision, revision)
})

t.test('what a read under way needs stays until it is done, although compaction has passed it', async t => {
  const database = await openDatabase(t.testdir())
  t.teardown(async () => { await database.root.close() })
  const tables = new Tables(database)
  const commits = new CommitQueue({ directory: t.testdirName, database, tables, clock: Date.now, published: () => { /* nobody watches */ } })
  const compactor = new Compactor({ tables, commits, clock: Date.now, historyMs: 0, intervalMs: 0 })
  const write = async (value: string, expected?: Revision): Promise<Revision> => (await commits.submit({ key: '/a', value: Buffer.from(value), expected })).revision
  const first = await write('1')
  const second = await write('2', first)
  const third = await write('3', second)
  const valueAt = (revision: Revision): string | undefined => tables.get(Buffer.from('/a'), revision)?.value.toString()
  const done = [compactor.pin(second), compactor.pin(second), compactor.pin(third)]
  let isCompacted = false
  const compaction = compactor.compact(third).then(() => { isCompacted = true })
  while (compactor.revision < third || tables.forgottenRevision() < second) await new Promise(resolve => setImmediate(resolve))
  t.equal(valueAt(first), undefined, 'what no read needs is gone')
  t.equal(valueAt(second), '2')
  done[0]?.()
  await write('4', third)
  t.equal(isCompacted, false)
  t.equal(valueAt(second), '2')
  done[1]?.()
  await compaction
  t.equal(valueAt(second), undefined)
  t.equal(valueAt(third), '3')
  await compactor.close()
  await commits.close()
})

t.test('a long list at a past revision and compaction do not disturb each other', async t => {
  t.testdir()
  const storage = await open(t)
  await Promise.all(Array.from({ length: 6_000 }, (_, i) => storage.create(`/k/${i}`, Buffer.from('old'))))
  const { items, revision } = await storage.list('/')
  await storage.compact(revision)
  await Promise.all(items.toReversed().map(({ key, modRevision }) => storage.update(key, Buffer.from('new'), { modRevision })))
  const list = storage.list('/', { revision })
  const [{ items: past }] = await Promise.all([list, storage.compact(await storage.currentRevision())])
  t.equal(past.length, items.length)
  t.ok(past.every((item, i) => item.modRevision === items[i]?.modRevision && item.value.equals(items[i].value)))
  await failure(storage.list('/', { revision }), 'Compacted')
})

t.test('history is kept for as long as it should be', async t => {
  t.testdir()
  let now = 1_000_000
  const storage = await open(t, { historyMs: 60_000, clock: () => now })
  const revisions: Revision[] = []
  for (let i = 0; i < 10; i++) {
    revisions.push((await storage.create(`/k/${i}`, Buffer.from('x'))).revision)
    now += 10_000
  }
  await storage.compactHistory()
  // The last write is 10 s old. Those older than 60 s are no longer needed to read the newest of them.
  t.equal(storage.stats().compactRevision, revisions[4])
  await storage.compactHistory()
  t.equal(storage.stats().compactRevision, revisions[4])
  await storage.close()
  now += 30_000
  const again = await open(t, { historyMs: 60_000, clock: () => now })
  await again.compactHistory()
  t.equal(again.stats().compactRevision, revisions[7], 'the times survive a restart')
  now += 1_000_000
  await again.compactHistory()
  t.equal(again.stats().compactRevision, revisions[9])
  t.equal((await again.list('/')).items.length, 10)
})

t.test('the timer compacts', async t => {
  t.testdir()
  let now = 1_000_000
  const storage = await open(t, { historyMs: 60_000, clock: () => now, compactionIntervalMs: 5 })
  const revision = await writeMany(storage, 50)
  now += 60_000
  while (storage.stats().compactRevision < revision) await new Promise(resolve => setTimeout(resolve, 1))
  t.pass('compacted')
})

t.test('writes go on while a long history is compacted', async t => {
  t.testdir()
  const storage = await open(t)
  const revision = await writeMany(storage, 1_500)
  let during = 0
  let compacting = true
  const writing = (async () => {
    while (compacting) {
      await storage.create(`/during/${during}`, Buffer.from('x'))
      during++
    }
  })()
  await storage.compact(revision)
  compacting = false
  await writing
  t.ok(during > 5, `${during} writes were answered meanwhile`)
})
