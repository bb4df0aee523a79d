import t, { type Test } from 'tap'
import { webapps } from '../../registry/example.com/webapps/resource.js'
import { Store } from '../../registry/generic/store/store.js'
import type { KubeObject } from '../../registry/meta/object-meta.js'
import { StorageError } from '../../storage/errors.js'
import { EmbeddedStorage } from '../../storage/embedded/storage.js'
import type { Storage, StorageWatch, WatchBatch } from '../../storage/interfaces.js'
import { EndingNamespaces } from './ending-namespaces.js'

/** A store that goes away and comes back; what was written before then shows in watches only afterwards. */
function leaving (inner: Storage): { storage: Storage; leave: () => void; comeBack: () => void } {
  let back: Promise<void> | undefined
  let comeBack = (): void => {}
  const reach = async <T>(call: () => Promise<T>): Promise<T> => {
    if (back !== undefined) throw new StorageError('Unavailable', 'the store is away')
    return call()
  }
  const delayed = (watch: StorageWatch): StorageWatch => ({
    requestProgress: () => { watch.requestProgress() },
    close: () => { watch.close() },
    async * [Symbol.asyncIterator] (): AsyncGenerator<WatchBatch> {
      for await (const batch of watch) {
        await back
        yield batch
      }
    }
  })
  return {
    storage: {
      get: (key, options) => reach(() => inner.get(key, options)),
      list: (prefix, options) => reach(() => inner.list(prefix, options)),
      create: (key, value) => reach(() => inner.create(key, value)),
      update: (key, value, expected) => reach(() => inner.update(key, value, expected)),
      delete: (key, expected) => reach(() => inner.delete(key, expected)),
      watch: (prefix, options) => delayed(inner.watch(prefix, options)),
      compact: revision => reach(() => inner.compact(revision)),
      currentRevision: options => reach(() => inner.currentRevision(options)),
      health: options => reach(() => inner.health(options)),
      close: () => inner.close()
    },
    leave: () => { back = new Promise(resolve => { comeBack = () => { back = undefined; resolve() } }) },
    comeBack: () => { comeBack() }
  }
}

interface Setup {
  readonly store: Store
  /** Another replica on the same store. */
  readonly other: Store
  readonly namespaces: Map<string, 'Active' | 'Terminating'>
  readonly ending: EndingNamespaces
  readonly logged: string[]
  readonly leave: () => void
  readonly comeBack: () => void
}

async function setUp (t: Test, options: { watchMs?: number } = {}): Promise<Setup> {
  const inner = await EmbeddedStorage.open({ directory: t.testdir() })
  const { storage, leave, comeBack } = leaving(inner)
  const store = new Store({ resource: webapps, storage, prefix: '/registry' })
  const other = new Store({ resource: webapps, storage: inner, prefix: '/registry' })
  await Promise.all([store.cacher.whenReady(), other.cacher.whenReady()])
  const namespaces = new Map<string, 'Active' | 'Terminating'>([['active', 'Active'], ['ending', 'Terminating']])
  const logged: string[] = []
  const log = (fields: object, message: string): void => { logged.push(`${message} ${(fields as { name?: string }).name ?? ''}`) }
  const ending = new EndingNamespaces({
    isTerminating: n => namespaces.get(n) === 'Terminating', exists: async n => namespaces.has(n), log: { warn: log, error: log }, checkIntervalMs: 5, watchMs: options.watchMs ?? 60_000
  })
  t.teardown(async () => {
    comeBack()
    await ending.stop()
    await Promise.all([store.stop(), other.stop()])
    await inner.close()
  })
  return { store, other, namespaces, ending, logged, leave, comeBack }
}

const webapp = (namespace: string, name: string): KubeObject => ({ apiVersion: 'example.com/v1', kind: 'WebApp', metadata: { namespace, name }, spec: { replicas: 1, image: 'nginx', port: 80 } }) as unknown as KubeObject
const create = (store: Store, namespace: string, name: string): Promise<unknown> =>
  store.create(webapp(namespace, name), { namespace, version: store.resource.storageVersion, dryRun: false, warn: () => {} } as Parameters<Store['create']>[1])
const names = async (store: Store, namespace: string): Promise<string[]> => (await listOf(store, namespace)).items.map(i => i.name)
const listOf = (store: Store, namespace: string): ReturnType<Store['list']> => store.list({ namespace, limit: 0, continueToken: '', resourceVersion: '', resourceVersionMatch: '' })
/** How a list fails without the store. */
const failure = async (store: Store): Promise<unknown> => listOf(store, 'x').then(() => { throw new Error('the store is there') }, (error: unknown) => error)
async function until (what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 60_000; !await condition();) {
    if (Date.now() > end) throw new Error(`never: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 5))
  }
}

t.test('a terminating namespace that holds nothing known is empty while the store is away; nothing else is', async t => {
  const { store, ending, leave, comeBack } = await setUp(t)
  await create(store, 'active', 'a')
  await listOf(store, '')
  leave()
  const away = await failure(store)
  t.throws(() => ending.list(store, 'ending', away), away as Error, 'a list alone is not answered')
  const answer = ending.deleteCollection(store, 'ending', away)
  t.match(answer, { items: [], continueToken: '' })
  t.ok(BigInt(answer.resourceVersion) > 0n)
  t.match(ending.list(store, 'ending', away), { items: [] }, 'after it, it is')
  t.throws(() => ending.deleteCollection(store, 'active', away), away as Error, 'a namespace that stays')
  t.throws(() => ending.deleteCollection(store, '', away), away as Error, 'all namespaces')
  const other = new Error('something else')
  t.throws(() => ending.deleteCollection(store, 'ending', other), other)
  comeBack()
})

t.test('one that holds something is not empty, and whoever asks is not told to wait in place', async t => {
  const { store, ending, leave } = await setUp(t)
  await create(store, 'ending', 'a')
  await listOf(store, '')
  leave()
  const away = await failure(store)
  t.match(away, { code: 503, status: { details: { retryAfterSeconds: Number } } })
  t.throws(() => ending.deleteCollection(store, 'ending', away), { code: 503, status: { details: undefined } })
  t.throws(() => ending.list(store, 'ending', away), away as Error)
  t.equal(ending.size, 0)
})

t.test('what only the store knew of is deleted when it is back, if the namespace is gone by then', async t => {
  const { store, other, namespaces, ending, logged, leave, comeBack } = await setUp(t)
  leave()
  await create(other, 'ending', 'unseen')
  await create(other, 'active', 'elsewhere')
  const away = await failure(store)
  t.match(ending.deleteCollection(store, 'ending', away), { items: [] })
  namespaces.delete('ending')
  comeBack()
  await until('the object is deleted', async () => (await names(other, 'ending')).length === 0)
  t.same(await names(other, 'active'), ['elsewhere'])
  t.same(logged, ['an object was deleted whose namespace ended while the store was away unseen'])
})

t.test('nothing is deleted from a namespace that exists: it may be a new one', async t => {
  const { store, other, namespaces, ending, leave, comeBack } = await setUp(t, { watchMs: 50 })
  leave()
  await create(other, 'ending', 'old')
  ending.deleteCollection(store, 'ending', await failure(store))
  namespaces.set('ending', 'Active')
  await create(other, 'ending', 'new')
  comeBack()
  await until('it is not looked after any more', () => ending.size === 0)
  t.same(await names(other, 'ending'), ['new', 'old'])
})
