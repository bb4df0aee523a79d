import fc from 'fast-check'
import { isDeepStrictEqual } from 'node:util'
import t from 'tap'
import { ClusterClient } from '../cluster/client.js'
import { accessReview, FakeKubeApiserver, until } from '../cluster/testdata/fake-kube-apiserver.js'
import type { Attributes, ResourceAttributes } from './interfaces.js'
import { SubjectAccessReviewAuthorizer, type SubjectAccessReviewOptions } from './subject-access-review.js'

const path = 'POST /apis/authorization.k8s.io/v1/subjectaccessreviews'
async function start (t: Pick<typeof import('tap').default, 'teardown'>, options: Partial<SubjectAccessReviewOptions> = {}): Promise<{ api: FakeKubeApiserver; authorizer: SubjectAccessReviewAuthorizer }> {
  const api = await FakeKubeApiserver.start(t)
  const client = new ClusterClient({ userAgent: 'test', credentials: { name: 'test', read: async () => ({ server: api.url, headers: {}, tls: { ca: api.ca.certificatePem } }) } })
  t.teardown(() => { client.close() })
  return { api, authorizer: new SubjectAccessReviewAuthorizer({ client, allowCacheTtlMs: 10_000, denyCacheTtlMs: 5_000, retryDelayMs: 1, ...options }) }
}
const attributes = (init: Partial<ResourceAttributes> = {}): ResourceAttributes => ({
  user: { name: 'jane', groups: ['g'] }, verb: 'list', resourceRequest: true, path: '/p', apiGroup: 'example.com', apiVersion: 'v1', resource: 'webapps', subresource: '', namespace: 'default', name: '', ...init
})

t.test('every part of the question counts', async t => {
  const { api, authorizer } = await start(t)
  api.on(path, () => accessReview({ allowed: true }))
  const questions: Attributes[] = [
    attributes(), attributes({ verb: 'get' }), attributes({ namespace: 'other' }), attributes({ name: 'x' }), attributes({ subresource: 'status' }), attributes({ apiVersion: 'v2' }), attributes({ apiGroup: 'x' }), attributes({ resource: 'x' }),
    attributes({ user: { name: 'joe', groups: ['g'] } }), attributes({ user: { name: 'jane', groups: ['h'] } }), attributes({ user: { name: 'jane', groups: ['g'], uid: '1' } }), attributes({ user: { name: 'jane', groups: ['g'], extra: { k: ['v'] } } }),
    attributes({ user: { name: 'jane', groups: ['g'], extra: { k: ['w'] } } }),
    attributes({ labelSelector: [{ key: 'a', operator: 'Exists' }] }), attributes({ labelSelector: [{ key: 'a', operator: 'In', values: ['b'] }] }), attributes({ fieldSelector: [{ key: 'a', operator: 'In', values: ['b'] }] }),
    { user: { name: 'jane', groups: ['g'] }, verb: 'get', resourceRequest: false, path: '/p' }, { user: { name: 'jane', groups: ['g'] }, verb: 'get', resourceRequest: false, path: '/q' }
  ]
  for (let round = 0; round < 2; round++) for (const question of questions) t.equal((await authorizer.authorize(question)).decision, 'allow')
  t.equal(api.count(path), questions.length)
  t.equal((await authorizer.authorize(attributes({ path: '/other', labelSelector: [] }))).decision, 'allow')
  t.equal(api.count(path), questions.length, 'the path of a resource request is not part of it')
})

t.test('no two questions are taken for one another, whatever is in them', async () => {
  const text = fc.oneof(fc.constantFrom('', '0:', '1;', '1:a', ':', ' path', '0:0:', '13', '3'), fc.string({ maxLength: 4 }))
  const list = fc.array(text, { maxLength: 3 })
  const user = fc.record({ name: text, uid: text, groups: list, extra: fc.dictionary(text, list, { maxKeys: 2 }) })
  const question = fc.oneof(
    fc.record({ user, verb: text, resourceRequest: fc.constant(false as const), path: text }),
    fc.record({ user, verb: text, resourceRequest: fc.constant(true as const), path: fc.constant(''), apiGroup: text, apiVersion: text, resource: text, subresource: text, namespace: text, name: text })
  )
  await fc.assert(fc.asyncProperty(question, question, async (a: Attributes, b: Attributes) => {
    let asked = 0
    const client = { json: async () => { asked++; return { status: { allowed: true } } } } as unknown as ClusterClient
    const authorizer = new SubjectAccessReviewAuthorizer({ client, allowCacheTtlMs: 1000, denyCacheTtlMs: 1000 })
    await authorizer.authorize(a)
    await authorizer.authorize(b)
    return asked === (isDeepStrictEqual(a, b) ? 1 : 2)
  }), { numRuns: 2000 })
})

t.test('answers are believed for their time, refusals for another', async t => {
  let now = 0
  const { api, authorizer } = await start(t, { now: () => now })
  const ask = async (name: string, status: object): Promise<string> => {
    api.on(path, () => accessReview(status))
    return (await authorizer.authorize(attributes({ name }))).decision
  }
  t.equal(await ask('a', { allowed: true }), 'allow')
  t.equal(await ask('b', { allowed: false, reason: 'r' }), 'noOpinion')
  now = 4999
  t.equal(await ask('b', { allowed: true }), 'noOpinion')
  now = 5000
  t.equal(await ask('b', { denied: true }), 'deny')
  t.equal(await ask('a', { allowed: false }), 'allow')
  now = 10_000
  t.equal(await ask('a', { allowed: false }), 'noOpinion')
})

t.test('the cache is bounded, in entries and in how long a question may be', async t => {
  const { api, authorizer } = await start(t, { cacheSize: 4 })
  api.on(path, () => accessReview({ allowed: true }))
  for (let i = 0; i < 10; i++) await authorizer.authorize(attributes({ name: `n${i}` }))
  t.equal(authorizer.cached, 4)
  for (const long of [attributes({ name: 'x'.repeat(10_000) }), attributes({ labelSelector: [{ key: 'k', operator: 'In', values: ['y'.repeat(10_000)] }] })]) {
    await authorizer.authorize(long)
    const before = api.count(path)
    await authorizer.authorize(long)
    t.equal(api.count(path), before + 1, 'not kept')
  }
  t.equal(authorizer.cached, 4)
})

t.test('one question serves all who ask it now; trouble is tried again and not kept', async t => {
  const { api, authorizer } = await start(t)
  let release: (() => void) | undefined
  api.on(path, () => new Promise(resolve => { release = () => { resolve(accessReview({ allowed: true })) } }))
  const all = Array.from({ length: 5 }, () => authorizer.authorize(attributes()))
  await until(() => release !== undefined)
  release!()
  t.same((await Promise.all(all)).map(r => r.decision), Array.from({ length: 5 }, () => 'allow'))
  t.equal(api.count(path), 1)
  let count = 0
  api.on(path, () => [{ status: 503 }, undefined, { status: 429 }][count++] ?? (count <= 3 ? undefined : accessReview({ allowed: true })))
  t.equal((await authorizer.authorize(attributes({ name: 'b' }))).decision, 'allow')
  t.equal(count, 4)
  api.on(path, () => ({ status: 500, body: { kind: 'Status', message: 'no luck' } }))
  const before = api.count(path)
  await t.rejects(authorizer.authorize(attributes({ name: 'c' })), { message: 'no luck' })
  t.equal(api.count(path) - before, 5)
  t.equal(authorizer.cached, 2)
})
