import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { Authority } from '../../certs/authority.js'
import { newClientCertificate } from '../../certs/client-certificate.js'
import type { ApiStatus, TestUser } from '../fixtures/api-client.js'
import { startServer, type TestServer } from '../fixtures/server.js'

const webapps = '/apis/example.com/v1/namespaces/shop/webapps'
const webapp = (name: string): object => ({ apiVersion: 'example.com/v1', kind: 'WebApp', metadata: { name }, spec: { replicas: 1, image: 'nginx', port: 80 } })

const directory = t.testdir()
const policyFile = join(directory, 'policy.yaml')
const auditLog = join(directory, 'audit.log')

/** alice may read WebApps of the namespace shop and scale them; the group operators writes their status everywhere. */
const policy = `
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: shop}
rules:
- {apiGroups: [example.com], resources: [webapps], verbs: [get, list, watch]}
- {apiGroups: [example.com], resources: [webapps/scale], verbs: [get, update, patch], resourceNames: [site]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader, namespace: shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: User, name: alice}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: operator}
rules: [{apiGroups: [example.com], resources: [webapps/status], verbs: [update, patch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: operators}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: operator}
subjects: [{kind: Group, name: operators}]
`
writeFileSync(policyFile, policy)

const server: TestServer = await startServer(t, [`--authorization-policy-file=${policyFile}`, `--audit-log-path=${auditLog}`], { inProcess: true })
await server.request('POST', webapps, { body: webapp('site') })

const alice: TestUser = { name: 'alice' }
const operator: TestUser = { name: 'robot', groups: ['operators'] }
const mergePatch = (body: object): { body: object; headers: Record<string, string> } => ({ body, headers: { 'content-type': 'application/merge-patch+json' } })

t.test('anonymous sees only health and version', async t => {
  for (const path of ['/healthz', '/livez', '/readyz', '/version']) t.equal((await server.request('GET', path, { user: 'anonymous' })).status, 200, path)
  for (const path of ['/', '/apis', '/apis/example.com', '/apis/example.com/v1', '/openapi/v2', '/openapi/v3', '/metrics', '/readyz/etcd', '/nothing']) {
    const answer = await server.request('GET', path, { user: 'anonymous' })
    t.match(answer.failure, { kind: 'Status', code: 403, reason: 'Forbidden', message: `forbidden: User "system:anonymous" cannot get path "${path}"` }, path)
    t.equal(answer.headers['x-content-type-options'], 'nosniff')
  }
})

t.test('who may watch can do nothing else behind the prefix /watch/, and sees the named object only', async t => {
  const behind = '/apis/example.com/v1/watch/namespaces/shop/webapps'
  for (const [method, path, options] of [
    ['DELETE', `${behind}/site`, {}], ['DELETE', behind, {}], ['POST', behind, { body: webapp('smuggled') }], ['PUT', `${behind}/site`, { body: webapp('site') }],
    ['PATCH', `${behind}/site`, mergePatch({ spec: { replicas: 9 } })], ['PATCH', `${behind}/site/status`, mergePatch({ status: { replicas: 9 } })],
    ['PUT', `${behind}/site/scale`, { body: {} }], ['GET', `${behind}/site/status`, {}],
    ['POST', '/apis/metrics.example.com/v1alpha1/watch/namespaces/shop/remotewrites', { body: '' }]
  ] as const) t.equal((await server.request(method, path, options)).status, 405, `${method} ${path}`)
  const { json } = await server.request('GET', `${webapps}?labelSelector=`)
  t.match(json, { items: [{ metadata: { name: 'site', generation: 1 }, spec: { replicas: 1 } }] }, 'nothing has changed')
  t.equal((json as unknown as { items: unknown[] }).items.length, 1)

  const watch = await server.watch(`${behind}/site?resourceVersion=0&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=1`)
  await server.request('POST', webapps, { body: webapp('unseen') })
  t.same((await watch.rest()).filter(e => e.type !== 'BOOKMARK').map(e => (e.object as { metadata: { name: string } }).metadata.name), ['site'])
  t.equal((await server.request('DELETE', `${webapps}/unseen`)).status, 200)
})

