import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { request as httpsRequest } from 'node:https'
import { connect as connectHttp2 } from 'node:http2'
import path from 'node:path'
import { pino } from 'pino'
import t from 'tap'
import { Authority, dayMs } from '../../certs/authority.js'
import { newClientCertificate } from '../../certs/client-certificate.js'
import type { KeyPair } from '../../certs/key-pair.js'
import { newServingCertificate, servingNames } from '../../certs/serving-certificate.js'
import { readApiserverCommand } from '../options/apiserver-options.js'
import { ApiServer } from '../server.js'
import { accessReview, FakeKubeApiserver, tokenReview, until, type Received } from './testdata/fake-kube-apiserver.js'

/** A server that joined a cluster, over real TLS; the cluster is a fake where it must fail on demand. */

const configMaps = '/api/v1/namespaces/kube-system/configmaps'
const configMap = `${configMaps}/extension-apiserver-authentication`
const tokenReviews = 'POST /apis/authentication.k8s.io/v1/tokenreviews'
const accessReviews = 'POST /apis/authorization.k8s.io/v1/subjectaccessreviews'
const webapps = '/apis/example.com/v1/namespaces/default/webapps'
const webapp = (name: string): object => ({ apiVersion: 'example.com/v1', kind: 'WebApp', metadata: { name }, spec: { image: 'nginx', replicas: 1, port: 80 } })

interface Spec { user: string; uid?: string; groups?: string[]; extra?: Record<string, string[]>; resourceAttributes?: Record<string, unknown>; nonResourceAttributes?: unknown }
const specOf = (received: Received): Spec => (received.body as { spec: Spec }).spec

interface Cluster { readonly api: FakeKubeApiserver; readonly proxyCa: Authority; readonly proxy: KeyPair; readonly publish: (data?: Record<string, string | undefined>) => void }

async function startCluster (t: Tap): Promise<Cluster> {
  const api = await FakeKubeApiserver.start(t)
  const proxyCa = Authority.create({ commonName: 'front-proxy-ca' })
  const publish = (data: Record<string, string | undefined> = {}): void => {
    api.put(configMaps, {
      metadata: { name: 'extension-apiserver-authentication' },
      data: {
        'client-ca-file': api.ca.certificatePem, 'requestheader-client-ca-file': proxyCa.certificatePem, 'requestheader-allowed-names': '["front-proxy-client"]',
        'requestheader-username-headers': '["X-Remote-User"]', 'requestheader-group-headers': '["X-Remote-Group"]', 'requestheader-uid-headers': '["X-Remote-Uid"]', 'requestheader-extra-headers-prefix': '["X-Remote-Extra-"]',
        ...data
      }
    })
  }
  publish()
  for (const [name, phase] of [['default', 'Active'], ['ending', 'Terminating']]) api.put('/api/v1/namespaces', { metadata: { name: name! }, status: { phase } })
  api.on(accessReviews, () => accessReview({ allowed: true, reason: 'the test says so' }))
  api.on(tokenReviews, () => tokenReview(undefined, 'invalid bearer token'))
  return { api, proxyCa, proxy: newClientCertificate(proxyCa, { user: 'front-proxy-client' }), publish }
}

type Tap = Pick<typeof t, 'teardown' | 'testdir'>
const silent = pino({ level: 'silent' })

async function startServer (t: Tap, api: FakeKubeApiserver | undefined, ...flags: string[]): Promise<ApiServer> {
  const dir = t.testdir({})
  const command = await readApiserverCommand(['--secure-port=0', `--data-dir=${dir}/data`, ...api === undefined ? [] : [`--kubeconfig=${api.kubeconfig(dir)}`], ...flags.map(f => f.replace('DIR', dir))])
  if (command.kind !== 'config') throw new Error(JSON.stringify(command))
  const server = await ApiServer.start(command.config, { log: silent })
  t.teardown(() => server.close())
  await server.ready()
  return server
}

interface Ask { readonly pair?: KeyPair | undefined; readonly headers?: string[] | undefined; readonly method?: string; readonly body?: object }
interface Answer { readonly status: number; readonly text: string; readonly headers: Record<string, unknown> }

