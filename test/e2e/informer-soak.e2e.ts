// Informers stay equal to lists, whatever happens to the connection, the server and its store. For longer than the e2e suite takes:
//   node --import tsx test/e2e/informer-soak.e2e.ts --duration=15m
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { parseDuration } from '../../apiserver/cli/duration.js'
import { RestClient } from '../../controllers/client/rest-client.js'
import { findTool } from '../../hack/tools/build.mjs'
import type { WebApp } from '../../registry/example.com/webapps/types.js'
import { until } from '../fixtures/control-plane-conditions.js'
import { startEtcd } from '../fixtures/etcd.js'
import { JumpClock } from '../fixtures/jump-clock.js'
import { startServer } from '../fixtures/server.js'
import { startTcpProxy } from '../fixtures/tcp-proxy.js'
import { versionsOf, watchedInformer } from '../fixtures/watched-informer.js'

const durationMs = parseDuration(process.argv.find(a => a.startsWith('--duration='))?.slice('--duration='.length) ?? '20s')
t.setTimeout(durationMs + 300_000)

const difference = (nameA: string, a: Record<string, string>, nameB: string, b: Record<string, string>): string[] =>
  [...new Set([...Object.keys(a), ...Object.keys(b)])].filter(key => a[key] !== b[key]).map(key => `${key} is ${nameA} at ${a[key]}, ${nameB} at ${b[key]}`)

const gvr = { group: 'example.com', version: 'v1', resource: 'webapps' }

