import t from 'tap'
import { etcdVersionsOrSkip, startEtcd, type Etcd } from '../../test/fixtures/etcd.js'
import { storageSuite } from '../../test/suites/storage.js'
import { Etcd3Storage } from './storage.js'

for (const binary of etcdVersionsOrSkip('the storage contract on etcd')) {
  let etcd: Promise<Etcd> | undefined
  let stores = 0
  storageSuite(`etcd ${binary.version}`, async test => {
    // One etcd for all tests: it ends with the file.
    etcd ??= startEtcd(t, { version: binary })
    const storage = await Etcd3Storage.open({ endpoints: [(await etcd).endpoint], compactionIntervalMs: 0 })
    test.teardown(async () => { await storage.close() })
    return { storage, prefix: `/registry/${stores++}` }
  })
}
