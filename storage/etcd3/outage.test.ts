import { startEtcd, testEtcd } from '../../test/fixtures/etcd.js'
import { startTcpProxy } from '../../test/fixtures/tcp-proxy.js'
import { failure } from '../../test/suites/storage-under-test.js'
import { WatchReader } from '../../test/suites/watch-reader.js'
import { Etcd3Storage } from './storage.js'
import { eventually, object, open } from './test-storage.js'

testEtcd('a stopped etcd makes calls fail in time, and everything goes on when it continues', async (t, binary) => {
  const etcd = await startEtcd(t, { version: binary })
  // What must succeed has time enough on a busy machine; what must fail need not take long.
  const patient = await open(t, etcd.endpoint)
  const storage = await open(t, etcd.endpoint, { requestTimeoutMs: 300 })
  const { revision } = await patient.create('/k/a', object('a'))
  const reader = new WatchReader(storage.watch('/k/', { afterRevision: 1n }), 1n)
  await reader.count(1)
  etcd.pause()
  reader.watch.requestProgress()
  const aborting = new AbortController()
  const aborted = failure(storage.get('/k/a', { signal: aborting.signal }), 'Aborted')
  aborting.abort()
  await Promise.all([
    aborted,
    failure(storage.get('/k/a'), 'Unavailable'),
    failure(storage.list('/k/'), 'Unavailable'),
    failure(storage.currentRevision(), 'Unavailable'),
    failure(storage.health(), 'Unavailable'),
    failure(storage.create('/k/b', object('b')), 'OutcomeUnknown', 'Unavailable'),
    failure(storage.update('/k/a', object('a2'), { modRevision: revision }), 'OutcomeUnknown', 'Unavailable')
  ])
  etcd.resume()
  await eventually(async () => await storage.health().then(() => true, () => false), healthy => healthy)
  await patient.create('/k/c', object('c'))
  const { items, revision: now } = await patient.list('/k/')
  const events = (await reader.through(now)).filter(e => e.modRevision <= now)
  t.same(new Map(events.map(e => [e.key, e.modRevision])), new Map(items.map(i => [i.key, i.modRevision])), 'the writes that were stopped are in the watch if and only if they are in the store')
  reader.watch.close()
})

testEtcd('without etcd the store opens, says what is wrong, and works as soon as etcd is there', async (t, binary) => {
  const etcd = await startEtcd(t, { version: binary })
  await etcd.kill()
  const storage = await open(t, etcd.endpoint)
  const calls: Array<Promise<unknown>> = [
    storage.get('/k/a'), storage.create('/k/a', object('a')), storage.health(),
    Etcd3Storage.open({ endpoints: [etcd.endpoint], waitForReady: true, dialTimeoutMs: 2_000 })
  ]
  for (const error of await Promise.all(calls.map(async call => await failure(call, 'Unavailable')))) {
    t.ok(error.message.includes(etcd.endpoint) && error.message.includes('ECONNREFUSED'), error.message)
  }
  const reader = new WatchReader(storage.watch('/k/', { afterRevision: 0n }), 0n)
  reader.watch.requestProgress()
  const waiting = Etcd3Storage.open({ endpoints: [etcd.endpoint], waitForReady: true, compactionIntervalMs: 0 })
  await etcd.restart()
  await (await waiting).close()
  const { revision } = await storage.create('/k/a', object('a'))
  t.same((await reader.count(1)).map(e => e.modRevision), [revision])
  reader.watch.close()
})

testEtcd('with several endpoints the ones that are down are passed over', async (t, binary) => {
  const etcd = await startEtcd(t, { version: binary })
  const down = await startEtcd(t, { version: binary })
  await down.kill()
  const silent = await startTcpProxy(t, etcd.port)
  silent.pause()
  // Which endpoint comes first is random: several stores meet every order.
  for (let i = 0; i < 6; i++) {
    const storage = await open(t, etcd.endpoint, { endpoints: [down.endpoint, etcd.endpoint] })
    const { revision } = await storage.create(`/k/${i}`, object(i))
    t.equal((await storage.get(`/k/${i}`)).value?.modRevision, revision)
    const slow = await open(t, etcd.endpoint, { endpoints: [`http://127.0.0.1:${silent.port}`, etcd.endpoint], requestTimeoutMs: 3_000 })
    t.ok(await slow.currentRevision() >= revision)
  }
})
