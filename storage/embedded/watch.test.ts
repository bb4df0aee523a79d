import t, { type Test } from 'tap'
import { failure } from '../../test/suites/storage-under-test.js'
import { WatchReader } from '../../test/suites/watch-reader.js'
import { EmbeddedStorage } from './storage.js'

async function open (t: Test): Promise<EmbeddedStorage> {
  const storage = await EmbeddedStorage.open({ directory: t.testdir(), compactionIntervalMs: 0 })
  t.teardown(async () => { await storage.close() })
  return storage
}

t.test('a watch that nobody reads holds no events: the buffer of all watches is bounded, and the log has the rest', async t => {
  const storage = await open(t)
  const reader = new WatchReader(storage.watch('/', { afterRevision: 1n }), 1n)
  const value = Buffer.alloc(200_000, 'x')
  for (let i = 0; i < 30; i++) await Promise.all(Array.from({ length: 5 }, (_, j) => storage.create(`/${i}/${j}`, value)))
  t.ok(storage.stats().bufferedBytes <= 16 << 20)
  t.ok(storage.stats().bufferedEvents < 150)
  t.same((await reader.count(150)).map(event => event.modRevision), Array.from({ length: 150 }, (_, i) => BigInt(i + 2)))
  await Promise.all(Array.from({ length: 10_000 }, (_, i) => storage.create(`/small/${i}`, Buffer.from('x'))))
  t.equal(storage.stats().bufferedEvents, 8_192)
  t.equal((await reader.count(10_150)).length, 10_150)
  reader.watch.close()
  t.equal(storage.stats().watches, 0)
})

t.test('a watch that was not read until its history was gone fails with Compacted', async t => {
  const storage = await open(t)
  const reader = new WatchReader(storage.watch('/', { afterRevision: 1n }), 1n)
  await Promise.all(Array.from({ length: 10_000 }, (_, i) => storage.create(`/${i}`, Buffer.from('x'))))
  await storage.compact(9_000n)
  const error = await failure(reader.next(), 'Compacted')
  t.equal(error.revision, 9_000n)
  t.equal(storage.stats().watches, 0)
})

t.test('a watch of a quiet prefix that waits keeps up with compaction', async t => {
  const storage = await open(t)
  const reader = new WatchReader(storage.watch('/quiet/', { afterRevision: 1n }), 1n)
  const next = reader.next()
  await Promise.all(Array.from({ length: 10_000 }, (_, i) => storage.create(`/${i}`, Buffer.from('x'))))
  await storage.compact(10_001n)
  const { revision } = await storage.create('/quiet/a', Buffer.from('x'))
  t.same((await next)?.events.map(event => event.modRevision), [revision])
  reader.watch.close()
})

t.test('a watch of a rare prefix finds its events in a long history', async t => {
  const storage = await open(t)
  const first = await storage.create('/rare/a', Buffer.from('1'))
  await Promise.all(Array.from({ length: 12_000 }, (_, i) => storage.create(`/${i}`, Buffer.from('x'))))
  const last = await storage.update('/rare/a', Buffer.from('2'), { modRevision: first.revision })
  const reader = new WatchReader(storage.watch('/rare/', { afterRevision: 1n }), 1n)
  t.same((await reader.through(last.revision)).map(event => event.modRevision), [first.revision, last.revision])
  reader.watch.close()
})

t.test('progress is not reported before a future start revision is reached', async t => {
  const storage = await open(t)
  const reader = new WatchReader(storage.watch('/', { afterRevision: 4n }), 4n)
  reader.watch.requestProgress()
  let batches = 0
  const next = reader.next().then(batch => {
    batches++
    return batch
  })
  await storage.create('/a', Buffer.from('x'))
  await storage.create('/b', Buffer.from('x'))
  t.equal(batches, 0)
  await storage.create('/c', Buffer.from('x'))
  t.same(await next, { events: [], revision: 4n })
  const { revision } = await storage.create('/d', Buffer.from('x'))
  t.same((await reader.count(1)).map(event => event.modRevision), [revision])
  reader.watch.close()
})

t.test('many requests for progress in one turn are answered by one batch', async t => {
  const storage = await open(t)
  const reader = new WatchReader(storage.watch('/', { afterRevision: 1n }), 1n)
  for (let i = 0; i < 100; i++) reader.watch.requestProgress()
  t.same(await reader.next(), { events: [], revision: 1n })
  const next = reader.next()
  await storage.create('/a', Buffer.from('x'))
  t.equal((await next)?.events.length, 1)
  t.equal(reader.emptyBatches, 1)
  reader.watch.close()
})
