import { writeFile, rm } from 'node:fs/promises'
import path from 'node:path'
import t from 'tap'
import { ConfigFileError } from '../options/config-file.js'
import { AlwaysAllowPathsAuthorizer } from './always-allow-paths.js'
import { AuthorizerChain } from './chain.js'
import { forbiddenError, forbiddenMessage, type Attributes, type AuthorizationResult, type ResourceAttributes } from './interfaces.js'
import { PolicyFileAuthorizer, parseRbacObjects } from './policy-file.js'
import { PrivilegedGroupAuthorizer } from './privileged-groups.js'
import { ruleAllows } from './rbac.js'

const user = (name: string, ...groups: string[]) => ({ name, groups })
const resource = (init: Partial<Omit<ResourceAttributes, 'resourceRequest'>> = {}): ResourceAttributes => ({
  user: user('jane', 'system:authenticated'), verb: 'get', resourceRequest: true, path: '/', apiGroup: 'mycompany.io', apiVersion: 'v2', resource: 'databases', subresource: '', namespace: 'default', name: 'db', ...init
})
const nonResource = (path: string, init: { user?: ReturnType<typeof user>; verb?: string } = {}): Attributes => ({ user: user('jane', 'system:authenticated'), verb: 'get', resourceRequest: false, path, ...init })

t.test('the text of a 403 is kube-apiserver\'s', async t => {
  for (const [name, attributes, reason, message, details] of [
    ['namespaced', resource({ name: 'f1' }), '', 'databases.mycompany.io "f1" is forbidden: User "jane" cannot get resource "databases" in API group "mycompany.io" in the namespace "default"', { name: 'f1', group: 'mycompany.io', kind: 'databases' }],
    ['a list', resource({ verb: 'list', name: '' }), '', 'databases.mycompany.io is forbidden: User "jane" cannot list resource "databases" in API group "mycompany.io" in the namespace "default"', { group: 'mycompany.io', kind: 'databases' }],
    ['cluster scope', resource({ verb: 'list', name: '', namespace: '' }), '', 'databases.mycompany.io is forbidden: User "jane" cannot list resource "databases" in API group "mycompany.io" at the cluster scope', { group: 'mycompany.io', kind: 'databases' }],
    ['a subresource', resource({ subresource: 'status' }), '', 'databases.mycompany.io "db" is forbidden: User "jane" cannot get resource "databases/status" in API group "mycompany.io" in the namespace "default"', { name: 'db', group: 'mycompany.io', kind: 'databases' }],
    ['the core group', resource({ verb: 'list', apiGroup: '', resource: 'configmaps', name: '' }), 'RBAC: why', 'configmaps is forbidden: User "jane" cannot list resource "configmaps" in API group "" in the namespace "default": RBAC: why', { kind: 'configmaps' }],
    ['a path', nonResource('/foo'), '', 'forbidden: User "jane" cannot get path "/foo"', {}],
    ['markup', nonResource('/<b>&', { user: user('<script>') }), '', 'forbidden: User "&lt;script&gt;" cannot get path "/&lt;b&gt;&amp;"', {}]
  ] as const) {
    const { status } = forbiddenError(attributes, reason)
    t.same([status.message, status.details, status.reason, status.code], [message, details, 'Forbidden', 403], name)
  }
  t.equal(forbiddenMessage(nonResource('/x'), 'because'), 'User "jane" cannot get path "/x": because')
})

t.test('the union: the first decision counts, reasons are joined, a failure is no refusal', async t => {
  const says = (result: AuthorizationResult | Error) => ({ authorize: async () => { if (result instanceof Error) throw result; return result } })
  const none = (reason = ''): AuthorizationResult => ({ decision: 'noOpinion', reason })
  const allow: AuthorizationResult = { decision: 'allow', reason: 'yes' }
  const deny: AuthorizationResult = { decision: 'deny', reason: 'no' }
  for (const [name, answers, expected] of [
    ['nobody', [], none()],
    ['reasons', [none('a'), none(), none('b')], none('a\nb')],
    ['allow', [none('a'), allow, deny], allow],
    ['deny', [deny, allow], deny],
    ['a failure before an allow', [new Error('x'), allow], allow]
  ] as const) t.same(await new AuthorizerChain(answers.map(says)).authorize(nonResource('/')), expected, name)
  await t.rejects(new AuthorizerChain([none(), new Error('down'), none()].map(says)).authorize(nonResource('/')), { message: 'down' })
  await t.rejects(new AuthorizerChain([new Error('a'), new Error('b')].map(says)).authorize(nonResource('/')), { name: 'AggregateError' })
})

