import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { until } from '../../test/fixtures/control-plane-conditions.js'
import { FakeClock, settle } from '../testing/fake-clock.js'
import { startFakeServer, type FakeServer } from '../testing/fake-server.js'
import { connectionOf, loadKubeconfig } from './config.js'
import { isExpired } from './errors.js'
import { RestClient, type RestClientOptions } from './rest-client.js'

const configMaps = { group: '', version: 'v1', resource: 'configmaps' }
const deployments = { group: 'apps', version: 'v1', resource: 'deployments' }
const name = { namespace: 'ns', name: 'a' }
const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: name }

async function start (t: Test, options: Partial<RestClientOptions> = {}): Promise<{ server: FakeServer, client: RestClient }> {
  const server = await startFakeServer(t)
  const client = new RestClient({ connection: { server: server.url, token: 'secret' }, ...options })
  t.teardown(() => { client.close() })
  return { server, client }
}

t.test('each verb is the request that Kubernetes expects', async t => {
  const { server, client } = await start(t)
  server.otherwise = () => ({ body: { kind: 'ConfigMap', apiVersion: 'v1', metadata: {} } })
  const [core, apps] = [client.resource(configMaps), client.resource(deployments)]
  const cases: readonly (readonly [string, () => Promise<unknown>, Record<string, unknown>])[] = [
    ['get', () => core.get(name), { method: 'GET', url: '/api/v1/namespaces/ns/configmaps/a' }],
    ['get of a cluster-scoped object', () => client.resource({ group: '', version: 'v1', resource: 'nodes' }).get({ name: 'a' }), { method: 'GET', url: '/api/v1/nodes/a' }],
    ['list', () => apps.list({ namespace: 'ns', labelSelector: 'a in (b,c)', resourceVersion: '0' }), { method: 'GET', url: '/apis/apps/v1/namespaces/ns/deployments?labelSelector=a%20in%20(b%2Cc)&resourceVersion=0&limit=500' }],
    ['list of everything at once', () => apps.list({ limit: 0 }), { url: '/apis/apps/v1/deployments' }],
    ['create', () => core.create(object, { fieldManager: 'me', dryRun: true }), { method: 'POST', url: '/api/v1/namespaces/ns/configmaps?fieldManager=me&dryRun=All', body: JSON.stringify(object) }],
    ['update', () => core.update(object), { method: 'PUT', url: '/api/v1/namespaces/ns/configmaps/a' }],
    ['update of the status', () => core.update(object, { subresource: 'status' }), { method: 'PUT', url: '/api/v1/namespaces/ns/configmaps/a/status' }],
    ['merge patch', () => core.patch(name, { data: null }, { type: 'merge' }), { method: 'PATCH', body: '{"data":null}', headers: { 'content-type': 'application/merge-patch+json' } }],
    ['apply', () => core.apply(object, { fieldManager: 'me', force: true }), { method: 'PATCH', url: '/api/v1/namespaces/ns/configmaps/a?fieldManager=me&force=true', headers: { 'content-type': 'application/apply-patch+yaml' } }],
    ['delete', () => core.delete(name, { propagationPolicy: 'Foreground', preconditions: { uid: 'u' } }), { method: 'DELETE', body: '{"apiVersion":"v1","kind":"DeleteOptions","propagationPolicy":"Foreground","preconditions":{"uid":"u"}}' }]
  ]
  for (const [verb, call, expected] of cases) {
    await call()
    t.match(server.requests.at(-1), { headers: { authorization: 'Bearer secret', 'user-agent': /^annex-controllers \(/ }, ...expected }, verb)
  }
  await t.rejects(core.update({ ...object, metadata: {} }), TypeError, 'an update without a name would be one of the collection')
})

t.test('errors', async t => {
  const { server, client } = await start(t)
  const resource = client.resource(configMaps)
  const status = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', reason: 'Conflict', code: 409, message: 'changed', details: { name: 'a' } }
  for (const [what, answer, expected] of [
    ['a Status', { code: 409, body: status }, { status, reason: 'Conflict', message: 'changed' }],
    ['text', { code: 500, body: 'boom\n' }, { reason: 'InternalError', code: 500, message: 'an error on the server ("boom") has prevented the request from succeeding' }],
    ['nothing', { code: 404, body: '' }, { reason: 'NotFound', message: 'the server could not find the requested resource' }],
    ['a page of a proxy', { code: 503, body: '<html>' }, { reason: 'ServiceUnavailable', status: { details: { causes: [{ reason: 'UnexpectedServerResponse', message: '<html>' }] } } }]
  ] as const) {
    server.answer(answer)
    await t.rejects(resource.get(name), { name: 'StatusError', ...expected }, what)
  }
  server.answer({ code: 409, body: '' })
  await t.rejects(resource.create(object), { name: 'StatusError', reason: 'AlreadyExists' })
  const nobody = new RestClient({ connection: { server: 'http://127.0.0.1:1' } })
  await t.rejects(nobody.resource(configMaps).create(object), { name: 'ConnectionError', code: 'ECONNREFUSED' })
})

t.test('a request is sent again', async t => {
  const retryAfter = (code: number): { code: number, headers: Record<string, string> } => ({ code, headers: { 'retry-after': '2' } })
  for (const { name: what, first, method, again } of [
    { name: 'after 429 with Retry-After, also a write', first: retryAfter(429), method: 'create', again: true },
    { name: 'after 503 with Retry-After, also a write', first: retryAfter(503), method: 'create', again: true },
    { name: 'not after 500 without', first: { code: 500 }, method: 'get', again: false },
    { name: 'not after 429 without', first: { code: 429 }, method: 'get', again: false },
    { name: 'not after 409, whatever it has', first: retryAfter(409), method: 'create', again: false },
    { name: 'if it is a GET and the connection broke', first: (r: { destroy (): void }) => { r.destroy() }, method: 'get', again: true },
    { name: 'not if it is a write and the connection broke: nobody knows what happened', first: (r: { destroy (): void }) => { r.destroy() }, method: 'create', again: false }
  ] as const) {
    t.test(what, async t => {
      const clock = new FakeClock()
      const { server, client } = await start(t, { clock, timeoutMs: Infinity })
      server.answer(first, { body: object })
      const resource = client.resource(configMaps)
      const result = (method === 'get' ? resource.get(name) : resource.create(object)).then(() => 'done', () => 'failed')
      if (again) {
        await until('it to wait', () => clock.timers > 0, { intervalMs: 5 })
        t.equal(server.requests.length, 1)
        await clock.advanceToNextTimer()
      }
      t.equal(await result, again ? 'done' : 'failed')
      t.equal(server.requests.length, again ? 2 : 1)
    })
  }
  t.test('ten times at most', async t => {
    const { server, client } = await start(t, { qps: Infinity })
    server.otherwise = () => ({ code: 429, headers: { 'retry-after': '0' } })
    await t.rejects(client.resource(configMaps).get(name), { name: 'StatusError', reason: 'TooManyRequests' })
    t.equal(server.requests.length, 11)
  })
})

t.test('more requests than the limit wait, watches do not', async t => {
  const clock = new FakeClock()
  const throttled: number[] = []
  const { server, client } = await start(t, { clock, qps: 10, burst: 2, timeoutMs: Infinity, metrics: { requested: () => undefined, throttled: s => { throttled.push(s) } } })
  server.otherwise = () => ({ body: object })
  const resource = client.resource(configMaps)
  await resource.get(name)
  await resource.get(name)
  const third = resource.get(name)
  ;(await resource.watch()).close()
  await until('the watch to be asked', () => server.requests.length === 3, { intervalMs: 5 })
  t.match(server.requests[2], { url: '/api/v1/configmaps?watch=true' })
  await clock.advance(100)
  await third
  t.same(throttled.map(s => s.toFixed(1)), ['0.1'])
})

t.test('a request ends with its signal or its time', async t => {
  const clock = new FakeClock()
  const { server, client } = await start(t, { clock, timeoutMs: 1000 })
  server.otherwise = () => () => undefined // never
  const stop = new AbortController()
  const stopped = client.resource(configMaps).create(object, { signal: stop.signal })
  await until('the request', () => server.requests.length === 1, { intervalMs: 5 })
  stop.abort(new Error('enough'))
  await t.rejects(stopped, { message: 'enough' })
  const late = client.resource(configMaps).create(object)
  const rejected = t.rejects(late, { name: 'ConnectionError', code: 'ETIMEDOUT' })
  await until('the request', () => server.requests.length === 2, { intervalMs: 5 })
  await clock.advance(1000)
  await rejected
})

t.test('lists', async t => {
  const { server, client } = await start(t)
  const page = (items: string[], token?: string): object => ({ kind: 'ConfigMapList', apiVersion: 'v1', metadata: { resourceVersion: '9', ...(token !== undefined && { continue: token }) }, items: items.map(n => ({ metadata: { name: n } })) })
  const resource = client.resource(configMaps)
  t.test('have items with their kind, from all pages', async t => {
    server.answer({ body: page(['a'], 'more') }, { body: page(['b']) })
    t.same(await resource.listAll({ resourceVersion: '0' }), { items: ['a', 'b'].map(n => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: n } })), resourceVersion: '9', paginated: true })
    t.match(server.requests.at(-1), { url: '/api/v1/configmaps?continue=more&limit=500' })
  })
  t.test('begin again in one piece when the token has expired', async t => {
    server.answer({ body: page(['a'], 'more') }, { code: 410, body: { kind: 'Status', status: 'Failure', reason: 'Expired', code: 410 } }, { body: page(['a', 'b']) })
    t.equal((await resource.listAll()).items.length, 2)
    t.match(server.requests.at(-1), { url: '/api/v1/configmaps' })
  })
  t.test('keep integers that no double holds, also when they are written back', async t => {
    server.answer({ body: '{"kind":"X","apiVersion":"v1","metadata":{"name":"a"},"spec":{"big":9007199254740993}}' }, { body: object })
    const found = await resource.get(name)
    t.same(found['spec'], { big: 9007199254740993n })
    await resource.update(found)
    t.match(JSON.stringify(server.requests.at(-1)!.body), /9007199254740993/)
  })
})

