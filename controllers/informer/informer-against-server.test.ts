import { readFileSync } from 'node:fs'
import t from 'tap'
import type { KubeObject } from '../../registry/meta/object-meta.js'
import type { WebApp } from '../../registry/example.com/webapps/types.js'
import { until } from '../../test/fixtures/control-plane-conditions.js'
import { startServer } from '../../test/fixtures/server.js'
import { startTcpProxy } from '../../test/fixtures/tcp-proxy.js'
import { isConflict, isExpired } from '../client/errors.js'
import { RestClient } from '../client/rest-client.js'
import { keyOfObject } from '../object-key.js'
import { Informer } from './informer.js'
import type { ListerWatcher } from './interfaces.js'

t.setTimeout(300_000)
const gvr = { group: 'example.com', version: 'v1', resource: 'webapps' }
const webapp = (namespace: string, name: string): WebApp => ({ apiVersion: 'example.com/v1', kind: 'WebApp', metadata: { namespace, name }, spec: { replicas: 1, image: 'nginx', port: 80 } })
const versions = (objects: readonly KubeObject[]): Record<string, string> => Object.fromEntries(objects.map(o => [keyOfObject(o), o.metadata.resourceVersion!] as const).sort(([a], [b]) => a < b ? -1 : 1))

t.test('against our server', async t => {
  const server = await startServer(t)
  const proxy = await startTcpProxy(t, server.port)
  const pem = { caPem: readFileSync(server.caFile, 'utf8'), certPem: readFileSync(server.adminCert, 'utf8'), keyPem: readFileSync(server.adminKey, 'utf8') }
  const client = (port: number): RestClient => {
    const made = new RestClient({ connection: { server: `https://127.0.0.1:${port}`, ...pem }, qps: Infinity })
    t.teardown(() => { made.close() })
    return made
  }
  const direct = client(server.port).resource<WebApp>(gvr)

  t.test('an informer stays equal to a list through churn, cut connections, silence, restarts and 410', async t => {
    let seed = 7
    const random = (below: number): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31
      return Math.floor(seed / 2 ** 31 * below)
    }
    const churn = async (changes: number): Promise<void> => {
      for (let i = 0; i < changes; i++) {
        const name = { namespace: `ns-${random(3)}`, name: `app-${random(20)}` }
        const present = (await direct.list({ namespace: name.namespace, fieldSelector: `metadata.name=${name.name}` })).items[0]
        if (present === undefined) await direct.create(webapp(name.namespace, name.name))
        else if (random(3) === 0) await direct.delete(name)
        else await direct.update({ ...present, spec: { ...present.spec, replicas: 1 + random(100) } })
      }
    }
    const proxied = client(proxy.port).resource<WebApp>(gvr)
    const seen = { expired: 0, watches: 0, lists: 0 }
    const counting = <R>(made: Promise<R>): Promise<R> => made.catch((error: unknown) => {
      if (isExpired(error)) seen.expired++
      throw error
    })
    const source: ListerWatcher<WebApp> = {
      listAll: async (...args) => { seen.lists++; return await counting(proxied.listAll(...args)) },
      watch: async (...args) => {
        seen.watches++
        const watch = await counting(proxied.watch(...args))
        return {
          close: () => { watch.close() },
          [Symbol.asyncIterator]: async function * () {
            try { yield * watch } catch (error) {
              if (isExpired(error)) seen.expired++
              throw error
            }
          }
        }
      }
    }
    const informer = new Informer<WebApp>({ source, reflector: { idleMs: 1_500, backoff: { initialMs: 50, maxMs: 400 } } })
    // What a handler knows must be what there is, too.
    const told = new Map<string, string>()
    const tell = (o: WebApp): void => { told.set(keyOfObject(o), o.metadata.resourceVersion!) }
    const wrong: string[] = []
    informer.addHandler({
      onAdd: o => { if (told.has(keyOfObject(o))) wrong.push(`add of a known ${keyOfObject(o)}`); tell(o) },
      onUpdate: (old, o) => { if (told.get(keyOfObject(o)) !== old.metadata.resourceVersion) wrong.push(`update of another ${keyOfObject(o)}`); tell(o) },
      onDelete: o => { if (!told.delete(keyOfObject(o))) wrong.push(`delete of an unknown ${keyOfObject(o)}`) }
    })
    await churn(30)
    const stop = new AbortController()
    const ended = informer.run(stop.signal)
    t.teardown(async () => { stop.abort(); await ended })
    await informer.whenSynced(stop.signal)

    const equal = async (t: Tap, when: string): Promise<void> => {
      const listed = versions((await direct.listAll()).items)
      await until(`the informer to be equal to a list ${when}`, () => JSON.stringify(versions(informer.lister.list())) === JSON.stringify(listed), { intervalMs: 10 })
      t.same(Object.fromEntries([...told].sort(([a], [b]) => a < b ? -1 : 1)), listed, `a handler knows the same ${when}`)
    }
    await equal(t, 'at the start')
    t.equal(seen.lists, 0, 'the initial objects were streamed')
    await churn(60)
    await equal(t, 'after churn')
    for (let i = 0; i < 3; i++) {
      const [, more] = [proxy.cut(), churn(20)]
      await more
      await equal(t, `after cut ${i + 1}`)
    }
    const before = { ...seen }
    proxy.pause()
    await churn(20)
    // Nothing comes and nothing fails: only the silence tells. New connections hang as well until the network is back.
    await until('the silent watch to be left', () => seen.watches > before.watches)
    proxy.cut()
    proxy.resume()
    await equal(t, 'after silence')
    await server.kill()
    await server.restart()
    await churn(20)
    await equal(t, 'after kill -9')
    t.equal(seen.lists, 0, 'nothing was ever listed')

    proxy.refuse(true)
    proxy.cut()
    await churn(30)
    await server.restart() // its watch cache begins after those changes
    await churn(30)
    proxy.refuse(false)
    await equal(t, 'after 410')
    t.ok(seen.expired > 0, 'there was a 410')
    t.same(wrong, [])
  })

  t.test('of updates that race, each is based on what it saw: none is lost', async t => {
    const name = { namespace: 'races', name: 'counter' }
    await direct.create(webapp('races', 'counter'))
    let conflicts = 0
    const increment = async (): Promise<void> => {
      for (;;) {
        const found = await direct.get(name)
        const count = Number(found.metadata.annotations?.['count'] ?? 0) + 1
        try {
          await direct.update({ ...found, metadata: { ...found.metadata, annotations: { count: String(count) } } })
          return
        } catch (error) {
          if (!isConflict(error)) throw error
          conflicts++
        }
      }
    }
    await Promise.all(Array.from({ length: 8 }, async () => { for (let i = 0; i < 5; i++) await increment() }))
    t.equal((await direct.get(name)).metadata.annotations?.['count'], '40')
    t.ok(conflicts > 0, 'they did race')
  })

  t.test('a list in pages is whole, and apply owns what it sets', async t => {
    for (let i = 0; i < 7; i++) await direct.create(webapp('pages', `app-${i}`))
    const all = await direct.listAll({ namespace: 'pages', limit: 3 })
    t.same(all.items.map(o => o.metadata.name), [0, 1, 2, 3, 4, 5, 6].map(i => `app-${i}`))
    t.equal(all.paginated, true)
    const applied = await direct.apply({ ...webapp('pages', 'app-0'), spec: { replicas: 3, image: 'nginx', port: 80 } }, { fieldManager: 'kit', force: true })
    t.equal(applied.spec.replicas, 3)
    t.match(applied.metadata.managedFields?.find(f => f.manager === 'kit'), { operation: 'Apply' })
    await t.rejects(direct.apply({ ...webapp('pages', 'app-0'), spec: { replicas: 4, image: 'nginx', port: 80 } }, { fieldManager: 'other' }), { name: 'StatusError', reason: 'Conflict' })
  })
})

type Tap = { same (a: unknown, b: unknown, message: string): unknown }
