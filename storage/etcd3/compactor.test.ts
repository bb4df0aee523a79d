import { Etcd3 } from 'etcd3'
import { startEtcd, testEtcd } from '../../test/fixtures/etcd.js'
import { failure } from '../../test/suites/storage-under-test.js'
import type { StorageError } from '../errors.js'
import { EtcdClient } from './client.js'
import { Compactor } from './compactor.js'
import { Etcd3Storage } from './storage.js'
import { eventually } from './test-storage.js'

testEtcd('compactors of several servers take turns by compact_rev_key, as kube-apiserver does', async (t, binary) => {
  const etcd = await startEtcd(t, { version: binary })
  const options = { endpoints: [etcd.endpoint], compactionIntervalMs: 0 }
  const storage = await Etcd3Storage.open(options)
  t.teardown(async () => { await storage.close() })
  const client = await EtcdClient.open(options)
  t.teardown(() => { client.close() })
  const raw = new Etcd3({ hosts: [etcd.endpoint] })
  t.teardown(() => { raw.close() })
  const [a, b] = [1, 2].map(() => new Compactor(client, async revision => { await storage.compact(revision) })) as [Compactor, Compactor]
  const key = async (): Promise<[value: string, version: string]> => {
    const kv = (await raw.kv.range({ key: Buffer.from('compact_rev_key') })).kvs[0]
    return [kv?.value.toString() ?? '', kv?.version ?? '0']
  }
  let n = 0
  const write = async (): Promise<bigint> => (await storage.create(`/k/${n++}`, Buffer.from('x'))).revision

  const first = await write()
  t.equal(await a.turn(), undefined, 'the first turn of all only takes the key')
  t.same(await key(), ['0', '1'])
  const seenByA = await storage.currentRevision()
  await write()
  t.equal(await b.turn(), undefined, 'a newcomer takes the version over')
  t.same(await key(), ['0', '1'])
  await write()
  t.equal(await a.turn(), seenByA)
  t.same(await key(), [`${seenByA}`, '2'])
  await failure(storage.get('/k/0', { revision: first }), 'Compacted')
  t.ok((await storage.get('/k/0', { revision: seenByA })).value, 'what is younger than one interval is kept')
  t.equal(await b.turn(), undefined, 'whoever finds the key moved has nothing to do')
  const seenByB = await storage.currentRevision()
  await write()
  t.equal(await b.turn(), seenByB, 'and takes the next turn if the other one has gone')
  t.same(await key(), [`${seenByB}`, '3'])
  t.equal(await a.turn(), undefined)
  // Somebody compacted further by hand: nothing is left to do, which is no error.
  await storage.compact(await storage.currentRevision())
  t.ok(await a.turn())
})

testEtcd('a store compacts by itself, once per interval', async (t, binary) => {
  const etcd = await startEtcd(t, { version: binary })
  let compactions = 0
  const storage = await Etcd3Storage.open({ endpoints: [etcd.endpoint], compactionIntervalMs: 20, onRequest: operation => { if (operation === 'compact') compactions++ } })
  t.teardown(async () => { await storage.close() })
  const { revision } = await storage.create('/k/a', Buffer.from('1'))
  await storage.update('/k/a', Buffer.from('2'), { modRevision: revision })
  // Not in the first turn after it, nor in one that was under way.
  await eventually(async () => await storage.get('/k/a', { revision }).then(() => '', (error: unknown) => (error as StorageError).code), code => code === 'Compacted')
  t.ok(compactions > 0, 'by itself')
  t.equal((await storage.get('/k/a')).value?.value.toString(), '2')
})