/** One request on a connection of its own. Headers are names and values in turn, so that one may be sent several times. */
function ask (server: ApiServer, target: string, { pair, headers = [], method = 'GET', body }: Ask = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const text = body && JSON.stringify(body)
    const request = httpsRequest(server.url + target, {
      method, rejectUnauthorized: false, agent: false, ...(pair && { cert: pair.certificatePem, key: pair.privateKeyPem }),
      headers: ['Host', 'x', ...headers, ...text === undefined ? [] : ['Content-Type', 'application/json', 'Content-Length', String(Buffer.byteLength(text))]] as never
    }, response => {
      let out = ''
      response.setEncoding('utf8').on('data', chunk => { out += String(chunk) }).on('end', () => { resolve({ status: response.statusCode!, text: out, headers: response.headers }) }).on('error', reject)
    })
    request.on('error', reject).end(text)
  })
}

function askHttp2 (server: ApiServer, target: string, { pair, headers = {} }: { pair: KeyPair; headers?: Record<string, string | string[]> }): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const session = connectHttp2(server.url, { rejectUnauthorized: false, cert: pair.certificatePem, key: pair.privateKeyPem })
    session.on('error', reject)
    const stream = session.request({ ':path': target, ...headers })
    let status = 0
    let out = ''
    stream.on('response', h => { status = h[':status'] ?? 0 }).setEncoding('utf8').on('data', chunk => { out += String(chunk) }).on('error', reject).on('end', () => { session.close(); resolve({ status, text: out, headers: {} }) })
  })
}

