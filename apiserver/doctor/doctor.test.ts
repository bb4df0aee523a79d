import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { createServer as createTcpServer } from 'node:net'
import t from 'tap'
import { Authority } from '../../certs/authority.js'
import { newServingCertificate } from '../../certs/serving-certificate.js'
import { FakeKubeApiserver, accessReview } from '../cluster/testdata/fake-kube-apiserver.js'
import { servedGroups } from '../install/served-groups.js'
import { faultOfCondition } from './condition-fault.js'
import { doctor } from './doctor.js'
import { probe } from './probe.js'
import { Report, faults, type Fault, type Finding } from './report.js'

interface Run { readonly code: number; readonly stdout: string; readonly stderr: string }
async function run (...args: string[]): Promise<Run> {
  const [out, err]: [string[], string[]] = [[], []]
  const code = await doctor(args, { out: text => { out.push(text) }, err: text => { err.push(text) }, environment: { env: {} } })
  return { code, stdout: out.join(''), stderr: err.join('') }
}

t.test('what kube-apiserver says of a server is a fault by name', async t => {
  for (const [message, fault] of [
    ['service/annex in "annex-system" is not present', 'ServiceNotFound'],
    ['service/annex in "annex-system" is not listening on port 443', 'ServicePortMissing'],
    ['endpointslices for service/annex in "annex-system" have no addresses with port name "https"', 'NoReadyEndpoints'],
    ['failing or missing response from https://10.0.0.1:443/apis/example.com/v1: Get "https://10.0.0.1:443/apis/example.com/v1": dial tcp 10.0.0.1:443: connect: connection refused', 'ConnectionRefused'],
    ['failing or missing response from https://10.0.0.1:443/x: Get "https://10.0.0.1:443/x": dial tcp 10.0.0.1:443: i/o timeout', 'ServiceUnreachable'],
    ['failing or missing response from https://10.0.0.1:443/x: Get "https://10.0.0.1:443/x": net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)', 'ServiceUnreachable'],
    ['failing or missing response from https://x: Get "https://x": tls: failed to verify certificate: x509: certificate signed by unknown authority', 'CertificateUntrusted'],
    ['failing or missing response from https://x: Get "https://x": tls: failed to verify certificate: x509: certificate is valid for a, not annex.annex-system.svc', 'CertificateNameMismatch'],
    ['failing or missing response from https://x: Get "https://x": tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time 2026-01-01T00:00:00Z is after 2025-01-01T00:00:00Z', 'CertificateExpired'],
    ['failing or missing response from https://x: Get "https://x": tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time 2024-01-01T00:00:00Z is before 2025-01-01T00:00:00Z', 'CertificateNotYetValid'],
    ['failing or missing response from https://x: bad status from https://x: 401', 'FrontProxyRefused'],
    ['failing or missing response from https://x: bad status from https://x: 403', 'FrontProxyRefused'],
    ['failing or missing response from https://x: bad status from https://x: 404', 'GroupVersionNotServed'],
    ['failing or missing response from https://x: bad status from https://x: 500', 'APIServiceUnavailable']
  ] as const) t.equal(faultOfCondition(message).fault, fault, message)
})

t.test('a report is in the order of the chain, for people and for programs', async t => {
  const report = new Report()
  report.skip('store', 'the server was not reached')
  report.fail('service', 'ServiceNotFound', 'gone', 'do this\nor that')
  report.ok('cluster', 'answers')
  t.equal(report.text(), 'ok       cluster      answers\nfailed   service      ServiceNotFound: gone\n                      fix: do this\n                           or that\nskipped  store        the server was not reached\n\nBroken: ServiceNotFound\n')
  t.match(JSON.parse(report.json()), { ok: false, faults: ['ServiceNotFound'], links: [{ link: 'cluster' }, { link: 'service', fault: 'ServiceNotFound', fix: String }, { link: 'store' }] })
  t.ok(Object.values(faults).every(meaning => meaning.length > 10))
})

t.test('a probe shows the certificates of whoever answers, and says why nobody does', async t => {
  const authority = Authority.create({ commonName: 'a' })
  const { certificatePem, privateKeyPem } = newServingCertificate(authority, { subjectAltNames: { dnsNames: ['x.y.svc'], ipAddresses: [] } })
  const server = createServer({ cert: certificatePem + authority.certificatePem, key: privateKeyPem }, (request, response) => { response.writeHead(503).end(`${request.headers.host} ${request.url}`) })
  const silent = createTcpServer(() => {})
  await Promise.all([server, silent].map(s => new Promise<void>(resolve => { s.listen(0, '127.0.0.1', resolve) })))
  t.teardown(() => { server.close(); silent.close() })
  const port = (server.address() as AddressInfo).port
  const found = await probe({ host: '127.0.0.1', port, serverName: 'x.y.svc' }, '/readyz', 10_000)
  t.match(found, { type: 'answered', status: 503, body: `x.y.svc:${port} /readyz` })
  t.equal(found.type === 'answered' && found.chain.length, 2)
  const gone = createTcpServer()
  await new Promise<void>(resolve => { gone.listen(0, '127.0.0.1', resolve) })
  const closed = (gone.address() as AddressInfo).port
  await new Promise(resolve => { gone.close(resolve) })
  t.match(await probe({ host: '127.0.0.1', port: closed, serverName: 'x' }, '/', 10_000), { type: 'unreachable', code: 'ECONNREFUSED' })
  t.match(await probe({ host: '127.0.0.1', port: (silent.address() as AddressInfo).port, serverName: 'x' }, '/', 100), { type: 'unreachable', code: 'TIMEOUT' })
})

