import { storageSuite } from '../../test/suites/storage.js'
import { EmbeddedStorage } from './storage.js'

storageSuite('embedded', async t => {
  const storage = await EmbeddedStorage.open({ directory: t.testdir(), compactionIntervalMs: 0 })
  t.teardown(async () => { await storage.close() })
  return { storage }
})
