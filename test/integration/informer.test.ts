import t, { type Test } from 'tap'
import { etcdVersionsOrSkip, startEtcd } from '../fixtures/etcd.js'
import { Informer } from '../fixtures/informer.js'
import { startServer, type TestServer } from '../fixtures/server.js'
import { ApiClient } from '../fixtures/api-client.js'
import { join } from 'node:path'

const all = '/apis/example.com/v1/webapps'
const collection = (namespace: string): string => `/apis/example.com/v1/namespaces/${namespace}/webapps`
const webapp = (name: string, annotations?: object): object => ({ apiVersion: 'example.com/v1', kind: 'WebApp', metadata: { name, annotations }, spec: { replicas: 1, image: 'nginx', port: 80 } })
const compaction = '--etcd-compaction-interval=2s'

/** A client with connections of its own. */
const newClient = (server: TestServer): ApiClient => new ApiClient({
  url: () => server.url, caFile: server.caFile, caKeyFile: join(server.dataDir, 'pki', 'ca.key'), admin: { certificateFile: server.adminCert, keyFile: server.adminKey }
})

/** Creates, changes and deletes at random until it is stopped; what fails because the server is away is forgotten. */
class Writer {
  writes = 0
  readonly #server: TestServer
  readonly #running: Promise<void>
  #stopped = false
  #progress: (() => void) | undefined
  #wanted = 0

  constructor (server: TestServer) {
    this.#server = server
    this.#running = Promise.all(Array.from({ length: 4 }, async () => { await this.#write() })).then(() => {})
  }

