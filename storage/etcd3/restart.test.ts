import { startEtcd, testEtcd } from '../../test/fixtures/etcd.js'
import { WatchReader } from '../../test/suites/watch-reader.js'
import { StorageError } from '../errors.js'
import type { Revision } from '../interfaces.js'
import { eventually, object, open } from './test-storage.js'

testEtcd('kill -9 and restart during writes loses no acknowledged write, and no watch misses or doubles one', async (t, binary) => {
  const etcd = await startEtcd(t, { version: binary })
  const storage = await open(t, etcd.endpoint)
  const start = await storage.currentRevision()
  const reader = new WatchReader(storage.watch('/k/', { afterRevision: start }), start)
  const acknowledged = new Map<string, Revision>()
  const refused = new Set<string>()
  const unknown = new Set<string>()
  const stopping = new AbortController()
  const workers = Array.from({ length: 16 }, async (_, worker) => {
    for (let i = 0; !stopping.signal.aborted; i++) {
      const key = `/k/${worker}/${i}`
      try {
        acknowledged.set(key, (await storage.create(key, object(key))).revision)
      } catch (error) {
        if (!(error instanceof StorageError)) throw error
        if (error.code === 'OutcomeUnknown') unknown.add(key)
        else if (error.code === 'Unavailable') refused.add(key)
        else throw error
      }
    }
  })
  for (let round = 1; round <= 2; round++) {
    await eventually(async () => acknowledged.size, size => size > 150 * round)
    await etcd.restart()
    await storage.health()
  }
  await eventually(async () => acknowledged.size, size => size > 450)
  stopping.abort()
  await Promise.all(workers)
  const { items, revision } = await storage.list('/k/')
  const stored = new Map(items.map(item => [item.key, item.modRevision]))
  for (const [key, at] of acknowledged) if (stored.get(key) !== at) t.fail(`${key} was acknowledged at ${at} and is at ${stored.get(key)}`)
  for (const key of refused) if (stored.has(key)) t.fail(`${key} was said not to have been written and is there`)
  for (const key of stored.keys()) if (!acknowledged.has(key) && !unknown.has(key)) t.fail(`${key} is there and nobody wrote it`)
  const events = await reader.through(revision)
  t.same(events.map(e => [e.key, e.modRevision]), [...stored].sort((a, b) => a[1] < b[1] ? -1 : 1))
  t.ok(refused.size + unknown.size > 0, 'the kills were noticed')
  reader.watch.close()
})