t.test('whom the cluster is asked about', async t => {
  const { api, proxyCa, proxy } = await startCluster(t)
  const server = await startServer(t, api, '--authorization-webhook-cache-authorized-ttl=0')
  const own = (name: string): string => readFileSync(path.join(server.config.pkiDir, name), 'utf8')
  const ownCa = Authority.load({ certificatePem: own('ca.crt'), privateKeyPem: own('ca.key') })
  const asked = async (a: Ask): Promise<Spec | number> => {
    const before = api.count(accessReviews)
    const { status } = await ask(server, webapps, a)
    return api.count(accessReviews) === before ? status : specOf(api.received.filter(r => r.path.endsWith('/subjectaccessreviews')).at(-1)!)
  }
  const jane = newClientCertificate(api.ca, { user: 'jane', groups: ['dev', 'a, b'] })
  const otherCa = Authority.create({ commonName: 'front-proxy-ca' })
  const root = ['X-Remote-User', 'root', 'X-Remote-Group', 'system:masters']
  const old = new Date(Date.now() - 10 * dayMs)
  api.on(tokenReviews, ({ body }) => (body as { spec: { token: string } }).spec.token === 'good'
    ? tokenReview({ username: 'sa', uid: '7', groups: ['system:serviceaccounts'], extra: { 'a.io/k': ['v'] } })
    : tokenReview(undefined, 'invalid bearer token'))

  for (const [name, a, expected] of [
    ['nobody', {}, { user: 'system:anonymous', groups: ['system:unauthenticated'] }],
    ['a certificate of the cluster', { pair: jane }, { user: 'jane', groups: ['dev', 'a, b', 'system:authenticated'], extra: { 'authentication.kubernetes.io/credential-id': /./ } }],
    ['a token', { headers: ['Authorization', 'Bearer good'] }, { user: 'sa', uid: '7', groups: ['system:serviceaccounts', 'system:authenticated'], extra: { 'a.io/k': ['v'] } }],
    ['a bad token', { headers: ['Authorization', 'Bearer bad'] }, 401],
    ['the front proxy', { pair: proxy, headers: ['X-Remote-User', 'ann', 'X-Remote-Group', 'g1', 'x-remote-group', 'one, with comma', 'X-REMOTE-GROUP', '', 'X-Remote-Uid', '42', 'X-Remote-Extra-Acme.Io%2FScopes', 'a', 'x-remote-extra-acme.io%2fscopes', 'b, c', 'X-Remote-Extra-bad%zz', 'd'] },
      { user: 'ann', uid: '42', groups: ['g1', 'one, with comma', 'system:authenticated'], extra: { 'acme.io/scopes': ['a', 'b, c'], 'bad%zz': ['d'] } }],
    ['the front proxy for a name that is not ASCII', { pair: proxy, headers: ['X-Remote-User', Buffer.from('Zoë').toString('latin1'), 'X-Remote-Extra-__proto__', 'x'] }, { user: 'Zoë', groups: ['system:authenticated'] }],
    ['the front proxy with a token', { pair: proxy, headers: ['X-Remote-User', 'ann2', 'Authorization', 'Bearer bad'] }, { user: 'ann2' }],
    ['the front proxy without a user', { pair: proxy }, 401],
    ['the front proxy without a user, with a token', { pair: proxy, headers: ['X-Remote-User', '', 'Authorization', 'Bearer good'] }, { user: 'sa' }],
    ['headers without a certificate', { headers: [...root] }, { user: 'system:anonymous', groups: ['system:unauthenticated'] }],
    ['headers with a user\'s certificate', { pair: newClientCertificate(api.ca, { user: 'mallory' }), headers: root }, { user: 'mallory', groups: ['system:authenticated'] }],
    ['headers with a certificate of the cluster that has the proxy\'s name', { pair: newClientCertificate(api.ca, { user: 'front-proxy-client' }), headers: root }, { user: 'front-proxy-client', groups: ['system:authenticated'] }],
    ['another name of the proxy\'s authority', { pair: newClientCertificate(proxyCa, { user: 'other' }), headers: root }, 401],
    ['another authority with the proxy\'s names', { pair: newClientCertificate(otherCa, { user: 'front-proxy-client' }), headers: root }, 401],
    ['an expired proxy', { pair: newClientCertificate(proxyCa, { user: 'front-proxy-client', validityDays: 1, now: old }), headers: root }, 401],
    ['the proxy\'s serving certificate', { pair: newServingCertificate(proxyCa, { commonName: 'front-proxy-client', subjectAltNames: servingNames([]) }), headers: root }, 401],
    ['a user of the proxy\'s authority', { pair: newClientCertificate(proxyCa, { user: 'root', groups: ['system:masters'] }) }, 401],
    ['a user of a stranger\'s authority', { pair: newClientCertificate(Authority.create({ commonName: 'cluster-ca' }), { user: 'root', groups: ['system:masters'] }) }, 401],
    ['an administrator of the server\'s own authority', { pair: newClientCertificate(ownCa, { user: 'root', groups: ['system:masters'] }) }, 401],
    ['an administrator of the cluster, who is not asked about', { pair: newClientCertificate(api.ca, { user: 'root', groups: ['system:masters'] }) }, 200]
  ] as [string, Ask, unknown][]) t.match(await asked(a), expected as never, name)

  t.test('the same over HTTP/2', async t => {
    await askHttp2(server, webapps, { pair: proxy, headers: { 'x-remote-user': Buffer.from('Zoë2').toString('latin1'), 'x-remote-group': ['g1', 'one, with comma'], 'x-remote-extra-acme.io%2fscopes': ['a', 'b'] } })
    t.match(specOf(api.received.at(-1)!), { user: 'Zoë2', groups: ['g1', 'one, with comma', 'system:authenticated'], extra: { 'acme.io/scopes': ['a', 'b'] } })
    t.equal((await askHttp2(server, webapps, { pair: newClientCertificate(otherCa, { user: 'front-proxy-client' }), headers: { 'x-remote-user': 'root' } })).status, 401)
  })

  t.test('and what about', async t => {
    for (const [method, target, expected] of [
      ['GET', `${webapps}?labelSelector=a%3Db,c+in+(d,e),!f,g,h!%3Di&fieldSelector=metadata.name!%3Dx`, { resourceAttributes: {
        namespace: 'default', verb: 'list', group: 'example.com', version: 'v1', resource: 'webapps',
        fieldSelector: { requirements: [{ key: 'metadata.name', operator: 'NotIn', values: ['x'] }] },
        labelSelector: { requirements: [{ key: 'a', operator: 'In', values: ['b'] }, { key: 'c', operator: 'In', values: ['d', 'e'] }, { key: 'f', operator: 'DoesNotExist' }, { key: 'g', operator: 'Exists' }, { key: 'h', operator: 'NotIn', values: ['i'] }] }
      } }],
      ['GET', `${webapps}/x/status`, { resourceAttributes: { namespace: 'default', verb: 'get', group: 'example.com', version: 'v1', resource: 'webapps', subresource: 'status', name: 'x' } }],
      ['GET', `${webapps}?watch=1&fieldSelector=metadata.name%3Dx&resourceVersion=bad`, { resourceAttributes: { verb: 'watch', name: 'x', fieldSelector: { requirements: [{ key: 'metadata.name', operator: 'In', values: ['x'] }] } } }],
      ['DELETE', '/apis/example.com/v1/namespaces/other/webapps', { resourceAttributes: { namespace: 'other', verb: 'deletecollection', group: 'example.com', version: 'v1', resource: 'webapps' } }],
      ['GET', '/apis', { nonResourceAttributes: { path: '/apis', verb: 'get' } }],
      ['GET', '/readyz/etcd', { nonResourceAttributes: { path: '/readyz/etcd', verb: 'get' } }]
    ] as const) {
      const before = api.count(accessReviews)
      await ask(server, target, { method, pair: jane })
      t.equal(api.count(accessReviews), before + 1, target)
      t.match(specOf(api.received.filter(r => r.path.endsWith('/subjectaccessreviews')).at(-1)!), expected as never, `${method} ${target}`)
    }
    const before = api.count(accessReviews)
    t.equal((await ask(server, '/healthz')).status, 200)
    t.equal((await ask(server, '/livez')).status, 200)
    t.equal(api.count(accessReviews), before, 'health is everybody\'s')
  })
})

