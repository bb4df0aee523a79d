import { createServer } from 'node:https'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { doctor } from '../../apiserver/doctor/doctor.js'
import type { Fault, Finding } from '../../apiserver/doctor/report.js'
import { install } from '../../apiserver/install/install.js'
import { Authority } from '../../certs/authority.js'
import type { KeyPair } from '../../certs/key-pair.js'
import { newServingCertificate } from '../../certs/serving-certificate.js'
import { annexCommand, inProcess } from '../fixtures/annex-command.js'
import { annexNamespace, annexServerName, apiServiceConditions, startAnnex } from '../fixtures/control-plane-annex.js'
import { until } from '../fixtures/control-plane-conditions.js'
import { freePorts } from '../fixtures/free-ports.js'
import { startControlPlane } from '../fixtures/control-plane.js'
import { startEtcd } from '../fixtures/etcd.js'

const day = 24 * 60 * 60 * 1000
const apiServices = '/apis/apiregistration.k8s.io/v1/apiservices'
const rbac = '/apis/rbac.authorization.k8s.io/v1'
const services = `/api/v1/namespaces/${annexNamespace}/services`
const crdFile = new URL('../../hack/examples/crd/backups.yaml', import.meta.url).pathname

interface Diagnosis { readonly ok: boolean; readonly faults: readonly Fault[]; readonly links: readonly Finding[] }

t.setTimeout(600_000)

