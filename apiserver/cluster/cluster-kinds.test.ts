import t from 'tap'
import { ClusterClient } from './client.js'
import { ClusterKinds } from './cluster-kinds.js'
import { FakeKubeApiserver, until } from './testdata/fake-kube-apiserver.js'

const resource = (name: string, kind: string, more: object = {}): object =>
  ({ resource: name, responseKind: { group: '', version: '', kind }, scope: 'Namespaced', singularResource: kind.toLowerCase(), verbs: ['get', 'list', 'watch'], ...more })
const group = (name: string, ...versions: object[]): object => ({ metadata: { name }, versions })
const list = (...items: object[]): { body: object } => ({ body: { kind: 'APIGroupDiscoveryList', items } })

t.test('kinds are found by group and kind, by kind alone, and by resource, in their preferred version', async t => {
  const api = await FakeKubeApiserver.start(t)
  const client = new ClusterClient({ credentials: { name: 'test', read: async () => ({ server: api.url, headers: {}, tls: { ca: api.ca.certificatePem } }) }, userAgent: 'annex/test' })
  t.teardown(() => { client.close() })
  const rollouts = resource('rollouts', 'Rollout')
  const argo = (resources: object[], freshness = 'Current'): object => group('argoproj.io', { version: 'v1alpha1', resources, freshness })
  const groups = [
    group('apps', { version: 'v1', resources: [resource('deployments', 'Deployment', { subresources: [{ subresource: 'scale' }] })] }, { version: 'v1beta1', resources: [resource('deployments', 'Deployment')] }),
    argo([rollouts, resource('geese', 'Goose', { scope: 'Cluster' })]),
    group('events.k8s.io', { version: 'v1', resources: [resource('events', 'Event')] }),
    group('custom.metrics.k8s.io', { version: 'v1beta2', resources: [resource('pods', '', { verbs: [] })] }),
    group('metrics.k8s.io', { version: 'v1beta1', resources: [resource('pods', 'PodMetrics', { verbs: ['get', 'list'] })] })
  ]
  api.on('GET /api', () => list(group('', { version: 'v1', resources: [resource('pods', 'Pod'), resource('nodes', 'Node', { scope: 'Cluster' }), resource('events', 'Event')] })))
  api.on('GET /apis', () => list(...groups))
  let changes = 0
  const errors: string[] = []
  const kinds = new ClusterKinds({ client, onChange: () => { changes++ }, onError: error => { errors.push((error as Error).message) }, missMs: 1 })
  t.teardown(() => kinds.stop())
  t.equal(kinds.hasSynced, false)
  t.equal(kinds.ofKind('', 'Pod'), undefined)
  kinds.start()
  await until(() => kinds.hasSynced)
  t.match(api.received[0]?.headers.accept, /^application\/json;g=apidiscovery\.k8s\.io;v=v2;as=APIGroupDiscoveryList,.*v=v2beta1/)
  t.same(kinds.ofKind('apps', 'Deployment'), { group: 'apps', version: 'v1', kind: 'Deployment', resource: 'deployments', singular: 'deployment', namespaced: true, watchable: true })
  t.match(kinds.ofKind(undefined, 'Goose'), { group: 'argoproj.io', resource: 'geese', namespaced: false })
  t.match(kinds.ofKind(undefined, 'Event'), { group: '' }, 'the core group first')
  t.match(kinds.ofResource('', 'nodes'), { kind: 'Node', namespaced: false })
  t.match(kinds.ofResource('metrics.k8s.io', 'pods'), { kind: 'PodMetrics', watchable: false })
  t.equal(kinds.ofResource('custom.metrics.k8s.io', 'pods'), undefined, 'the parent of metrics is no resource')
  t.equal(changes, 1)

  // A kind that is not known is looked for again.
  groups.push(group('new.io', { version: 'v1', resources: [resource('things', 'Thing')] }))
  await until(() => kinds.ofKind('new.io', 'Thing') !== undefined)
  t.equal(changes, 2)

  // A group whose server is away is remembered.
  groups[1] = argo([], 'Stale')
  const before = api.count('GET /apis')
  await until(() => kinds.ofKind('x', 'Y') === undefined && api.count('GET /apis') > before + 1)
  t.match(kinds.ofKind('argoproj.io', 'Rollout'), { resource: 'rollouts' })
  t.equal(changes, 2)

  // A failure is told once, and leaves what is known.
  api.on('GET /apis', () => ({ status: 503, body: { kind: 'Status', message: 'away' } }))
  await until(() => kinds.ofKind('x', 'Y') === undefined && errors.length > 0)
  const failed = api.count('GET /apis')
  await until(() => api.count('GET /apis') > failed + 1)
  t.same([errors, kinds.failure], [['away'], 'away'])
  t.match(kinds.ofKind('', 'Pod'), { resource: 'pods' })
  api.on('GET /apis', () => list(...groups))
  await until(() => kinds.failure === undefined)
})
