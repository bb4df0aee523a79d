import { connect, type ClientHttp2Session } from 'node:http2'
import { request as httpsRequest } from 'node:https'
import { gunzipSync } from 'node:zlib'
import { WebSocket } from 'ws'
import t from 'tap'
import type { RequestOptions, WatchEvent } from '../fixtures/api-client.js'
import { startServer, type TestServer } from '../fixtures/server.js'

const webapps = '/apis/example.com/v1/namespaces/requests/webapps'
const webapp = (name: string, more: object = {}): object => ({ apiVersion: 'example.com/v1', kind: 'WebApp', metadata: { name }, spec: { replicas: 1, image: 'nginx', port: 80, ...more } })

const server: TestServer = await startServer(t, [], { inProcess: true })
await server.request('POST', webapps, { body: webapp('present') })

interface Case {
  readonly name: string
  readonly method: string
  readonly path: string
  readonly options?: RequestOptions
  readonly status: number
  /** A part of the Status, or of the text where the answer is none. */
  readonly answer?: object | RegExp
  readonly headers?: object
}

const cases: readonly Case[] = [
  { name: 'HEAD is no verb of a resource', method: 'HEAD', path: `${webapps}/present`, status: 405 },
  { name: 'OPTIONS is no verb of a resource', method: 'OPTIONS', path: webapps, status: 405, answer: { reason: 'MethodNotAllowed', message: 'the server does not allow this method on the requested resource' } },
  { name: 'creating needs a namespace', method: 'POST', path: '/apis/example.com/v1/webapps', options: { body: webapp('x') }, status: 405, answer: { reason: 'MethodNotAllowed' } },
  { name: 'a collection is deleted inside a namespace only', method: 'DELETE', path: '/apis/example.com/v1/webapps', status: 405, answer: { reason: 'MethodNotAllowed' } },
  { name: 'no representation that the client accepts', method: 'GET', path: webapps, options: { headers: { accept: 'application/cbor' } }, status: 406, answer: { reason: 'NotAcceptable', message: 'only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf' } },
  { name: 'a list as a single metadata view', method: 'GET', path: webapps, options: { headers: { accept: 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1' } }, status: 406, answer: { reason: 'NotAcceptable' } },
  { name: 'protobuf first, JSON second', method: 'GET', path: `${webapps}/present`, options: { headers: { accept: 'application/vnd.kubernetes.protobuf,application/json' } }, status: 200, answer: { kind: 'WebApp' }, headers: { 'content-type': 'application/json', 'cache-control': 'no-cache, private' } },
  { name: 'a body of an unknown type', method: 'POST', path: webapps, options: { body: 'x', headers: { 'content-type': 'text/plain' } }, status: 415, answer: { reason: 'UnsupportedMediaType', message: /^the body of the request was in an unknown format - accepted media types include: application\/json, application\/yaml/ } },
  { name: 'a patch of an unknown type', method: 'PATCH', path: `${webapps}/present`, options: { body: '{}' }, status: 415, answer: { reason: 'UnsupportedMediaType' } },
  { name: 'a strategic merge patch, which custom kinds do not have', method: 'PATCH', path: `${webapps}/present`, options: { body: '{}', headers: { 'content-type': 'application/strategic-merge-patch+json' } }, status: 415 },
  { name: 'a body over 3 MiB', method: 'POST', path: webapps, options: { body: webapp('large', { image: 'x'.repeat(3 * 1024 * 1024) }) }, status: 413, answer: { reason: 'RequestEntityTooLarge', message: 'Request entity too large: limit is 3145728' } },
  { name: 'a body that is no JSON', method: 'POST', path: webapps, options: { body: '{"kind":' }, status: 400, answer: { reason: 'BadRequest' } },
  { name: 'a bad timeout', method: 'GET', path: `${webapps}?timeout=zz`, status: 400, answer: { message: 'invalid timeout specified in the request URL - time: invalid duration "zz"' } },
  ...([
    ['"deletionTimestamp":5', 'json: cannot unmarshal number into Go struct field ObjectMeta.deletionTimestamp of type string'],
    ['"deletionTimestamp":"x"', 'parsing time "x" as "2006-01-02T15:04:05Z07:00": cannot parse "x" as "2006"'],
    ['"deletionGracePeriodSeconds":1.5', 'json: cannot unmarshal number 1.5 into Go struct field ObjectMeta.deletionGracePeriodSeconds of type int64']
  ] as const).map(([field, message]): Case => ({
    name: `an apply of ${field}`, method: 'PATCH', path: '/apis/mycompany.io/v1/namespaces/requests/databases/absent?fieldManager=m',
    options: { body: `{"apiVersion":"mycompany.io/v1","kind":"Database","metadata":{"name":"absent",${field}},"spec":{}}`, headers: { 'content-type': 'application/apply-patch+yaml' } },
    status: 400, answer: { reason: 'BadRequest', message }
  })),
  { name: 'an object that is of another kind', method: 'POST', path: webapps, options: { body: { apiVersion: 'example.com/v1', kind: 'Other', metadata: { name: 'x' } } }, status: 422, answer: { message: 'Other.example.com "x" is invalid: kind: Invalid value: "Other": must be WebApp' } },
  { name: 'an unknown group', method: 'GET', path: '/apis/nothing.example.org/v1/things', status: 404, answer: /404 page not found/ },
  { name: 'an unknown resource of a known group', method: 'GET', path: '/apis/example.com/v1/namespaces/x/things', status: 404 },
  { name: 'an object that is not there', method: 'GET', path: `${webapps}/absent`, status: 404, answer: { reason: 'NotFound', message: 'webapps.example.com "absent" not found', details: { name: 'absent', group: 'example.com', kind: 'webapps' } } },
  { name: 'a trailing slash is tolerated', method: 'GET', path: `${webapps}/present/`, status: 200 },
  { name: 'version', method: 'GET', path: '/version', status: 200, answer: { gitVersion: /^v1\./ } },
  { name: 'groups', method: 'GET', path: '/apis', status: 200, answer: { kind: 'APIGroupList' } },
  { name: 'aggregated groups', method: 'GET', path: '/apis', options: { headers: { accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList' } }, status: 200, answer: { kind: 'APIGroupDiscoveryList' }, headers: { 'content-type': 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList' } },
  { name: 'resources of a version', method: 'GET', path: '/apis/db.example.com/v1beta1', status: 200, answer: { kind: 'APIResourceList', groupVersion: 'db.example.com/v1beta1' } },
  { name: 'OpenAPI v2', method: 'GET', path: '/openapi/v2', status: 200, answer: { swagger: '2.0' } },
  { name: 'OpenAPI v3', method: 'GET', path: '/openapi/v3/apis/mycompany.io/v2', status: 200, answer: { openapi: /^3\./ } },
  { name: 'metrics', method: 'GET', path: '/metrics', status: 200, answer: /^apiserver_request_total\{/m },
  { name: 'a check of readyz', method: 'GET', path: '/readyz/etcd', status: 200, answer: /^ok$/ },
  { name: 'an unknown check of readyz', method: 'GET', path: '/readyz/nothing', status: 404 },
  { name: 'readyz with everything', method: 'GET', path: '/readyz?verbose', status: 200, answer: /^\[\+\]ping ok\n(\[\+\]\S+ ok\n)+readyz check passed\n$/ },
  { name: 'the core group of a server that stands alone', method: 'GET', path: '/api', status: 200, answer: { kind: 'APIVersions', versions: ['v1'] } },
  { name: 'the core group, aggregated', method: 'GET', path: '/api', options: { headers: { accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList' } }, status: 200, answer: { kind: 'APIGroupDiscoveryList', items: [{ versions: [{ version: 'v1', resources: [{ resource: 'namespaces', scope: 'Cluster' }] }] }] } },
  { name: 'what is in the core group', method: 'GET', path: '/api/v1', status: 200, answer: { groupVersion: 'v1', resources: [{ name: 'namespaces', namespaced: false }] } },
  { name: 'namespaces: default and those in use', method: 'GET', path: '/api/v1/namespaces', status: 200, answer: { kind: 'NamespaceList', items: [{ metadata: { name: 'default' } }, { metadata: { name: 'requests' } }] } },
  { name: 'one of the namespaces, by its label', method: 'GET', path: '/api/v1/namespaces?labelSelector=kubernetes.io%2Fmetadata.name%3Drequests&limit=500', options: { headers: { accept: 'application/json;as=Table;g=meta.k8s.io;v=v1' } }, status: 200, answer: /"rows":\[\{"cells":\["requests","Active","\\u003cunknown\\u003e"\],"object":\{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io\/v1","metadata":\{"name":"requests"[^[\]]*\}\]\}/ },
  { name: 'a namespace that nothing is in', method: 'GET', path: '/api/v1/namespaces/new', status: 200, answer: { kind: 'Namespace', metadata: { name: 'new' }, status: { phase: 'Active' } } },
  { name: 'a namespace that cannot be', method: 'GET', path: '/api/v1/namespaces/No_Name', status: 404, answer: { reason: 'NotFound', message: 'namespaces "No_Name" not found' } },
  { name: 'namespaces are not stored', method: 'POST', path: '/api/v1/namespaces', options: { body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'x' } } }, status: 405, answer: { reason: 'MethodNotAllowed', message: /any namespace can be used/ } },
  { name: 'namespaces cannot be watched', method: 'GET', path: '/api/v1/namespaces?watch=1', status: 405, answer: { reason: 'MethodNotAllowed' } },
  { name: 'a bad selector of namespaces', method: 'GET', path: '/api/v1/namespaces?labelSelector=%3D%3D', status: 400, answer: { reason: 'BadRequest' } },
  { name: 'pods', method: 'GET', path: '/api/v1/namespaces/x/pods', status: 404, answer: /404 page not found/ },
  { name: 'a watch of an unknown selector', method: 'GET', path: `${webapps}?watch=1&fieldSelector=spec.image%3Dx`, status: 400, answer: { reason: 'BadRequest' } }
]

t.test('requests and what they are answered with', async t => {
  for (const { name, method, path, options, status, answer, headers } of cases) {
    const got = await server.request(method, path, options)
    t.equal(got.status, status, name)
    t.match(got.headers, { 'audit-id': /./, 'cache-control': /./, ...headers }, name)
    if (answer instanceof RegExp) t.match(got.text, answer, name)
    else if (answer !== undefined) t.match(got.json, answer, name)
    if (status >= 400 && !(answer instanceof RegExp) && got.text.startsWith('{')) t.match(got.json, { kind: 'Status', status: 'Failure', code: status }, name)
  }
})

t.test('a PUT without Content-Type is JSON, as the HorizontalPodAutoscaler sends it', async t => {
  await server.request('POST', webapps, { body: webapp('scaled') })
  const { json: scale } = await server.request('GET', `${webapps}/scaled/scale`)
  const answer = await server.request('PUT', `${webapps}/scaled/scale`, { body: { ...scale, spec: { replicas: 3 } }, headers: { 'content-type': undefined, accept: 'application/vnd.kubernetes.protobuf, */*' } })
  t.equal(answer.status, 200, answer.text)
  t.match((await server.request('GET', `${webapps}/scaled`)).json, { spec: { replicas: 3 } })
})

t.test('a deletion leaves finalizers as they are when it would only take away what is there twice', async t => {
  const finalizers = ['example.com/f', 'foregroundDeletion', 'foregroundDeletion']
  await server.request('POST', webapps, { body: { ...webapp('twice'), metadata: { name: 'twice', finalizers } } })
  const { json } = await server.request('DELETE', `${webapps}/twice`, { body: { kind: 'DeleteOptions', apiVersion: 'v1' } })
  t.match(json, { metadata: { deletionTimestamp: String } })
  t.same((json as { metadata: { finalizers: string[] } }).metadata.finalizers, finalizers)
})

t.test('what an apply leaves that nobody sees: a list without its items, an empty map', async t => {
  const apply = async (metadata: object): Promise<{ metadata: { resourceVersion: string } }> => {
    const { status, json } = await server.request('PATCH', `${webapps}/left?fieldManager=m&force=true`, {
      body: { apiVersion: 'example.com/v1', kind: 'WebApp', metadata: { name: 'left', ...metadata }, spec: { image: 'a', port: 1, replicas: 1 } }, headers: { 'content-type': 'application/apply-patch+yaml' }
    })
    t.match(status, /20[01]/)
    return json as { metadata: { resourceVersion: string } }
  }
  const reference = (uid: string): object => ({ apiVersion: 'v1', kind: 'ConfigMap', name: 'o', uid })
  await apply({ finalizers: ['example.com/f'] })
  await server.request('PATCH', `${webapps}/left`, { body: { metadata: { ownerReferences: [{ ...reference('1'), blockOwnerDeletion: false }] } }, headers: { 'content-type': 'application/merge-patch+json' } })
  await apply({ ownerReferences: [reference('1'), reference('2')], finalizers: ['example.com/f'] })
  t.match(await apply({ finalizers: ['example.com/f'], annotations: {} }), { metadata: { ownerReferences: undefined, annotations: undefined } })
  const deleted = async (): Promise<string> => ((await server.request('DELETE', `${webapps}/left`)).json as { metadata: { resourceVersion: string } }).metadata.resourceVersion
  const marked = await deleted()
  t.equal(await deleted(), marked, 'a second deletion changes nothing')
  const { metadata: { resourceVersion } } = await apply({ finalizers: ['example.com/f'], labels: {} })
  t.not(await deleted(), resourceVersion, 'but for what is stored and not seen')
})

t.test('large answers are compressed for those who want it', async t => {
  const many = '/apis/example.com/v1/namespaces/gzip/webapps'
  await Promise.all(Array.from({ length: 50 }, async (_, i) => await server.request('POST', many, { body: webapp(`w${i}`, { image: 'x'.repeat(4096) }) })))
  const plain = await server.request('GET', many)
  const zipped = await server.request('GET', many, { headers: { 'accept-encoding': 'gzip' } })
  t.equal(plain.headers['content-encoding'], undefined)
  t.match(zipped.headers, { 'content-encoding': 'gzip', vary: /Accept-Encoding/i })
  t.equal(gunzipSync(zipped.bytes).toString(), plain.text)
  t.ok(zipped.bytes.length < plain.bytes.length / 10)
  t.equal((await server.request('GET', `${webapps}/present`, { headers: { 'accept-encoding': 'gzip' } })).headers['content-encoding'], undefined, 'small ones are not')
})

/** A request over HTTP/2. */
const overHttp2 = async (session: ClientHttp2Session, headers: Record<string, string>, body?: string): Promise<{ status: number; text: string }> =>
  await new Promise((resolve, reject) => {
    const stream = session.request({ accept: 'application/json', ...headers }, { endStream: body === undefined })
    let status = 0
    let text = ''
    stream.on('response', h => { status = h[':status'] ?? 0 })
    stream.on('data', (chunk: Buffer) => { text += chunk.toString() })
    stream.on('end', () => { resolve({ status, text }) })
    stream.on('error', reject)
    if (body !== undefined) stream.end(body)
  })

t.test('one port speaks HTTP/1.1 and HTTP/2', async t => {
  const session = connect(server.url, server.client.tls())
  t.teardown(() => { session.close() })
  const made = await overHttp2(session, { ':method': 'POST', ':path': webapps, 'content-type': 'application/json' }, JSON.stringify(webapp('http2')))
  t.equal(made.status, 201, made.text)
  t.equal(session.alpnProtocol, 'h2')
  t.equal((await server.request('GET', `${webapps}/http2`)).text, (await overHttp2(session, { ':path': `${webapps}/http2` })).text)

  const watch = session.request({ ':path': `${webapps}?watch=true&fieldSelector=metadata.name%3Dhttp2&resourceVersion=${(JSON.parse(made.text) as { metadata: { resourceVersion: string } }).metadata.resourceVersion}` })
  const event = new Promise<string>(resolve => { watch.once('data', (chunk: Buffer) => { resolve(chunk.toString()) }) })
  await new Promise(resolve => { watch.once('response', resolve) })
  await server.request('DELETE', `${webapps}/http2`)
  t.match(JSON.parse(await event), { type: 'DELETED', object: { metadata: { name: 'http2' } } })
  watch.close()
})

t.test('a watch over WebSocket sends one event a message', async t => {
  const socket = new WebSocket(`${server.url.replace('https', 'wss')}${webapps}?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&fieldSelector=metadata.name%3Dpresent`, { ...server.client.tls(), origin: 'https://example.com' })
  t.teardown(() => { socket.terminate() })
  const events: WatchEvent[] = []
  await new Promise<void>((resolve, reject) => {
    socket.on('error', reject)
    socket.on('message', (data: Buffer) => {
      events.push(JSON.parse(data.toString()) as WatchEvent)
      if (events.length === 2) resolve()
    })
  })
  t.match(events, [{ type: 'ADDED', object: { metadata: { name: 'present' } } }, { type: 'BOOKMARK', object: { metadata: { annotations: { 'k8s.io/initial-events-end': 'true' } } } }])
})

t.test('a WebSocket that may not watch, or wants no watch, is refused with an HTTP answer', async t => {
  const refusal = async (path: string, tls: object): Promise<number> => await new Promise((resolve, reject) => {
    const socket = new WebSocket(`${server.url.replace('https', 'wss')}${path}`, tls)
    socket.on('unexpected-response', (_request, response) => { resolve(response.statusCode ?? 0); response.destroy() })
    socket.on('open', () => { reject(new Error('it was opened')) })
    socket.on('error', () => {})
  })
  t.equal(await refusal(`${webapps}?watch=true`, server.client.tls('anonymous')), 403)
  t.equal(await refusal(`${webapps}?watch=true&resourceVersion=x`, server.client.tls()), 400)
  t.not(await refusal(`${webapps}/present`, server.client.tls()), 101)
})

t.test('every request in a deprecated version is answered with a warning', async t => {
  const databases = '/apis/db.example.com/v1beta1/namespaces/requests/databases'
  const warning = '299 - "db.example.com/v1beta1 Database is deprecated; use db.example.com/v1 Database"'
  for (const [method, path, body] of [
    ['POST', databases, { metadata: { name: 'old' }, spec: { engine: 'mysql', version: '8.0.36', size: '5Gi' } }],
    ['GET', `${databases}/old`, undefined], ['GET', databases, undefined], ['GET', `${databases}/nothing`, undefined], ['DELETE', `${databases}/old`, undefined]
  ] as const) t.equal((await server.request(method, path, { body })).headers['warning'], warning, `${method} ${path}`)
  const watch = await server.watch(databases)
  t.equal(watch.headers['warning'], warning)
  watch.close()
  t.equal((await server.request('GET', databases.replace('v1beta1', 'v1'))).headers['warning'], undefined)
})

t.test('a client that leaves in the middle of its body leaves nothing behind', async t => {
  const path = '/apis/example.com/v1/namespaces/half/webapps'
  for (let i = 0; i < 20; i++) {
    await new Promise<void>(resolve => {
      const request = httpsRequest(server.url + path, { method: 'POST', ...server.client.tls(), headers: { 'content-type': 'application/json', 'content-length': '1000' } })
      request.on('error', () => { resolve() })
      request.on('close', () => { resolve() })
      request.write(JSON.stringify(webapp('half')).slice(0, 50), () => { request.destroy() })
    })
  }
  t.equal((await server.request('GET', path)).items.length, 0)
  const gauge = /^apiserver_current_inflight_requests\{request_kind="mutating"\} (\d+)$/m.exec((await server.request('GET', '/metrics')).text)
  t.equal(gauge?.[1], '0', 'nothing counts as being under way')
})
