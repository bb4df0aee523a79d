import t from 'tap'
import { etcdVersionsOrSkip, startEtcd, type Etcd } from '../../test/fixtures/etcd.js'
import { storageModelSuite } from '../../test/suites/storage-model.js'
import { open } from './test-storage.js'

for (const binary of etcdVersionsOrSkip('random histories on etcd')) {
  let etcd: Promise<Etcd> | undefined
  let stores = 0
  storageModelSuite(`etcd ${binary.version}`, async test => {
    etcd ??= startEtcd(t, { version: binary })
    return { storage: await open(test, (await etcd).endpoint), prefix: `/registry/${stores++}` }
  }, { runs: 2, steps: [120, 250] })
}
