import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import t from 'tap'
import { Authority } from '../../certs/authority.js'
import { ClusterClient } from './client.js'
import { credentialSource, InClusterCredentials, type CredentialSource } from './credentials.js'
import { ClusterError } from './errors.js'
import { ExpiringCache } from './expiring-cache.js'
import { Informer } from './informer.js'
import { KubeconfigCredentials } from './kubeconfig-credentials.js'
import { splitLines } from './lines.js'
import { retry } from './retry.js'
import { FakeKubeApiserver, until } from './testdata/fake-kube-apiserver.js'

type Tap = Pick<typeof t, 'teardown'>
const clientOf = (t: Tap, credentials: CredentialSource, refreshMs?: number): ClusterClient => {
  const client = new ClusterClient({ credentials, userAgent: 'annex/test', refreshMs })
  t.teardown(() => { client.close() })
  return client
}
const withToken = (api: FakeKubeApiserver, token = 'x'): CredentialSource =>
  ({ name: 'test', read: async () => ({ server: api.url, headers: { authorization: `Bearer ${token}` }, tls: { ca: api.ca.certificatePem } }) })

t.test('a kubeconfig\'s certificate, token, token file, basic authentication and exec plugin are used', async t => {
  const api = await FakeKubeApiserver.start(t)
  api.on('GET /version', () => ({ body: { major: '1' } }))
  const dir = t.testdir({ token: 'from-file\n', 'plugin.sh': '#!/bin/sh\necho run >> "$0.log"\nprintf \'{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":{"token":"from-exec","expirationTimestamp":"2999-01-01T00:00:00Z"}}\'\n' })
  const plugin = path.join(dir, 'plugin.sh')
  chmodSync(plugin, 0o755)
  writeFileSync(path.join(dir, 'ca.crt'), api.ca.certificatePem)
  const config = (name: string, user: string): string => {
    writeFileSync(path.join(dir, name), `apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {server: '${api.url}/', certificate-authority: ca.crt}}]\nusers: [{name: u, user: {${user}}}]\ncontexts: [{name: x, context: {cluster: c, user: u}}]\ncurrent-context: x\n`)
    return path.join(dir, name)
  }
  for (const [name, file, user, authorization] of [
    ['a certificate', api.kubeconfig(dir), 'annex', undefined],
    ['a token', config('token.yaml', 'token: abc'), '', 'Bearer abc'],
    ['a token file', config('file.yaml', 'tokenFile: token'), '', 'Bearer from-file'],
    ['basic', config('basic.yaml', 'username: a, password: "b:c"'), '', `Basic ${Buffer.from('a:b:c').toString('base64')}`],
    ['exec', config('exec.yaml', `exec: {apiVersion: client.authentication.k8s.io/v1, command: '${plugin}'}`), '', 'Bearer from-exec']
  ] as const) {
    const client = clientOf(t, credentialSource({ type: 'kubeconfig', file }))
    await client.start()
    t.same(await client.json({ method: 'GET', path: '/version' }), { major: '1' }, name)
    const { user: seen, headers } = api.received.at(-1)!
    t.same([seen, headers.authorization, headers.accept, headers['user-agent']], [user, authorization, 'application/json', 'annex/test'], name)
  }
  // A plugin's token is used until it is refused.
  const exec = clientOf(t, credentialSource({ type: 'kubeconfig', file: path.join(dir, 'exec.yaml') }), 0)
  const runs = (): number => readFileSync(`${plugin}.log`, 'utf8').split('\n').length - 1
  const before = runs()
  await exec.json({ method: 'GET', path: '/version' })
  await exec.json({ method: 'GET', path: '/version' })
  t.equal(runs() - before, 1)
  api.on('GET /version', () => ({ status: 401 }))
  await t.rejects(exec.json({ method: 'GET', path: '/version' }), { code: 401, message: 'Unauthorized' })
  t.equal(runs() - before, 2, 'run again after a 401')
})

