import type { Test } from 'tap'
import { startEtcd, testEtcd } from '../../test/fixtures/etcd.js'
import { startTcpProxy, type TcpProxy } from '../../test/fixtures/tcp-proxy.js'
import { failure } from '../../test/suites/storage-under-test.js'
import { WatchReader } from '../../test/suites/watch-reader.js'
import type { Revision, Storage } from '../interfaces.js'
import { object, open } from './test-storage.js'

/** A watch through the proxy that has seen one write and is then cut off while more are made. */
async function cutOff (t: Test, proxy: TcpProxy, storage: Storage, key: string, events: number): Promise<{ reader: WatchReader, last: Revision }> {
  const start = await storage.currentRevision()
  const watched = await open(t, `http://127.0.0.1:${proxy.port}`)
  const reader = new WatchReader(watched.watch(key, { afterRevision: start }), start)
  await storage.create(`${key}first`, object('first'))
  await reader.count(1)
  proxy.refuse(true)
  proxy.cut()
  let last = 0n
  for (let i = 0; i < events; i++) last = (await storage.create(`${key}${i}`, object(i))).revision
  return { reader, last }
}

testEtcd('a watch that is cut off goes on where it was, or fails with Compacted if that was forgotten', async (t, binary) => {
  const etcd = await startEtcd(t, { version: binary })
  const direct = await open(t, etcd.endpoint)
  const proxy = await startTcpProxy(t, etcd.port)
  const kept = await cutOff(t, proxy, direct, '/kept/', 10)
  proxy.refuse(false)
  t.same((await kept.reader.count(11)).map(e => e.key), ['first', ...Array(10).keys()].map(n => `/kept/${n}`))
  kept.reader.watch.close()
  const lost = await cutOff(t, proxy, direct, '/lost/', 10)
  await direct.compact(lost.last)
  proxy.refuse(false)
  const error = await failure(lost.reader.next(), 'Compacted')
  t.equal(error.revision, lost.last)
  t.equal(await lost.reader.next(), undefined, 'the error is thrown once')
})

testEtcd('a consumer that does not read holds back etcd, not memory', async (t, binary) => {
  const etcd = await startEtcd(t, { version: binary })
  const direct = await open(t, etcd.endpoint)
  const proxy = await startTcpProxy(t, etcd.port)
  const storage = await open(t, `http://127.0.0.1:${proxy.port}`)
  const start = await storage.currentRevision()
  const slow = new WatchReader(storage.watch('/slow/', { afterRevision: start }), start)
  const value = Buffer.alloc(100_000, 'x')
  const revisions: Revision[] = []
  const write = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) revisions.push((await direct.create(`/slow/${revisions.length}`, value)).revision)
  }
  await write(10)
  await slow.count(10)
  const before = proxy.received('toClient')
  await write(400)
  await storage.health()
  const sent = proxy.received('toClient') - before
  t.ok(sent < 20_000_000, `${sent} of 40,000,000 bytes were sent to a consumer that reads nothing`)
  t.same((await slow.count(410)).map(e => e.modRevision), revisions)
  slow.watch.close()
})
