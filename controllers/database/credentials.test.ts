import t, { type Test } from 'tap'
import { RestClient } from '../client/rest-client.js'
import { startFakeServer, type FakeServer } from '../testing/fake-server.js'
import { ensureCredentials } from './credentials.js'
import { model, names, settings } from './testing.js'

async function start (t: Test): Promise<{ server: FakeServer, ensure: (options?: { hasData?: boolean, adopts?: boolean }) => ReturnType<typeof ensureCredentials> }> {
  const server = await startFakeServer(t)
  const client = new RestClient({ connection: { server: server.url } })
  t.teardown(() => { client.close() })
  const secrets = client.resource({ group: '', version: 'v1', resource: 'secrets' })
  return {
    server,
    ensure: ({ hasData = false, adopts = false } = {}) => ensureCredentials(secrets, { names: names(), model: model(), hasData, settings: settings(adopts ? { 'db.example.com/adopt-retained': 'true' } : {}) }, {})
  }
}

const secret = (labels: Record<string, string>): object => ({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'orders-credentials', namespace: 'shop', resourceVersion: '7', labels } })
const failure = (code: number, reason: string, message = reason): object => ({ code, body: { kind: 'Status', status: 'Failure', code, reason, message } })
const written = (server: FakeServer): string[] => server.requests.filter(r => r.method !== 'GET').map(r => r.method)

t.test('made once, and different each time', async t => {
  const { server, ensure } = await start(t)
  const passwords = new Set<string>()
  for (let i = 0; i < 3; i++) {
    server.answer(failure(404, 'NotFound'), { code: 201, body: secret({}) })
    t.equal(await ensure(), undefined)
    const body = JSON.parse(server.requests.at(-1)!.body) as { type: string, stringData: Record<string, string>, metadata: object }
    t.match(body, { type: 'kubernetes.io/basic-auth', stringData: { username: 'postgres', password: /^[0-9a-f]{48}$/, host: 'orders.shop.svc', port: '5432' }, metadata: { ownerReferences: undefined, labels: { 'db.example.com/database-uid': 'u-1' } } })
    passwords.add(body.stringData['password']!)
  }
  t.equal(passwords.size, 3)
})

t.test('what is ours is left as it is', async t => {
  const { server, ensure } = await start(t)
  server.answer({ body: secret({ 'db.example.com/database-uid': 'u-1' }) })
  t.equal(await ensure({ hasData: true }), undefined)
  t.strictSame(written(server), [])
})

t.test('what is not ours is left as it is, and said', async t => {
  const { server, ensure } = await start(t)
  server.answer({ body: secret({}) })
  t.match(await ensure({ adopts: true }), { reason: 'NameTaken', message: /Secret "orders-credentials" exists and does not belong to this Database/ })
  const retained = secret({ 'db.example.com/database-uid': 'u-0', 'db.example.com/database': 'orders' })
  server.answer({ body: retained })
  t.match(await ensure(), { reason: 'NameTaken', message: /retained from an earlier Database .* db.example.com\/adopt-retained: "true"/ })
  t.strictSame(written(server), [])
  server.answer({ body: retained }, { body: retained })
  t.equal(await ensure({ adopts: true }), undefined, 'unless it is to be adopted')
  t.strictSame(JSON.parse(server.requests.at(-1)!.body), { metadata: { resourceVersion: '7', labels: { 'db.example.com/database-uid': 'u-1' } } })
})

t.test('a password that was lost is not replaced by one that opens nothing', async t => {
  const { server, ensure } = await start(t)
  server.answer(failure(404, 'NotFound'))
  t.match(await ensure({ hasData: true }), { reason: 'CredentialsLost', message: /restore it with its labels, among them db.example.com\/database-uid: u-1/ })
  t.strictSame(written(server), [])
})

t.test('somebody else is faster', async t => {
  const { server, ensure } = await start(t)
  server.answer(failure(404, 'NotFound'), failure(409, 'AlreadyExists'), { body: secret({}) })
  t.match(await ensure(), { reason: 'NameTaken' })
})

t.test('a refusal is told, without the password', async t => {
  const { server, ensure } = await start(t)
  server.answer(failure(404, 'NotFound'), failure(403, 'Forbidden', 'exceeded quota: q, requested: secrets=1'))
  const problem = await ensure()
  t.match(problem, { reason: 'QuotaExceeded', message: /Secret "orders-credentials": exceeded quota/ })
  const { stringData } = JSON.parse(server.requests.at(-1)!.body) as { stringData: { password: string } }
  t.notMatch(problem!.message, stringData.password)
})
