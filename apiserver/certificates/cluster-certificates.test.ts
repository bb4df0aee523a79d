import { X509Certificate } from 'node:crypto'
import t from 'tap'
import { Authority } from '../../certs/authority.js'
import { parseCertificates } from '../../certs/key-pair.js'
import { FakeKubeApiserver, until, type Received, type Reply } from '../cluster/testdata/fake-kube-apiserver.js'
import { ClusterClient } from '../cluster/client.js'
import { FakeClock } from '../../test/suites/fake-clock.js'
import type { Clock } from './clock.js'
import { ClusterCertificates } from './cluster-certificates.js'
import { RateLimit } from './rate-limit.js'
import { rotationPolicy } from './served-certificates.js'

t.setTimeout(120_000)

const secretName = { namespace: 'annex-system', name: 'pair' }
const service = { namespace: 'annex-system', name: 'annex' }
const secrets = '/api/v1/namespaces/annex-system/secrets'
const apiServices = '/apis/apiregistration.k8s.io/v1/apiservices'
const day = 24 * 3_600_000
const policy = rotationPolicy({ secret: secretName, service, certificateValidityMs: 90 * day, authorityValidityMs: 365 * day }, [])
const start = Date.parse('2026-01-01T00:00:00Z')

type Tap = Pick<typeof t, 'teardown'>
interface Item { metadata: { name: string; resourceVersion?: string; labels?: Record<string, string>; annotations?: Record<string, string> } & Record<string, unknown>; data?: Record<string, string>; spec?: { caBundle?: string } & Record<string, unknown>; [field: string]: unknown }

const conflict: Reply = { status: 409, body: { kind: 'Status', message: 'the object has been modified', reason: 'Conflict', code: 409 } }

/** The two collections, with the preconditions of a real server. */
class Cluster {
  readonly api: FakeKubeApiserver
  readonly #items = new Map<string, Item>()

  private constructor (api: FakeKubeApiserver) { this.api = api }

  static async start (t: Tap): Promise<Cluster> {
    const cluster = new Cluster(await FakeKubeApiserver.start(t))
    cluster.put(secrets, { metadata: { name: 'other' } })
    cluster.put(apiServices, { metadata: { name: 'v1.apps' }, spec: {} })
    cluster.api.on(`POST ${secrets}`, ({ body }) => {
      if (cluster.has(secrets, 'pair')) return { status: 409, body: { kind: 'Status', reason: 'AlreadyExists', code: 409, message: 'exists' } }
      return { status: 201, body: cluster.put(secrets, body as Item) }
    })
    cluster.api.on(`PUT ${secrets}/pair`, request => cluster.replace(request))
    return cluster
  }

