import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import { failure } from '../../test/suites/storage-under-test.js'
import { EmbeddedStorage } from './storage.js'

t.test('a list of the past that goes over many newer keys leaves room for others, and can be stopped', async t => {
  const storage = await EmbeddedStorage.open({ directory: t.testdir(), compactionIntervalMs: 0 })
  t.teardown(async () => { await storage.close() })
  const { revision } = await storage.create('/a', Buffer.from('x'))
  await Promise.all(Array.from({ length: 5_000 }, async (_, i) => { await storage.create(`/b/${i}`, Buffer.from('x')) }))
  const controller = new AbortController()
  const listing = storage.list('/b/', { revision, limit: 10, signal: controller.signal })
  listing.catch(() => {})
  await nextTurn()
  controller.abort()
  await failure(listing, 'Aborted')
  t.same((await storage.list('/', { revision, limit: 10 })).items.map(i => i.key), ['/a'])
})