t.test('privileged groups and health paths', async t => {
  const privileged = new PrivilegedGroupAuthorizer()
  t.equal((await privileged.authorize(resource({ user: user('x', 'system:masters') }))).decision, 'allow')
  t.equal((await privileged.authorize(resource({ user: user('system:masters', 'masters') }))).decision, 'noOpinion')
  const paths = new AlwaysAllowPathsAuthorizer()
  for (const [path, decision] of [['/healthz', 'allow'], ['/livez', 'allow'], ['/readyz', 'allow'], ['/readyz/etcd', 'noOpinion'], ['/healthz/', 'noOpinion'], ['/version', 'noOpinion']] as const) {
    t.equal((await paths.authorize(nonResource(path, { user: user('system:anonymous') }))).decision, decision, path)
  }
  t.equal((await new AlwaysAllowPathsAuthorizer(['/public/*']).authorize(nonResource('/public/x'))).decision, 'allow')
  t.equal((await paths.authorize({ ...resource(), path: '/healthz' })).decision, 'noOpinion', 'only for non-resource requests')
})

t.test('a rule covers what RBAC says it covers', async t => {
  const base = { verbs: ['get'], apiGroups: ['mycompany.io'], resources: ['databases'] }
  for (const [name, rule, attributes, expected] of [
    ['exact', base, resource(), true],
    ['another verb', base, resource({ verb: 'list' }), false],
    ['another group', base, resource({ apiGroup: 'db.example.com' }), false],
    ['another resource', base, resource({ resource: 'webapps' }), false],
    ['a subresource is not its resource', base, resource({ subresource: 'status' }), false],
    ['the subresource', { ...base, resources: ['databases/status'] }, resource({ subresource: 'status' }), true],
    ['a resource is not its subresource', { ...base, resources: ['databases/status'] }, resource(), false],
    ['any resource\'s subresource', { ...base, resources: ['*/scale'] }, resource({ subresource: 'scale' }), true],
    ['any resource\'s other subresource', { ...base, resources: ['*/scale'] }, resource({ subresource: 'status' }), false],
    ['any subresource of one resource is not RBAC', { ...base, resources: ['databases/*'] }, resource({ subresource: 'status' }), false],
    ['all stars', { verbs: ['*'], apiGroups: ['*'], resources: ['*'] }, resource({ subresource: 'status', verb: 'patch' }), true],
    ['a name', { ...base, resourceNames: ['db'] }, resource(), true],
    ['another name', { ...base, resourceNames: ['other'] }, resource(), false],
    ['a name and a list without one', { ...base, verbs: ['list'], resourceNames: ['db'] }, resource({ verb: 'list', name: '' }), false],
    ['a path', { verbs: ['get'], nonResourceURLs: ['/metrics'] }, nonResource('/metrics'), true],
    ['below a path', { verbs: ['get'], nonResourceURLs: ['/metrics'] }, nonResource('/metrics/slis'), false],
    ['a star', { verbs: ['get'], nonResourceURLs: ['/apis/*'] }, nonResource('/apis/x/v1'), true],
    ['the star needs the slash', { verbs: ['get'], nonResourceURLs: ['/apis/*'] }, nonResource('/apis'), false],
    ['every path', { verbs: ['get'], nonResourceURLs: ['*'] }, nonResource('/x'), true],
    ['a path rule and a resource', { verbs: ['get'], nonResourceURLs: ['*'] }, resource(), false],
    ['a resource rule and a path', { verbs: ['get'], apiGroups: ['*'], resources: ['*'] }, nonResource('/x'), false]
  ] as const) t.equal(ruleAllows(rule, attributes), expected, name)
})

t.test('without a file everybody has what every cluster gives', async t => {
  const authorizer = await PolicyFileAuthorizer.open({})
  const anonymous = { user: user('system:anonymous', 'system:unauthenticated') }
  for (const [name, attributes, decision] of [
    ['discovery', nonResource('/apis/mycompany.io/v2'), 'allow'],
    ['openapi', nonResource('/openapi/v3'), 'allow'],
    ['version', nonResource('/version'), 'allow'],
    ['discovery is for reading', nonResource('/apis', { verb: 'post' }), 'noOpinion'],
    ['metrics', nonResource('/metrics'), 'noOpinion'],
    ['metrics for monitoring', nonResource('/metrics', { user: user('p', 'system:monitoring') }), 'allow'],
    ['one health check', nonResource('/readyz/etcd'), 'noOpinion'],
    ['anonymous version', nonResource('/version', anonymous), 'allow'],
    ['anonymous discovery', nonResource('/apis', anonymous), 'noOpinion'],
    ['objects', resource(), 'noOpinion'],
    ['objects for masters', resource({ user: user('root', 'system:masters') }), 'allow'],
    ['who am I', resource({ verb: 'create', apiGroup: 'authentication.k8s.io', resource: 'selfsubjectreviews', namespace: '', name: '' }), 'allow']
  ] as const) t.equal((await authorizer.authorize(attributes)).decision, decision, name)
  t.equal((await authorizer.authorize(nonResource('/api'))).reason, 'RBAC: allowed by ClusterRoleBinding "system:discovery" of ClusterRole "system:discovery" to Group "system:authenticated"')
})

