import t, { type Test } from 'tap'
import type { KubeObject } from '../../registry/meta/object-meta.js'
import { RestClient } from '../client/rest-client.js'
import { dbExampleDatabase } from './db-example-database.js'
import { endDatabase } from './delete-database.js'
import { databaseKinds, sharedKinds } from './kinds.js'
import type { DatabaseAdapter } from './model.js'
import { databaseObject, model, names, settings } from './testing.js'
import { startFakeCluster, type FakeCluster } from './testing-server.js'

const owned = { ownerReferences: [{ apiVersion: 'db.example.com/v1', kind: 'Database', name: 'orders', uid: 'u-1', controller: true }] }
const labelled = { labels: { 'db.example.com/database-uid': 'u-1', 'app.kubernetes.io/component': 'database' } }
const core = '/api/v1/namespaces/shop'
const all: readonly [string, Partial<KubeObject['metadata']>][] = [
  ['/apis/batch/v1/namespaces/shop/cronjobs/orders-backup', owned], ['/apis/apps/v1/namespaces/shop/statefulsets/orders', owned],
  [`${core}/pods/orders-0`, labelled], [`${core}/persistentvolumeclaims/data-orders-0`, labelled], [`${core}/persistentvolumeclaims/orders-backups`, labelled], [`${core}/secrets/orders-credentials`, labelled]
]

async function start (t: Test, { policy = 'Retain', metadata = (own: Partial<KubeObject['metadata']>) => own } = {}): Promise<FakeCluster & { end: () => ReturnType<typeof endDatabase>, toTheEnd: () => Promise<string[]> }> {
  const cluster = await startFakeCluster(t)
  const client = new RestClient({ connection: { server: cluster.server.url }, qps: Infinity })
  t.teardown(() => { client.close() })
  for (const [path, own] of all) cluster.objects.set(path, { apiVersion: '', kind: '', metadata: { name: path.split('/').at(-1)!, namespace: 'shop', uid: `uid of ${path}`, ...metadata(own) } })
  const kinds = databaseKinds(dbExampleDatabase as DatabaseAdapter, sharedKinds({ client }), { client })
  const end = async (): ReturnType<typeof endDatabase> => await endDatabase({ kinds, object: databaseObject(), names: names(), model: model(), settings: settings({ 'db.example.com/deletion-policy': policy }), signal: new AbortController().signal })
  return {
    ...cluster, end,
    toTheEnd: async () => {
      const said: string[] = []
      for (let i = 0; i < 10; i++) {
        const waitingFor = await end()
        if (waitingFor === undefined) return said
        said.push(waitingFor)
      }
      throw new Error(`it does not end: ${said.join('; ')}`)
    }
  }
}

t.test('Retain: first the backups, then the instances; what holds data stays', async t => {
  const { objects, writes, toTheEnd } = await start(t)
  t.strictSame(await toTheEnd(), ['CronJob orders-backup is being deleted', 'StatefulSet orders and its pods are being deleted', '1 pod is being deleted'])
  t.strictSame(writes, all.slice(0, 3).map(([path]) => `DELETE ${path}`))
  t.equal(objects.size, 3)
})

t.test('Delete: and then what holds data, the credentials last', async t => {
  const { objects, writes, toTheEnd } = await start(t, { policy: 'Delete' })
  t.equal((await toTheEnd()).at(-1), 'claims are being deleted: data-orders-0, orders-backups')
  t.strictSame(writes, all.map(([path]) => `DELETE ${path}`))
  t.equal(objects.size, 0)
})

t.test('nothing that belongs to somebody else is touched', async t => {
  for (const metadata of [() => ({}), (own: Partial<KubeObject['metadata']>) => ({ ...own, labels: { 'db.example.com/database-uid': 'u-0', 'db.example.com/database': 'orders' }, ownerReferences: [{ ...owned.ownerReferences[0]!, uid: 'u-0' }] })]) {
    const { writes, toTheEnd } = await start(t, { policy: 'Delete', metadata })
    t.strictSame(await toTheEnd(), [])
    t.strictSame(writes, [])
  }
})

t.test('what was orphaned on purpose stays, and its data with it', async t => {
  const { writes, toTheEnd } = await start(t, { policy: 'Delete', metadata: () => labelled })
  t.strictSame(await toTheEnd(), [])
  t.strictSame(writes, [])
})

t.test('what takes its time is asked once, and awaited', async t => {
  const { objects, writes, end } = await start(t, { policy: 'Delete', metadata: own => ({ ...own, finalizers: ['kubernetes.io/held'] }) })
  for (const [i, [path]] of all.slice(0, 4).entries()) {
    const waitingFor = await end()
    t.type(waitingFor, 'string')
    t.equal(await end(), waitingFor)
    t.equal(writes.filter(w => w === `DELETE ${path}`).length, 1, path)
    t.equal(writes.length, i < 3 ? i + 1 : 5, 'nothing that comes later')
    objects.delete(path)
  }
})
