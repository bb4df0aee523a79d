import t from 'tap'
import { Authority } from '../../certs/authority.js'
import { newClientCertificate } from '../../certs/client-certificate.js'
import type { KeyPair } from '../../certs/key-pair.js'
import { newServingCertificate, servingNames } from '../../certs/serving-certificate.js'
import { registerAnnex, servedGroupVersions, startAnnex } from '../fixtures/control-plane-annex.js'
import type { Answer, Credentials } from '../fixtures/control-plane-client.js'
import { until } from '../fixtures/control-plane-conditions.js'
import { objectOf, pathOf, webapp } from '../fixtures/control-plane-objects.js'
import { startControlPlane } from '../fixtures/control-plane.js'

const day = 24 * 60 * 60 * 1000
const namespace = 'guarded'
const masters = { user: 'root', groups: ['system:masters'], validityDays: 1 }
const asRoot = { 'X-Remote-User': 'root', 'X-Remote-Group': ['system:masters', 'system:authenticated'] }

interface Attempt {
  readonly who: string
  readonly credentials?: Credentials
  readonly headers?: Record<string, string | string[]>
  /** 401, or the user that the 403 names. */
  readonly refused: 401 | string
}

t.setTimeout(600_000)

t.test('who gets into Annex', async t => {
  const controlPlane = await startControlPlane(t)
  const annex = await startAnnex(controlPlane)
  await registerAnnex(controlPlane, { port: annex.port, certificateAuthorityPem: annex.certificateAuthorityPem, groupVersions: await servedGroupVersions(controlPlane, annex) })
  const { pki, admin } = controlPlane
  const core = `/api/v1/namespaces/${namespace}`
  await admin.client.create('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } })
  for (const name of ['reader', 'revoked']) await admin.client.create(`${core}/serviceaccounts`, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name } })
  const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`
  await admin.client.create(`${rbac}/roles`, { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', metadata: { name: 'reader' }, rules: [{ apiGroups: ['example.com'], resources: ['webapps'], verbs: ['list'] }] })
  await admin.client.create(`${rbac}/rolebindings`, {
    apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'RoleBinding', metadata: { name: 'readers' }, roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'reader' },
    subjects: [{ kind: 'ServiceAccount', name: 'reader', namespace }, { kind: 'ServiceAccount', name: 'revoked', namespace }, { apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'readers' }]
  })
  /** Waits until kube-apiserver knows a right, before Annex asks and remembers the answer for a while. */
  const allowed = async (user: string, groups: readonly string[], resourceAttributes: object): Promise<true> => await until(`${user} to be allowed`, async () =>
    (await admin.client.create('/apis/authorization.k8s.io/v1/subjectaccessreviews', { apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview', spec: { user, groups, resourceAttributes } })).status?.['allowed'] === true)
  const lists = { namespace, group: 'example.com', version: 'v1', resource: 'webapps', verb: 'list' }
  await allowed('alice', ['readers'], lists)
  const list = (credentials: Credentials = {}, headers: Record<string, string | string[]> = {}): Promise<Answer> => withClient(credentials, client => client.request('GET', pathOf(webapp, namespace), { headers }))
  async function withClient<T> (credentials: Credentials, use: (client: ReturnType<typeof annex.client>) => Promise<T>): Promise<T> {
    const client = annex.client(credentials)
    try {
      return await use(client)
    } finally {
      client.close()
    }
  }

  const mallory = pki.user('mallory')
  const frontProxy = newClientCertificate(pki.frontProxyCa, { user: 'front-proxy-client', validityDays: 1 })
  const stranger = Authority.create({ commonName: 'kubernetes' })
  const strangeProxyCa = Authority.create({ commonName: 'kubernetes-front-proxy-ca' })
  const past = { ...masters, now: new Date(Date.now() - 3 * day) }

  t.test('those who may', async t => {
    const token = await controlPlane.serviceAccountToken(namespace, 'reader')
    for (const [who, credentials, headers] of [
      ['an administrator with a certificate', pki.user(masters.user, masters.groups), {}],
      ['a group member with a certificate', pki.user('alice', ['writers', 'readers']), {}],
      ['a service account with a token', { token }, {}],
      ['the front proxy for an administrator', frontProxy, asRoot],
      ['the front proxy for a group member', frontProxy, { 'X-Remote-User': 'alice', 'X-Remote-Group': ['writers', 'readers'] }],
      ['the front proxy for an administrator, whatever token comes along', frontProxy, { ...asRoot, Authorization: 'Bearer nonsense' }]
    ] as [string, Credentials, Record<string, string | string[]>][]) {
      const answer = await list(credentials, headers)
      t.equal(answer.status, 200, who, { answer: answer.text })
    }
  })

  const tokenForOthers = (await controlPlane.kubectl(['create', 'token', 'reader', '-n', namespace, '--audience=https://elsewhere.example.com'])).stdout.trim()
  const readerToken = await controlPlane.serviceAccountToken(namespace, 'reader')
  const attempts: Attempt[] = [
    { who: 'nobody', refused: 'system:anonymous' },
    { who: 'front-proxy headers without a certificate', headers: asRoot, refused: 'system:anonymous' },
    { who: 'front-proxy headers with a user certificate', credentials: mallory, headers: asRoot, refused: 'mallory' },
    { who: 'front-proxy headers with a user certificate named like the front proxy', credentials: pki.user('front-proxy-client'), headers: asRoot, refused: 'front-proxy-client' },
    { who: 'front-proxy headers with a token of a user without rights', credentials: { token: await defaultToken() }, headers: asRoot, refused: 'system:serviceaccount:guarded:powerless' },
    { who: 'another name of the front-proxy authority', credentials: newClientCertificate(pki.frontProxyCa, { user: 'not-the-proxy', validityDays: 1 }), headers: asRoot, refused: 401 },
    { who: "the front-proxy authority's certificate for servers", credentials: newServingCertificate(pki.frontProxyCa, { commonName: 'front-proxy-client', subjectAltNames: servingNames([]) }), headers: asRoot, refused: 401 },
    { who: 'the front proxy without a user', credentials: frontProxy, refused: 401 },
    { who: 'the front proxy with an empty user', credentials: frontProxy, headers: { ...asRoot, 'X-Remote-User': '' }, refused: 401 },
    { who: 'the front proxy for a group whose name has a comma', credentials: frontProxy, headers: { 'X-Remote-User': 'eve', 'X-Remote-Group': 'none, system:masters' }, refused: 'eve' },
    { who: 'a front proxy of another authority of that name', credentials: newClientCertificate(strangeProxyCa, { user: 'front-proxy-client', validityDays: 1 }), headers: asRoot, refused: 401 },
    { who: 'an expired front proxy', credentials: expired('kubernetes-front-proxy-ca', pki.frontProxyCa, 'front-proxy-client'), headers: asRoot, refused: 401 },
    { who: 'an administrator of the front-proxy authority', credentials: newClientCertificate(pki.frontProxyCa, masters), refused: 401 },
    { who: 'an administrator of another authority of that name', credentials: newClientCertificate(stranger, masters), refused: 401 },
    { who: 'an expired administrator', credentials: expired('kubernetes', pki.ca, 'root', ['system:masters']), refused: 401 },
    { who: 'a certificate for servers', credentials: newServingCertificate(pki.ca, { commonName: 'root', subjectAltNames: servingNames([]) }), refused: 401 },
    { who: 'a certificate that certifies itself', credentials: newClientCertificate(Authority.create({ commonName: 'root' }), masters), refused: 401 },
    { who: 'an invented token', credentials: { token: 'nonsense' }, refused: 401 },
    { who: 'a token with a changed signature', credentials: { token: `${readerToken.slice(0, -8)}AAAAAAAA` }, refused: 401 },
    { who: 'an unsigned token', credentials: { token: `${Buffer.from('{"alg":"none"}').toString('base64url')}.${readerToken.split('.')[1]}.` }, refused: 401 },
    { who: 'a token for somebody else to accept', credentials: { token: tokenForOthers }, refused: 401 },
    { who: 'a user without rights', credentials: mallory, refused: 'mallory' },
    { who: 'a user who writes the groups into the name', credentials: pki.user('mallory,system:masters'), refused: 'mallory,system:masters' },
    { who: 'an impersonator without the right', credentials: mallory, headers: { 'Impersonate-User': 'root', 'Impersonate-Group': 'system:masters' }, refused: 'mallory' },
    { who: 'basic authentication', headers: { Authorization: `Basic ${Buffer.from('root:root').toString('base64')}` }, refused: 'system:anonymous' }
  ]

  t.test('those who may not', async t => {
    for (const { who, credentials = {}, headers = {}, refused } of attempts) {
      const created = await withClient(credentials, client => client.request('POST', pathOf(webapp, namespace), { body: objectOf(webapp, 'break-in'), headers }))
      const listed = await list(credentials, headers)
      for (const [what, answer] of [['read', listed], ['write', created]] as const) {
        t.equal(answer.status, refused === 401 ? 401 : 403, `${who} cannot ${what}`, { answer: answer.text })
        if (refused === 401) t.match(answer.json(), { reason: 'Unauthorized', message: 'Unauthorized' })
        else t.ok(answer.text.includes(`User \\"${refused}\\" cannot`), `${who} is ${refused} when it comes to ${what}`, { answer: answer.text })
      }
    }
    t.match(await admin.client.get(pathOf(webapp, namespace)), { items: [] }, 'nothing was written')
  })

  t.test('impersonation is answered as kube-apiserver answers it', async t => {
    await admin.client.create('/apis/rbac.authorization.k8s.io/v1/clusterroles', {
      apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name: 'actor' },
      rules: [{ apiGroups: [''], resources: ['users'], resourceNames: ['alice'], verbs: ['impersonate'] }, { apiGroups: [''], resources: ['groups'], resourceNames: ['readers'], verbs: ['impersonate'] }]
    })
    await admin.client.create('/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
      apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRoleBinding', metadata: { name: 'actor' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'actor' }, subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'actor' }]
    })
    await allowed('actor', [], { group: '', version: 'v1', resource: 'users', name: 'alice', verb: 'impersonate' })
    for (const [user, credentials] of [['mallory', mallory], ['actor', pki.user('actor')], ['root', admin]] as const) {
      for (const headers of [
        { 'Impersonate-User': 'alice' }, { 'Impersonate-User': 'alice', 'Impersonate-Group': 'readers' }, { 'Impersonate-User': 'alice', 'Impersonate-Group': ['readers', 'system:masters'] },
        { 'Impersonate-User': 'bob' }, { 'Impersonate-Group': 'readers' }, { 'Impersonate-Uid': '1' }, { 'Impersonate-Extra-Scopes': 'all' }, { 'Impersonate-User': 'alice', 'Impersonate-Extra-Scopes': 'all' },
        { 'Impersonate-User': 'alice', 'Impersonate-Uid': '1' }, { 'Impersonate-User': 'system:anonymous' }, { 'Impersonate-User': `system:serviceaccount:${namespace}:reader` },
        { 'Impersonate-User': 'system:serviceaccount:reader' }, { 'Impersonate-User': '' }
      ] as Record<string, string | string[]>[]) {
        const [ours, theirs] = await Promise.all([list(credentials, headers), controlPlane.client(credentials).request('GET', pathOf(webapp, namespace), { headers })])
        t.strictSame({ status: ours.status, body: ours.json() }, { status: theirs.status, body: theirs.json() }, `${user} as ${JSON.stringify(headers)}`)
      }
    }
  })

  t.test('a revoked token', async t => {
    const token = await controlPlane.serviceAccountToken(namespace, 'revoked')
    t.equal((await list({ token })).status, 200, 'is good at first')
    await admin.client.call('DELETE', `${core}/serviceaccounts/revoked`)
    // Answers about tokens are kept for 10 seconds, in kube-apiserver and in Annex.
    await until('the token to be refused', async () => (await list({ token })).status === 401, { intervalMs: 250 })
  })

  t.test('headers of a front proxy do not get through the aggregator', async t => {
    const answer = await controlPlane.client(mallory).request('GET', pathOf(webapp, namespace), { headers: asRoot })
    t.equal(answer.status, 403)
    t.match(answer.text, /User \\"mallory\\" cannot list/)
  })

  /** A token of a service account that may do nothing. */
  async function defaultToken (): Promise<string> {
    await admin.client.create(`${core}/serviceaccounts`, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'powerless' } })
    return controlPlane.serviceAccountToken(namespace, 'powerless')
  }

  /** Certified by the very key of an authority, but no longer valid. The authority is dated back, for no certificate begins before its own. */
  function expired (commonName: string, authority: Authority, user: string, groups: string[] = []): KeyPair {
    const datedBack = Authority.create({ commonName, privateKeyPem: authority.privateKeyPem, now: new Date(Date.now() - 10 * day) })
    return newClientCertificate(datedBack, { ...past, user, groups })
  }
})