t.test('watches', async t => {
  const { server, client } = await start(t)
  const resource = client.resource(configMaps)
  const line = (type: string, o: object): string => `${JSON.stringify({ type, object: o })}\n`
  t.test('yield events, however the bytes are cut', async t => {
    const bytes = Buffer.from(line('ADDED', { metadata: { name: 'ä' } }) + '\n' + line('BOOKMARK', { metadata: { resourceVersion: '7' } }))
    server.answer(response => {
      response.writeHead(200)
      let at = 0
      const next = (): void => { if (at < bytes.length) { response.write(bytes.subarray(at, at += 7)); setImmediate(next) } else response.end() }
      next()
    })
    const events = []
    for await (const event of await resource.watch({ namespace: 'ns', resourceVersion: '5', allowWatchBookmarks: true })) events.push(event)
    t.same(events, [{ type: 'ADDED', object: { metadata: { name: 'ä' } } }, { type: 'BOOKMARK', object: { metadata: { resourceVersion: '7' } } }])
    t.match(server.requests.at(-1), { url: '/api/v1/namespaces/ns/configmaps?resourceVersion=5&allowWatchBookmarks=true&watch=true' })
  })
  t.test('end where the connection breaks; half a line is no event', async t => {
    server.answer(response => { response.write(line('ADDED', object) + '{"type":"MODI', () => { response.destroy() }) })
    const events = []
    for await (const event of await resource.watch()) events.push(event)
    t.equal(events.length, 1)
  })
  t.test('throw what an ERROR event says', async t => {
    server.answer(response => { response.end(line('ERROR', { kind: 'Status', status: 'Failure', code: 410, reason: 'Expired', message: 'too old' })) })
    const watch = await resource.watch()
    await t.rejects(async () => { for await (const event of watch) t.fail(`an event: ${event.type}`) }, { name: 'StatusError', message: 'too old' })
  })
  t.test('reject when they are refused', async t => {
    server.answer({ code: 410, body: { kind: 'Status', status: 'Failure', code: 410, reason: 'Expired', message: 'too old' } })
    const error = await resource.watch().then(() => undefined, (e: unknown) => e)
    t.ok(isExpired(error))
  })
  t.test('end with the signal, and when they are closed', async t => {
    for (const how of ['signal', 'close'] as const) {
      server.answer(response => { response.write(line('ADDED', object)) })
      const stop = new AbortController()
      const watch = await resource.watch({}, { signal: stop.signal })
      let events = 0
      for await (const event of watch) {
        events += event.type === 'ADDED' ? 1 : 0
        if (how === 'signal') stop.abort()
        else watch.close()
      }
      t.equal(events, 1)
    }
  })
  t.test('an error of who reads is not taken for the end of the connection', async t => {
    server.answer(response => { response.write(line('ADDED', object)) })
    const watch = await resource.watch()
    await t.rejects(async () => { for await (const event of watch) throw new Error(`mine, at ${event.type}`) }, { message: 'mine, at ADDED' })
  })
})

