import t from 'tap'
import { parseLabelSelector } from '../../registry/meta/label-selector.js'
import { ClusterClient } from '../cluster/client.js'
import type { ClusterKind } from '../cluster/cluster-kinds.js'
import { FakeKubeApiserver, until } from '../cluster/testdata/fake-kube-apiserver.js'
import { ClusterObjects, type ClusterObjectsOptions } from './cluster-objects.js'
import type { DescribedResource } from './described-kinds.js'

const kind = (group: string, resource: string, more: Partial<ClusterKind> = {}): ClusterKind =>
  ({ group, version: 'v1', kind: resource, resource, singular: resource, namespaced: true, watchable: true, ...more })
const described = (resource: string, group = ''): DescribedResource => ({ group, resource, singular: resource, namespaced: resource !== 'nodes', apiVersion: 'v1' })
const known = [kind('', 'pods'), kind('', 'nodes', { namespaced: false }), kind('apps', 'deployments'), kind('', 'bindings', { watchable: false }), kind('', 'secrets')]
const kinds = { hasSynced: true, failure: undefined, ofResource: (group: string, resource: string) => known.find(k => k.group === group && k.resource === resource) }
const pod = (name: string, labels: object, namespace = 'shop'): never => ({ metadata: { name, namespace, labels } }) as never
const selector = (text: string): ReturnType<typeof parseLabelSelector> => parseLabelSelector(text)

async function start (t: Pick<typeof import('tap').t, 'teardown'>, more: Partial<ClusterObjectsOptions> = {}): Promise<{ api: FakeKubeApiserver; objects: ClusterObjects; errors: string[] }> {
  const api = await FakeKubeApiserver.start(t)
  const client = new ClusterClient({ credentials: { name: 'test', read: async () => ({ server: api.url, headers: {}, tls: { ca: api.ca.certificatePem } }) }, userAgent: 'annex/test' })
  const errors: string[] = []
  const objects = new ClusterObjects({ client, kinds, onError: (resource, error) => { errors.push(`${resource}: ${(error as Error).message}`) }, waitMs: 10_000, backoff: { firstMs: 1, maxMs: 5 }, ...more })
  t.teardown(async () => {
    await objects.stop()
    client.close()
  })
  return { api, objects, errors }
}

t.test('a kind is followed from the first read on, by its metadata; objects gone or unselected do not match', async t => {
  const { api, objects } = await start(t)
  const path = '/api/v1/pods'
  api.put(path, pod('web-0', { app: 'web' }))
  api.put(path, pod('db-0', { app: 'db' }))
  t.equal(api.received.length, 0, 'nothing before somebody asks')
  const web = await objects.matcher(described('pods'), selector('app=web'))
  t.same([web('shop', 'web-0'), web('shop', 'db-0'), web('shop', 'web-1'), web('other', 'web-0')], [true, false, false, false])
  t.match(api.received[0]?.headers.accept, 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json')
  await until(() => api.watches(path) === 1)
  t.match(api.received[1]?.headers.accept, 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json')

  const all = await objects.matcher(described('pods'), undefined)
  t.ok(all('shop', 'db-0'))
  api.put(path, pod('web-1', { app: 'web' }))
  api.put(path, pod('web-0', { app: 'canary' }))
  api.remove(path, 'db-0')
  await until(() => !all('shop', 'db-0'))
  t.same([web('shop', 'web-0'), web('shop', 'web-1')], [false, true])
  t.equal(api.received.length, 2, 'further reads ask nobody')

  api.put('/api/v1/nodes', { metadata: { name: 'n1', labels: { zone: 'a' } } })
  const nodes = await objects.matcher(described('nodes'), selector('zone=a'))
  t.same([nodes('', 'n1'), nodes('', 'n2')], [true, false])
  api.put('/apis/apps/v1/deployments', pod('web', {}))
  t.ok((await objects.matcher(described('deployments', 'apps'), undefined))('shop', 'web'))
  t.same(objects.following, ['pods', 'nodes', 'deployments.apps'])
  objects.retain(name => name !== 'pods')
  t.same(objects.following, ['nodes', 'deployments.apps'])
  await until(() => api.watches(path) === 0)
})

t.test('what the cluster does not let us read is said, once in the log, until it does', async t => {
  const { api, objects, errors } = await start(t)
  const message = 'secrets is forbidden: User "annex" cannot list resource "secrets" in API group "" at the cluster scope'
  api.on('GET /api/v1/secrets', () => ({ status: 403, body: { kind: 'Status', message, reason: 'Forbidden', code: 403 } }))
  const read = async (): Promise<unknown> => await objects.matcher(described('secrets'), undefined)
  // The first list decides.
  await until(async () => await read().then(() => false, (error: { when: string }) => error.when === 'refused'))
  await t.rejects(read(), { when: 'refused', message: `${message}; this server needs get, list and watch on secrets to tell which of them are there and selected` })
  await until(() => api.received.length > 2)
  t.same(errors, [`secrets: ${message}`])
  api.handlers.clear()
  api.put('/api/v1/secrets', pod('s', {}))
  await until(async () => await read().then(() => true, () => false))
})

t.test('until a kind is known, and where it cannot be, a read says so', async t => {
  const { api, objects } = await start(t, { waitMs: 1 })
  api.on('GET /api/v1/pods', () => 'never')
  const read = async (resource: DescribedResource): Promise<unknown> => await objects.matcher(resource, undefined)
  await t.rejects(read(described('pods')), { when: 'pending', message: 'the pods of the cluster have not been read yet' })
  await t.rejects(read(described('queues', 'x.io')), { when: 'refused', message: 'the cluster has no resource queues.x.io' })
  await t.rejects(read(described('bindings')), { when: 'refused', message: 'bindings cannot be listed and watched' })
  t.same(objects.following, ['pods'])
  await api.stop()
  await until(async () => await read(described('pods')).then(() => false, (error: Error) => error.message.includes('connect: connection refused')))
  const unread = await start(t, { kinds: { ...kinds, hasSynced: false, failure: 'away' } })
  await t.rejects(async () => await unread.objects.matcher(described('pods'), undefined), { when: 'pending', message: 'the kinds of the cluster cannot be read: away' })
})

t.test('no more kinds are followed than allowed: the one unused longest gives way, one in use does not', async t => {
  let now = 0
  const { api, objects } = await start(t, { maxKinds: 2, now: () => now })
  for (const path of ['/api/v1/pods', '/api/v1/nodes', '/apis/apps/v1/deployments']) api.put(path, { metadata: { name: 'x' } })
  await objects.matcher(described('pods'), undefined)
  now = 1000
  await objects.matcher(described('nodes'), undefined)
  await t.rejects(async () => await objects.matcher(described('deployments', 'apps'), undefined), { when: 'pending', message: 'objects of 2 other kinds are followed already, which is the most at once' })
  now = 60_500
  await objects.matcher(described('deployments', 'apps'), undefined)
  t.same(objects.following, ['nodes', 'deployments.apps'])
})