t.test('another context of a kubeconfig counts when it is named', async t => {
  const api = await FakeKubeApiserver.start(t)
  api.on('GET /version', () => ({ body: {} }))
  const file = path.join(t.testdir({ config: `apiVersion: v1\nkind: Config\nclusters: [{name: here, cluster: {server: '${api.url}', insecure-skip-tls-verify: true}}, {name: away, cluster: {server: 'https://127.0.0.1:1'}}]\nusers: [{name: u, user: {token: t}}]\ncontexts: [{name: a, context: {cluster: away, user: u}}, {name: b, context: {cluster: here, user: u}}]\ncurrent-context: a\n` }), 'config')
  await clientOf(t, new KubeconfigCredentials(file, 'b')).json({ method: 'GET', path: '/version' })
  t.equal(api.received.at(-1)?.headers.authorization, 'Bearer t')
  await t.rejects(clientOf(t, new KubeconfigCredentials(file, 'c')).start(), { message: /config: there is no context "c"/ })
})

t.test('a body has the media type that the request says, and warnings of the answer are told', async t => {
  const api = await FakeKubeApiserver.start(t)
  api.on('PATCH /x', () => ({ headers: { warning: '299 - "one, \\"quoted\\"", 299 - "two"' }, body: {} }))
  const warnings: string[] = []
  const client = new ClusterClient({ credentials: withToken(api), userAgent: 'annex/test', onWarning: text => { warnings.push(text) } })
  t.teardown(() => { client.close() })
  await client.json({ method: 'PATCH', path: '/x', body: '{}', contentType: 'application/apply-patch+yaml' })
  await client.json({ method: 'PATCH', path: '/x', body: '{}' })
  t.same(api.received.map(r => r.headers['content-type']), ['application/apply-patch+yaml', 'application/json'])
  t.same(warnings, ['one, "quoted"', 'two', 'one, "quoted"', 'two'])
})

t.test('what is wrong with credentials names the file', async t => {
  const dir = t.testdir({ 'bad.yaml': 'kind: Config\nclusters: []\nusers: []\ncontexts: []\ncurrent-context: none\n', 'worse.yaml': '{' })
  for (const [file, message] of [['none.yaml', /none\.yaml: ENOENT/], ['bad.yaml', /bad\.yaml: the current context "none" names no cluster/], ['worse.yaml', /worse\.yaml: /]] as const) {
    await t.rejects(clientOf(t, credentialSource({ type: 'kubeconfig', file: path.join(dir, file) })).start(), { message })
  }
  await t.rejects(clientOf(t, credentialSource({ type: 'inCluster', server: 'https://x', tokenFile: `${dir}/token`, caFile: `${dir}/ca.crt` })).start(), { message: /cannot be read \(ENOENT\)/ })
})

t.test('a service account\'s token is read again: in time, and when it is refused', async t => {
  const api = await FakeKubeApiserver.start(t)
  const dir = t.testdir({ token: 'one', 'ca.crt': api.ca.certificatePem })
  const accepted = new Set(['Bearer one'])
  api.on('GET /version', ({ headers }) => accepted.has(headers.authorization!) ? { body: {} } : { status: 401 })
  const source = new InClusterCredentials({ server: api.url, tokenFile: `${dir}/token`, caFile: `${dir}/ca.crt` })
  const client = clientOf(t, source)
  await client.start()
  await client.json({ method: 'GET', path: '/version' })
  writeFileSync(`${dir}/token`, 'two\n')
  await client.json({ method: 'GET', path: '/version' })
  t.equal(api.received.at(-1)?.headers.authorization, 'Bearer one', 'not read for every request')
  accepted.clear()
  accepted.add('Bearer two')
  await client.json({ method: 'GET', path: '/version' })
  t.same(api.received.slice(-2).map(r => r.headers.authorization), ['Bearer one', 'Bearer two'], 'refused once, then new')
  const before = api.received.length
  accepted.clear()
  await t.rejects(client.json({ method: 'GET', path: '/version' }), { code: 401 })
  t.equal(api.received.length - before, 1, 'the same token is not tried twice')
  const eager = clientOf(t, source, 0)
  accepted.add('Bearer three')
  await eager.start()
  writeFileSync(`${dir}/token`, 'three')
  await eager.json({ method: 'GET', path: '/version' })
  t.equal(api.sockets, 2, 'connections are kept')
})