  /** Resolves when so many more writes have succeeded. */
  async more (count: number): Promise<void> {
    this.#wanted = this.writes + count
    await new Promise<void>(resolve => { this.#progress = resolve })
  }

  async stop (): Promise<void> {
    this.#stopped = true
    await this.#running
  }

  async #write (): Promise<void> {
    while (!this.#stopped) {
      const path = collection(`informer-${Math.floor(Math.random() * 2)}`)
      const name = `w${Math.floor(Math.random() * 40)}`
      const roll = Math.random()
      try {
        const { status } = roll < 0.35
          ? await this.#server.request('POST', path, { body: webapp(name) })
          : roll < 0.75
            ? await this.#server.request('PATCH', `${path}/${name}`, { body: { spec: { port: 1 + Math.floor(Math.random() * 65_535) } }, headers: { 'content-type': 'application/merge-patch+json' } })
            : await this.#server.request('DELETE', `${path}/${name}`)
        if (status < 300) this.writes++
        if (status >= 500) await pause()
      } catch {
        await pause()
      }
      if (this.writes >= this.#wanted) this.#progress?.()
    }
  }
}

const pause = async (): Promise<void> => { await new Promise(resolve => setTimeout(resolve, 20)) }

async function finalState (server: TestServer): Promise<Record<string, string>> {
  const { items } = await server.request('GET', all)
  return Object.fromEntries(items.map((item): [string, string] => [`${item.metadata.namespace}/${item.metadata.name}`, item.metadata.resourceVersion]).sort(([a], [b]) => a < b ? -1 : 1))
}

async function staysEqual (t: Test, server: TestServer): Promise<void> {
  const options = { path: all, watchSeconds: 3, pageSize: 10 }
  const informers = {
    list: new Informer({ ...options, client: newClient(server), start: 'list' }),
    watchList: new Informer({ ...options, client: newClient(server), start: 'watchList' })
  }
  for (const informer of Object.values(informers)) informer.start()
  t.teardown(async () => { await Promise.all(Object.values(informers).map(async i => { await i.stop() })) })

  const writer = new Writer(server)
  for (const [end, away] of [['stop', undefined], ['kill', undefined], ['stop', informers.watchList], ['kill', informers.list]] as const) {
    // Who is away misses writes that a new process does not remember: it has to begin anew.
    away?.disconnect()
    await writer.more(100)
    await server[end]()
    await server.restart()
    await writer.more(10)
    away?.resume()
  }
  await writer.more(100)
  await writer.stop()

  const expected = await finalState(server)
  t.ok(Object.keys(expected).length > 0, 'there are objects in the end')
  for (const [name, informer] of Object.entries(informers)) {
    await informer.until(() => JSON.stringify(informer.state()) === JSON.stringify(expected)).catch(() => {})
    t.same(informer.state(), expected, `${name} is equal to the final list`)
    t.same(informer.violations, [], `${name} saw nothing twice, nothing missing and nothing go back`)
    t.ok(informer.stats.events > 100 && informer.stats.watches > 4 && informer.stats.expired > 0, `${name}: ${JSON.stringify(informer.stats)}`)
  }
}

/** Reads until it is too old for the server: its history is forgotten. */
async function untilExpired (server: TestServer, path: string): Promise<{ status: number; answer: Awaited<ReturnType<TestServer['request']>> }> {
  for (const until = Date.now() + 60_000; ;) {
    const answer = await server.request('GET', path)
    if (answer.status !== 200 || Date.now() > until) return { status: answer.status, answer }
    // Something must be newer than what is to be forgotten.
    await server.request('PATCH', `${collection('compaction')}/b`, { body: { metadata: { annotations: { at: String(Date.now()) } } }, headers: { 'content-type': 'application/merge-patch+json' } })
    await pause()
  }
}

async function expires (t: Test, server: TestServer): Promise<void> {
  const path = collection('compaction')
  for (const name of ['a', 'b', 'c']) await server.request('POST', path, { body: webapp(name) })
  const first = (await server.request('GET', `${path}?limit=1`)).json.metadata

  const exact = await untilExpired(server, `${path}?resourceVersion=${first.resourceVersion}&resourceVersionMatch=Exact`)
  t.match(exact.answer.json, { kind: 'Status', code: 410, reason: 'Expired', message: 'The resourceVersion for the provided list is too old.' }, 'a list at a past resourceVersion')

  const page = await untilExpired(server, `${path}?limit=1&continue=${first.continue}`)
  t.match(page.answer.json, { code: 410, reason: 'Expired', message: /^The provided continue parameter is too old to display a consistent list result\./ }, 'a continue token')
  const rest = await server.request('GET', `${path}?continue=${page.answer.json.metadata.continue}`)
  t.same(rest.items.map(i => i.metadata.name), ['b', 'c'], 'the new token gives the rest as it is now')

  await server.restart()
  const watch = await server.watch(`${path}?resourceVersion=${first.resourceVersion}`)
  t.match(await watch.rest(), [{ type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired', message: /^too old resource version: \d+ \(\d+\)$/ } }], 'a watch from before is answered with one ERROR event, and ends')
}

t.jobs = 2
t.setTimeout(300_000)

t.test('on the embedded store', async t => {
  const server = await startServer(t, [compaction])
  await t.test('informers stay equal to the final list through restarts', async t => { await staysEqual(t, server) })
  await t.test('what is compacted is 410', async t => { await expires(t, server) })
})

for (const binary of etcdVersionsOrSkip('informers on etcd').slice(-1)) {
  t.test(`on etcd ${binary.version}`, async t => {
    const etcd = await startEtcd(t, { version: binary })
    const server = await startServer(t, [compaction, `--etcd-servers=${etcd.endpoint}`])
    await t.test('informers stay equal to the final list through restarts', async t => { await staysEqual(t, server) })
    await t.test('what is compacted is 410', async t => { await expires(t, server) })
  })
}

t.test('a slow consumer is cut without holding up anybody, and catches up', async t => {
  const server = await startServer(t)
  const path = collection('slow')
  const [slow, quick] = [newClient(server), newClient(server)].map(client => new Informer({ client, path, start: 'list', watchSeconds: 300 }))
  t.teardown(async () => { await Promise.all([slow!.stop(), quick!.stop()]) })
  slow!.start()
  quick!.start()
  await Promise.all([slow!.until(() => slow!.stats.watches > 0), quick!.until(() => quick!.stats.watches > 0)])
  slow!.pause()

  // More than fits into the buffers of the connection and the watcher's 1,000 events.
  await Promise.all(Array.from({ length: 16 }, async (_, i) => {
    await server.request('POST', path, { body: webapp(`w${i}`, { filler: 'x'.repeat(20_000) }) })
    for (let port = 1; port <= 100; port++) await server.request('PATCH', `${path}/w${i}`, { body: { spec: { port } }, headers: { 'content-type': 'application/merge-patch+json' } })
  }))
  const expected = Object.fromEntries((await server.request('GET', path)).items.map((item): [string, string] => [`slow/${item.metadata.name}`, item.metadata.resourceVersion]).sort(([a], [b]) => a < b ? -1 : 1))
  await quick!.until(() => JSON.stringify(quick!.state()) === JSON.stringify(expected)).catch(() => {})
  t.same(quick!.state(), expected)
  t.equal(quick!.stats.cut, 0)

  slow!.resume()
  await slow!.until(() => JSON.stringify(slow!.state()) === JSON.stringify(expected)).catch(() => {})
  t.same(slow!.state(), expected)
  t.equal(slow!.stats.cut, 1, 'its connection was cut')
  t.same([...slow!.violations, ...quick!.violations], [])
})
