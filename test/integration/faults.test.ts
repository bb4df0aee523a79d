import t, { type Test } from 'tap'
import { etcdVersionsOrSkip, startEtcd } from '../fixtures/etcd.js'
import { startServer, type TestServer } from '../fixtures/server.js'
import { startTcpProxy } from '../fixtures/tcp-proxy.js'

const webapps = '/apis/example.com/v1/namespaces/default/webapps'
const webapp = (name: string): object => ({ apiVersion: 'example.com/v1', kind: 'WebApp', metadata: { name }, spec: { replicas: 1, image: 'nginx', port: 80 } })

/** What a server without its store must go on doing, and must not say. */
async function behavesWithoutStore (t: Test, server: TestServer): Promise<void> {
  const readyz = await server.request('GET', '/readyz?verbose')
  t.equal(readyz.status, 503, 'readyz fails')
  t.match(readyz.text, /^\[-\]etcd failed: reason withheld$/m)
  t.equal((await server.request('GET', '/livez')).status, 200, 'livez does not: a restart would not help')

  // Side by side: each may take as long as its own timeout.
  const requests: readonly (readonly [string, string, object?])[] = [
    ['GET', `${webapps}/there`], ['GET', `${webapps}/absent`], ['GET', webapps], ['POST', webapps, webapp('new')],
    ['PUT', `${webapps}/there`, webapp('there')], ['DELETE', `${webapps}/there`], ['DELETE', webapps]
  ]
  await Promise.all(requests.map(async ([method, path, body]) => {
    const { status, failure } = await server.request(method, `${path}?timeout=${method === 'GET' ? '60s' : '5s'}`, { body })
    // A write whose fate is unknown may have to wait for its own deadline; a read is never a guess.
    t.ok(status === 503 || (method !== 'GET' && status === 504), `${method} ${path}: ${status} ${failure.message}`)
    t.match(failure, { status: 'Failure', code: status })
  }))
  for (const path of ['/apis', '/apis/example.com/v1', '/openapi/v3', '/version', '/metrics']) t.equal((await server.request('GET', path)).status, 200, `${path} needs no store`)
}

async function heals (server: TestServer): Promise<void> {
  for (const until = Date.now() + 60_000; Date.now() < until;) {
    if ((await server.request('GET', '/readyz')).status === 200) return
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  throw new Error(`readyz never came back: ${(await server.request('GET', '/readyz?verbose')).text}`)
}

/** Waits until the log, which comes through a pipe, has a text. */
async function says (server: TestServer, text: string): Promise<void> {
  for (const until = Date.now() + 60_000; !server.stderr.includes(text);) {
    if (Date.now() > until) throw new Error(`the log does not say "${text}":\n${server.stderr}`)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

t.setTimeout(300_000)

for (const binary of etcdVersionsOrSkip('faults of etcd').slice(-1)) {
  t.test(`etcd ${binary.version} dies and comes back`, async t => {
    const etcd = await startEtcd(t, { version: binary })
    const server = await startServer(t, [`--etcd-servers=${etcd.endpoint}`], { inProcess: true })
    t.equal((await server.request('POST', webapps, { body: webapp('there') })).status, 201)
    const watch = await server.watch(webapps)
    await etcd.kill()
    await behavesWithoutStore(t, server)
    await etcd.restart()
    await heals(server)
    t.equal((await server.request('GET', `${webapps}/there`)).status, 200)
    t.equal((await server.request('GET', `${webapps}/absent`)).status, 404)
    t.equal((await server.request('POST', webapps, { body: webapp('after') })).status, 201)
    t.same((await server.request('GET', webapps)).items.map(i => i.metadata.name), ['after', 'there'])
    // A watch either has outlived it or has ended; it never misses anything in between.
    const seen: string[] = []
    for await (const event of watch) {
      seen.push(event.object.metadata.name)
      if (event.object.metadata.name === 'after') break
    }
    t.ok(['', 'after', 'there,after'].includes(seen.join()), seen.join())
    watch.close()
  })

  t.test(`etcd ${binary.version} does not answer`, async t => {
    const etcd = await startEtcd(t, { version: binary })
    const proxy = await startTcpProxy(t, etcd.port)
    const server = await startServer(t, [`--etcd-servers=http://127.0.0.1:${proxy.port}`], { inProcess: true })
    t.equal((await server.request('POST', webapps, { body: webapp('there') })).status, 201)
    proxy.pause()
    await behavesWithoutStore(t, server)
    proxy.resume()
    await heals(server)
    t.equal((await server.request('GET', `${webapps}/there`)).status, 200)
  })

  t.test(`a server that starts before etcd ${binary.version} answers 503 until it is there`, async t => {
    const etcd = await startEtcd(t, { version: binary })
    await etcd.kill()
    const server = await startServer(t, [`--etcd-servers=${etcd.endpoint}`])
    const list = await server.request('GET', webapps)
    t.ok(list.status === 503 || list.status === 429, `${list.status} ${list.text}`)
    t.ok(list.headers['retry-after'] !== undefined, 'it says when to come back')
    t.match((await server.request('GET', '/readyz?verbose')).text, /^\[-\]informer-sync failed: reason withheld$/m)
    t.equal((await server.request('GET', '/apis/example.com/v1')).status, 200)
    await says(server, `etcd at ${etcd.endpoint}","msg":"the store is not available yet; requests are answered with 503 until it is"`)
    await etcd.restart()
    await heals(server)
    t.equal((await server.request('GET', webapps)).status, 200)
    await says(server, 'the store is available now')
  })
}

t.test('hundreds of connections that are cut leave a server that serves', async t => {
  const server = await startServer(t, [], { inProcess: true })
  const proxy = await startTcpProxy(t, server.port)
  const { ApiClient } = await import('../fixtures/api-client.js')
  const client = new ApiClient({ url: () => `https://127.0.0.1:${proxy.port}`, caFile: server.caFile, caKeyFile: `${server.dataDir}/pki/ca.key`, admin: { certificateFile: server.adminCert, keyFile: server.adminKey } })
  t.teardown(() => { client.close() })
  for (let round = 0; round < 4; round++) {
    const watches = await Promise.all(Array.from({ length: 25 }, async () => await client.watch(webapps)))
    const writes = Array.from({ length: 25 }, async (_, i) => await client.request('POST', webapps, { body: webapp(`w${round}-${i}`) }).catch(() => undefined))
    await proxy.more('toServer', 5_000)
    proxy.cut()
    await Promise.all(writes)
    for (const watch of watches) await watch.rest().catch(() => [])
  }
  t.equal((await server.request('GET', '/readyz')).status, 200)
  const metrics = async (): Promise<string> => (await server.request('GET', '/metrics')).text
  for (const until = Date.now() + 60_000; /^apiserver_longrunning_requests\{.*\} [1-9]/m.test(await metrics()) && Date.now() < until;) await new Promise(resolve => setTimeout(resolve, 20))
  t.notMatch(await metrics(), /^apiserver_longrunning_requests\{.*\} [1-9]/m, 'no watch is left over')
})
