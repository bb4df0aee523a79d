import { X509Certificate } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parseCertificates } from '../../certs/key-pair.js'
import { findTool } from '../../hack/tools/build.mjs'
import { annexNamespace, annexServerName, apiServiceConditions, registerAnnex, secretText, servedGroupVersions, startAnnex, type Annex } from '../fixtures/control-plane-annex.js'
import type { ApiClient, KubeObject } from '../fixtures/control-plane-client.js'
import { until } from '../fixtures/control-plane-conditions.js'
import { startLoadBalancer } from '../fixtures/control-plane-load-balancer.js'
import { loadSummary, underLoad } from '../fixtures/control-plane-load.js'
import { startControlPlane, type ControlPlane } from '../fixtures/control-plane.js'
import { startEtcd } from '../fixtures/etcd.js'

const secretName = 'annex-serving'
const secretPath = `/api/v1/namespaces/${annexNamespace}/secrets/${secretName}`
const apiServices = '/apis/apiregistration.k8s.io/v1/apiservices'
const namespace = 'busy'

type ApiService = KubeObject & { readonly spec: { readonly service?: object; readonly caBundle?: string; readonly insecureSkipTLSVerify?: boolean } }

t.setTimeout(600_000)

t.test('two replicas of Annex that share their certificates in a Secret', async t => {
  const controlPlane = await startControlPlane(t)
  const etcd = await startEtcd(t, { version: findTool('etcd')! })
  const { client } = controlPlane.admin
  await allowCertificates(controlPlane)
  // The short life makes for short stages: four seconds to settle, twenty of overlap.
  const flags = ['--serving-certificate-validity=4m', '--serving-certificate-ca-validity=24h']
  const replicas: Annex[] = await Promise.all(['annex-a', 'annex-b'].map(name => startAnnex(controlPlane, { name, etcd, servingSecret: secretName, flags })))
  const balancer = await startLoadBalancer(t, replicas.map(r => r.port))
  await until('both replicas to be ready', () => balancer.ready === replicas.length)
  const groupVersions = await servedGroupVersions(controlPlane, replicas[0]!)
  await registerAnnex(controlPlane, { port: balancer.port, groupVersions })
  await client.create('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } })
  const foreign = Buffer.from(controlPlane.pki.frontProxyCa.certificatePem).toString('base64')

  t.test('out of nothing: one Secret, and every APIService Available with its authority', async t => {
    const secret = await client.get(secretPath)
    t.match(secret, { type: 'kubernetes.io/tls', metadata: { labels: { 'app.kubernetes.io/managed-by': 'annex' }, annotations: { 'annex/certificate-stage': 'Stable' } } })
    const leaf = new X509Certificate(secretText(secret, 'tls.crt'))
    t.equal(leaf.checkHost(annexServerName), annexServerName)
    t.equal(leaf.checkHost(`${annexServerName}.cluster.local`), `${annexServerName}.cluster.local`)
    const ours = await registered(client)
    t.equal(ours.length, groupVersions.length)
    for (const { metadata, spec } of ours) {
      t.equal(Buffer.from(spec.caBundle ?? '', 'base64').toString(), secretText(secret, 'ca.crt'), metadata.name)
      t.equal(spec.insecureSkipTLSVerify, undefined)
      t.same(managersOf(metadata, 'f:caBundle'), ['annex-certificates'])
      t.same(managersOf(metadata, 'f:service'), ['annex-e2e'], 'nobody else loses a field')
    }
    for (const [i, replica] of replicas.entries()) {
      t.ok(await replica.verifies(secretText(secret, 'ca.crt')))
      t.notOk(existsSync(join(controlPlane.directory, ['annex-a', 'annex-b'][i]!, 'pki')), 'no authority of its own')
      const metrics = (await replica.client(controlPlane.admin).request('GET', '/metrics')).text
      t.match(metrics, /^annex_serving_certificate_expiration_seconds 1\d{9}$/m)
      t.match(metrics, /^annex_serving_certificate_authority_expiration_seconds 1\d{9}$/m)
      t.match(metrics, /^annex_serving_certificate_rotation_stage\{stage="Stable"\} 1$/m)
    }
  })

  t.test('a new authority under load fails no request', async t => {
    const before = secretText(await client.get(secretPath), 'ca.crt')
    const seen = new Set<string>()
    const counts = await underLoad(client, namespace, 'rotation', async () => {
      const { metadata: { resourceVersion } } = await client.call<KubeObject>('PATCH', secretPath, { body: { metadata: { annotations: { 'annex/rotate': 'now' } } }, headers: { 'content-type': 'application/merge-patch+json' } })
      // A watch tells of every stage, however short.
      for await (const { object: { metadata } } of client.watch(`${secretPath.slice(0, secretPath.lastIndexOf('/'))}?watch=true&fieldSelector=metadata.name=${secretName}&resourceVersion=${resourceVersion}`)) {
        const annotations = metadata['annotations'] as Record<string, string>
        seen.add(annotations['annex/certificate-stage']!)
        if (annotations['annex/certificate-stage'] === 'Stable' && annotations['annex/rotated'] === 'now') break
      }
      const after = secretText(await client.get(secretPath), 'ca.crt')
      t.equal(parseCertificates(after, 'ca.crt').length, 1)
      t.not(after, before)
      await until('every caBundle to hold the new authority alone', async () => (await registered(client)).every(({ spec }) => Buffer.from(spec.caBundle ?? '', 'base64').toString() === after))
      for (const replica of replicas) t.ok(await replica.verifies(after), 'the new authority is enough')
    })
    t.strictSame(counts.failures, [])
    t.ok(counts.requests > 100, `${counts.requests} requests were made`)
    t.same([...seen].filter(stage => stage !== 'Stable').sort(), ['Published', 'Publishing', 'Retiring'])
    t.comment(loadSummary(counts))
    for (const replica of replicas) t.notMatch(replica.process.log(), /PRIVATE KEY/)
  })

  t.test('a Secret that is deleted comes back with the same authority, and that is no trouble to anybody', async t => {
    const before = await client.get(secretPath)
    const counts = await underLoad(client, namespace, 'deleted', async () => {
      await client.call('DELETE', secretPath)
      const after = await until('the Secret to come back', async () => {
        const secret = await client.get(secretPath)
        return secret.metadata.uid !== before.metadata.uid && secret
      })
      t.equal(secretText(after, 'ca.crt'), secretText(before, 'ca.crt'))
      t.not(secretText(after, 'tls.key'), secretText(before, 'tls.key'))
      const { serialNumber } = new X509Certificate(secretText(after, 'tls.crt'))
      for (const replica of replicas) await replica.process.until('to serve the new certificate', () => replica.process.log().includes(serialNumber))
    })
    t.strictSame(counts.failures, [])
  })

  t.test('a caBundle that somebody overwrites is put right; those of others are left alone', async t => {
    for (const [name, service, annotations] of [
      ['v1.elsewhere.example.com', { namespace: annexNamespace, name: 'another', port: 443 }, {}],
      ['v1.injected.example.com', { namespace: annexNamespace, name: 'annex', port: balancer.port }, { 'cert-manager.io/inject-ca-from': 'x/y' }]
    ] as const) {
      await client.create(apiServices, {
        apiVersion: 'apiregistration.k8s.io/v1', kind: 'APIService', metadata: { name, annotations },
        spec: { group: name.slice('v1.'.length), version: 'v1', groupPriorityMinimum: 1000, versionPriority: 100, caBundle: foreign, service }
      })
    }
    const wanted = secretText(await client.get(secretPath), 'ca.crt')
    for (const name of ['v1.example.com', 'v2.mycompany.io']) {
      const path = `${apiServices}/${name}`
      const broken = await client.call<KubeObject>('PATCH', path, { body: { spec: { caBundle: foreign } }, headers: { 'content-type': 'application/merge-patch+json' } })
      await until(`the caBundle of ${name} to be put right`, async () => {
        const { metadata, spec } = await client.get<ApiService>(path)
        return metadata.resourceVersion !== broken.metadata.resourceVersion && Buffer.from(spec.caBundle ?? '', 'base64').toString() === wanted
      })
      await until(`${name} to be Available`, async () => (await apiServiceConditions(controlPlane)).get(name)?.status === 'True')
    }
    for (const name of ['v1.elsewhere.example.com', 'v1.injected.example.com']) {
      t.equal((await client.get<ApiService>(`${apiServices}/${name}`)).spec.caBundle, foreign, name)
      await client.call('DELETE', `${apiServices}/${name}`)
    }
  })

  t.test('when Secret and replicas are lost, a new authority is in force everywhere', async t => {
    const before = secretText(await client.get(secretPath), 'ca.crt')
    await Promise.all(replicas.map(r => r.process.kill()))
    await client.call('DELETE', secretPath)
    for (const replica of replicas) replica.process.start()
    const after = await replicas[0]!.process.until('to make the Secret', async () => secretText(await client.get(secretPath), 'ca.crt'))
    t.not(after, before)
    await until('every APIService to be Available with the new authority', async () => {
      const conditions = await apiServiceConditions(controlPlane)
      return balancer.ready === replicas.length && (await registered(client)).every(({ metadata, spec }) =>
        Buffer.from(spec.caBundle ?? '', 'base64').toString() === after && conditions.get(metadata.name)?.status === 'True')
    })
    await until('requests to be answered through the aggregator', async () => (await client.request('GET', '/apis/example.com/v1/webapps')).status === 200)
  })
})

/** Who manages a field of the spec. */
function managersOf (metadata: KubeObject['metadata'], field: string): string[] {
  const entries = metadata['managedFields'] as { manager: string; fieldsV1?: { 'f:spec'?: object } }[]
  return entries.filter(({ fieldsV1 }) => field in (fieldsV1?.['f:spec'] ?? {})).map(({ manager }) => manager)
}

/** The APIServices that lead to a Service. */
async function registered (client: ApiClient): Promise<ApiService[]> {
  const { items } = await client.get<{ items: ApiService[] }>(apiServices)
  return items.filter(({ spec }) => spec.service !== undefined)
}

/** The rights that sharing certificates takes. */
async function allowCertificates (controlPlane: ControlPlane): Promise<void> {
  const { client } = controlPlane.admin
  const rbac = '/apis/rbac.authorization.k8s.io/v1'
  const apiVersion = 'rbac.authorization.k8s.io/v1'
  const subjects = [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: `system:serviceaccount:${annexNamespace}:annex` }]
  const metadata = { name: 'annex-certificates' }
  await client.create('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: annexNamespace } })
  await client.create(`${rbac}/namespaces/${annexNamespace}/roles`, {
    apiVersion, kind: 'Role', metadata,
    rules: [{ apiGroups: [''], resources: ['secrets'], verbs: ['create'] }, { apiGroups: [''], resources: ['secrets'], resourceNames: [secretName], verbs: ['get', 'list', 'watch', 'update'] }]
  })
  await client.create(`${rbac}/namespaces/${annexNamespace}/rolebindings`, { apiVersion, kind: 'RoleBinding', metadata, roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: metadata.name }, subjects })
  await client.create(`${rbac}/clusterroles`, { apiVersion, kind: 'ClusterRole', metadata, rules: [{ apiGroups: ['apiregistration.k8s.io'], resources: ['apiservices'], verbs: ['get', 'list', 'watch', 'patch'] }] })
  await client.create(`${rbac}/clusterrolebindings`, { apiVersion, kind: 'ClusterRoleBinding', metadata, roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: metadata.name }, subjects })
}