  has (collection: string, name: string): boolean { return this.#items.has(`${collection}/${name}`) }
  get (collection: string, name: string): Item { return this.#items.get(`${collection}/${name}`)! }
  get secret (): Item { return this.get(secrets, 'pair') }
  text (key: string): string { return Buffer.from(this.secret.data?.[key] ?? '', 'base64').toString() }
  bundle (name: string): string { return Buffer.from(this.get(apiServices, name).spec?.caBundle ?? '', 'base64').toString() }

  put (collection: string, item: Item): Item {
    this.api.put(collection, item)
    const stored = { ...item, metadata: { ...item.metadata, resourceVersion: String(this.api.revision) } }
    this.#items.set(`${collection}/${item.metadata.name}`, stored)
    if (collection === apiServices) this.api.on(`PATCH ${apiServices}/${item.metadata.name}`, request => this.patch(item.metadata.name, request))
    return stored
  }

  remove (collection: string, name: string): void {
    this.#items.delete(`${collection}/${name}`)
    this.api.remove(collection, name)
  }

  replace ({ body }: Received): Reply {
    const item = body as Item
    if (!this.has(secrets, 'pair')) return { status: 404, body: { kind: 'Status', code: 404, message: 'not found' } }
    if (item.metadata.resourceVersion !== this.secret.metadata.resourceVersion) return conflict
    return { body: this.put(secrets, item) }
  }

  patch (name: string, { body, headers }: Received): Reply {
    const patch = body as { metadata: { resourceVersion: string }; spec: object }
    const item = this.get(apiServices, name)
    if (headers['content-type'] !== 'application/merge-patch+json') return { status: 415 }
    if (patch.metadata.resourceVersion !== item.metadata.resourceVersion) return conflict
    return { body: this.put(apiServices, { ...item, spec: { ...item.spec, ...patch.spec } }) }
  }

  register (name: string, more: { spec?: object; annotations?: Record<string, string>; service?: object } = {}): void {
    this.put(apiServices, { metadata: { name, ...(more.annotations && { annotations: more.annotations }) }, spec: { service: more.service ?? { ...service, port: 443 }, ...more.spec } })
  }
}

interface Replica { readonly certificates: ClusterCertificates; readonly lines: { level: string; fields: object; message: string }[]; reloads: number }

/** Time of a fake clock, moved on by the test. */
function clockOf (fake: FakeClock): Clock & { skew: number } {
  return { skew: 0, now () { return start + fake.now() + this.skew }, monotonic: () => fake.now(), after: (ms, run) => fake.after(ms, run) }
}

async function replicaOf (t: Tap, cluster: Cluster, clock: Clock, how: { follow?: boolean; random?: () => number } = {}): Promise<Replica> {
  const client = new ClusterClient({ credentials: { name: 'test', read: async () => ({ server: cluster.api.url, headers: {}, tls: { ca: cluster.api.ca.certificatePem } }) }, userAgent: 'annex/test' })
  await client.start()
  t.teardown(() => { client.close() })
  const lines: Replica['lines'] = []
  const log = (level: string) => (fields: object, message: string): void => { lines.push({ level, fields, message }) }
  const replica = { lines, reloads: 0 } as { -readonly [k in keyof Replica]: Replica[k] }
  replica.certificates = await ClusterCertificates.open({
    client, secret: secretName, service, policy, clock, random: how.random ?? (() => 0), backoff: { firstMs: 5, maxMs: 50 },
    onChange: () => { replica.reloads++ }, log: { info: log('info'), warn: log('warn'), error: log('error') }
  })
  if (how.follow !== false) {
    replica.certificates.start()
    t.teardown(() => replica.certificates.stop())
  }
  return replica
}

/** Moves the clock in small steps until a condition holds. */
const moveUntil = async (fake: FakeClock, condition: () => boolean, ms = 100): Promise<void> => {
  await until(async () => {
    if (condition()) return true
    await fake.advance(ms)
    return false
  })
}

const verifies = (bundle: string, certificatePem: string): boolean => {
  if (!certificatePem.includes('BEGIN CERTIFICATE')) return false
  const leaf = new X509Certificate(certificatePem)
  return bundle !== '' && parseCertificates(bundle, 'bundle').some(c => leaf.verify(c.publicKey))
}

t.test('replicas that start at once agree on one Secret, with the shape of a TLS Secret', async t => {
  const cluster = await Cluster.start(t)
  const fake = new FakeClock()
  const replicas = await Promise.all([1, 2, 3, 4].map(() => replicaOf(t, cluster, clockOf(fake), { follow: false })))
  t.equal(new Set(replicas.map(r => r.certificates.serving.certificatePem)).size, 1)
  t.match(cluster.secret, {
    apiVersion: 'v1', kind: 'Secret', type: 'kubernetes.io/tls',
    metadata: { namespace: 'annex-system', name: 'pair', labels: { 'app.kubernetes.io/managed-by': 'annex' }, annotations: { 'annex/certificate-stage': 'Stable' } }
  })
  t.equal(cluster.text('tls.crt'), replicas[0]!.certificates.serving.certificatePem)
  const { subjectAltName } = new X509Certificate(cluster.text('tls.crt'))
  for (const name of ['localhost', 'annex', 'annex.annex-system', 'annex.annex-system.svc', 'annex.annex-system.svc.cluster.local']) t.ok(subjectAltName?.split(', ').includes(`DNS:${name}`), name)
  t.equal(replicas[0]!.certificates.stage, 'Stable')
  t.ok(replicas[0]!.certificates.authorityExpiry! > new Date(start))
})

t.test('every APIService that leads to the Service gets the bundle, and keeps it; others are left alone', async t => {
  const cluster = await Cluster.start(t)
  const other = Buffer.from('other').toString('base64')
  cluster.register('v1.a')
  cluster.register('v1.b', { spec: { caBundle: other } })
  cluster.register('v1.elsewhere', { service: { namespace: 'annex-system', name: 'another', port: 443 }, spec: { caBundle: other } })
  cluster.register('v1.injected', { annotations: { 'cert-manager.io/inject-ca-from': 'x/y' }, spec: { caBundle: other } })
  cluster.register('v1.insecure', { spec: { insecureSkipTLSVerify: true } })
  const fake = new FakeClock()
  const replica = await replicaOf(t, cluster, clockOf(fake))
  const bundle = cluster.text('ca.crt')
  await moveUntil(fake, () => cluster.bundle('v1.a') === bundle && cluster.bundle('v1.b') === bundle)
  cluster.register('v1.late')
  await moveUntil(fake, () => cluster.bundle('v1.late') === bundle)
  // Somebody overwrites one, takes one away and brings one back, while a patch is refused and another one lost.
  let failures = 0
  const patch = cluster.api.handlers.get(`PATCH ${apiServices}/v1.b`)!
  cluster.api.on(`PATCH ${apiServices}/v1.b`, request => ++failures === 1 ? conflict : failures === 2 ? undefined : failures === 3 ? { status: 500 } : patch(request))
  const { metadata, spec } = cluster.get(apiServices, 'v1.b')
  cluster.api.put(apiServices, { metadata, spec: { ...spec, caBundle: other } })
  cluster.get(apiServices, 'v1.b').spec!.caBundle = other
  cluster.get(apiServices, 'v1.b').metadata.resourceVersion = String(cluster.api.revision)
  cluster.remove(apiServices, 'v1.a')
  cluster.register('v1.elsewhere', { service: { ...service } })
  await moveUntil(fake, () => cluster.bundle('v1.b') === bundle && cluster.bundle('v1.elsewhere') === bundle)
  t.equal(cluster.api.count(`PATCH ${apiServices}/v1.injected`) + cluster.api.count(`PATCH ${apiServices}/v1.insecure`) + cluster.api.count(`PATCH ${apiServices}/v1.apps`), 0)
  t.match(cluster.get(apiServices, 'v1.insecure').spec, { insecureSkipTLSVerify: true })
  t.same(replica.lines.filter(l => l.level === 'warn' && l.message.includes('left alone')).map(l => (l.fields as { apiService: string }).apiService).sort(), ['v1.injected', 'v1.insecure'])
  t.equal(cluster.api.received.find(r => r.method === 'PATCH')?.query.get('fieldManager'), 'annex-certificates')
})

t.test('two replicas rotate the authority: what is served is trusted at every moment, and each stage is named', async t => {
  const cluster = await Cluster.start(t)
  cluster.register('v1.a')
  cluster.register('v1.b')
  const fake = new FakeClock()
  const replicas = [await replicaOf(t, cluster, clockOf(fake)), await replicaOf(t, cluster, clockOf(fake), { random: () => 0.7 })]
  const before = cluster.text('ca.crt')
  await moveUntil(fake, () => cluster.bundle('v1.a') === before && cluster.bundle('v1.b') === before)
  const untrusted: string[] = []
  const check = (): void => {
    for (const { certificates } of replicas) for (const name of ['v1.a', 'v1.b']) if (!verifies(cluster.bundle(name), certificates.serving.certificatePem)) untrusted.push(`${certificates.stage}: ${name}`)
  }
  const stages: string[] = []
  const watch = (): void => {
    check()
    const stage = cluster.secret.metadata.annotations!['annex/certificate-stage']!
    if (stages.at(-1) !== stage) stages.push(stage)
  }
  // One APIService cannot be written for a while: the rotation waits for it.
  let stuck = true
  const patch = cluster.api.handlers.get(`PATCH ${apiServices}/v1.b`)!
  cluster.api.on(`PATCH ${apiServices}/v1.b`, request => stuck ? { status: 500 } : patch(request))
  const { metadata, ...secret } = cluster.secret
  cluster.put(secrets, { ...secret, metadata: { ...metadata, annotations: { ...metadata.annotations, 'annex/rotate': 'now' } } })
  await moveUntil(fake, () => { watch(); return cluster.bundle('v1.a') !== before && fake.now() > 120_000 }, 5_000)
  t.same(stages, ['Stable', 'Publishing'])
  stuck = false
  await moveUntil(fake, () => { watch(); return cluster.secret.metadata.annotations!['annex/certificate-stage'] === 'Retiring' }, 1_000)
  await moveUntil(fake, () => { watch(); return replicas.every(r => r.reloads === 1) })
  await moveUntil(fake, () => { watch(); return cluster.secret.metadata.annotations!['annex/certificate-stage'] === 'Stable' }, 3_600_000)
  const after = cluster.text('ca.crt')
  await moveUntil(fake, () => { watch(); return cluster.bundle('v1.a') === after && cluster.bundle('v1.b') === after })
  t.same(stages, ['Stable', 'Publishing', 'Published', 'Retiring', 'Stable'])
  t.same(untrusted, [])
  t.equal(parseCertificates(after, 'ca.crt').length, 1)
  t.not(after, before)
  t.equal(cluster.secret.metadata.annotations!['annex/rotated'], 'now')
  await moveUntil(fake, () => replicas.every(r => r.certificates.stage === 'Stable'))
  const lines = JSON.stringify(replicas.map(r => r.lines))
  for (const stage of ['Publishing', 'Published', 'Retiring', 'Stable']) t.match(lines, `"stage":"${stage}"`)
  t.notMatch(lines, /PRIVATE KEY|BEGIN/)
})

t.test('a Secret that is damaged or deleted is healed, and nothing broken is served in the meantime', async t => {
  const cluster = await Cluster.start(t)
  cluster.register('v1.a')
  const fake = new FakeClock()
  const replicas = [await replicaOf(t, cluster, clockOf(fake)), await replicaOf(t, cluster, clockOf(fake))]
  const bundle = cluster.text('ca.crt')
  await moveUntil(fake, () => cluster.bundle('v1.a') === bundle)
  const healthy = (): boolean => cluster.has(secrets, 'pair') && verifies(bundle, cluster.text('tls.crt')) && cluster.text('ca.crt') === bundle &&
    replicas.every(r => r.certificates.serving.certificatePem === cluster.text('tls.crt'))
  await moveUntil(fake, healthy)
  const stranger = Authority.create({ commonName: 'stranger' })
  for (const [name, damage] of [
    ['deleted', undefined],
    ['emptied', {}],
    ['garbage', { 'tls.crt': 'garbage', 'tls.key': 'garbage', 'ca.crt': 'garbage', 'ca.key': 'garbage' }],
    ['another key', { 'tls.key': stranger.privateKeyPem }],
    ['no authority', { 'ca.key': undefined }],
    ['another authority', { 'ca.crt': stranger.certificatePem }]
  ] as const) {
    const { data, ...rest } = cluster.secret
    const texts = Object.fromEntries(Object.entries(damage ?? {}).filter(([, text]) => text !== undefined).map(([key, text]) => [key, Buffer.from(text ?? '').toString('base64')]))
    const kept = name === 'emptied' ? {} : Object.fromEntries(Object.entries(data!).filter(([key]) => !(key in (damage ?? {}))))
    if (damage === undefined) cluster.remove(secrets, 'pair')
    else cluster.put(secrets, { ...rest, data: { ...kept, ...texts } })
    await moveUntil(fake, () => {
      if (!replicas.every(r => verifies(bundle, r.certificates.serving.certificatePem))) t.fail(`${name}: something broken was served`)
      return healthy()
    })
    t.equal(cluster.bundle('v1.a'), bundle, name)
    // Time enough for the next ones: what changes a Secret is limited.
    await fake.advance(120_000)
  }
  t.equal(cluster.text('ca.crt'), bundle)
})

t.test('what is not ours is not taken, and what cannot be done is said', async t => {
  const cluster = await Cluster.start(t)
  const open = (): Promise<Replica> => replicaOf(t, cluster, clockOf(new FakeClock()), { follow: false })
  const pair = { 'tls.crt': Buffer.from('x').toString('base64'), 'tls.key': Buffer.from('y').toString('base64') }
  cluster.put(secrets, { metadata: { name: 'pair', annotations: { 'cert-manager.io/certificate-name': 'c' } }, data: pair })
  await t.rejects(open(), { message: /secret annex-system\/pair is kept by cert-manager: mount it and name its files with --tls-cert-file/ })
  cluster.put(secrets, { metadata: { name: 'pair' }, data: pair })
  await t.rejects(open(), { message: /holds certificates that are not annex's/ })
  t.same(cluster.secret.data, pair, 'left alone')
  // One that was made for us, empty, with a key of somebody else's in it.
  cluster.put(secrets, { metadata: { name: 'pair', labels: { team: 'x' } }, type: 'Opaque', data: { note: 'aGk=', 'tls.crt': '', 'tls.key': '' } })
  await open()
  t.match(cluster.secret, { type: 'Opaque', metadata: { labels: { team: 'x', 'app.kubernetes.io/managed-by': 'annex' } }, data: { note: 'aGk=', 'ca.key': String } })
  cluster.remove(secrets, 'pair')
  cluster.api.on(`POST ${secrets}`, () => ({ status: 403, body: { kind: 'Status', code: 403, message: 'secrets is forbidden' } }))
  await t.rejects(open(), { message: "secret annex-system/pair cannot be created (the server's user needs the verb create for it): secrets is forbidden" })
  cluster.api.on(`POST ${secrets}`, () => ({ status: 404, body: { kind: 'Status', code: 404, message: 'namespaces "annex-system" not found' } }))
  await t.rejects(open(), { message: 'secret annex-system/pair cannot be created (does the namespace annex-system exist?): namespaces "annex-system" not found' })
})

t.test('somebody who undoes everything is not fought without end', async t => {
  const cluster = await Cluster.start(t)
  cluster.register('v1.a')
  const fake = new FakeClock()
  const replica = await replicaOf(t, cluster, clockOf(fake))
  const put = cluster.api.handlers.get(`PUT ${secrets}/pair`)!
  const broken = (): void => { cluster.put(secrets, { ...cluster.secret, data: { ...cluster.secret.data, 'tls.crt': 'eA==' } }) }
  let writes = 0
  cluster.api.on(`PUT ${secrets}/pair`, request => {
    writes++
    const reply = put(request)
    setImmediate(broken)
    return reply
  })
  broken()
  await moveUntil(fake, () => replica.lines.some(l => l.message.includes('changed too often')), 50)
  const at = writes
  t.ok(at <= 21 + fake.now() / 30_000, `${at} writes in a row`)
  for (let i = 0; i < 60; i++) await fake.advance(5_000)
  t.ok(writes - at <= 12, `${writes - at} in five minutes`)
})

t.test('a rate limit gives a burst and then one at a time', async t => {
  const fake = new FakeClock()
  const limit = new RateLimit(clockOf(fake), 2, 1000)
  t.same([limit.take(), limit.take(), limit.take()], [0, 0, 1000])
  await fake.advance(500)
  t.equal(limit.take(), 500)
  await fake.advance(500)
  t.same([limit.take(), limit.take()], [0, 1000])
  await fake.advance(100_000)
  t.same([limit.take(), limit.take(), limit.take()], [0, 0, 1000])
})
