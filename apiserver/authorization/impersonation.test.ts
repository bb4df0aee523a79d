import t from 'tap'
import type { UserInfo } from '../authentication/interfaces.js'
import { wantedUser } from './impersonation-headers.js'
import { Impersonator } from './impersonation.js'
import type { Attributes, Authorizer, ResourceAttributes } from './interfaces.js'
import { nodeOf, serviceAccountOf } from './service-account-name.js'

const jane: UserInfo = { name: 'jane', groups: ['system:authenticated'] }
const request = (user: UserInfo = jane): ResourceAttributes => ({
  user, verb: 'list', resourceRequest: true, path: '/x', apiGroup: 'example.com', apiVersion: 'v1', resource: 'webapps', subresource: '', namespace: 'default', name: ''
})
const show = (a: Attributes): string => a.resourceRequest ? `${a.verb} ${[a.apiGroup, a.resource, a.subresource].filter(s => s !== '').join('/')} ${a.namespace}:${a.name}` : `${a.verb} ${a.path}`

/** Allows what is listed, by the text of `show`; keeps what it was asked. */
class Script implements Authorizer {
  readonly asked: string[] = []
  readonly users: UserInfo[] = []
  readonly #allowed: (question: string) => boolean
  constructor (allowed: readonly string[] | 'all') { this.#allowed = q => allowed === 'all' || allowed.includes(q) }
  async authorize (attributes: Attributes) {
    const question = show(attributes)
    this.asked.push(question)
    this.users.push(attributes.user)
    if (question.includes('broken')) throw new Error('down')
    return this.#allowed(question) ? { decision: 'allow' as const, reason: '' } : { decision: 'noOpinion' as const, reason: 'no rule' }
  }
}
const { signal } = new AbortController()
const impersonate = async (allowed: readonly string[] | 'all', wanted: UserInfo, by: UserInfo = jane) => {
  const script = new Script(allowed)
  const result = await new Impersonator(script).impersonate(wanted, request(by), signal).catch((e: Error) => e.message)
  return { result, ...script }
}

t.test('the headers say whom, and nothing is guessed', async t => {
  t.equal(wantedUser(['Authorization', 'x', 'X-Remote-User', 'y']), undefined)
  t.same(wantedUser(['impersonate-user', 'bob', 'Impersonate-Group', 'a, b', 'IMPERSONATE-GROUP', 'c', 'Impersonate-Uid', '7', 'Impersonate-Extra-Acme.io%2Fx', '1', 'impersonate-extra-acme.io%2fX', '2', 'Impersonate-User', 'second']),
    { name: 'bob', uid: '7', groups: ['a, b', 'c'], extra: { 'acme.io/x': ['1', '2'] } })
  t.equal(wantedUser(['Impersonate-User', '']), undefined)
  for (const [headers, printed] of [
    [['Impersonate-Group', 'a"b', 'Impersonate-Group', 'c'], 'UID:"", Groups:[]string{"a\\"b", "c"}, Extra:map[string][]string(nil)'],
    [['Impersonate-Uid', '1', 'Impersonate-User', ''], 'UID:"1", Groups:[]string(nil), Extra:map[string][]string(nil)'],
    [['Impersonate-Extra-b', '1', 'Impersonate-Extra-a', '2', 'Impersonate-Extra-a', '3'], 'UID:"", Groups:[]string(nil), Extra:map[string][]string{"a":[]string{"2", "3"}, "b":[]string{"1"}}']
  ] as const) t.throws(() => wantedUser(headers), { code: 400, message: `requested &user.DefaultInfo{Name:"", ${printed}} without impersonating a user name` })
})

t.test('names of service accounts and nodes', async t => {
  t.same(serviceAccountOf('system:serviceaccount:ns:a.b'), { namespace: 'ns', name: 'a.b' })
  for (const name of ['system:serviceaccount:ns', 'system:serviceaccount:ns:', 'system:serviceaccount:n.s:a', 'system:serviceaccount:ns:a:b', 'system:serviceaccount:ns:A', 'jane']) t.equal(serviceAccountOf(name), undefined, name)
  t.equal(nodeOf('system:node:n.1'), 'n.1')
  for (const name of ['system:node:', 'system:node:A', 'system:nodes:a']) t.equal(nodeOf(name), undefined, name)
})

t.test('the old right, and the narrow ones before it', async t => {
  const legacy = (...what: string[]): string[] => what.map(w => `impersonate ${w}`)
  const bob: UserInfo = { name: 'bob', groups: [] }
  const onRequest = 'impersonate-on:user-info:list example.com/webapps default:'
  for (const [name, allowed, wanted, user, constraint] of [
    ['a user', legacy('users :bob'), bob, { name: 'bob', groups: ['system:authenticated'] }, ''],
    ['with everything', legacy('users :bob', 'groups :g', 'authentication.k8s.io/uids :7', 'authentication.k8s.io/userextras/a.io/k :v', 'authentication.k8s.io/userextras/a.io/k :w'),
      { name: 'bob', uid: '7', groups: ['g'], extra: { 'a.io/k': ['v', 'w'] } }, { name: 'bob', uid: '7', groups: ['g', 'system:authenticated'], extra: { 'a.io/k': ['v', 'w'] } }, ''],
    ['nobody', legacy('users :system:anonymous'), { name: 'system:anonymous', groups: [] }, { name: 'system:anonymous', groups: ['system:unauthenticated'] }, ''],
    ['an unauthenticated group', legacy('users :bob', 'groups :system:unauthenticated'), { name: 'bob', groups: ['system:unauthenticated'] }, { name: 'bob', groups: ['system:unauthenticated'] }, ''],
    ['a service account', legacy('serviceaccounts ns:sa'), { name: 'system:serviceaccount:ns:sa', groups: [] },
      { name: 'system:serviceaccount:ns:sa', groups: ['system:serviceaccounts', 'system:serviceaccounts:ns', 'system:authenticated'] }, ''],
    ['a user, for this request', [onRequest, 'impersonate:user-info authentication.k8s.io/users :bob'], bob, { name: 'bob', groups: ['system:authenticated'] }, 'impersonate:user-info'],
    ['groups at once', [onRequest, 'impersonate:user-info authentication.k8s.io/users :bob', 'impersonate:user-info authentication.k8s.io/groups :*'], { name: 'bob', groups: ['a', 'b', 'c', 'd'] }, { name: 'bob', groups: ['a', 'b', 'c', 'd', 'system:authenticated'] }, 'impersonate:user-info'],
    ['a node', ['impersonate-on:arbitrary-node:list example.com/webapps default:', 'impersonate:arbitrary-node authentication.k8s.io/nodes :n1'], { name: 'system:node:n1', groups: [] }, { name: 'system:node:n1', groups: ['system:nodes', 'system:authenticated'] }, 'impersonate:arbitrary-node'],
    ['a service account, for this request', ['impersonate-on:serviceaccount:list example.com/webapps default:', 'impersonate:serviceaccount authentication.k8s.io/serviceaccounts ns:sa'], { name: 'system:serviceaccount:ns:sa', groups: [] },
      { name: 'system:serviceaccount:ns:sa', groups: ['system:serviceaccounts', 'system:serviceaccounts:ns', 'system:authenticated'] }, 'impersonate:serviceaccount']
  ] as [string, string[], UserInfo, UserInfo, string][]) {
    t.same((await impersonate(allowed, wanted)).result, { user, constraint }, name)
    for (const missing of allowed) t.type((await impersonate(allowed.filter(a => a !== missing), wanted)).result, 'string', `${name}, but not ${missing}`)
  }
})

t.test('a service account may act as its own node, asked without what differs between nodes', async t => {
  const onNode = (node: string): UserInfo => ({ name: 'system:serviceaccount:ns:agent', groups: [], extra: { 'authentication.kubernetes.io/node-name': [node], 'authentication.kubernetes.io/pod-name': ['p'] } })
  const allowed = ['impersonate-on:associated-node:list example.com/webapps default:', 'impersonate:associated-node authentication.k8s.io/nodes :*']
  const own = await impersonate(allowed, { name: 'system:node:n1', groups: [] }, onNode('n1'))
  t.match(own.result, { user: { name: 'system:node:n1', groups: ['system:nodes', 'system:authenticated'] }, constraint: 'impersonate:associated-node' })
  t.same(own.users[0]?.extra, { 'authentication.kubernetes.io/associated-node-keys': ['authentication.kubernetes.io/node-name', 'authentication.kubernetes.io/pod-name'] })
  for (const [name, wanted, by] of [
    ['another node', 'system:node:n2', onNode('n1')], ['a user with such an extra', 'system:node:n1', { ...onNode('n1'), name: 'jane' }], ['no node', 'jane', onNode('n1')]
  ] as const) t.type((await impersonate(allowed, { name: wanted, groups: [] }, by)).result, 'string', name)
})

t.test('a refusal names the first right that was missing, as kube-apiserver does', async t => {
  const all = (q: string): string => q
  for (const [name, allowed, wanted, message] of [
    ['nothing allowed', [], { name: 'bob', groups: [] }, 'webapps.example.com is forbidden: User "jane" cannot impersonate-on:user-info:list resource "webapps" in API group "example.com" in the namespace "default": no rule'],
    ['system:masters by the new right', [all('impersonate-on:user-info:list example.com/webapps default:'), all('impersonate:user-info authentication.k8s.io/users :bob')], { name: 'bob', groups: ['system:masters'] },
      'groups.authentication.k8s.io "system:masters" is forbidden: User "jane" cannot impersonate:user-info resource "groups" in API group "authentication.k8s.io" at the cluster scope: impersonating the system:masters group is not allowed'],
    ['an empty group', [all('impersonate-on:user-info:list example.com/webapps default:'), all('impersonate:user-info authentication.k8s.io/users :bob')], { name: 'bob', groups: [''] },
      'groups.authentication.k8s.io is forbidden: User "jane" cannot impersonate:user-info resource "groups" in API group "authentication.k8s.io" at the cluster scope: impersonating the empty string group is not allowed'],
    ['a bad extra key', [all('impersonate-on:user-info:list example.com/webapps default:'), all('impersonate:user-info authentication.k8s.io/users :bob')], { name: 'bob', groups: [], extra: { scopes: ['x'] } },
      'userextras.authentication.k8s.io is forbidden: User "jane" cannot impersonate:user-info resource "userextras" in API group "authentication.k8s.io" at the cluster scope: impersonating an invalid key in extra is not allowed: extra.key: Invalid value: "scopes": must be a domain-prefixed path (such as "acme.io/foo")'],
    ['nobody can tell', [], { name: 'system:serviceaccount:broken:x', groups: ['g'] }, 'serviceaccounts "x" is forbidden: User "jane" cannot impersonate resource "serviceaccounts" in API group "" in the namespace "broken": down']
  ] as [string, string[], UserInfo, string][]) t.equal((await impersonate(allowed, wanted)).result, message, name)
})

t.test('what worked for a user is tried first the next time', async t => {
  const script = new Script(['impersonate users :bob'])
  const impersonator = new Impersonator(script)
  const bob: UserInfo = { name: 'bob', groups: [] }
  await impersonator.impersonate(bob, request(), signal)
  t.equal(script.asked.length, 2)
  await impersonator.impersonate(bob, request(), signal)
  t.same(script.asked.slice(2), ['impersonate users :bob'])
  await t.rejects(impersonator.impersonate({ name: 'eve', groups: [] }, request(), signal), { message: /cannot impersonate resource "users"/ }, 'and is what a later refusal names')
})
