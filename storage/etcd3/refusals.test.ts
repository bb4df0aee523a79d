import t from 'tap'
import { startEtcd, testEtcd } from '../../test/fixtures/etcd.js'
import { failure } from '../../test/suites/storage-under-test.js'
import { WatchReader } from '../../test/suites/watch-reader.js'
import { StorageError } from '../errors.js'
import { Etcd3Storage } from './storage.js'
import { eventually, open } from './test-storage.js'

testEtcd('two stores on one etcd see each other\'s writes in one order, and no compare-and-swap of theirs is lost', async (t, binary) => {
  const etcd = await startEtcd(t, { version: binary })
  const stores = [await open(t, etcd.endpoint), await open(t, etcd.endpoint)]
  const start = await stores[0]!.currentRevision()
  const readers = stores.map(s => new WatchReader(s.watch('/k/', { afterRevision: start }), start))
  await stores[0]!.create('/k/counter', Buffer.from('0'))
  await Promise.all(stores.map(async storage => {
    const increment = async (): Promise<void> => {
      const { value } = await storage.get('/k/counter')
      if (value === undefined) throw new Error('the counter is gone')
      try {
        await storage.update('/k/counter', Buffer.from(`${Number(value.value.toString()) + 1}`), { modRevision: value.modRevision })
      } catch (error) {
        if (!(error instanceof StorageError && error.code === 'Conflict')) throw error
        await increment()
      }
    }
    for (let i = 0; i < 30; i++) await increment()
  }))
  for (const reader of readers) {
    t.same((await reader.count(61)).map(e => e.type === 'put' ? e.value.toString() : ''), [...Array(61).keys()].map(String))
    reader.watch.close()
  }
})

testEtcd('what etcd refuses has its own code', async (t, binary) => {
  const etcd = await startEtcd(t, { version: binary, args: ['--quota-backend-bytes', '8000000'] })
  const storage = await open(t, etcd.endpoint)
  const small = await open(t, etcd.endpoint, { maxRequestBytes: 100 })
  const { revision } = await storage.create('/k/a', Buffer.from('1'))
  for (const size of [1_600_000, 3_000_000]) t.equal((await failure(storage.create('/k/b', Buffer.alloc(size)), 'TooLarge')).message, 'etcdserver: request is too large')
  t.equal((await failure(small.create('/k/b', Buffer.alloc(101)), 'TooLarge')).message, 'etcdserver: request is too large')
  await failure(storage.compact(revision + 100n), 'FutureRevision')
  for (const call of [async () => await storage.update('/k/none', Buffer.from('1'), { modRevision: 0n }), async () => await storage.delete('/k/none', { modRevision: 0n })]) {
    t.equal((await failure(call(), 'Conflict')).current, undefined, 'revision 0 is not a way to create')
  }
  const full = await eventually(async () => await storage.create(`/k/${Math.random()}`, Buffer.alloc(1_000_000)).then(() => undefined, (error: unknown) => error), error => error !== undefined)
  t.ok(full instanceof StorageError && full.code === 'NoSpace')
  t.match((full as StorageError).message, 'database space exceeded')
  await storage.delete('/k/a', { modRevision: revision })
})

t.test('endpoints that are no URLs are refused with their names', async t => {
  for (const endpoints of [[], ['ftp://127.0.0.1:2379'], ['http://']]) {
    const error = await failure(Etcd3Storage.open({ endpoints }), 'Unavailable')
    t.ok(endpoints.every(e => error.message.includes(e)))
  }
})