t.test('a server that another authority vouches for is not talked to', async t => {
  const api = await FakeKubeApiserver.start(t)
  const client = clientOf(t, { name: 'x', read: async () => ({ server: api.url, headers: { authorization: 'Bearer secret' }, tls: { ca: Authority.create({ commonName: 'cluster-ca' }).certificatePem } }) })
  await t.rejects(client.json({ method: 'GET', path: '/version' }), { name: 'ClusterError', code: 0 })
  t.equal(api.received.length, 0)
})

t.test('failures: a Status, a page, no connection, no answer, a broken answer, a caller who leaves', async t => {
  const api = await FakeKubeApiserver.start(t)
  const client = clientOf(t, withToken(api))
  const get = (p: string, more: object = {}): Promise<unknown> => client.json({ method: 'GET', path: p, ...more })
  api.on('GET /status', () => ({ status: 403, body: { kind: 'Status', message: 'no', reason: 'Forbidden', code: 403 } }))
  api.on('GET /page', () => ({ status: 502, headers: { 'content-type': 'text/html' }, body: '<html>' }))
  api.on('GET /busy', () => ({ status: 429, headers: { 'retry-after': '3' }, body: {} }))
  api.on('GET /hang-up', () => undefined)
  api.on('GET /never', () => 'never')
  api.on('GET /half', () => ({ headers: { 'content-length': '100' }, body: '{' }))
  await t.rejects(get('/status'), { name: 'ClusterError', code: 403, message: 'no', reason: 'Forbidden' })
  await t.rejects(get('/page'), { code: 502, message: 'the server responded with the status code 502 but did not return more information (get /page)' })
  await t.rejects(get('/busy'), { code: 429, retryAfterMs: 3000 })
  await t.rejects(get('/hang-up'), { code: 0, timedOut: false })
  const half = get('/half')
  await until(() => api.count('GET /half') === 1)
  setTimeout(() => { api.hangUp() }, 300)
  await t.rejects(half, { name: 'ClusterError', code: 0, message: 'unexpected EOF' })
  await t.rejects(get('/never', { timeoutMs: 20 }), { timedOut: true, message: `Get "${api.url}/never": context deadline exceeded` })
  const leaving = new AbortController()
  api.on('GET /leave', () => 'never')
  const waiting = get('/leave', { signal: leaving.signal })
  await until(() => api.count('GET /leave') === 1)
  leaving.abort(new Error('gone'))
  await t.rejects(waiting, { message: 'gone' })
  await api.stop()
  await t.rejects(get('/status'), { code: 0, message: /^Get "https:.*\/status": dial tcp 127\.0\.0\.1:\d+: connect: connection refused$/ })
})

t.test('a connection that was closed while idle is not an error', async t => {
  const api = await FakeKubeApiserver.start(t)
  const client = clientOf(t, withToken(api))
  api.on('GET /version', () => ({ body: {} }))
  for (let i = 0; i < 5; i++) {
    await client.json({ method: 'GET', path: '/version' })
    api.hangUp()
    await client.json({ method: 'GET', path: '/version' })
  }
  t.equal(api.received.length, 10)
})

