import t from 'tap'
import type { KubeObject } from '../../registry/meta/object-meta.js'
import { RestClient } from '../client/rest-client.js'
import { systemClock } from '../clock.js'
import { Indexer } from '../informer/indexer.js'
import type { Informer } from '../informer/informer.js'
import { databaseKinds, sharedKinds, type DatabaseKinds, type StorageClass } from './kinds.js'
import type { DatabaseAdapter } from './model.js'
import { mycompanyDatabase } from './mycompany-database.js'
import { DatabaseBlockedError, DatabaseReconciler } from './reconcile-database.js'
import { claim } from './testing.js'
import { startFakeCluster } from './testing-server.js'

const adapter = mycompanyDatabase as DatabaseAdapter
const label = 'mycompany.io/database'

/** An informer that has these in its cache. */
function cache <T extends KubeObject> (...objects: T[]): Informer<T> {
  const lister = new Indexer<T>({ database: ({ metadata }) => [`${metadata.namespace ?? ''}/${metadata.labels?.[label] ?? ''}`] })
  for (const object of objects) lister.set(object)
  return { lister } as unknown as Informer<T>
}

t.test('claims that the server does not let grow are tried again', async t => {
  const { server } = await startFakeCluster(t)
  const client = new RestClient({ connection: { server: server.url }, qps: Infinity })
  t.teardown(() => { client.close() })
  const database: KubeObject & { spec: object } = {
    apiVersion: 'mycompany.io/v2', kind: 'Database', metadata: { name: 'orders', namespace: 'shop', uid: 'u-1', generation: 1, finalizers: ['mycompany.io/database-operator'] },
    spec: { engine: 'postgresql', version: '17.2.0', replicas: 1, storage: { size: '2Gi', storageClass: 'fast' } }
  }
  const data = claim('data-orders-0')
  data.metadata = { ...data.metadata, uid: 'c-0', resourceVersion: '7', labels: { [label]: 'orders', 'mycompany.io/database-uid': 'u-1' } }
  const secret: KubeObject = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'x', namespace: 'shop', labels: data.metadata.labels! } }
  const known = databaseKinds(adapter, sharedKinds({ client }), { client })
  const kinds: DatabaseKinds = {
    ...known,
    storageClasses: cache<StorageClass>({ apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass', metadata: { name: 'fast' }, allowVolumeExpansion: true }),
    databases: { ...known.databases, informer: cache<KubeObject>(database) },
    claims: { ...known.claims, informer: cache(data) }
  }
  let quota = true
  const failure = (code: number, reason: string, message: string): object => ({ code, body: { kind: 'Status', status: 'Failure', code, reason, message } })
  server.otherwise = ({ method, url, body }) => {
    if (method === 'GET') return url.includes('/secrets/') ? { body: secret } : failure(404, 'NotFound', 'not found')
    if (quota && url.includes('/persistentvolumeclaims/')) return failure(403, 'Forbidden', 'exceeded quota: small, requested: requests.storage=1Gi')
    return { body }
  }
  const { reconcile } = new DatabaseReconciler({ adapter, kinds, imageRegistry: 'docker.io/library', clock: systemClock })
  const request = { namespace: 'shop', name: 'orders' }
  const { signal } = new AbortController()
  await t.rejects(reconcile(request, signal), { constructor: DatabaseBlockedError, message: /^QuotaExceeded: claim "data-orders-0": .*exceeded quota: small/ })
  t.match(server.requests.find(r => r.method === 'PATCH' && r.url.includes('/databases/orders/status'))?.body, /QuotaExceeded/, 'and the status says why')
  t.ok(server.requests.some(r => r.method === 'PATCH' && r.url.includes('/statefulsets/')), 'the rest is done')
  quota = false
  await t.resolves(reconcile(request, signal), 'until the quota is raised')
})