const manifests = `
# what kubectl create -f would take
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: db-reader, namespace: team-a, annotations: {a: b}}
rules:
- apiGroups: [mycompany.io]
  resources: [databases, databases/status]
  verbs: [get, list, watch]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: readers, namespace: team-a}
subjects:
- {kind: User, name: jane, apiGroup: rbac.authorization.k8s.io}
- {kind: ServiceAccount, name: app}
- {kind: ServiceAccount, name: other, namespace: team-b}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: db-reader}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: db-view, labels: {rbac.authorization.k8s.io/aggregate-to-view: "true"}}
rules:
- {apiGroups: [db.example.com], resources: ['*'], verbs: [get]}
---
apiVersion: v1
kind: List
items:
- apiVersion: rbac.authorization.k8s.io/v1
  kind: ClusterRoleBinding
  metadata: {name: admins}
  subjects: [{kind: Group, name: platform}]
  roleRef: {kind: ClusterRole, name: admin}
- apiVersion: rbac.authorization.k8s.io/v1
  kind: RoleBinding
  metadata: {name: viewers, namespace: team-b}
  subjects: [{kind: Group, name: devs}]
  roleRef: {kind: ClusterRole, name: view}
- apiVersion: rbac.authorization.k8s.io/v1
  kind: ClusterRoleBinding
  metadata: {name: dangling}
  subjects: [{kind: User, name: lost}]
  roleRef: {kind: ClusterRole, name: nonexist}
---
`

t.test('a file of manifests is evaluated as RBAC evaluates it', async t => {
  const file = path.join(t.testdir({ 'rbac.yaml': manifests }), 'rbac.yaml')
  const authorizer = await PolicyFileAuthorizer.open({ file })
  t.teardown(() => authorizer.close())
  const db = { apiGroup: 'db.example.com' }
  for (const [name, attributes, decision] of [
    ['in the namespace', resource({ namespace: 'team-a' }), 'allow'],
    ['a subresource', resource({ namespace: 'team-a', subresource: 'status' }), 'allow'],
    ['in another namespace', resource({ namespace: 'team-b' }), 'noOpinion'],
    ['across namespaces', resource({ namespace: '', verb: 'list', name: '' }), 'noOpinion'],
    ['a verb not given', resource({ namespace: 'team-a', verb: 'delete' }), 'noOpinion'],
    ['a service account of the binding\'s namespace', resource({ namespace: 'team-a', user: user('system:serviceaccount:team-a:app') }), 'allow'],
    ['a service account of another namespace', resource({ namespace: 'team-a', user: user('system:serviceaccount:team-b:other') }), 'allow'],
    ['a service account of the wrong namespace', resource({ namespace: 'team-a', user: user('system:serviceaccount:team-b:app') }), 'noOpinion'],
    ['a cluster role bound in a namespace', resource({ ...db, namespace: 'team-b', user: user('x', 'devs') }), 'allow'],
    ['and not beyond it', resource({ ...db, namespace: 'team-a', user: user('x', 'devs') }), 'noOpinion'],
    ['view is collected into admin through edit', resource({ ...db, namespace: 'any', user: user('x', 'platform') }), 'allow'],
    ['admin has only what was collected', resource({ namespace: 'any', user: user('x', 'platform') }), 'noOpinion']
  ] as const) t.equal((await authorizer.authorize(attributes)).decision, decision, name)
  t.equal((await authorizer.authorize(resource({ namespace: 'team-a' }))).reason, 'RBAC: allowed by RoleBinding "readers/team-a" of Role "db-reader" to User "jane"')
  t.equal((await authorizer.authorize(resource({ namespace: 'team-a', user: user('system:serviceaccount:team-a:app') }))).reason, 'RBAC: allowed by RoleBinding "readers/team-a" of Role "db-reader" to ServiceAccount "app/team-a"')
  t.same(await authorizer.authorize(resource({ user: user('lost') })), { decision: 'noOpinion', reason: 'RBAC: clusterrole.rbac.authorization.k8s.io "nonexist" not found' })
})