t.test('every attempt is counted', async t => {
  const counted: string[] = []
  const { server, client } = await start(t, { metrics: { requested: ({ method, code }) => { counted.push(`${method} ${code}`) }, throttled: () => undefined } })
  server.answer({ code: 429, headers: { 'retry-after': '0' } }, { code: 201, body: object }, r => { r.destroy() })
  await client.resource(configMaps).create(object)
  await t.rejects(client.resource(configMaps).create(object))
  t.same(counted, ['POST 429', 'POST 201', 'POST <error>'])
})

t.test('credentials', async t => {
  t.test('a kubeconfig', async t => {
    const { server } = await start(t)
    server.answer({ body: object })
    const dir = t.testdir({})
    const file = join(dir, 'kubeconfig')
    writeFileSync(file, JSON.stringify({
      apiVersion: 'v1', kind: 'Config', 'current-context': 'c', contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
      clusters: [{ name: 'c', cluster: { server: server.url, 'insecure-skip-tls-verify': true } }], users: [{ name: 'u', user: { token: 'of the file' } }]
    }))
    const client = new RestClient({ connection: await loadKubeconfig(file), userAgent: 'mine/1' })
    t.teardown(() => { client.close() })
    await client.resource(configMaps).get(name)
    t.match(server.requests[0]!.headers, { authorization: 'Bearer of the file', 'user-agent': /^mine\/1 / })
  })
  t.test('a token file is read again after a refusal', async t => {
    const tokenFile = join(t.testdir({ token: 'old\n' }), 'token')
    const { server } = await start(t)
    const client = new RestClient({ connection: connectionOf({ server: server.url, tokenFile }) })
    t.teardown(() => { client.close() })
    server.answer({ body: object }, { code: 401 }, { body: object })
    await client.resource(configMaps).get(name)
    writeFileSync(tokenFile, 'new\n')
    await t.rejects(client.resource(configMaps).get(name), { name: 'StatusError', reason: 'Unauthorized' })
    await client.resource(configMaps).get(name)
    t.same(server.requests.map(r => r.headers.authorization), ['Bearer old', 'Bearer old', 'Bearer new'])
    await settle()
  })
})