t.test('what may help is tried again, five times at most, and the last failure is told', async t => {
  const error = (code: number, more: object = {}): ClusterError => new ClusterError(`code ${code}`, { code, ...more })
  for (const [name, failures, expected, tries] of [
    ['at once', [], 'done', 1],
    ['500', [error(500)], 'done', 2],
    ['429 and 503', [error(429), error(503)], 'done', 3],
    ['no connection', [error(0)], 'done', 2],
    ['forbidden', [error(403)], 'code 403', 1],
    ['too slow', [error(0, { timedOut: true })], 'code 0', 1],
    ['something else', [new TypeError('bug')], 'bug', 1],
    ['always', Array.from({ length: 9 }, () => error(500)), 'code 500', 5]
  ] as const) {
    let count = 0
    const result = await retry(async () => {
      const failure = failures[count++]
      if (failure !== undefined) throw failure
      return 'done'
    }, { delayMs: 1, random: () => 0 }).catch((e: Error) => e.message)
    t.same([result, count], [expected, tries], name)
  }
  const leaving = new AbortController()
  const waiting = retry(async () => { throw error(500) }, { delayMs: 60_000, signal: leaving.signal })
  leaving.abort()
  await t.rejects(waiting, { message: 'code 500' })
})

t.test('the cache: believed for its time, bounded, asked once for many, failures forgotten', async t => {
  let now = 0
  const cache = new ExpiringCache<string>({ size: 2, now: () => now })
  let asked = 0
  const ask = (key: string, ttlMs = 10): Promise<string> => cache.ask(key, async () => ({ value: `${key}${++asked}`, ttlMs }), undefined)
  t.equal(await ask('a'), 'a1')
  now = 9
  t.equal(await ask('a'), 'a1')
  now = 10
  t.equal(await ask('a'), 'a2', 'expired')
  await ask('b')
  await ask('a')
  await ask('c')
  t.equal(cache.size, 2)
  t.equal(cache.get('b'), undefined, 'the least recently used went')
  t.equal(cache.get('a'), 'a2')
  await ask('d', 0)
  t.equal(cache.get('d'), undefined, 'no time to live, not kept')
  asked = 0
  t.same(await Promise.all([ask('x'), ask('x'), ask('x')]), ['x1', 'x1', 'x1'])
  const failing = (): Promise<string> => cache.ask('f', async () => { asked++; throw new Error('down') }, undefined)
  asked = 0
  await Promise.all([t.rejects(failing(), { message: 'down' }), t.rejects(failing(), { message: 'down' })])
  await t.rejects(failing(), { message: 'down' })
  t.equal(asked, 2)
  const leaving = new AbortController()
  let answer: ((value: { value: string; ttlMs: number }) => void) | undefined
  const first = cache.ask('s', () => new Promise(resolve => { answer = resolve }), leaving.signal)
  const second = cache.ask('s', async () => { throw new Error('asked twice') }, undefined)
  leaving.abort(new Error('left'))
  await t.rejects(first, { message: 'left' })
  answer!({ value: 'shared', ttlMs: 1 })
  t.equal(await second, 'shared', 'the one who asked first has left')
})

t.test('lines are whole, whatever the chunks', async t => {
  const text = '{"a":"é"}\n{"b":2}\n\nrest'
  const bytes = Buffer.from(text)
  for (const size of [1, 2, 3, 7, 100]) {
    const chunks = async function * (): AsyncGenerator<Buffer> { for (let i = 0; i < bytes.length; i += size) yield bytes.subarray(i, i + size) }
    const lines: string[] = []
    for await (const line of splitLines(chunks())) lines.push(line)
    t.same(lines, ['{"a":"é"}', '{"b":2}', ''], `in chunks of ${size}`)
  }
})