t.test('answers about rights are kept, refusals too; what cannot be decided is a 500 in plain text', async t => {
  const { api } = await startCluster(t)
  const server = await startServer(t, api, '--authorization-always-allow-paths=/healthz,/open/*', '--authorization-webhook-cache-authorized-ttl=5m', '--authorization-webhook-cache-unauthorized-ttl=5m')
  const jane = newClientCertificate(api.ca, { user: 'jane' })
  for (let i = 0; i < 3; i++) t.equal((await ask(server, webapps, { pair: jane })).status, 200)
  t.equal(api.count(accessReviews), 1)
  const metrics = (await ask(server, '/metrics', { pair: jane })).text
  t.match(metrics, /^apiserver_delegated_authz_request_total\{code="201"\} 2$/m)
  t.match(metrics, /^apiserver_delegated_authz_request_duration_seconds_count\{code="201"\} 2$/m)
  t.match(metrics, /^# TYPE apiserver_delegated_authn_request_total counter$/m)
  api.on(accessReviews, () => accessReview({ allowed: false, reason: 'because' }))
  const mallory = newClientCertificate(api.ca, { user: 'mallory' })
  for (let i = 0; i < 2; i++) {
    const { status, text } = await ask(server, webapps, { pair: mallory })
    t.same([status, (JSON.parse(text) as { message: string }).message], [403, 'webapps.example.com is forbidden: User "mallory" cannot list resource "webapps" in API group "example.com" in the namespace "default": because'])
  }
  t.equal(api.count(accessReviews), 3)
  t.equal((await ask(server, webapps, { pair: jane })).status, 200, 'still believed')
  t.equal((await ask(server, '/readyz')).status, 403, 'not in the list any more')
  t.equal((await ask(server, '/open/nothing')).status, 404)

  api.on(accessReviews, () => ({ status: 403, body: { kind: 'Status', message: 'subjectaccessreviews.authorization.k8s.io is forbidden: <you> & I', reason: 'Forbidden', code: 403 } }))
  const failed = await ask(server, `${webapps}?limit=5&x=y`, { pair: newClientCertificate(api.ca, { user: 'eve' }) })
  t.equal(failed.status, 500)
  t.equal(failed.text, `Internal Server Error: "${webapps}?limit=5&amp;x=y": subjectaccessreviews.authorization.k8s.io is forbidden: &lt;you&gt; &amp; I\n`)
  t.match(failed.headers, { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' })
  api.on(accessReviews, () => accessReview({ allowed: true }))
  t.equal((await ask(server, webapps, { pair: newClientCertificate(api.ca, { user: 'eve' }) })).status, 200, 'a failure is not kept')
  for (const [status, expected] of [[{ allowed: true, denied: true }, 500], [{ denied: true, reason: 'never' }, 403], [{}, 403]] as const) {
    api.on(accessReviews, () => accessReview(status))
    t.equal((await ask(server, webapps, { pair: newClientCertificate(api.ca, { user: JSON.stringify(status) }) })).status, expected, JSON.stringify(status))
  }
})

t.test('the published authorities and headers are followed without a restart', async t => {
  const { api, proxy, publish } = await startCluster(t)
  const server = await startServer(t, api)
  const as = (pair: KeyPair, ...headers: string[]): Promise<Answer> => ask(server, webapps, { pair, headers })
  const nextProxyCa = Authority.create({ commonName: 'front-proxy-ca-2' })
  const nextProxy = newClientCertificate(nextProxyCa, { user: 'front-proxy-client' })
  const nextCa = Authority.create({ commonName: 'cluster-ca-2' })
  const old = newClientCertificate(api.ca, { user: 'old' })
  const next = newClientCertificate(nextCa, { user: 'next' })
  t.same([(await as(proxy, 'X-Remote-User', 'a')).status, (await as(nextProxy, 'X-Remote-User', 'a')).status, (await as(next)).status, (await as(old)).status], [200, 401, 401, 200])
  publish({ 'client-ca-file': api.ca.certificatePem + nextCa.certificatePem, 'requestheader-client-ca-file': nextProxyCa.certificatePem })
  await until(async () => (await as(next)).status === 200)
  t.same([(await as(proxy, 'X-Remote-User', 'a')).status, (await as(nextProxy, 'X-Remote-User', 'a')).status, (await as(old)).status], [401, 200, 200])
  publish({ 'client-ca-file': 'rubbish', 'requestheader-client-ca-file': undefined, 'requestheader-username-headers': '["X-Other"]', 'requestheader-allowed-names': '[]' })
  const anyName = newClientCertificate(nextProxyCa, { user: 'another' })
  await until(async () => (await as(anyName, 'X-Other', 'a')).status === 200)
  t.equal((await as(nextProxy, 'X-Remote-User', 'a')).status, 401, 'the header has another name now')
  t.equal((await as(next)).status, 200, 'an authority that cannot be used changes nothing')
  publish({ 'requestheader-client-ca-file': nextProxyCa.certificatePem, 'requestheader-username-headers': '{', 'requestheader-allowed-names': '["x"]' })
  publish({ 'client-ca-file': nextCa.certificatePem, 'requestheader-client-ca-file': nextProxyCa.certificatePem, 'requestheader-username-headers': '[1]' })
  await until(async () => (await as(old)).status === 401)
  t.equal((await as(anyName, 'X-Other', 'a')).status, 200, 'lists that cannot be read change nothing')
  api.remove(configMaps, 'extension-apiserver-authentication')
  publish({})
  await until(async () => (await as(proxy, 'X-Remote-User', 'a')).status === 200)
})

t.test('TLS asks for certificates of both bundles, and of new ones after they changed', async t => {
  const { api, publish } = await startCluster(t)
  const server = await startServer(t, api)
  // OpenSSL tells a client the acceptable authorities; Node does not, so the command line is asked.
  const names = (): Promise<string[]> => new Promise(resolve => {
    execFile('openssl', ['s_client', '-connect', `127.0.0.1:${server.port}`], (_, stdout) => {
      resolve([.../CA names\n((?:CN.*\n)*)/.exec(stdout)![1]!.matchAll(/CN ?= ?(.*)\n/g)].map(m => m[1]!).sort())
    }).stdin?.end()
  })
  t.same(await names(), ['cluster-ca', 'front-proxy-ca'], 'not the server\'s own, which vouches for nobody')
  publish({ 'requestheader-client-ca-file': Authority.create({ commonName: 'front-proxy-ca-2' }).certificatePem })
  await until(async () => (await names()).join() === 'cluster-ca,front-proxy-ca-2')
})

t.test('what the cluster publishes may be missing, and must not be refused', async t => {
  t.test('missing: nobody is the front proxy until it is there', async t => {
    const { api, proxy, publish } = await startCluster(t)
    api.remove(configMaps, 'extension-apiserver-authentication')
    const server = await startServer(t, api)
    t.equal((await ask(server, webapps, { pair: proxy, headers: ['X-Remote-User', 'a'] })).status, 200, 'anonymous')
    t.equal(specOf(api.received.at(-1)!).user, 'system:anonymous')
    publish()
    await until(async () => { await ask(server, webapps, { pair: proxy, headers: ['X-Remote-User', 'a'] }); return specOf(api.received.filter(r => r.path.endsWith('reviews')).at(-1)!).user === 'a' })
  })
  const forbidden = { status: 403, body: { kind: 'Status', message: 'no', reason: 'Forbidden', code: 403 } }
  t.test('refused: the server does not start, and says how to fix it', async t => {
    const { api } = await startCluster(t)
    api.on(`GET ${configMap}`, () => forbidden)
    await t.rejects(startServer(t, api), { message: /unable to read configmap kube-system\/extension-apiserver-authentication: no\. Usually fixed by 'kubectl create rolebinding/ })
  })
  t.test('refused, and that is tolerated', async t => {
    const { api } = await startCluster(t)
    api.on(`GET ${configMap}`, () => forbidden)
    api.on(`GET ${configMaps}`, () => forbidden)
    const server = await startServer(t, api, '--authentication-tolerate-lookup-failure')
    t.equal((await ask(server, webapps, { pair: newClientCertificate(api.ca, { user: 'jane' }) })).status, 200)
    t.equal(specOf(api.received.at(-1)!).user, 'system:anonymous')
  })
  t.test('not looked up', async t => {
    const { api } = await startCluster(t)
    const server = await startServer(t, api, '--authentication-skip-lookup')
    await ask(server, webapps, { headers: ['Authorization', 'Bearer x'] })
    t.equal(api.count(`GET ${configMap}`) + api.count(`GET ${configMaps}`), 0)
    t.equal(api.count(tokenReviews), 1)
  })
  t.test('said by flags', async t => {
    const { api, proxyCa } = await startCluster(t)
    const [ownCa, ownProxyCa] = [Authority.create({ commonName: 'own' }), Authority.create({ commonName: 'own-proxy' })]
    const dir = t.testdir({})
    writeFileSync(path.join(dir, 'ca.crt'), ownCa.certificatePem)
    writeFileSync(path.join(dir, 'proxy.crt'), ownProxyCa.certificatePem)
    const outer = t
    await outer.test('all of it', async t => {
      const server = await startServer(t, api, `--client-ca-file=${dir}/ca.crt`, `--requestheader-client-ca-file=${dir}/proxy.crt`, '--requestheader-username-headers=X-U,X-Remote-User', '--requestheader-group-headers=X-G', '--requestheader-extra-headers-prefix=X-E-')
      t.equal(api.count(`GET ${configMap}`), 0)
      for (const [name, pair, headers, expected] of [
        ['the own authority', newClientCertificate(ownCa, { user: 'o' }), [], { user: 'o' }],
        ['not the cluster\'s', newClientCertificate(api.ca, { user: 'o' }), [], 401],
        ['the own proxy', newClientCertificate(ownProxyCa, { user: 'any' }), ['X-Remote-User', 'second', 'X-U', 'u', 'X-G', 'g', 'X-Remote-Group', 'system:masters', 'X-E-K', 'v', 'X-Remote-Uid', '1'], { user: 'u', groups: ['g', 'system:authenticated'], extra: { k: ['v'] }, uid: undefined }],
        ['not the cluster\'s proxy', newClientCertificate(proxyCa, { user: 'front-proxy-client' }), ['X-U', 'u'], 401]
      ] as const) {
        const { status } = await ask(server, webapps, { pair, headers: [...headers] })
        if (expected === 401) t.equal(status, 401, name)
        else t.match(specOf(api.received.at(-1)!), expected, name)
      }
      writeFileSync(path.join(dir, 'proxy.crt'), proxyCa.certificatePem)
      await until(async () => (await ask(server, webapps, { pair: newClientCertificate(proxyCa, { user: 'any' }), headers: ['X-U', 'u'] })).status === 200)
    })
  })
  t.test('a standalone server takes a front proxy by flags, too', async t => {
    const ca = Authority.create({ commonName: 'proxy' })
    const dir = t.testdir({ 'proxy.crt': ca.certificatePem })
    const outer = t
    await outer.test('with the policy of its file', async t => {
      const server = await startServer(t, undefined, `--requestheader-client-ca-file=${dir}/proxy.crt`)
      const pair = newClientCertificate(ca, { user: 'p' })
      t.equal((await ask(server, webapps, { pair, headers: ['X-Remote-User', 'root', 'X-Remote-Group', 'system:masters'] })).status, 200)
      t.equal((await ask(server, webapps, { pair, headers: ['X-Remote-User', 'jane'] })).status, 403)
    })
  })
})

t.test('what admission says of namespaces reaches clients, whatever they write', async t => {
  const { api } = await startCluster(t)
  const server = await startServer(t, api)
  const pair = newClientCertificate(api.ca, { user: 'root', groups: ['system:masters'] })
  const write = async (method: string, target: string, body?: object, headers: string[] = []): Promise<{ status: number; message?: string; details?: unknown }> => {
    const { status, text } = await ask(server, target, { method, pair, headers, ...(body && { body }) })
    const { message, details } = JSON.parse(text) as { message?: string; details?: unknown }
    return { status, ...(message !== undefined && { message, details }) }
  }
  const inside = (namespace: string): string => `/apis/example.com/v1/namespaces/${namespace}/webapps`
  t.equal((await write('POST', inside('default'), webapp('a'))).status, 201)
  const missing = { status: 404, message: 'namespaces "none" not found', details: { name: 'none', kind: 'namespaces' } }
  t.same(await write('POST', inside('none'), webapp('a')), missing)
  t.same(await write('POST', inside('none'), { ...webapp('a'), spec: {} }), missing, 'before the object is validated')
  t.same(await write('POST', `${inside('none')}?dryRun=All`, webapp('a')), missing, 'a dry run, too')
  t.same(await write('PATCH', `${inside('none')}/a?fieldManager=m`, webapp('a'), ['Content-Type', 'application/apply-patch+yaml']), missing, 'an apply that would create')
  const ending = (name: string): object => ({
    status: 403,
    message: `webapps.example.com "${name}" is forbidden: unable to create new content in namespace ending because it is being terminated`,
    details: { name, group: 'example.com', kind: 'webapps', causes: [{ reason: 'NamespaceTerminating', message: 'namespace ending is being terminated', field: 'metadata.namespace' }] }
  })
  t.same(await write('POST', inside('ending'), webapp('a')), ending('a'))
  t.same(await write('POST', inside('ending'), { ...webapp('a'), metadata: { generateName: 'gen-' } }), ending('gen-'))

  api.put('/api/v1/namespaces', { metadata: { name: 'going' }, status: { phase: 'Active' } })
  await until(async () => (await write('POST', inside('going'), webapp('b'))).status === 201)
  api.put('/api/v1/namespaces', { metadata: { name: 'going' }, status: { phase: 'Terminating' } })
  await until(async () => (await write('POST', `${inside('going')}?dryRun=All`, webapp('c'))).status === 403)
  t.equal((await write('PATCH', `${inside('going')}/b`, { metadata: { labels: { a: 'b' } } }, ['Content-Type', 'application/merge-patch+json'])).status, 200, 'updates go on while a namespace ends')
  t.equal((await write('PATCH', `${inside('going')}/b/scale`, { spec: { replicas: 2 } }, ['Content-Type', 'application/merge-patch+json'])).status, 200)
  t.equal((await write('PATCH', `${inside('going')}/b/status`, { status: {} }, ['Content-Type', 'application/merge-patch+json'])).status, 200)
  api.remove('/api/v1/namespaces', 'going')
  await until(async () => (await write('PATCH', `${inside('going')}/b`, { metadata: { labels: { a: 'c' } } }, ['Content-Type', 'application/merge-patch+json'])).status === 404)
  t.same((await write('PATCH', `${inside('going')}/b/scale`, { spec: { replicas: 3 } }, ['Content-Type', 'application/merge-patch+json'])).message, 'namespaces "going" not found')
  t.equal((await write('DELETE', `${inside('going')}/b`)).status, 200, 'deletions always pass')
})

t.test('readiness waits for the namespaces; writes wait a while and are then refused', async t => {
  const { api } = await startCluster(t)
  let known = false
  api.on('GET /api/v1/namespaces', () => known ? { body: { metadata: { resourceVersion: '1' }, items: [] } } : { status: 500 })
  const server = await startServer(t, api)
  const { status, text } = await ask(server, '/readyz')
  t.ok(status >= 500)
  t.match(text, /\[-\]informer-sync failed/)
  t.equal((await ask(server, '/livez')).status, 200)
  known = true
  await until(async () => (await ask(server, '/readyz')).status === 200)
})
