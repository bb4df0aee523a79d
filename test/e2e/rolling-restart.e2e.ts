import { X509Certificate } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { Authority } from '../../certs/authority.js'
import { newClientCertificate } from '../../certs/client-certificate.js'
import { newServingCertificate, servingNames } from '../../certs/serving-certificate.js'
import { findTool } from '../../hack/tools/build.mjs'
import { annexServerName, registerAnnex, servedGroupVersions, startAnnex, type Annex } from '../fixtures/control-plane-annex.js'
import { ApiClient, type Credentials, type KubeObject } from '../fixtures/control-plane-client.js'
import { until } from '../fixtures/control-plane-conditions.js'
import { startLoadBalancer } from '../fixtures/control-plane-load-balancer.js'
import { loadSummary, underLoad } from '../fixtures/control-plane-load.js'
import { objectOf, pathOf, webapp } from '../fixtures/control-plane-objects.js'
import { startControlPlane } from '../fixtures/control-plane.js'
import { startWitness } from '../fixtures/control-plane-witness.js'
import { startEtcd } from '../fixtures/etcd.js'

const namespace = 'busy'

t.setTimeout(600_000)

t.test('two replicas of Annex on one etcd', async t => {
  const controlPlane = await startControlPlane(t)
  const etcd = await startEtcd(t, { version: findTool('etcd')! })
  const authority = Authority.create({ commonName: 'annex-serving-ca' })
  const serving = {
    ...controlPlane.pki.write('annex-serving', newServingCertificate(authority, { subjectAltNames: servingNames([annexServerName]), validityDays: 1 })),
    certificateAuthorityPem: authority.certificatePem
  }
  // Longer than the balancer needs to notice that a replica is no longer ready, on a machine that is busy with all of this.
  const flags = ['--shutdown-delay-duration=5s']
  const replicas: Annex[] = []
  for (const name of ['annex-a', 'annex-b']) replicas.push(await startAnnex(controlPlane, { name, etcd, serving, flags }))
  const balancer = await startLoadBalancer(t, replicas.map(r => r.port))
  await until('both replicas to be ready', () => balancer.ready === replicas.length)
  const groupVersions = await servedGroupVersions(controlPlane, replicas[0]!)
  await registerAnnex(controlPlane, { port: balancer.port, certificateAuthorityPem: authority.certificatePem, groupVersions })
  const { client } = controlPlane.admin
  await client.create('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } })

  t.test('answer alike', async t => {
    const [a, b] = replicas.map(r => r.client(controlPlane.admin)) as [ApiClient, ApiClient]
    for (const path of ['/apis', ...groupVersions.map(gv => `/apis/${gv.group}/${gv.version}`), '/openapi/v2', '/openapi/v3', '/version']) {
      const [left, right] = await Promise.all([a.request('GET', path), b.request('GET', path)])
      t.equal(left.status, 200, path)
      t.strictSame([left.text, left.headers.etag], [right.text, right.headers.etag], `${path} and its hash`)
    }
    for (let i = 0; i < 50; i++) {
      const [writer, reader] = i % 2 === 0 ? [a, b] : [b, a]
      const written = await writer.create(pathOf(webapp, namespace), objectOf(webapp, `own-${i}`))
      const { items } = await reader.get<{ items: KubeObject[] }>(pathOf(webapp, namespace))
      if (items.find(o => o.metadata.name === `own-${i}`)?.metadata.resourceVersion !== written.metadata.resourceVersion) t.fail(`own-${i} is not in the other replica's list`)
      t.equal((await reader.request('GET', pathOf(webapp, namespace, `own-${i}`))).status, 200)
    }
    a.close()
    b.close()
  })

  t.test('a rolling restart under load fails no request', async t => {
    const counts = await underLoad(client, namespace, 'restart', async () => {
      for (const replica of replicas) {
        t.ok(await replica.process.stop(), 'the replica ends by itself')
        await replica.restart()
        await until('the balancer to notice', () => balancer.ready === replicas.length)
        // The next one goes only when this one has had work again.
        await delay(1_000)
      }
    })
    t.strictSame(counts.failures, [])
    t.ok(counts.requests > 100, `${counts.requests} requests were made`)
    t.comment(loadSummary(counts))
  })

  t.test('new certificates of new authorities under load fail no request', async t => {
    const { pki } = controlPlane
    const witness = await startWitness(t, controlPlane, Authority.create({ commonName: 'witness' }))
    const next = Authority.create({ commonName: 'annex-serving-ca' })
    const caBundle = async (authorities: Authority[]): Promise<void> => {
      await registerAnnex(controlPlane, { port: balancer.port, certificateAuthorityPem: authorities.map(a => a.certificatePem).join(''), groupVersions })
      await inForce()
    }
    let barriers = 0
    /** Waits until kube-apiserver proxies by the registrations and with the certificates of now: one worker takes every APIService in turn, and this new one last. */
    const inForce = async (): Promise<void> => {
      const [group, version] = [`barrier-${++barriers}.example.com`, 'v1']
      const path = `/apis/apiregistration.k8s.io/v1/apiservices/${version}.${group}`
      const status = async (): Promise<number> => (await client.request('GET', `/apis/${group}/${version}`)).status
      await client.apply(path, { apiVersion: 'apiregistration.k8s.io/v1', kind: 'APIService', metadata: { name: `${version}.${group}` }, spec: { group, version, groupPriorityMinimum: 1000, versionPriority: 100, insecureSkipTLSVerify: true, service: { namespace: 'default', name: 'nobody' } } })
      await until('the last registration to be followed', async () => await status() === 503)
      await client.call('DELETE', path)
      await until('it to be forgotten', async () => await status() === 404)
    }
    const nextUsers = Authority.create({ commonName: 'kubernetes', validityDays: 2 })
    const nextProxies = Authority.create({ commonName: 'kubernetes-front-proxy-ca', validityDays: 2 })
    const nextProxy = newClientCertificate(nextProxies, { user: 'front-proxy-client', validityDays: 1 })
    const nextUser = newClientCertificate(nextUsers, { user: 'root', groups: ['system:masters'], validityDays: 1 })
    const accepts = async (credentials: Credentials, headers = {}): Promise<boolean> => (await Promise.all(replicas.map(async r => {
      const direct = new ApiClient({ server: r.url, certificateAuthorityPem: authority.certificatePem + next.certificatePem, credentials })
      try {
        return (await direct.request('GET', pathOf(webapp, namespace), { headers })).status === 200
      } finally {
        direct.close()
      }
    }))).every(Boolean)
    const asRoot = { 'X-Remote-User': 'root', 'X-Remote-Group': 'system:masters' }
    t.notOk(await accepts(nextUser) || await accepts(nextProxy, asRoot), 'the new authorities are not known yet')

    const counts = await underLoad(client, namespace, 'rotation', async () => {
      await caBundle([authority, next])
      pki.write('annex-serving', newServingCertificate(next, { subjectAltNames: servingNames([annexServerName]), validityDays: 1 }))
      for (const replica of replicas) {
        // A certificate of the new authority is the only one that this client accepts.
        await until('the new certificate to be served', () => replica.verifies(next.certificatePem))
      }
      await caBundle([next])

      // kube-apiserver follows its files and publishes them in extension-apiserver-authentication.
      writeFileSync(pki.caFile, pki.ca.certificatePem + nextUsers.certificatePem)
      writeFileSync(pki.frontProxyCaFile, pki.frontProxyCa.certificatePem + nextProxies.certificatePem)
      await until('users of the new authority to be known', () => accepts(nextUser))
      await until('a front proxy of the new authority to be trusted', () => accepts(nextProxy, asRoot))
      pki.write('front-proxy-client', nextProxy)
      await until('the aggregator to come with its new certificate', async () => await witness.caller() === new X509Certificate(nextProxy.certificatePem).fingerprint256)
      await inForce()
      writeFileSync(pki.frontProxyCaFile, nextProxies.certificatePem)
      await delay(1_000)
    })
    t.strictSame(counts.failures, [])
    t.comment(loadSummary(counts))
  })
})
