import { startEtcd, testEtcd } from '../../test/fixtures/etcd.js'
import { WatchReader } from '../../test/suites/watch-reader.js'
import { isProgressKey, prefixRange, progressKey, rangeWithProgressKey, startsWith } from './keys.js'
import type { EtcdOperation } from './options.js'
import { hasReliableProgress } from './progress.js'
import { Etcd3Storage } from './storage.js'
import t from 'tap'

t.test('the versions whose manual progress notifications keep the order', async t => {
  for (const [version, reliable] of [['3.4.23', false], ['3.4.30', false], ['3.4.31', true], ['3.5.0', false], ['3.5.12', false], ['3.5.13', true], ['3.6.0', true], ['3.6.16', true], ['3.10.0', true], ['4.0.0', true], ['3.6.0-rc.1', true], ['', false], ['unknown', false]] as const) {
    t.equal(hasReliableProgress(version), reliable, version)
  }
})

t.test('a progress key lies behind its prefix, inside the longer range, and in nobody else\'s prefix', async t => {
  for (const prefix of ['/registry/g/widgets/', '/registry/g/widgets/ns/', '/é', 'a']) {
    const key = progressKey(prefix)
    const inside = (range: { key: Buffer, range_end: Buffer }): boolean => key.compare(range.key) >= 0 && key.compare(range.range_end) < 0
    t.notOk(inside(prefixRange(prefix)))
    t.ok(inside(rangeWithProgressKey(prefix)))
    t.ok(isProgressKey(key))
    t.notOk(startsWith(key, Buffer.from(prefix)))
  }
  t.notOk(isProgressKey(Buffer.from('/registry/g/annex-progress')))
  t.same(prefixRange(''), { key: Buffer.from([0]), range_end: Buffer.from([0]) })
})

testEtcd('watches prove that they are up to date, together, and without writing while nothing happens', async (t, binary) => {
  const etcd = await startEtcd(t, { version: binary })
  const counts = new Map<EtcdOperation, number>()
  const storage = await Etcd3Storage.open({ endpoints: [etcd.endpoint], compactionIntervalMs: 0, onRequest: operation => { counts.set(operation, (counts.get(operation) ?? 0) + 1) } })
  t.teardown(async () => { await storage.close() })
  const start = await storage.currentRevision()
  const readers = Array.from({ length: 120 }, (_, i) => new WatchReader(storage.watch(`/k/${i}/`, { afterRevision: start }), start))
  const { revision } = await storage.create('/elsewhere', Buffer.from('x'))
  await Promise.all(readers.map(async reader => await reader.through(revision)))
  t.ok(readers.every(reader => reader.revision >= revision && reader.events.length === 0))
  const after = await storage.currentRevision()
  for (const reader of readers) {
    await reader.through(after)
    reader.watch.requestProgress()
    t.ok(((await reader.next())?.revision ?? 0n) >= after)
  }
  // A write is counted when it is answered, which may be after the watches have seen it; by now they all are.
  const writes = counts.get('progress') ?? 0
  if (hasReliableProgress(binary.version)) t.equal(writes, 0)
  else t.ok(writes > 0 && writes <= 10, `${writes} writes for 360 requests`)
  for (const reader of readers) reader.watch.close()

  const everything = new WatchReader(storage.watch('/', { afterRevision: start }), start)
  t.same((await everything.through(await storage.currentRevision())).map(e => e.key), ['/elsewhere'], 'nobody sees how')
  t.same((await storage.list('/')).items.map(i => i.key), ['/elsewhere'])
  everything.watch.close()
})

testEtcd('a watch from a future revision answers a progress request with that revision', async (t, binary) => {
  const etcd = await startEtcd(t, { version: binary })
  const storage = await Etcd3Storage.open({ endpoints: [etcd.endpoint], compactionIntervalMs: 0 })
  t.teardown(async () => { await storage.close() })
  const reader = new WatchReader(storage.watch('/k/', { afterRevision: 100n }), 100n)
  reader.watch.requestProgress()
  t.same(await reader.next(), { events: [], revision: 100n })
  reader.watch.close()
})