t.test('the informer lists, watches, resumes where it was, and begins anew after 410', async t => {
  const api = await FakeKubeApiserver.start(t)
  const collection = '/api/v1/namespaces'
  api.put(collection, { metadata: { name: 'a' }, phase: 1 })
  api.put(collection, { metadata: { name: 'b' }, phase: 1 })
  const changes: string[] = []
  const informer = new Informer<number>({
    client: clientOf(t, withToken(api)),
    path: collection,
    keep: o => o['phase'] as number,
    onChange: (name, value) => { changes.push(`${name}=${value}`) },
    backoff: { firstMs: 1, maxMs: 5 }
  })
  t.teardown(() => informer.stop())
  t.equal(await informer.whenSynced(1), false)
  informer.start()
  t.equal(await informer.whenSynced(10_000), true)
  t.equal(informer.get('a'), 1)
  await until(() => api.watches(collection) === 1)
  const [list] = api.received
  t.same([list?.query.get('resourceVersion'), list?.query.get('limit')], ['0', '500'], 'the first list may come from a cache')
  const watches = (): (string | null)[] => api.received.filter(r => r.query.get('watch') !== null).map(r => r.query.get('resourceVersion'))
  t.match(api.received.at(-1)?.query.get('allowWatchBookmarks'), 'true')

  api.put(collection, { metadata: { name: 'a' }, phase: 2 })
  api.put(collection, { metadata: { name: 'c' }, phase: 1 })
  api.remove(collection, 'b')
  await until(() => changes.includes('b=undefined'))
  t.same([informer.get('a'), informer.get('b'), informer.get('c'), informer.size], [2, undefined, 1, 2])

  const bookmark = api.bookmark(collection)
  for (const how of ['in order', 'cut'] as const) {
    await until(() => api.watches(collection) === 1)
    api.endWatches(collection, how)
    await until(() => watches().at(-1) === bookmark && api.watches(collection) === 1)
    t.equal(watches().at(-1), bookmark, `resumed after a watch that ended ${how}`)
  }
  const lists = (): number => api.received.filter(r => r.path === collection && r.query.get('watch') === null).length
  t.equal(lists(), 1)
  for (const how of ['event', 'status'] as const) {
    await until(() => api.watches(collection) === 1)
    api.watchExpiry = how
    api.endWatches(collection, 'in order')
    const before = lists()
    // Missed while it was away.
    api.remove(collection, how === 'event' ? 'a' : 'd')
    api.put(collection, { metadata: { name: 'd' }, phase: how === 'event' ? 5 : 6 })
    api.compact()
    await until(() => lists() > before && api.watches(collection) === 1)
    t.equal(api.received.filter(r => r.path === collection && r.query.get('watch') === null).at(-1)?.query.get('resourceVersion'), null, 'the newest state after 410')
    t.same([informer.get('a'), informer.get('d')], [undefined, how === 'event' ? 5 : 6])
  }

  const { port } = api
  await api.stop()
  await api.listen(port)
  api.put(collection, { metadata: { name: 'e' }, phase: 1 })
  await until(() => informer.get('e') === 1)
})

t.test('the informer reads lists of several pages, and follows one object', async t => {
  const api = await FakeKubeApiserver.start(t)
  api.on('GET /pages', ({ query }) => query.get('watch') !== null
    ? 'never'
    : query.get('continue') === null
      ? { body: { metadata: { resourceVersion: '5', continue: 'more' }, items: [{ metadata: { name: 'a' } }] } }
      : { body: { metadata: { resourceVersion: '5' }, items: [{ metadata: { name: 'b' } }] } })
  const paged = new Informer<true>({ client: clientOf(t, withToken(api)), path: '/pages', keep: () => true })
  t.teardown(() => paged.stop())
  paged.start()
  await paged.whenSynced(10_000)
  t.same([paged.get('a'), paged.get('b')], [true, true])
  t.equal(api.received[1]?.query.get('resourceVersion'), null, 'a further page has no resourceVersion')
  api.put('/cms', { metadata: { name: 'x' } })
  api.put('/cms', { metadata: { name: 'y' } })
  const one = new Informer<true>({ client: clientOf(t, withToken(api)), path: '/cms', fieldSelector: 'metadata.name=x', keep: () => true })
  t.teardown(() => one.stop())
  one.start()
  await one.whenSynced(10_000)
  t.equal(one.size, 1)
})
