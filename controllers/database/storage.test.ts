import t, { type Test } from 'tap'
import type { KubeObject } from '../../registry/meta/object-meta.js'
import { RestClient } from '../client/rest-client.js'
import { dbExampleDatabase } from './db-example-database.js'
import { databaseKinds, sharedKinds, type DatabaseKinds } from './kinds.js'
import type { DatabaseAdapter } from './model.js'
import { claimsInTheWay, ensureBackupClaim, expandClaims } from './storage.js'
import { claim, model, names, settings } from './testing.js'
import { startFakeCluster, type FakeCluster } from './testing-server.js'

const claims = '/api/v1/namespaces/shop/persistentvolumeclaims'

async function start (t: Test, labels: Record<string, Record<string, string>> = {}): Promise<FakeCluster & { kinds: DatabaseKinds }> {
  const cluster = await startFakeCluster(t)
  const client = new RestClient({ connection: { server: cluster.server.url }, qps: Infinity })
  t.teardown(() => { client.close() })
  for (const [name, own] of Object.entries(labels)) cluster.objects.set(`${claims}/${name}`, withMeta(name, { labels: own }))
  return { ...cluster, kinds: databaseKinds(dbExampleDatabase as DatabaseAdapter, sharedKinds({ client }), { client }) }
}
const withMeta = (name: string, metadata: Partial<KubeObject['metadata']> = {}): ReturnType<typeof claim> => { const c = claim(name); return { ...c, metadata: { ...c.metadata, uid: `uid of ${name}`, resourceVersion: '7', ...metadata } } }
const retained = { 'db.example.com/database': 'orders', 'db.example.com/database-uid': 'u-0' }
const adopting = settings({ 'db.example.com/adopt-retained': 'true' })

t.test('a StatefulSet must not find the claims of others', async t => {
  const ordinals = { from: 0, to: 3 }
  const foreign = await start(t, { 'data-orders-1': {} })
  t.match(await claimsInTheWay(foreign.kinds, names(), adopting, ordinals, {}), { reason: 'NameTaken', message: /"data-orders-1" exists and does not belong/ })
  t.equal(await claimsInTheWay(foreign.kinds, names(), settings(), { from: 2, to: 3 }, {}), undefined, 'only those to come are looked at')
  t.strictSame(foreign.writes, [])

  const kept = await start(t, { 'data-orders-0': retained, 'data-orders-2': retained, 'data-orders-3': retained })
  t.match(await claimsInTheWay(kept.kinds, names(), settings(), ordinals, {}), { reason: 'NameTaken', message: /"data-orders-0" was retained/ })
  t.strictSame(kept.writes, [])
  t.equal(await claimsInTheWay(kept.kinds, names(), adopting, ordinals, {}), undefined)
  t.strictSame(kept.writes, [`PATCH ${claims}/data-orders-0`, `PATCH ${claims}/data-orders-2`])
  t.strictSame(JSON.parse(kept.server.requests.at(-1)!.body), { metadata: { resourceVersion: '7', labels: { 'db.example.com/database-uid': 'u-1' } } })

  const ours = await start(t, { 'data-orders-0': { 'db.example.com/database-uid': 'u-1' } })
  t.equal(await claimsInTheWay(ours.kinds, names(), settings(), ordinals, {}), undefined)
  t.strictSame(ours.writes, [])
})

t.test('claims that are asked for more, or refused it', async t => {
  const { kinds, server, writes } = await start(t, { a: {}, b: {} })
  const plan = { template: { size: '2Gi' }, recreate: true, expand: [withMeta('a'), withMeta('gone'), withMeta('b')], expanding: [] }
  t.equal(await expandClaims(kinds, plan, '2Gi', {}), undefined)
  t.strictSame(writes, ['a', 'gone', 'b'].map(name => `PATCH ${claims}/${name}`))
  t.strictSame(JSON.parse(server.requests.at(-1)!.body), { metadata: { uid: 'uid of b', resourceVersion: '7' }, spec: { resources: { requests: { storage: '2Gi' } } } })
  server.answer({ code: 403, body: { kind: 'Status', status: 'Failure', code: 403, reason: 'Forbidden', message: 'only dynamically provisioned pvc can be resized' } })
  t.match(await expandClaims(kinds, plan, '2Gi', {}), { reason: 'Forbidden', message: 'claim "a": only dynamically provisioned pvc can be resized' })
  t.equal(writes.length, 3, 'and the others are left')
})

t.test('the volume of the dumps is made once', async t => {
  const { kinds, server } = await start(t)
  server.answer({ code: 404 }, { code: 201, body: {} })
  t.equal(await ensureBackupClaim(kinds, names(), model(), settings(), { size: '3Gi', storageClass: 'fast' }, {}), undefined)
  t.match(JSON.parse(server.requests.at(-1)!.body), { metadata: { name: 'orders-backups', ownerReferences: undefined, labels: { 'db.example.com/database-uid': 'u-1' } }, spec: { storageClassName: 'fast', resources: { requests: { storage: '3Gi' } } } })
  server.answer({ code: 404 }, { code: 403, body: { kind: 'Status', status: 'Failure', code: 403, reason: 'Forbidden', message: 'exceeded quota: q' } })
  t.match(await ensureBackupClaim(kinds, names(), model(), settings(), { size: '3Gi' }, {}), { reason: 'QuotaExceeded' })
  server.answer({ body: withMeta('orders-backups') })
  t.match(await ensureBackupClaim(kinds, names(), model(), settings(), { size: '3Gi' }, {}), { reason: 'NameTaken' })
})