t.test('mistakes on the command line are exit code 2, a cluster that is away is a fault', async t => {
  t.match(await run('-o', 'yaml', '--timeout=0s', '--namespace=A', '--exclude-group=x', 'stray'), { code: 2, stdout: '', stderr: /--namespace=A[\s\S]*--exclude-group=x[\s\S]*--output=yaml[\s\S]*--timeout/ })
  t.match(await run('--help'), { code: 0, stdout: /annex doctor \[flags\]/ })
  t.match(await run('--kubeconfig=/does/not/exist'), { code: 1, stdout: /^failed {3}cluster {6}ClusterUnreachable: .*ENOENT/ })
})

t.test('from outside of a cluster, what kube-apiserver and the Secret say counts', async t => {
  const api = await FakeKubeApiserver.start(t)
  const kubeconfig = `--kubeconfig=${api.kubeconfig(t.testdir({}))}`
  const diagnose = async (): Promise<{ faults: Fault[]; links: Finding[]; state: (link: string) => string | undefined }> => {
    const found = JSON.parse((await run(kubeconfig, '-o', 'json', '--timeout=100ms')).stdout) as { faults: Fault[]; links: Finding[] }
    return { ...found, state: link => found.links.find(l => l.link === link)?.state }
  }
  const authority = Authority.create({ commonName: 'a' })
  const base64 = (text: string): string => Buffer.from(text).toString('base64')
  let condition = { type: 'Available', status: 'True', reason: 'Passed', message: 'all checks passed' }
  const get = (path: string, body: () => object): void => { api.on(`GET ${path}`, () => ({ body: body() })) }
  get('/version', () => ({ gitVersion: 'v1.36.0' }))
  for (const { name: group, versions, resources } of servedGroups()) {
    for (const version of versions) {
      get(`/apis/apiregistration.k8s.io/v1/apiservices/${version}.${group}`, () => ({
        metadata: { name: `${version}.${group}` }, spec: { group, version, service: { namespace: 'annex-system', name: 'annex', port: 443 }, caBundle: base64(authority.certificatePem) }, status: { conditions: [condition] }
      }))
      get(`/apis/${group}/${version}`, () => ({ groupVersion: `${group}/${version}`, resources: resources.map(({ name }) => ({ name })) }))
      for (const { name } of resources) get(`/apis/${group}/${version}/${name}`, () => ({ items: [] }))
    }
  }
  // TEST-NET-1 (RFC 5737) leads nowhere.
  get('/api/v1/namespaces/annex-system/services/annex', () => ({ metadata: { name: 'annex' }, spec: { type: 'ClusterIP', clusterIP: '192.0.2.1', ports: [{ port: 443 }] } }))
  let endpoints: object[] = [{ conditions: { ready: true } }, { conditions: { ready: false } }]
  get('/apis/discovery.k8s.io/v1/namespaces/annex-system/endpointslices', () => ({ items: [{ endpoints }] }))
  get('/api/v1/namespaces/annex-system/pods', () => ({ items: [{ metadata: { name: 'annex-1' }, status: { phase: 'Pending', containerStatuses: [{ state: { waiting: { reason: 'ImagePullBackOff', message: 'no such image' } } }] } }] }))
  let serving = newServingCertificate(authority, { subjectAltNames: { dnsNames: ['annex.annex-system.svc'], ipAddresses: [] } })
  get('/api/v1/namespaces/annex-system/secrets/annex-serving', () => ({ metadata: { name: 'annex-serving' }, data: { 'tls.crt': base64(serving.certificatePem) } }))
  get('/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication', () => ({ data: { 'requestheader-client-ca-file': authority.certificatePem, 'requestheader-username-headers': '["X-Remote-User"]' } }))
  api.on('POST /apis/authorization.k8s.io/v1/subjectaccessreviews', () => accessReview({ allowed: true }))

  const healthy = await diagnose()
  t.strictSame(healthy.faults, [], 'nothing is broken', { links: healthy.links })
  t.strictSame(['connection', 'certificate', 'discovery', 'store'].map(healthy.state), ['skipped', 'ok', 'ok', 'ok'])

  condition = { ...condition, status: 'False', message: 'failing or missing response from https://192.0.2.1:443/x: Get "https://192.0.2.1:443/x": dial tcp 192.0.2.1:443: i/o timeout' }
  const blocked = await diagnose()
  t.strictSame(blocked.faults, ['ServiceUnreachable'])
  t.match(blocked.links.find(l => l.link === 'connection'), { fix: /10250[\s\S]*--host-network/ })

  condition = { ...condition, status: 'True', message: '' }
  serving = newServingCertificate(authority, { subjectAltNames: { dnsNames: ['another.name'], ipAddresses: [] } })
  t.strictSame((await diagnose()).faults, ['CertificateNameMismatch'])

  endpoints = []
  const unready = await diagnose()
  t.match(unready.links.find(l => l.link === 'endpoints'), { state: 'failed', fault: 'NoReadyEndpoints', message: /ImagePullBackOff: no such image/ })

  api.on('GET /api/v1/namespaces/annex-system/services/annex', () => ({ status: 403, body: { kind: 'Status', message: 'services "annex" is forbidden', code: 403, reason: 'Forbidden' } }))
  t.match((await diagnose()).links.find(l => l.link === 'service'), { state: 'skipped', message: /you may not look: services "annex" is forbidden/ })
})
