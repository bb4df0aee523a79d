import t, { type Test } from 'tap'
import { EmbeddedStorage } from '../../../storage/embedded/storage.js'
import { StorageError } from '../../../storage/errors.js'
import { webapps } from '../../example.com/webapps/resource.js'
import type { KubeObject } from '../../meta/object-meta.js'
import { StatusError } from '../../meta/status-error.js'
import type { StoreContext } from './context.js'
import { list, type ListQuery } from './list.js'
import { Store } from './store.js'

const version = webapps.storageVersion
const query: ListQuery = { namespace: 'ns', limit: 0, continueToken: '', resourceVersion: '', resourceVersionMatch: '' }

/** A target whose members may be replaced. */
const changed = <T extends object>(target: T, members: Partial<T>): T => new Proxy(target, {
  get: (_, name) => {
    const member: unknown = Reflect.get(Object.hasOwn(members, name) ? members : target, name, target)
    return typeof member === 'function' ? member.bind(target) as unknown : member
  }
})

async function storeOf (t: Test): Promise<{ context: StoreContext, create: (...names: string[]) => Promise<void> }> {
  const storage = await EmbeddedStorage.open({ directory: t.testdir() })
  const store = new Store({ resource: webapps, storage, prefix: '/registry' })
  t.teardown(async () => {
    await store.stop()
    await storage.close()
  })
  await store.cacher.whenReady()
  const create = async (...names: string[]): Promise<void> => {
    for (const name of names) {
      const app = { apiVersion: version.apiVersion, kind: 'WebApp', metadata: { name }, spec: { image: 'nginx:1', replicas: 1, port: 80 } } as unknown as KubeObject
      await store.create(app, { version, namespace: 'ns', warn: () => {}, dryRun: false })
    }
  }
  return { context: { resource: webapps, storage, cacher: store.cacher, prefix: '/registry/example.com/webapps/', now: () => new Date() }, create }
}

const namesOf = ({ items }: { items: readonly { name: string }[] }): string[] => items.map(i => i.name)

t.test('a list has the revision of what is in it, also when the cache goes on between the wait and the look', async t => {
  const { context, create } = await storeOf(t)
  await create('a')
  const { cacher } = context
  for (const [name, asked] of Object.entries({ b: {}, c: { limit: 1 }, d: { resourceVersion: '0' }, e: { resourceVersion: '1', resourceVersionMatch: 'NotOlderThan' as const }, f: { name: 'f' } })) {
    const goesOn = changed(cacher, {
      waitFresh: async (want, signal) => {
        const revision = await cacher.waitFresh(want, signal)
        await create(name)
        await cacher.waitFresh('consistent')
        return revision
      }
    })
    const result = await list({ ...context, cacher: goesOn }, { ...query, ...asked })
    t.equal(result.resourceVersion, `${cacher.currentRevision}`, name)
    if (!('limit' in asked)) t.ok(namesOf(result).includes(name), 'what came meanwhile is in the list')
  }
})

t.test('a store that goes away while the cache is behind is a 503', async t => {
  const { context } = await storeOf(t)
  const away = {
    ...context,
    cacher: changed(context.cacher, { waitFresh: () => Promise.reject(new StorageError('FutureRevision', 'not reached', { revision: 1n })) }),
    storage: changed(context.storage, { currentRevision: () => Promise.reject(new StorageError('Unavailable', 'etcd is away')) })
  }
  const error: unknown = await list(away, query).catch((error: unknown) => error)
  t.ok(error instanceof StatusError && error.code === 503, String(error))
})

t.test('a question for one name at a past revision has no pages', async t => {
  const { context, create } = await storeOf(t)
  await create('ab', 'a', 'a-1')
  const revision = context.cacher.currentRevision!
  await create('b')
  await context.cacher.waitFresh('consistent')
  const exact = { ...query, resourceVersion: `${revision}`, resourceVersionMatch: 'Exact' as const, limit: 1 }
  for (const name of ['a', 'ab']) {
    const result = await list(context, { ...exact, name })
    t.same(namesOf(result), [name])
    t.same({ continueToken: result.continueToken, remaining: result.remainingItemCount, at: result.resourceVersion }, { continueToken: '', remaining: undefined, at: `${revision}` })
  }
  t.same(namesOf(await list(context, { ...exact, name: 'b' })), [], 'it did not exist then')
  t.same(namesOf(await list(context, { ...exact, name: 'a', matches: () => false })), [])
})
