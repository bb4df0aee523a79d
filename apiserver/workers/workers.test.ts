import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { ApiClient, type Watch } from '../../test/fixtures/api-client.js'
import { etcdVersionsOrSkip, startEtcd, type Etcd } from '../../test/fixtures/etcd.js'
import { runAnnex, startServer, type TestServer } from '../../test/fixtures/server.js'

const webapps = '/apis/example.com/v1/namespaces/default/webapps'
const webapp = (name: string, replicas = 1): object => ({ apiVersion: 'example.com/v1', kind: 'WebApp', metadata: { name }, spec: { replicas, image: 'nginx', port: 80 } })
const served = /^annex apiserver is listening/gm

t.setTimeout(300_000)

async function eventually (what: string, condition: () => Promise<boolean> | boolean): Promise<void> {
  for (const until = Date.now() + 60_000; Date.now() < until;) {
    if (await condition()) return
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  throw new Error(`never: ${what}`)
}

/** A client with a connection of its own. */
function newClient (t: Pick<Test, 'teardown'>, server: TestServer): ApiClient {
  const client = new ApiClient({ url: () => server.url, caFile: server.caFile, caKeyFile: join(server.dataDir, 'pki', 'ca.key'), admin: { certificateFile: server.adminCert, keyFile: server.adminKey } })
  t.teardown(() => { client.close() })
  return client
}

/** The workers that have said that they serve, in that order. */
const workersOf = (server: TestServer): number[] => [...server.stderr.matchAll(/"worker":(\d+),"msg":"a worker serves"/g)].map(m => Number(m[1]))

const runs = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

const gauge = (metrics: string, series: string): number => Number(metrics.split('\n').find(line => line.startsWith(`${series} `))?.split(' ').at(-1) ?? Number.NaN)
const metricsOf = async (client: Pick<ApiClient, 'request'>): Promise<string> => (await client.request('GET', '/metrics')).text
const posts = 'apiserver_request_total{verb="POST",group="example.com",version="v1",resource="webapps",subresource="",scope="resource",component="apiserver",dry_run="",code="201"}'

/** What several processes make of it is the same for every etcd. */
const [version] = etcdVersionsOrSkip('several workers').slice(-1)
const withEtcd = (name: string, body: (t: Test, etcd: Etcd) => Promise<void>): void => {
  if (version !== undefined) t.test(name, async t => { await body(t, await startEtcd(t, { version })) })
}

withEtcd('two workers are one server', async (t, etcd) => {
  const audit = join(t.testdir(), 'audit.log')
  const server = await startServer(t, [`--etcd-servers=${etcd.endpoint}`, '--workers=2', '--v=2', `--audit-log-path=${audit}`])
  await eventually('both have said so', () => workersOf(server).length === 2)
  const [first = 0, second = 0] = workersOf(server)
  t.not(first, second)
  const clients = Array.from({ length: 8 }, () => newClient(t, server))

  // Connections are given to the workers in turn, so half of the watches are one's.
  const watches: Watch[] = []
  for (const client of clients) watches.push(await client.watch(webapps))
  let created = 0
  await t.test('a write on one connection is what a read on any other finds, and every watch shows it', async t => {
    for (let i = 0; i < 40; i++) {
      const name = `app-${i}`
      t.equal((await clients[i % 8]!.request('POST', webapps, { body: webapp(name, i + 1) })).status, 201)
      created++
      const read = await Promise.all(clients.map(c => c.request('GET', `${webapps}/${name}`)))
      if (!read.every(r => r.status === 200)) t.fail(`${name} is read as ${read.map(r => r.status).join(' ')}`)
      const lists = await Promise.all(clients.map(c => c.request('GET', webapps)))
      if (!lists.every(l => l.items.length === created)) t.fail(`lists are of ${lists.map(l => l.items.length).join(' ')} and not of ${created}`)
    }
    for (const watch of watches) t.same((await watch.take(40)).map(e => e.object.metadata.name), Array.from({ length: 40 }, (_, i) => `app-${i}`))
  })

  await t.test('a compare-and-swap is one among all workers', async t => {
    const { json } = await clients[0]!.request('GET', `${webapps}/app-0`)
    const written = await Promise.all(clients.map((c, i) => c.request('PUT', `${webapps}/app-0`, { body: { ...json, spec: { replicas: 50 + i, image: 'nginx', port: 80 } } })))
    t.same(written.map(w => w.status).sort(), [200, 409, 409, 409, 409, 409, 409, 409])
    for (const watch of watches) t.equal((await watch.next()).type, 'MODIFIED')
  })

  await t.test('metrics are of all workers, whoever is asked', async t => {
    for (const client of clients) {
      const text = await metricsOf(client)
      t.equal(gauge(text, posts), created, 'counts are added up')
      t.equal(gauge(text, 'annex_workers'), 2)
      t.equal(gauge(text, 'apiserver_registered_watchers{group="example.com",resource="webapps"}'), 8)
      t.equal(gauge(text, 'apiserver_storage_objects{resource="webapps.example.com"}'), 40, 'and objects are not')
      t.match(text, /^process_start_time_seconds \d+/m)
    }
  })

  await t.test('kill -9 of a worker fails what is on it and nothing else, and another one takes its place', async t => {
    let stop = false
    const failures: number[] = []
    const loads = clients.map(async (client, i) => {
      while (!stop) await client.request('GET', `${webapps}/app-1`).then(a => { if (a.status !== 200) throw new Error(`${a.status}`) }).catch(() => { failures.push(i) })
    })
    const ends = watches.map(w => w.next().then(e => e.object.metadata.name, () => 'cut'))
    process.kill(first, 'SIGKILL')
    await eventually('it is replaced', () => workersOf(server).length === 3)
    t.equal((await clients[0]!.request('POST', webapps, { body: webapp('after') })).status, 201)
    created++
    t.same((await Promise.all(ends)).sort(), ['after', 'after', 'after', 'after', 'cut', 'cut', 'cut', 'cut'])
    stop = true
    await Promise.all(loads)
    t.ok(failures.length > 0 && failures.length <= 8, `${failures.length} requests failed, at most one of each connection`)
    t.equal(new Set(failures).size, failures.length, 'and then it connects to one that serves')
    await eventually('two serve', async () => gauge(await metricsOf(clients[0]!), 'annex_workers') === 2)
    const text = await metricsOf(clients[1]!)
    t.equal(gauge(text, 'annex_worker_restarts_total'), 1)
    t.equal(gauge(text, posts), created, 'what it had counted is not forgotten')
    t.match(server.stderr, /"signal":"SIGKILL".*a worker has ended and is replaced/)
  })

  await t.test('SIGTERM of one worker: it ends gracefully, and is replaced', async t => {
    const others = await Promise.all(Array.from({ length: 4 }, () => newClient(t, server).watch(webapps)))
    const ends = others.map(w => w.rest().then(() => 'ended'))
    process.kill(second, 'SIGTERM')
    await Promise.race(ends)
    await eventually('it is replaced', () => workersOf(server).length === 4 && !runs(second))
    t.match(server.stderr, new RegExp(`"worker":${second},"code":0.*a worker has ended`))
    for (const watch of others) watch.close()
    await Promise.all(ends)
  })

  await t.test('SIGTERM: watches end, all workers too, and nothing is left', async t => {
    const watches = await Promise.all(clients.map(c => c.watch(webapps)))
    const ends = watches.map(w => w.rest())
    const pids = workersOf(server).slice(-2)
    t.same(await server.stop(), { code: 0, signal: null })
    await Promise.all(ends)
    t.same(pids.filter(runs), [])
    const events = readFileSync(audit, 'utf8').trimEnd().split('\n').map(line => JSON.parse(line) as { stage: string; verb: string; objectRef?: { name?: string } })
    t.ok(events.filter(e => e.verb === 'watch' && e.stage === 'ResponseComplete').length > 8, 'the last lines of all workers are in the one audit log')
    await t.rejects(server.request('GET', '/readyz'), 'nobody listens')
  })
})

withEtcd('the primary is killed: its workers end gracefully by themselves', async (t, etcd) => {
  const server = await startServer(t, [`--etcd-servers=${etcd.endpoint}`, '--workers=2', '--v=2'])
  await eventually('both serve', () => workersOf(server).length === 2)
  const watches = await Promise.all(Array.from({ length: 4 }, () => newClient(t, server).watch(webapps)))
  const ends = watches.map(w => w.rest())
  t.same(await server.kill(), { code: null, signal: 'SIGKILL' }, 'its output is closed: nobody holds it any more')
  t.same(await Promise.all(ends), [[], [], [], []], 'and no watch was cut')
})

withEtcd('what cannot start says why once, and ends', async (t, etcd) => {
  const listening = createServer().listen(0, '127.0.0.1')
  t.teardown(() => { listening.close() })
  await new Promise(resolve => listening.once('listening', resolve))
  const { port } = listening.address() as { port: number }
  const flags = ['apiserver', `--etcd-servers=${etcd.endpoint}`, '--workers=3', `--data-dir=${t.testdir()}`]
  const crd = join(t.testdir({ 'crd.yaml': 'apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nspec: {group: 1}\n' }), 'crd.yaml')
  const [taken, bad] = await Promise.all([runAnnex([...flags, `--secure-port=${port}`]), runAnnex([...flags, '--secure-port=0', `--crd-file=${crd}`])])
  t.same([taken.code, taken.stdout, taken.stderr], [1, '', `annex apiserver: listen EADDRINUSE: address already in use 127.0.0.1:${port}\n`])
  t.equal(bad.code, 1)
  t.equal(bad.stderr.split('annex apiserver:').length, 2, bad.stderr)
  t.notMatch(bad.stdout, served)
})

t.test('flags that do not go together', async t => {
  const directory = t.testdir()
  const embedded = await runAnnex(['apiserver', '--workers=2', `--data-dir=${directory}`])
  t.equal(embedded.code, 2)
  t.match(embedded.stderr, '--workers=2: needs --etcd-servers: the embedded store belongs to one process; leave --workers out')
  const none = await runAnnex(['apiserver', '--workers=0', '--etcd-servers=http://127.0.0.1:1', `--data-dir=${directory}`])
  t.equal(none.code, 2)
  t.match(none.stderr, '--workers=0: must be between 1 and 64, inclusive')
  t.equal((await runAnnex(['apiserver-worker'])).code, 2, 'no primary, no worker')
})
