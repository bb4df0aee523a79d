import { writeFileSync } from 'node:fs'
import { startEtcd, testEtcd } from '../../test/fixtures/etcd.js'
import { newEtcdCertificates } from '../../test/fixtures/etcd-certificates.js'
import { startTcpProxy } from '../../test/fixtures/tcp-proxy.js'
import { failure } from '../../test/suites/storage-under-test.js'
import { WatchReader } from '../../test/suites/watch-reader.js'
import { Etcd3Storage } from './storage.js'

testEtcd('client certificates are presented, and new ones are taken up without a restart', async (t, binary) => {
  const tls = newEtcdCertificates(t)
  const etcd = await startEtcd(t, { version: binary, tls })
  const proxy = await startTcpProxy(t, etcd.port)
  const files = tls.pair('annex')
  tls.writeClientPair(files, { trusted: false })
  const options = { caFile: tls.caFile, compactionIntervalMs: 0 }
  const storage = await Etcd3Storage.open({ ...options, endpoints: [`https://127.0.0.1:${proxy.port}`], ...files, certReloadIntervalMs: 10 })
  t.teardown(async () => { await storage.close() })
  const healthy = async (): Promise<boolean> => await storage.health().then(() => true, () => false)
  t.notOk(await healthy(), 'a certificate of another authority is refused')

  tls.writeClientPair(files)
  while (!await healthy());
  const { revision } = await storage.create('/k/a', Buffer.from('1'))
  const reader = new WatchReader(storage.watch('/k/', { afterRevision: revision - 1n }), revision - 1n)
  await reader.count(1)

  // Caught half-way: the key does not fit the certificate, so what was read before stays in use.
  const next = tls.pair('next')
  tls.writeClientPair(next)
  writeFileSync(files.keyFile, 'half a key')
  t.ok(await healthy())
  tls.writeClientPair(files)
  const second = await storage.create('/k/b', Buffer.from('2'))
  t.same((await reader.count(2)).map(e => e.modRevision), [revision, second.revision])

  tls.writeClientPair(files, { trusted: false })
  while (await healthy()) proxy.cut()
  tls.writeClientPair(files)
  while (!await healthy());
  const third = await storage.create('/k/c', Buffer.from('3'))
  t.same((await reader.count(3)).map(e => e.modRevision), [revision, second.revision, third.revision], 'the watch moved to the new certificate')
  reader.watch.close()

  await t.test('an etcd that is not signed by the CA is not talked to', async t => {
    const others = newEtcdCertificates(t)
    const wary = await Etcd3Storage.open({ ...options, endpoints: [etcd.endpoint], ...files, caFile: others.caFile })
    t.teardown(async () => { await wary.close() })
    const error = await failure(wary.create('/k/d', Buffer.from('4')), 'Unavailable')
    t.ok(error.message.includes(etcd.endpoint))
  })

  await t.test('files that cannot be used are named when the store opens', async t => {
    const endpoints = [etcd.endpoint]
    t.match((await failure(Etcd3Storage.open({ endpoints, caFile: '/nonexistent/ca.crt' }), 'Unavailable')).message, '/nonexistent/ca.crt')
    t.match((await failure(Etcd3Storage.open({ endpoints, certFile: files.certFile, keyFile: next.keyFile }), 'Unavailable')).message, next.keyFile)
    t.match((await failure(Etcd3Storage.open({ endpoints, certFile: files.certFile }), 'Unavailable')).message, 'together')
  })
})