t.test('annex doctor names what is broken', async t => {
  const controlPlane = await startControlPlane(t)
  const etcd = await startEtcd(t)
  const { client } = controlPlane.admin
  const [silent = 0] = await freePorts(1)
  let port = 443

  const authority = Authority.create({ commonName: 'annex-ca', validityDays: 30 })
  const pair = (options: { names?: readonly string[]; now?: Date } = {}): KeyPair =>
    newServingCertificate(authority, { subjectAltNames: { dnsNames: options.names ?? [annexServerName, 'localhost'], ipAddresses: ['127.0.0.1'] }, validityDays: 2, ...(options.now && { now: options.now }) })
  const serving = { ...controlPlane.pki.write('annex', pair()), certificateAuthorityPem: authority.certificatePem }
  const caFile = join(controlPlane.directory, 'annex-ca.crt')
  writeFileSync(caFile, authority.certificatePem)

  const flags = ['--image=x', '--etcd-servers=http://x:1', '--controller-manager=false', '--force-conflicts']
  const reinstall = async (...more: string[]): Promise<void> => {
    const { code, stderr } = await inProcess(controlPlane, install, [...flags, '--tls-secret=x', `--ca-bundle-file=${caFile}`, `--service-port=${port}`, ...more])
    t.equal(code, 0, 'installed', { stderr })
  }
  /** The Service leads to loopback, where there are no Pods. */
  const expose = (ports: readonly number[]): Promise<unknown> => client.apply(`${services}/annex`, {
    apiVersion: 'v1', kind: 'Service', metadata: { name: 'annex', namespace: annexNamespace }, spec: { type: 'ExternalName', externalName: 'localhost', ports: ports.map(p => ({ name: `p${p}`, port: p })) }
  })
  const setUp = async (...more: string[]): Promise<void> => {
    await reinstall(...more)
    await client.call('DELETE', `${services}/annex`)
    await expose([port])
  }
  const patch = (path: string, body: object): Promise<unknown> => client.call('PATCH', path, { body, headers: { 'content-type': 'application/merge-patch+json' } })
  const registration = (name: string, spec: object): Promise<unknown> => patch(`${apiServices}/${name}`, { spec })
  const diagnose = async (...more: string[]): Promise<Diagnosis> => {
    const result = await inProcess(controlPlane, doctor, ['-o', 'json', '--timeout=10s', ...more])
    const diagnosis = JSON.parse(result.stdout) as Diagnosis
    t.equal(result.code, diagnosis.ok ? 0 : 1, 'the exit code says it too')
    return diagnosis
  }
  /** kube-apiserver looks again at an APIService that changes, and by itself only after some time. */
  let touched = 0
  const conditionOf = async (name: string, ready: (message: string, status: string) => boolean): Promise<void> => {
    await until(`the condition of ${name}`, async () => {
      await patch(`${apiServices}/${name}`, { metadata: { annotations: { touched: String(++touched) } } })
      const condition = (await apiServiceConditions(controlPlane)).get(name)
      return condition !== undefined && ready(condition.message ?? '', condition.status)
    }, { intervalMs: 500 })
  }
  /** Diagnoses until it finds these: kube-apiserver follows a change when it sees it, and a busy machine is late. @returns the last diagnosis, whatever it says */
  const settled = async (wanted: readonly Fault[], more: readonly string[] = []): Promise<Diagnosis> => {
    let last: Diagnosis | undefined
    await until(`doctor to find ${wanted.join() || 'nothing'}`, async () => (last = await diagnose(...more)).faults.join() === wanted.join(), { timeoutMs: 60_000 }).catch((error: unknown) => { if (last === undefined) throw error })
    return last!
  }
  const healthy = async (): Promise<void> => {
    for (const [name] of await apiServiceConditions(controlPlane)) await conditionOf(name, (_, status) => status === 'True')
    const { faults, links } = await settled([])
    t.strictSame(faults, [], 'and nothing is broken any more', { links })
  }
  /** Plants a fault, wants exactly its name, and mends it. */
  const planted = (fault: Fault, plant: () => Promise<unknown>, mend: () => Promise<unknown>, more: readonly string[] = []): void => {
    t.test(fault, async t => {
      await plant()
      const { faults, links } = await settled([fault], more)
      t.strictSame(faults, [fault], 'this one, and no other', { links })
      const finding = links.find(f => f.state === 'failed')
      t.ok(finding?.state === 'failed' && finding.fix.length > 10, 'with a fix')
      t.comment(finding?.message)
      await mend()
      await healthy()
    })
  }

  await reinstall()
  const identity = controlPlane.user(`system:serviceaccount:${annexNamespace}:annex`, ['system:serviceaccounts', `system:serviceaccounts:${annexNamespace}`])
  const annex = await startAnnex(controlPlane, { etcd, serving, identity })
  port = annex.port
  await setUp()
  await healthy()

  t.test('a person gets a line for each link', async t => {
    const { code, stdout, stderr } = await annexCommand(controlPlane, ['doctor', '--timeout=10s'])
    t.strictSame({ code, stderr }, { code: 0, stderr: '' })
    t.strictSame(stdout.split('\n').map(line => line.split(/\s+/, 2).join(' ')).slice(0, 10), ['cluster', 'apiservices', 'service', 'endpoints', 'connection', 'certificate', 'front-proxy', 'rbac', 'discovery', 'store'].map(link => `ok ${link}`))
    t.match(stdout, /\nNothing is broken\.\n$/)
  })

  const example = 'v1.example.com'
  planted('APIServiceMissing', () => client.call('DELETE', `${apiServices}/${example}`), reinstallOnly)
  planted('ServiceNotFound', () => registration(example, { service: { name: 'annexx' } }), reinstallOnly)
  planted('APIServiceOfAnotherServer', () => registration(example, { service: { namespace: 'default', name: 'kubernetes' } }), reinstallOnly)
  planted('InsecureSkipTLSVerify', () => registration(example, { insecureSkipTLSVerify: true, caBundle: null }), async () => { await registration(example, { insecureSkipTLSVerify: false }); await reinstallOnly() })
  planted('CABundleMissing', () => registration(example, { caBundle: null }), reinstallOnly)
  planted('CertificateUntrusted', () => registration(example, { caBundle: Buffer.from(Authority.create({ commonName: 'annex-ca' }).certificatePem).toString('base64') }), reinstallOnly)
  planted('ServicePortMissing', () => expose([silent]), () => expose([port]))
  planted('NoReadyEndpoints', async () => {
    await client.call('DELETE', `${services}/annex`)
    await client.create(services, { apiVersion: 'v1', kind: 'Service', metadata: { name: 'annex' }, spec: { selector: { 'app.kubernetes.io/name': 'annex' }, ports: [{ port }] } })
  }, async () => {
    await client.call('DELETE', `${services}/annex`)
    await expose([port])
  })
  for (const [fault, options] of [['CertificateNameMismatch', { names: ['annex.example.com'] }], ['CertificateExpired', { now: new Date(Date.now() - 9 * day) }], ['CertificateNotYetValid', { now: new Date(Date.now() + 9 * day) }]] as const) {
    planted(fault, () => serve(pair(options)), () => serve(pair()))
  }
  const authentication = '/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication'
  let published = ''
  t.test('kube-apiserver is kept from mending what it publishes', async t => {
    published = (await client.get<{ data: Record<string, string> }>(authentication)).data['requestheader-client-ca-file'] ?? ''
    t.match(published, 'BEGIN CERTIFICATE')
    await protect()
  })
  planted('RequestHeaderConfigMissing', () => patch(authentication, { data: { 'requestheader-client-ca-file': null } }), () => patch(authentication, { data: { 'requestheader-client-ca-file': published } }))
  planted('FrontProxyRefused', async () => {
    await patch(authentication, { data: { 'requestheader-client-ca-file': Authority.create({ commonName: 'another-front-proxy' }).certificatePem } })
    for (const [name] of await apiServiceConditions(controlPlane)) await conditionOf(name, message => /bad status from \S+: 40[13]/.test(message))
  }, () => patch(authentication, { data: { 'requestheader-client-ca-file': published } }))
  planted('AuthDelegatorMissing', () => client.call('DELETE', `${rbac}/clusterrolebindings/annex:system:auth-delegator`), reinstallOnly)
  planted('AuthenticationReaderMissing', () => client.call('DELETE', `${rbac}/namespaces/kube-system/rolebindings/annex:extension-apiserver-authentication-reader`), reinstallOnly)
  planted('ServerRoleMissing', () => client.call('DELETE', `${rbac}/clusterrolebindings/annex:apiserver`), reinstallOnly)
  planted('GroupVersionNotServed', async () => {
    await reinstallOnly(`--crd-file=${crdFile}`)
    await conditionOf('v1.storage.example.org', message => message.includes('404'))
  }, () => client.call('DELETE', `${apiServices}/v1.storage.example.org`), [`--crd-file=${crdFile}`])
  t.test('AnotherServerAnswers', async t => {
    const { certificatePem, privateKeyPem } = pair()
    const other = createServer({ cert: certificatePem, key: privateKeyPem }, (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ kind: 'APIResourceList', apiVersion: 'v1', groupVersion: 'example.com/v1', resources: [] }))
    })
    await new Promise<void>(resolve => { other.listen(0, '127.0.0.1', resolve) })
    t.teardown(() => { other.closeAllConnections(); other.close() })
    const elsewhere = (other.address() as AddressInfo).port
    await expose([port, elsewhere])
    await registration(example, { service: { port: elsewhere } })
    await conditionOf(example, (_, status) => status === 'True')
    await until('the other server to answer', async () => (await client.get<{ resources: unknown[] }>('/apis/example.com/v1')).resources.length === 0)
    t.strictSame((await settled(['AnotherServerAnswers'])).faults, ['AnotherServerAnswers'])
    await reinstallOnly()
    await expose([port])
    await healthy()
  })
  planted('StoreUnavailable', async () => { etcd.pause() }, async () => { etcd.resume(); await ready() })
  planted('ConnectionRefused', () => annex.process.kill(), () => annex.restart())

  t.test('with the rights that it is installed with, the server makes its certificates and every caBundle', async t => {
    const { code, stderr } = await inProcess(controlPlane, install, [...flags, `--service-port=${silent}`])
    t.equal(code, 0, stderr)
    await expose([silent])
    await patch(`${services}/annex`, { spec: { ports: [{ name: 'p', port: silent }] } })
    await annex.process.kill()
    const own = controlPlane.process('annex-own', process.execPath, [
      '--import', 'tsx', new URL('../../apiserver/main.ts', import.meta.url).pathname, 'apiserver', `--data-dir=${join(controlPlane.directory, 'annex-own')}`, `--secure-port=${silent}`, '--v=2', `--kubeconfig=${identity.kubeconfig}`,
      `--etcd-servers=${etcd.endpoint}`, `--serving-certificate-secret=${annexNamespace}/annex-serving`, `--service=${annexNamespace}/annex`
    ])
    const diagnosis = await own.until('to be healthy', async () => {
      const found = await diagnose()
      if (!found.ok) throw new Error(JSON.stringify(found.links.filter(l => l.state === 'failed')))
      return found
    })
    t.strictSame(diagnosis.links.filter(l => l.state !== 'ok'), [])
  })

  /** Puts everything back as it was but the Service, which is not as install has it. */
  async function reinstallOnly (...more: string[]): Promise<void> {
    await client.call('DELETE', `${services}/annex`)
    await setUp(...more)
  }

  async function ready (): Promise<void> {
    const direct = annex.client()
    await annex.process.until('to be ready', async () => (await direct.request('GET', '/readyz')).status === 200)
    direct.close()
  }

  /** Writes the pair, and waits until it is what is served. */
  async function serve (next: KeyPair): Promise<void> {
    controlPlane.pki.write('annex', next)
    const { probe } = await import('../../apiserver/doctor/probe.js')
    const { X509Certificate } = await import('node:crypto')
    const wanted = new X509Certificate(next.certificatePem).fingerprint256
    await annex.process.until('to serve the other certificate', async () => {
      const shown = await probe({ host: 'localhost', port, serverName: annexServerName }, '/readyz', 5_000)
      return shown.type === 'answered' && shown.chain[0]?.fingerprint256 === wanted
    })
  }

  /** An admission policy that refuses kube-apiserver's own repairs of the ConfigMap, which would undo a fault within a second. */
  async function protect (): Promise<void> {
    const admission = '/apis/admissionregistration.k8s.io/v1'
    await client.create(`${admission}/validatingadmissionpolicies`, {
      apiVersion: 'admissionregistration.k8s.io/v1', kind: 'ValidatingAdmissionPolicy', metadata: { name: 'keep-faults' },
      spec: {
        failurePolicy: 'Fail',
        matchConstraints: { resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'], operations: ['CREATE', 'UPDATE', 'DELETE'], resourceNames: ['extension-apiserver-authentication'] }] },
        validations: [{ expression: "request.userInfo.username == 'kubernetes-admin'" }]
      }
    })
    await client.create(`${admission}/validatingadmissionpolicybindings`, { apiVersion: 'admissionregistration.k8s.io/v1', kind: 'ValidatingAdmissionPolicyBinding', metadata: { name: 'keep-faults' }, spec: { policyName: 'keep-faults', validationActions: ['Deny'] } })
    const somebody = controlPlane.user('somebody', ['system:masters'])
    await until('the policy to hold', async () => (await somebody.client.request('PATCH', `${authentication}?dryRun=All`, { body: { metadata: { annotations: { a: 'b' } } }, headers: { 'content-type': 'application/merge-patch+json' } })).status === 422)
  }
})
