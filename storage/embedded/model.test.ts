import { storageModelSuite } from '../../test/suites/storage-model.js'
import { EmbeddedStorage } from './storage.js'

storageModelSuite('embedded', async t => {
  const storage = await EmbeddedStorage.open({ directory: t.testdir(), compactionIntervalMs: 0 })
  t.teardown(async () => { await storage.close() })
  return { storage }
})