t.test(`informers stay equal to lists for ${durationMs / 1000} s of churn, cuts, silence, restarts, compaction and idle hours`, async t => {
  const etcd = await startEtcd(t, { version: findTool('etcd')! })
  const server = await startServer(t, [`--etcd-servers=${etcd.endpoint}`])
  const proxy = await startTcpProxy(t, server.port)
  const pem = { caPem: readFileSync(server.caFile, 'utf8'), certPem: readFileSync(server.adminCert, 'utf8'), keyPem: readFileSync(server.adminKey, 'utf8') }
  const webapps = (port: number): ReturnType<typeof RestClient.prototype.resource<WebApp>> => {
    const client = new RestClient({ connection: { server: `https://127.0.0.1:${port}`, ...pem }, qps: Infinity, timeoutMs: 30_000 })
    t.teardown(() => { client.close() })
    return client.resource<WebApp>(gvr)
  }
  const direct = webapps(server.port)

  const clock = new JumpClock()
  const reflector = { backoff: { initialMs: 20, maxMs: 500 }, idleMs: 180_000 }
  const informers = {
    streaming: watchedInformer(webapps(proxy.port), { clock, reflector }),
    listing: watchedInformer(webapps(proxy.port), { clock, reflector: { ...reflector, useWatchList: false, pageSize: 7 } }),
    selecting: watchedInformer(webapps(proxy.port), { clock, reflector, namespace: 'ns-1', labelSelector: 'even=true' })
  }
  const stop = new AbortController()
  const running = Object.values(informers).map(async i => { await i.informer.run(stop.signal) })
  t.teardown(async () => { stop.abort(); await Promise.all(running) })

  let seed = 11
  const random = (below: number): number => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31
    return Math.floor(seed / 2 ** 31 * below)
  }
  const counts = { changes: 0, cuts: 0, silences: 0, restarts: 0, kills: 0, compactions: 0, idleHours: 0 }
  /** Makes, changes and deletes objects at random. What fails while the server is away is not made up for. */
  const churn = async (changes: number): Promise<void> => {
    for (let i = 0; i < changes; i++) {
      const name = { namespace: `ns-${random(3)}`, name: `app-${random(40)}` }
      const labels = { even: String(random(2) === 0) }
      try {
        const present = (await direct.list({ namespace: name.namespace, fieldSelector: `metadata.name=${name.name}` })).items[0]
        if (present === undefined) await direct.create({ apiVersion: 'example.com/v1', kind: 'WebApp', metadata: { ...name, labels }, spec: { replicas: 1, image: 'nginx', port: 80 } })
        else if (random(3) === 0) await direct.delete(name)
        else await direct.update({ ...present, metadata: { ...present.metadata, labels }, spec: { ...present.spec, replicas: 1 + random(100) } })
        counts.changes++
      } catch {
        await delay(20)
      }
    }
  }
  const equal = async (when: string): Promise<void> => {
    const { items } = await until('a list', async () => await direct.listAll())
    const expected = { all: versionsOf(items), selected: versionsOf(items.filter(o => o.metadata.namespace === 'ns-1' && o.metadata.labels?.['even'] === 'true')) }
    for (const [name, { cached, told, wrong, informer, seen }] of Object.entries(informers)) {
      const listed = name === 'selecting' ? expected.selected : expected.all
      await until(`${name} to be equal to a list ${when}`, () => {
        const different = [...difference('listed', listed, 'cached', cached()), ...difference('cached', cached(), 'told', told())]
        if (different.length > 0) throw new Error(`${different.slice(0, 5).join('; ')}, at ${informer.lastSyncResourceVersion}, ${JSON.stringify(seen)}`)
        return true
      }, { intervalMs: 10 })
      if (wrong.length > 0) t.same(wrong, [], `${name} ${when}`)
    }
  }
  const total = (what: 'lists' | 'watches' | 'expired' | 'events'): number => Object.values(informers).reduce((sum, { seen }) => sum + seen[what], 0)
  const etcdPost = async <T>(path: string, body: object): Promise<T> => await (await fetch(`${etcd.endpoint}${path}`, { method: 'POST', body: JSON.stringify(body) })).json() as T

  // On a machine with a lot to do, a start may take longer than a fixture waits.
  const restart = async (): Promise<true> => await until('the server to come up again', async () => { await server.restart(); return true as const }, { timeoutMs: 180_000 })

  const phases: Record<string, () => Promise<void>> = {
    'churn': async () => { await churn(80) },
    'cut connections': async () => {
      for (let i = 0; i < 4; i++) {
        const changes = churn(15)
        proxy.cut()
        counts.cuts++
        await changes
      }
    },
    'silence': async () => {
      // Nothing comes and nothing fails; only the clock tells.
      proxy.pause()
      const before = total('watches')
      await churn(20)
      const left = async (): Promise<boolean> => {
        await clock.jump(60_000, 30_000, 20)
        return total('watches') > before
      }
      await until('the silent watches to be left', left)
      proxy.cut()
      proxy.resume()
      counts.silences++
    },
    'a restart': async () => {
      const changes = churn(40)
      await restart()
      await changes
      counts.restarts++
    },
    'kill -9': async () => {
      const changes = churn(40)
      await server.kill()
      await restart()
      await changes
      counts.kills++
    },
    'compaction': async () => {
      proxy.refuse(true)
      proxy.cut()
      await churn(40)
      await server.stop()
      const { header: { revision } } = await etcdPost<{ header: { revision: string } }>('/v3/kv/range', { key: Buffer.from('/').toString('base64'), limit: 1 })
      await etcdPost('/v3/kv/compaction', { revision, physical: true })
      await restart()
      const before = total('expired')
      proxy.refuse(false)
      await until('a 410', () => total('expired') > before)
      counts.compactions++
    },
    'an idle hour': async () => {
      const before = { lists: total('lists'), expired: total('expired'), watches: total('watches') }
      await clock.jump(3_600_000, 30_000, 25)
      // On a busy machine a watch may take an hour of this clock to begin.
      await until('watches to be opened again', async () => {
        if (total('watches') - before.watches > 3) return true
        await clock.jump(600_000, 30_000, 25)
        return false
      })
      t.same({ lists: total('lists'), expired: total('expired') }, { lists: before.lists, expired: before.expired }, 'an idle hour takes no new list')
      counts.idleHours++
    }
  }

  await churn(60)
  for (const { informer } of Object.values(informers)) await informer.whenSynced(stop.signal)
  await equal('at the start')
  const endMs = performance.now() + durationMs
  let rounds = 0
  // Every phase once at least.
  do {
    for (const [name, phase] of Object.entries(phases)) {
      await phase()
      await equal(`after ${name} in round ${rounds}`)
    }
    rounds++
    if (durationMs > 60_000) process.stderr.write(`${new Date().toISOString()} round ${rounds}: ${JSON.stringify({ ...counts, lists: total('lists'), watches: total('watches'), expired: total('expired'), events: total('events'), rssMb: Math.round(process.memoryUsage().rss / 2 ** 20) })}\n`)
  } while (performance.now() < endMs)
  t.ok(counts.compactions > 0 && total('expired') > 0, 'the server forgot what they had seen')
  t.comment(JSON.stringify({ rounds, ...counts, lists: total('lists'), watches: total('watches'), expired: total('expired'), events: total('events') }))
  for (const [name, { wrong }] of Object.entries(informers)) t.same(wrong, [], `${name}: its handler was told of every change once`)
})