t.test('everything wrong in a file is named with file, document and field', async t => {
  const doc = (kind: string, rest: string): string => `apiVersion: rbac.authorization.k8s.io/v1\nkind: ${kind}\nmetadata: {name: x}\n${rest}\n`
  const ref = 'roleRef: {kind: ClusterRole, name: y}'
  for (const [name, text, expected] of [
    ['no kind', 'a: b', ['document 0: kind: Unsupported value: "": supported values: "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"']],
    ['a misspelt field', doc('Role', 'rules: [{verbs: [get], apiGroups: [a], resources: [b], resourceName: [c]}]'), ['document 0: rules[0].resourceName: unknown field']],
    ['no verbs', doc('Role', 'rules: [{apiGroups: [a], resources: [b]}]'), ['document 0: rules[0].verbs: Required value']],
    ['empty verbs', doc('Role', 'rules: [{verbs: [], apiGroups: [a], resources: [b]}]'), ['document 0: rules[0].verbs: Required value: must have at least 1 item']],
    ['a string for a list', doc('ClusterRole', 'rules: [{verbs: get, apiGroups: [a], resources: [b]}]'), ['document 0: rules[0].verbs: Invalid value: "get": must be of type array']],
    ['paths in a Role', doc('Role', 'rules: [{verbs: [get], nonResourceURLs: [/x]}]'), ['document 0: rules[0].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs']],
    ['no resources', doc('ClusterRole', 'rules: [{verbs: [get]}]'), ['document 0: rules[0].apiGroups: Required value: resource rules must supply at least one api group', 'document 0: rules[0].resources: Required value: resource rules must supply at least one resource']],
    ['a Role for everybody', doc('ClusterRoleBinding', 'roleRef: {kind: Role, name: y}'), ['document 0: roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"']],
    ['a subject of no kind', doc('RoleBinding', `subjects: [{kind: Usr, name: j}]\n${ref}`), ['document 0: subjects[0].kind: Unsupported value: "Usr": supported values: "User", "Group", "ServiceAccount"']],
    ['a service account without a namespace', doc('ClusterRoleBinding', `subjects: [{kind: ServiceAccount, name: a}]\n${ref}`), ['document 0: subjects[0].namespace: Required value']],
    ['several documents', `${doc('Role', 'rule: []')}---\n${doc('RoleBinding', '')}---\n${doc('ClusterRole', 'rules: []')}`, ['document 0: rule: unknown field', 'document 1: roleRef: Required value']],
    ['twice the same', `${doc('ClusterRole', '')}---\n${doc('ClusterRole', '')}`, ['document 1: metadata.name: Duplicate value: ClusterRole x is already in document 0']],
    ['inside a list', 'kind: List\nitems: [{kind: Pod}]', ['document 0: items[0].kind: Unsupported value: "Pod": supported values: "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"']],
    ['an old version', 'apiVersion: rbac.authorization.k8s.io/v1beta1\nkind: Role\nmetadata: {name: x}', ['document 0: apiVersion: Unsupported value: "rbac.authorization.k8s.io/v1beta1": supported values: "rbac.authorization.k8s.io/v1"']]
  ] as const) {
    const error = await parseRbacObjects(text, 'f.yaml').then(() => undefined, (e: unknown) => e as ConfigFileError)
    t.same(error?.message.split('\n'), expected.map(line => `f.yaml: ${line}`), name)
  }
  await t.rejects(parseRbacObjects('a: [', 'f.yaml'), { name: 'ConfigFileError', message: /^f\.yaml: document 0: .*line 1/ })
  await t.rejects(parseRbacObjects('a: 1\na: 2', 'f.yaml'), { message: /unique/ })
  await t.rejects(PolicyFileAuthorizer.open({ file: '/nonexistent/rbac.yaml' }), { message: '/nonexistent/rbac.yaml: cannot be read (ENOENT)' })
})

t.test('a changed file is followed; a bad one is reported and the old rules stay', async t => {
  const file = path.join(t.testdir({ 'rbac.yaml': manifests }), 'rbac.yaml')
  const errors: ConfigFileError[] = []
  let reloads = 0
  const authorizer = await PolicyFileAuthorizer.open({ file, settleMs: 5, pollIntervalMs: 600_000, onError: e => { errors.push(e) }, onReload: () => { reloads++ } })
  t.teardown(() => authorizer.close())
  const allowed = async (): Promise<string> => (await authorizer.authorize(resource({ namespace: 'team-a' }))).decision
  t.equal(await allowed(), 'allow')
  await writeFile(file, 'kind: Nonsense')
  await authorizer.check()
  t.equal(await allowed(), 'allow')
  t.match(errors.at(-1)?.message, /rbac\.yaml: document 0: kind: Unsupported value: "Nonsense"/)
  await rm(file)
  await authorizer.check()
  t.match(errors.at(-1)?.message, /rbac\.yaml: cannot be read/)
  t.equal(await allowed(), 'allow')
  t.equal(reloads, 0)
  await writeFile(file, manifests.replaceAll('jane', 'joe'))
  await authorizer.check()
  t.equal(await allowed(), 'noOpinion')
  t.equal(reloads, 1)
})
