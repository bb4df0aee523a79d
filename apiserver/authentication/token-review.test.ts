import t from 'tap'
import { ClusterClient } from '../cluster/client.js'
import { FakeKubeApiserver, tokenReview, until } from '../cluster/testdata/fake-kube-apiserver.js'
import { TokenReviewer, type TokenReviewOptions } from './token-review.js'

const path = 'POST /apis/authentication.k8s.io/v1/tokenreviews'
async function start (t: Pick<typeof import('tap').default, 'teardown'>, options: Partial<TokenReviewOptions> = {}): Promise<{ api: FakeKubeApiserver; reviewer: TokenReviewer }> {
  const api = await FakeKubeApiserver.start(t)
  const client = new ClusterClient({ userAgent: 'test', credentials: { name: 'test', read: async () => ({ server: api.url, headers: {}, tls: { ca: api.ca.certificatePem } }) } })
  t.teardown(() => { client.close() })
  return { api, reviewer: new TokenReviewer({ client, cacheTtlMs: 10_000, retryDelayMs: 1, ...options }) }
}

t.test('a token is asked about once in ten seconds, good or bad, and a revoked one is bad after that', async t => {
  let now = 0
  const { api, reviewer } = await start(t, { now: () => now })
  const good = new Set(['one', 'two'])
  api.on(path, ({ body }) => {
    const { token } = (body as { spec: { token: string } }).spec
    return good.has(token) ? tokenReview({ username: token, uid: 'u', groups: ['g'], extra: { k: ['v'] } }) : tokenReview(undefined)
  })
  t.same(await reviewer.verify('one'), { name: 'one', uid: 'u', groups: ['g'], extra: { k: ['v'] } })
  t.equal(await reviewer.verify('bad'), undefined)
  good.delete('one')
  now = 9_999
  t.equal((await reviewer.verify('one'))?.name, 'one')
  t.equal(await reviewer.verify('bad'), undefined)
  t.equal(api.count(path), 2)
  now = 10_000
  t.equal(await reviewer.verify('one'), undefined, 'revoked')
  good.add('bad')
  t.equal((await reviewer.verify('bad'))?.name, 'bad')
  t.match(api.received[0]?.body, { kind: 'TokenReview', apiVersion: 'authentication.k8s.io/v1', spec: { token: 'one' } })
})

t.test('what the cluster cannot tell is not kept', async t => {
  const { api, reviewer } = await start(t)
  for (const [name, reply, message] of [
    ['an error text', tokenReview(undefined, 'etcd is away'), /^etcd is away$/],
    ['forbidden', { status: 403, body: { kind: 'Status', message: 'tokenreviews is forbidden' } }, /^tokenreviews is forbidden$/],
    ['nonsense', { status: 200, body: 'not json' }, /JSON/]
  ] as const) {
    const before = api.count(path)
    api.on(path, () => reply)
    await t.rejects(reviewer.verify('x'), { message }, name)
    await t.rejects(reviewer.verify('x'), { message }, name)
    t.equal(api.count(path) - before, 2, name)
  }
  t.equal(reviewer.cached, 0)
  const before = api.count(path)
  let failures = 3
  api.on(path, () => failures-- > 0 ? { status: 500 } : tokenReview({ username: 'x' }))
  t.equal((await reviewer.verify('x'))?.name, 'x', 'tried again')
  t.equal(api.count(path) - before, 4)
})

t.test('a cluster that does not answer is waited for only so long, and one question serves all', async t => {
  // Long enough for a request to arrive on a machine that is busy.
  const { api, reviewer } = await start(t, { timeoutMs: 2_000 })
  api.on(path, () => 'never')
  await Promise.all([t.rejects(reviewer.verify('x'), { message: /deadline|timeout/i }), t.rejects(reviewer.verify('x'), { message: /deadline|timeout/i })])
  t.equal(api.count(path), 1)
  const leaving = new AbortController()
  const waiting = reviewer.verify('y', leaving.signal)
  await until(() => api.count(path) === 2)
  leaving.abort(new Error('left'))
  await t.rejects(waiting, { message: 'left' })
})

t.test('every request is told of, tries again too', async t => {
  const seen: string[] = []
  const { api, reviewer } = await start(t, { observe: (code, seconds) => { seen.push(seconds > 0 ? code : 'no time') } })
  let failures = 1
  api.on(path, () => failures-- > 0 ? { status: 500 } : tokenReview({ username: 'x' }))
  await reviewer.verify('x')
  await reviewer.verify('x')
  t.same(seen.splice(0), ['500', '201'])
  api.on(path, () => undefined)
  await t.rejects(reviewer.verify('y'))
  t.same(new Set(seen), new Set(['<error>']))
})

t.test('no more tokens are remembered than allowed', async t => {
  const { api, reviewer } = await start(t, { cacheSize: 3 })
  api.on(path, ({ body }) => tokenReview({ username: (body as { spec: { token: string } }).spec.token }))
  for (let i = 0; i < 10; i++) await reviewer.verify(`t${i}`)
  t.equal(reviewer.cached, 3)
  await reviewer.verify('t9')
  t.equal(api.count(path), 10)
})
