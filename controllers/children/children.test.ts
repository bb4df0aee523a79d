import { readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import type { WebApp } from '../../registry/example.com/webapps/types.js'
import type { ObjectMeta } from '../../registry/meta/object-meta.js'
import { until } from '../../test/fixtures/control-plane-conditions.js'
import { startServer, type TestServer } from '../../test/fixtures/server.js'
import { RestClient } from '../client/rest-client.js'
import { applyChild, type ChildResult, type DesiredChild } from './apply-child.js'
import { childKind, childrenOf, type ChildKind } from './child-kind.js'
import { pruneChildren } from './prune-children.js'
import { mergeConditions, writeStatus, type WantedCondition } from './status.js'

const gvr = { group: 'example.com', version: 'v1', resource: 'webapps' }
const fieldManager = 'test-operator'
const now = new Date('2026-01-02T03:04:05.678Z')

interface World {
  readonly server: TestServer
  readonly kind: ChildKind<WebApp>
  readonly owner: WebApp
  apply (desired: DesiredChild<WebApp>, owner?: WebApp): Promise<ChildResult<WebApp>>
  /** Waits until the cache has what the server has. */
  caughtUp (): Promise<void>
}

/** A real server, whose WebApps serve as owners and as children. */
async function world (t: Test): Promise<World> {
  const server = await startServer(t, [], { inProcess: true })
  const client = new RestClient({ connection: { server: server.url, caPem: readFileSync(server.caFile, 'utf8'), certPem: readFileSync(server.adminCert, 'utf8'), keyPem: readFileSync(server.adminKey, 'utf8') }, qps: Infinity })
  const kind = childKind<WebApp>({ client, gvr, kind: 'WebApp', labelSelector: 'child' })
  const stop = new AbortController()
  const running = kind.informer.run(stop.signal)
  t.teardown(async () => { stop.abort(); await running; client.close() })
  await kind.informer.whenSynced(stop.signal)
  const owner = await kind.client.create(webapp('owner'))
  return {
    server, kind, owner,
    apply: async (desired, by = owner) => await applyChild(kind, by, desired, { fieldManager }),
    caughtUp: async () => {
      await until('the cache to be current', async () => {
        const { items } = await kind.client.list({ labelSelector: 'child' })
        const cached = kind.informer.lister.list()
        return items.length === cached.length && items.every(i => cached.some(c => c.metadata.uid === i.metadata.uid && c.metadata.resourceVersion === i.metadata.resourceVersion))
      }, { intervalMs: 10 })
    }
  }
}

const spec: WebApp['spec'] = { replicas: 1, image: 'nginx', port: 80, resources: { cpu: '500m' }, env: [{ name: 'A', value: '1' }, { name: 'B' }] }
const webapp = (name: string, metadata: ObjectMeta = {}): WebApp => ({ apiVersion: 'example.com/v1', kind: 'WebApp', metadata: { name, namespace: 'default', ...metadata }, spec })
const child = (name: string, changes: Partial<WebApp['spec']> = {}): DesiredChild<WebApp> => ({ metadata: { name, labels: { child: 'yes' } }, spec: { ...spec, ...changes } })

t.test('a child is made once, changed when it differs, and otherwise not written', async t => {
  const { apply, caughtUp, kind, owner } = await world(t)
  const made = await apply(child('one'))
  t.match(made, { type: 'Applied', created: true, object: { metadata: { ownerReferences: [{ apiVersion: 'example.com/v1', kind: 'WebApp', name: 'owner', uid: owner.metadata.uid, controller: true, blockOwnerDeletion: true }] } } })
  t.match(await apply(child('one')), { type: 'Unchanged' }, 'although the cache may not know it yet')
  await caughtUp()
  t.match(await apply(child('one')), { type: 'Unchanged' })
  t.match(await apply(child('one', { image: 'nginx:2' })), { type: 'Applied', created: false, object: { spec: { image: 'nginx:2' } } })
  await caughtUp()
  t.equal(childrenOf(kind, owner).length, 1)

  t.test('a field that is not wanted any more is removed, an item of a list too', async t => {
    await apply(child('one'))
    await caughtUp()
    const { resources: _, ...without } = spec
    const result = await apply({ ...child('one'), spec: { ...without, env: [{ name: 'B' }] } })
    t.match(result, { type: 'Applied', created: false })
    t.same((result as { object: WebApp }).object.spec, { replicas: 1, image: 'nginx', port: 80, env: [{ name: 'B' }] })
  })

  t.test('what others add stays, what they change is taken back', async t => {
    await apply(child('one'))
    await kind.client.apply({ apiVersion: 'example.com/v1', kind: 'WebApp', metadata: { name: 'one', namespace: 'default', labels: { theirs: 'x' } }, spec: { replicas: 5, env: [{ name: 'C', value: '3' }] } } as unknown as WebApp, { fieldManager: 'somebody', force: true })
    await caughtUp()
    const { object } = await apply(child('one')) as { object: WebApp }
    t.match(object, { metadata: { labels: { theirs: 'x', child: 'yes' } }, spec: { replicas: 1 } })
    t.same(object.spec.env?.map(e => e.name).sort(), ['A', 'B', 'C'])
    await caughtUp()
    t.match(await apply(child('one')), { type: 'Unchanged' })
  })

  t.test('a label or owner that somebody takes away comes back', async t => {
    await caughtUp()
    await kind.client.patch({ namespace: 'default', name: 'one' }, { metadata: { labels: { child: null } } }, { type: 'merge' })
    await caughtUp()
    t.equal(kind.informer.lister.get({ namespace: 'default', name: 'one' }), undefined)
    t.match(await apply(child('one')), { type: 'Applied', created: false, object: { metadata: { labels: { child: 'yes' } } } })
  })
})

t.test('what is not ours is never touched', async t => {
  const { apply, caughtUp, kind, owner } = await world(t)
  const taken = async (name: string, message: RegExp): Promise<void> => {
    const before = await kind.client.get({ namespace: 'default', name })
    t.match(await apply(child(name)), { type: 'NameTaken', object: { metadata: { uid: before.metadata.uid } }, problem: { reason: 'NameTaken', message } })
    t.same(await kind.client.get({ namespace: 'default', name }), before)
  }
  await kind.client.create(webapp('free'))
  await taken('free', /^WebApp "free" exists and has no controller; it is left alone\. Delete or rename it, or give this WebApp another name\.$/)
  const reference = { apiVersion: 'v1', kind: 'ConfigMap', name: 'x', uid: 'another', controller: true }
  await kind.client.create(webapp('controlled', { labels: { child: 'yes' }, ownerReferences: [reference] }))
  await caughtUp()
  await taken('controlled', /is controlled by ConfigMap "x"/)
  await kind.client.create(webapp('earlier', { labels: { child: 'yes' }, ownerReferences: [{ ...reference, kind: 'WebApp', name: 'owner' }] }))
  await taken('earlier', /still belongs to an earlier WebApp of this name/)
  t.same(await pruneChildren(kind, owner, []), [], 'nor pruned')
  await kind.client.get({ namespace: 'default', name: 'controlled' })
})

t.test('a stranger who is faster keeps the name', async t => {
  const { apply, caughtUp, kind, owner } = await world(t)
  // The cache says that there is a child of ours; meanwhile it was replaced.
  await apply(child('swapped'))
  await caughtUp()
  const stale = kind.informer.lister.get({ namespace: 'default', name: 'swapped' })!
  await kind.client.delete({ namespace: 'default', name: 'swapped' })
  const theirs = await kind.client.create({ ...webapp('swapped'), spec: { ...spec, image: 'theirs' } })
  const behind: ChildKind<WebApp> = { ...kind, informer: { lister: { get: () => stale } } as unknown as typeof kind.informer }
  await applyChild(behind, owner, child('swapped', { image: 'ours' }), { fieldManager }).catch(() => undefined)
  t.same(await kind.client.get({ namespace: 'default', name: 'swapped' }), theirs)

  t.test('also between the question whether it is there and the answer', async t => {
    const late: ChildKind<WebApp> = {
      ...kind,
      client: Object.assign(Object.create(kind.client) as typeof kind.client, {
        get: (() => {
          let first = true
          return async (...args: Parameters<typeof kind.client.get>) => {
            if (!first) return await kind.client.get(...args)
            first = false
            const answer = kind.client.get(...args)
            await answer.catch(() => undefined)
            await kind.client.create({ ...webapp('late'), spec: { ...spec, image: 'theirs' } })
            return await answer
          }
        })(),
        apply: kind.client.apply.bind(kind.client)
      })
    }
    t.match(await applyChild(late, owner, child('late', { image: 'ours' }), { fieldManager }), { type: 'NameTaken' })
    t.match(await kind.client.get({ namespace: 'default', name: 'late' }), { metadata: { ownerReferences: undefined }, spec: { image: 'theirs' } })
  })
})

t.test('a refusal that a person can do something about is a result; others are errors', async t => {
  const { apply } = await world(t)
  t.match(await apply(child('bad', { replicas: 1000 })), { type: 'Refused', problem: { reason: 'Invalid', message: /^WebApp "bad": WebApp\.example\.com "bad" is invalid: spec\.replicas: / } })
  await t.rejects(applyChild(childKind<WebApp>({ client: new RestClient({ connection: { server: 'http://127.0.0.1:1' } }), gvr, kind: 'WebApp' }), { ...webapp('owner'), metadata: { name: 'owner', uid: 'x' } }, child('x'), { fieldManager }), { name: 'ConnectionError' })
})

t.test('children that are not wanted any more are deleted', async t => {
  const { apply, caughtUp, kind, owner } = await world(t)
  for (const name of ['a', 'b', 'c']) await apply(child(name))
  await caughtUp()
  const pruned = await pruneChildren(kind, owner, ['b'])
  t.same(pruned.map(p => p.metadata.name).sort(), ['a', 'c'])
  await caughtUp()
  t.same(childrenOf(kind, owner).map(c => c.metadata.name), ['b'])
  const { metadata: { resourceVersion } } = await kind.client.patch({ namespace: 'default', name: 'b' }, { metadata: { finalizers: ['test.example.com/hold'] } }, { type: 'merge' })
  await until('the cache to see it', () => kind.informer.lister.get({ namespace: 'default', name: 'b' })?.metadata.resourceVersion === resourceVersion)
  await pruneChildren(kind, owner, [])
  await until('the deletion to begin', () => kind.informer.lister.get({ namespace: 'default', name: 'b' })?.metadata.deletionTimestamp !== undefined)
  t.match(await apply(child('b')), { type: 'Terminating' })
  t.same(await pruneChildren(kind, owner, []), [], 'not twice')
})

t.test('a status is written when it differs', async t => {
  const { kind, owner } = await world(t)
  const ready: WantedCondition = { type: 'Ready', status: 'False', reason: 'Starting', message: '0 of 1' }
  const statusOf = (present: WebApp, wanted: WantedCondition[], at = now): NonNullable<WebApp['status']> => ({ readyReplicas: 0, selector: 'app=owner', conditions: mergeConditions(present.status?.conditions, wanted, { now: at }) })
  const first = await writeStatus(kind.client, owner, statusOf(owner, [ready]), { fieldManager })
  t.match(first, { status: { readyReplicas: 0, conditions: [{ ...ready, lastTransitionTime: '2026-01-02T03:04:05Z' }] } })
  const later = new Date('2026-01-02T04:00:00Z')
  t.equal(await writeStatus(kind.client, first!, statusOf(first!, [ready], later), { fieldManager }), undefined, 'nothing new')
  const reworded = await writeStatus(kind.client, first!, statusOf(first!, [{ ...ready, message: 'soon' }], later), { fieldManager })
  t.match(reworded?.status?.conditions, [{ message: 'soon', lastTransitionTime: '2026-01-02T03:04:05Z' }], 'a new message is no transition')
  const up = await writeStatus(kind.client, reworded!, statusOf(reworded!, [{ ...ready, status: 'True' }], later), { fieldManager })
  t.match(up?.status?.conditions, [{ status: 'True', lastTransitionTime: '2026-01-02T04:00:00Z' }])
  const theirs = await kind.client.apply({ apiVersion: 'example.com/v1', kind: 'WebApp', metadata: { name: 'owner', namespace: 'default' }, status: { conditions: [{ type: 'Theirs', status: 'True' }] } } as unknown as WebApp, { fieldManager: 'somebody', subresource: 'status' })
  t.equal(await writeStatus(kind.client, theirs, statusOf(theirs, [{ ...ready, status: 'True' }]), { fieldManager }), undefined, "others' conditions are theirs")
  const gone = await writeStatus(kind.client, theirs, { ...statusOf(theirs, []), replicas: 1 }, { fieldManager })
  t.same(gone?.status?.conditions, [{ type: 'Theirs', status: 'True' }], 'a condition that is not given any more goes')
  t.equal(await writeStatus(kind.client, { ...owner, metadata: { ...owner.metadata, name: 'gone' } }, statusOf(owner, [ready]), { fieldManager }), undefined, 'nobody is there')
})

t.test('conditions carry the generation where the kind has it', t => {
  t.same(mergeConditions(undefined, [{ type: 'Ready', status: 'True', reason: 'R', message: '' }], { now, observedGeneration: 3 }), [{ type: 'Ready', status: 'True', reason: 'R', message: '', lastTransitionTime: '2026-01-02T03:04:05Z', observedGeneration: 3 }])
  t.end()
})