t.test('what strangers ask for is not told apart in metrics', async t => {
  const made = 'made-up-by-a-stranger'
  t.equal((await server.request('GET', `/apis/${made}/v1/x`, { user: 'anonymous' })).status, 403)
  t.equal((await server.request('GET', `/apis/${made}/v1/namespaces/x/y`)).status, 404)
  const { text } = await server.request('GET', '/metrics')
  t.notOk(text.includes(made))
  t.match(text, /^apiserver_request_total\{.*group="other".*code="403"/m)
})

t.test('impersonation headers without a user are refused before anything else is decided', async t => {
  const answer = await server.request('GET', webapps, { headers: { 'impersonate-group': 'operators' } })
  t.match(answer.failure, { kind: 'Status', code: 400, reason: 'BadRequest', message: / without impersonating a user name$/ })
  t.equal(answer.headers['x-content-type-options'], 'nosniff')
})

t.test('refusals name the user, the verb, the resource and the place', async t => {
  const refused: readonly (readonly [string, string, TestUser, string])[] = [
    ['GET', webapps, 'anonymous', 'webapps.example.com is forbidden: User "system:anonymous" cannot list resource "webapps" in API group "example.com" in the namespace "shop"'],
    ['GET', `${webapps}?watch=true`, 'anonymous', 'webapps.example.com is forbidden: User "system:anonymous" cannot watch resource "webapps" in API group "example.com" in the namespace "shop"'],
    ['GET', '/apis/example.com/v1/webapps', alice, 'webapps.example.com is forbidden: User "alice" cannot list resource "webapps" in API group "example.com" at the cluster scope'],
    ['DELETE', `${webapps}/site`, alice, 'webapps.example.com "site" is forbidden: User "alice" cannot delete resource "webapps" in API group "example.com" in the namespace "shop"'],
    ['DELETE', webapps, alice, 'webapps.example.com is forbidden: User "alice" cannot deletecollection resource "webapps" in API group "example.com" in the namespace "shop"'],
    ['POST', webapps, alice, 'webapps.example.com is forbidden: User "alice" cannot create resource "webapps" in API group "example.com" in the namespace "shop"'],
    ['PUT', `${webapps}/site/status`, alice, 'webapps.example.com "site" is forbidden: User "alice" cannot update resource "webapps/status" in API group "example.com" in the namespace "shop"'],
    ['GET', `${webapps}/other/scale`, alice, 'webapps.example.com "other" is forbidden: User "alice" cannot get resource "webapps/scale" in API group "example.com" in the namespace "shop"'],
    ['GET', '/apis/unknown.example.org/v1/things', alice, 'things.unknown.example.org is forbidden: User "alice" cannot list resource "things" in API group "unknown.example.org" at the cluster scope'],
    ['GET', '/metrics', alice, 'forbidden: User "alice" cannot get path "/metrics"']
  ]
  for (const [method, path, user, message] of refused) {
    // The body is not even JSON: nobody reads it before authorization.
    const answer = await server.request(method, path, { user, ...(method !== 'GET' && { body: '{' }) })
    t.match(answer.failure, { kind: 'Status', status: 'Failure', code: 403, reason: 'Forbidden', message }, `${method} ${path}`)
    t.equal(answer.status, 403)
  }
})

t.test('the policy file grants what it says', async t => {
  t.equal((await server.request('GET', webapps, { user: alice })).items.length, 1)
  t.equal((await server.request('GET', '/apis', { user: alice })).status, 200, 'whoever is authenticated may discover')
  t.equal((await server.request('PATCH', `${webapps}/site/scale`, { user: alice, ...mergePatch({ spec: { replicas: 2 } }) })).status, 200)
  t.equal((await server.request('PATCH', `${webapps}/site/status`, { user: operator, ...mergePatch({ status: { phase: 'Running' } }) })).status, 200)
  t.equal((await server.request('PATCH', `${webapps}/site`, { user: operator, ...mergePatch({ spec: { replicas: 5 } }) })).status, 403)
  t.match((await server.request('GET', `${webapps}/site`, { user: alice })).json, { spec: { replicas: 2 }, status: { phase: 'Running' } })
  t.equal((await server.request('DELETE', `${webapps}/nothing`, { user: { name: 'root', groups: ['system:masters'] } })).status, 404)
})

t.test('an apply that would create needs the right to create', async t => {
  const patcher: TestUser = { name: 'patcher' }
  writeFileSync(policyFile, `${policy}---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: patcher}
rules: [{apiGroups: [example.com], resources: [webapps], verbs: [patch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: patcher}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: patcher}
subjects: [{kind: User, name: patcher}]
`)
  const apply = async (name: string): Promise<ApiStatus & { code?: number }> => (await server.request('PATCH', `${webapps}/${name}?fieldManager=patcher&force=true`, { user: patcher, body: webapp(name), headers: { 'content-type': 'application/apply-patch+yaml' } })).failure
  // The changed file is followed.
  let answer = await apply('site')
  for (const until = Date.now() + 60_000; answer.code === 403 && Date.now() < until;) answer = await apply('site')
  t.equal(answer.code, undefined, answer.message)
  t.match(await apply('new'), { code: 403, message: 'webapps.example.com "new" is forbidden: User "patcher" cannot create resource "webapps" in API group "example.com" in the namespace "shop"' })
})

t.test('credentials that are offered and bad are 401, not anonymous', async t => {
  const foreign = Authority.create({ commonName: 'annex-ca' })
  const serving = { certificatePem: readFileSync(join(server.dataDir, 'pki', 'apiserver.crt'), 'utf8'), privateKeyPem: readFileSync(join(server.dataDir, 'pki', 'apiserver.key'), 'utf8') }
  const own = Authority.load({ certificatePem: readFileSync(server.caFile, 'utf8'), privateKeyPem: readFileSync(join(server.dataDir, 'pki', 'ca.key'), 'utf8') })
  const longAgo = newClientCertificate(own, { user: 'admin', groups: ['system:masters'], validityDays: 1, now: new Date(Date.now() - 864e5 * 2) })
  for (const [name, user] of [
    ['an authority of the same name', newClientCertificate(foreign, { user: 'admin', groups: ['system:masters'] })],
    ['a certificate for servers', serving],
    ['an expired certificate', longAgo]
  ] as const) {
    for (const path of [webapps, '/healthz']) {
      const answer = await server.request('GET', path, { user })
      t.match(answer.failure, { kind: 'Status', status: 'Failure', message: 'Unauthorized', reason: 'Unauthorized', code: 401 }, `${name}: ${path}`)
    }
  }
  t.equal((await server.request('GET', '/healthz', { user: 'anonymous', headers: { authorization: 'Bearer nonsense' } })).status, 401, 'a token that nobody knows')
  t.equal((await server.request('GET', webapps, { user: 'anonymous', headers: { 'x-remote-user': 'root', 'x-remote-group': 'system:masters' } })).status, 403, 'headers of a proxy that is none')
})

t.test('without anonymous authentication even health asks for a user', async t => {
  const strict = await startServer(t, ['--anonymous-auth=false'], { inProcess: true })
  t.match((await strict.request('GET', '/healthz', { user: 'anonymous' })).failure, { code: 401, reason: 'Unauthorized' })
  t.equal((await strict.request('GET', '/healthz')).status, 200)
})

t.test('keys and kubeconfig are for their owner only', async t => {
  for (const file of ['kubeconfig', 'pki/ca.key', 'pki/apiserver.key', 'pki/admin.key']) t.equal(statSync(join(server.dataDir, file)).mode & 0o777, 0o600, file)
})

interface AuditLine {
  level: string
  stage: string
  auditID: string
  verb: string
  requestURI: string
  user: { username?: string; groups?: string[] }
  objectRef?: { resource: string; namespace?: string; name?: string; apiGroup: string; apiVersion: string; subresource?: string }
  responseStatus?: { code: number; reason?: string }
  annotations?: Record<string, string>
}

t.test('every request leaves its lines in the audit log', async t => {
  const id = async (method: string, path: string, user?: TestUser, body?: object): Promise<string> => String((await server.request(method, path, { user, body })).headers['audit-id'])
  const created = await id('POST', webapps, undefined, webapp('audited'))
  const refused = await id('DELETE', `${webapps}/audited`, alice)
  const unknown = await id('GET', '/apis', newClientCertificate(Authority.create({ commonName: 'x' }), { user: 'x' }))
  const named = await server.request('GET', webapps, { headers: { 'audit-id': 'my-own-id' } })
  t.equal(named.headers['audit-id'], 'my-own-id')
  const watch = await server.watch(webapps, { headers: { 'audit-id': 'a-watch' } })
  watch.close()

  const lines = (): AuditLine[] => existsSync(auditLog) ? readFileSync(auditLog, 'utf8').split('\n').slice(0, -1).map(line => JSON.parse(line) as AuditLine) : []
  const of = (auditId: string): AuditLine[] => lines().filter(line => line.auditID === auditId)
  for (const until = Date.now() + 60_000; of('a-watch').length < 3 && Date.now() < until;) await new Promise(resolve => setTimeout(resolve, 20))

  t.match(of(created), [
    { kind: 'Event', apiVersion: 'audit.k8s.io/v1', level: 'Metadata', stage: 'RequestReceived', verb: 'create', requestURI: webapps, user: { username: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] }, sourceIPs: [/127\.0\.0\.1$/] },
    { stage: 'ResponseComplete', objectRef: { resource: 'webapps', namespace: 'shop', name: 'audited', apiGroup: 'example.com', apiVersion: 'v1' }, responseStatus: { code: 201 }, annotations: { 'authorization.k8s.io/decision': 'allow' } }
  ])
  t.match(of(refused), [{ stage: 'RequestReceived', verb: 'delete', user: { username: 'alice' } }, { stage: 'ResponseComplete', responseStatus: { code: 403, reason: 'Forbidden' }, annotations: { 'authorization.k8s.io/decision': 'forbid' } }])
  t.match(of(unknown), [{ stage: 'ResponseStarted', responseStatus: { code: 401 } }])
  t.same(of('a-watch').map(line => [line.verb, line.stage]), [['watch', 'RequestReceived'], ['watch', 'ResponseStarted'], ['watch', 'ResponseComplete']])
  t.notMatch(readFileSync(auditLog, 'utf8'), 'nginx', 'level Metadata records no bodies')
})
