import { execFileSync } from 'node:child_process'
import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import tls from 'node:tls'
import t from 'tap'
import { Authority, dayMs } from './authority.js'
import { newClientCertificate } from './client-certificate.js'
import { CertificateError } from './errors.js'
import { newPrivateKeyPem, parseCertificates } from './key-pair.js'
import { newServingCertificate, renewalReason, renewalTime, servingNames, subjectAltNamesOf } from './serving-certificate.js'
import { verifyCertificate } from './verify.js'

const oid = { serverAuth: '1.3.6.1.5.5.7.3.1', clientAuth: '1.3.6.1.5.5.7.3.2' }

t.test('an authority is a self-signed CA for ten years', async t => {
  const ca = Authority.create({ commonName: 'annex-ca' })
  const x = ca.certificate
  t.equal(x.subject, 'CN=annex-ca')
  t.equal(x.issuer, x.subject)
  t.ok(x.ca)
  t.ok(x.verify(x.publicKey))
  t.ok(x.checkIssued(x))
  const days = (Date.parse(x.validTo) - Date.now()) / dayMs
  t.ok(days > 3649 && days <= 3650, `${days} days`)
  t.equal(x.publicKey.asymmetricKeyDetails?.namedCurve, 'prime256v1')
})

t.test('a serving certificate has its names, usage and issuer', async t => {
  const ca = Authority.create({ commonName: 'annex-ca' })
  const names = servingNames(['node-1.example.com', '10.0.0.7', '2001:db8::7', '*.apps.example.com', 'localhost', '0:0:0:0:0:0:0:1'])
  const x = new X509Certificate(newServingCertificate(ca, { subjectAltNames: names }).certificatePem)
  t.same(subjectAltNamesOf(x), { dnsNames: ['localhost', 'node-1.example.com', '*.apps.example.com'], ipAddresses: ['127.0.0.1', '::1', '10.0.0.7', '2001:db8::7'] })
  t.same(x.keyUsage, [oid.serverAuth])
  t.ok(x.checkHost('node-1.example.com'))
  t.ok(x.checkIP('2001:db8::7'))
  t.notOk(x.checkIP('10.0.0.8'))
  t.ok(x.checkIssued(ca.certificate))
  t.ok(x.verify(ca.certificate.publicKey))
  t.notOk(x.ca)
})

t.test('a client certificate carries the user as CN and every group as an O, whatever characters they hold', async t => {
  const ca = Authority.create({ commonName: 'annex-ca' })
  for (const [user, groups] of [['jane', []], ['system:kube-scheduler', ['system:masters', 'dev, ops', 'a+b=c/d']], ['Zoë@例え.jp', ['Müller \\ "Söhne"']]] as const) {
    const x = new X509Certificate(newClientCertificate(ca, { user, groups }).certificatePem)
    const subject = x.toLegacyObject().subject as unknown as Record<string, string | string[]>
    t.equal(subject['CN'], user)
    t.same([subject['O'] ?? []].flat(), groups)
    t.same(x.keyUsage, [oid.clientAuth])
  }
  t.throws(() => newClientCertificate(ca, { user: '' }), { code: 'InvalidName' })
})

t.test('serials never repeat and are positive', async t => {
  const ca = Authority.create({ commonName: 'annex-ca' })
  const serials = new Set<string>()
  for (let i = 0; i < 50; i++) {
    const { serialNumber } = new X509Certificate(newClientCertificate(ca, { user: 'u' }).certificatePem)
    t.match(serialNumber, /^[4-7][0-9A-F]{31}$/)
    serials.add(serialNumber)
  }
  t.equal(serials.size, 50)
})

t.test('a certificate never outlives its authority, and an expired authority signs nothing', async t => {
  const ca = Authority.create({ commonName: 'short', validityDays: 10 })
  const x = new X509Certificate(newClientCertificate(ca, { user: 'u', validityDays: 365 }).certificatePem)
  t.equal(x.validTo, ca.certificate.validTo)
  t.equal(x.validFrom, ca.certificate.validFrom)
  t.throws(() => newClientCertificate(ca, { user: 'u', now: new Date(Date.now() + 11 * dayMs) }), { code: 'NotCurrent', message: /annex|short.*expired/ })
})

t.test('authorities with RSA, P-384 and Ed25519 keys sign too', async t => {
  const keys = {
    rsa: generateKeyPairSync('rsa', { modulusLength: 2048 }),
    p384: generateKeyPairSync('ec', { namedCurve: 'P-384' }),
    ed25519: generateKeyPairSync('ed25519')
  }
  for (const [name, { privateKey }] of Object.entries(keys)) {
    const ca = Authority.create({ commonName: name, privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() })
    const x = new X509Certificate(newServingCertificate(ca, { subjectAltNames: servingNames([]) }).certificatePem)
    t.ok(x.verify(ca.certificate.publicKey), name)
    t.doesNotThrow(() => verifyCertificate(x, { roots: [ca.certificate], usage: 'serverAuth' }), name)
  }
})

t.test('openssl verifies what we sign, also under a CA that openssl made', async t => {
  const dir = t.testdir()
  const openssl = (...args: string[]): string => execFileSync('openssl', args, { cwd: dir, encoding: 'utf8', stdio: 'pipe' })
  openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'their.key', '-out', 'their.crt', '-days', '10', '-subj', '/C=AT/O=Müller/CN=their ca', '-utf8', '-addext', 'keyUsage=critical,keyCertSign')
  const read = (f: string): string => readFileSync(path.join(dir, f), 'utf8')
  const authorities = { ours: Authority.create({ commonName: 'ours' }), theirs: Authority.load({ certificatePem: read('their.crt'), privateKeyPem: read('their.key') }) }
  for (const [name, ca] of Object.entries(authorities)) {
    writeFileSync(path.join(dir, 'ca.crt'), ca.certificatePem)
    writeFileSync(path.join(dir, 'serving.crt'), newServingCertificate(ca, { subjectAltNames: servingNames(['a.example']) }).certificatePem)
    writeFileSync(path.join(dir, 'client.crt'), newClientCertificate(ca, { user: 'jane', groups: ['dev'] }).certificatePem)
    t.match(openssl('verify', '-x509_strict', '-purpose', 'sslserver', '-verify_hostname', 'a.example', '-CAfile', 'ca.crt', 'serving.crt'), /serving.crt: OK/, name)
    t.match(openssl('verify', '-x509_strict', '-purpose', 'sslclient', '-CAfile', 'ca.crt', 'client.crt'), /client.crt: OK/, name)
    t.throws(() => openssl('verify', '-purpose', 'sslserver', '-CAfile', 'ca.crt', 'client.crt'), /unsuitable certificate purpose|unsupported certificate purpose/)
  }
})

t.test('a TLS handshake succeeds both ways with our certificates and fails with another CA', async t => {
  const ca = Authority.create({ commonName: 'annex-ca' })
  const serving = newServingCertificate(ca, { subjectAltNames: servingNames([]) })
  const client = newClientCertificate(ca, { user: 'jane' })
  const server = tls.createServer({ cert: serving.certificatePem, key: serving.privateKeyPem, ca: ca.certificatePem, requestCert: true, rejectUnauthorized: true }, socket => {
    socket.end((socket.getPeerX509Certificate() as X509Certificate).subject)
  })
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  t.teardown(() => server.close())
  const port = (server.address() as { port: number }).port
  const connect = (options: tls.ConnectionOptions): Promise<string> => new Promise((resolve, reject) => {
    const socket = tls.connect({ port, host: '127.0.0.1', ...options })
    let text = ''
    socket.setEncoding('utf8').on('data', chunk => { text += String(chunk) }).on('error', reject).on('end', () => { if (text === '') reject(new Error('the server closed')); else resolve(text) })
  })
  t.equal(await connect({ ca: ca.certificatePem, cert: client.certificatePem, key: client.privateKeyPem }), 'CN=jane')
  const other = Authority.create({ commonName: 'annex-ca' })
  await t.rejects(connect({ ca: other.certificatePem, cert: client.certificatePem, key: client.privateKeyPem }))
  const stranger = newClientCertificate(other, { user: 'jane' })
  await t.rejects(connect({ ca: ca.certificatePem, cert: stranger.certificatePem, key: stranger.privateKeyPem }))
})

t.test('names that are neither DNS names nor addresses are refused, all at once', async t => {
  t.throws(() => servingNames(['ok.example', '-bad', 'under_score', '010.0.0.1.', '']), { code: 'InvalidName', message: 'neither a DNS name nor an IP address: "-bad", "under_score", "010.0.0.1.", ""' })
})

t.test('a serving certificate is renewed at two thirds of its life or when its names change', async t => {
  const ca = Authority.create({ commonName: 'annex-ca' })
  const names = servingNames(['a.example', '10.0.0.1'])
  const x = new X509Certificate(newServingCertificate(ca, { subjectAltNames: names }).certificatePem)
  const at = renewalTime(x).getTime()
  for (const [name, wanted, now, reason] of [
    ['fresh', names, Date.now(), undefined],
    ['just before', names, at - 1000, undefined],
    ['two thirds', names, at, /two thirds/],
    ['name added', servingNames(['a.example', '10.0.0.1', 'b.example']), Date.now(), /lacks the names b\.example/],
    ['address removed', servingNames(['a.example']), Date.now(), /still has the names 10\.0\.0\.1/],
    ['another order', servingNames(['10.0.0.1', 'a.example']), Date.now(), undefined]
  ] as const) {
    const actual = renewalReason(x, wanted, new Date(now))
    if (reason === undefined) t.equal(actual, undefined, name)
    else t.match(actual, reason, name)
  }
})

t.test('chain verification follows Go crypto/x509', async t => {
  const dir = t.testdir()
  const openssl = (...args: string[]): string => execFileSync('openssl', args, { cwd: dir, encoding: 'utf8', stdio: 'pipe' })
  const p256 = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  const selfSigned = (name: string, ...extra: string[]): void => { openssl('req', '-x509', ...p256, '-keyout', `${name}.key`, '-out', `${name}.crt`, '-days', '20', '-subj', `/CN=${name}`, ...extra) }
  const signed = (name: string, issuer: string, extensions: string, ...extra: string[]): void => {
    openssl('req', ...p256, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`)
    writeFileSync(path.join(dir, 'ext'), extensions)
    openssl('x509', '-req', '-in', `${name}.csr`, '-CA', `${issuer}.crt`, '-CAkey', `${issuer}.key`, '-CAcreateserial', '-out', `${name}.crt`, '-days', '5', '-extfile', 'ext', ...extra)
  }
  const load = (name: string): X509Certificate => new X509Certificate(readFileSync(path.join(dir, `${name}.crt`)))
  const client = 'extendedKeyUsage=clientAuth\n'
  selfSigned('root')
  selfSigned('stranger')
  selfSigned('nosign', '-addext', 'keyUsage=critical,cRLSign')
  signed('inter', 'root', 'basicConstraints=critical,CA:true,pathlen:0\n')
  signed('inter-server', 'root', 'basicConstraints=critical,CA:true\nextendedKeyUsage=serverAuth\n')
  signed('inter2', 'inter', 'basicConstraints=critical,CA:true\n')
  signed('inter-names', 'root', 'basicConstraints=critical,CA:true\nnameConstraints=critical,permitted;DNS:example.com\n')
  signed('notca', 'root', client)
  signed('direct', 'root', client)
  signed('no-eku', 'root', 'basicConstraints=CA:false\n')
  signed('any-eku', 'root', 'extendedKeyUsage=anyExtendedKeyUsage\n')
  signed('server', 'root', 'extendedKeyUsage=serverAuth\n')
  signed('critical', 'root', client + '1.2.3.4=critical,ASN1:NULL\n')
  signed('sha1', 'root', client, '-sha1')
  signed('deep', 'inter', client)
  signed('deeper', 'inter2', client)
  signed('under-server', 'inter-server', client)
  signed('under-notca', 'notca', client)
  signed('under-nosign', 'nosign', client)
  signed('under-names', 'inter-names', client)
  signed('under-names-san', 'inter-names', client + 'subjectAltName=DNS:a.example.com\n')

  const cases: { name: string; leaf: string; roots?: string[]; intermediates?: string[]; at?: number; error?: RegExp; length?: number }[] = [
    { name: 'issued by a root', leaf: 'direct', length: 2 },
    { name: 'several roots', leaf: 'direct', roots: ['stranger', 'root'], length: 2 },
    { name: 'another root', leaf: 'direct', roots: ['stranger'], error: /unknown authority/ },
    { name: 'no roots', leaf: 'direct', roots: [], error: /unknown authority/ },
    { name: 'without extended usages', leaf: 'no-eku', length: 2 },
    { name: 'any extended usage', leaf: 'any-eku', length: 2 },
    { name: 'only for servers', leaf: 'server', error: /incompatible key usage/ },
    { name: 'an unknown critical extension', leaf: 'critical', error: /unhandled critical extension 1\.2\.3\.4/ },
    { name: 'a SHA-1 signature', leaf: 'sha1', error: /insecure algorithm/ },
    { name: 'an intermediate that was sent', leaf: 'deep', intermediates: ['inter'], length: 3 },
    { name: 'an intermediate that was not sent', leaf: 'deep', error: /unknown authority/ },
    { name: 'an intermediate as root', leaf: 'deep', roots: ['inter'], length: 2 },
    { name: 'a path longer than allowed', leaf: 'deeper', intermediates: ['inter2', 'inter'], error: /too many intermediates/ },
    { name: 'an intermediate for servers only', leaf: 'under-server', intermediates: ['inter-server'], error: /incompatible key usage/ },
    { name: 'a leaf as issuer', leaf: 'under-notca', intermediates: ['notca'], error: /not authorized to sign/ },
    { name: 'a root without keyCertSign', leaf: 'under-nosign', roots: ['nosign'], error: /not authorized to sign/ },
    { name: 'a self-signed certificate sent as intermediate proves nothing', leaf: 'stranger', intermediates: ['stranger'], error: /unknown authority/ },
    { name: 'a certificate that is itself trusted', leaf: 'server', roots: ['direct', 'server'], error: /incompatible key usage/ },
    { name: 'a client certificate that is itself trusted', leaf: 'direct', roots: ['direct'], length: 1 },
    { name: 'name constraints without names to apply to', leaf: 'under-names', intermediates: ['inter-names'], length: 3 },
    { name: 'name constraints with names', leaf: 'under-names-san', intermediates: ['inter-names'], error: /name constraints/ },
    { name: 'expired', leaf: 'direct', at: Date.now() + 6 * dayMs, error: /has expired or is not yet valid: current time \S+Z is after/ },
    { name: 'not yet valid', leaf: 'direct', at: Date.now() - dayMs, error: /is before/ },
    { name: 'an expired root', leaf: 'root', at: Date.now() + 21 * dayMs, error: /is after/ }
  ]
  for (const c of cases) {
    const run = (): number => verifyCertificate(load(c.leaf), { roots: (c.roots ?? ['root']).map(load), intermediates: (c.intermediates ?? []).map(load), usage: 'clientAuth', ...(c.at !== undefined && { now: new Date(c.at) }) }).chain.length
    if (c.error === undefined) t.equal(run(), c.length, c.name)
    else t.throws(run, { name: 'CertificateError', message: c.error }, c.name)
  }
  const { validUntil } = verifyCertificate(load('deep'), { roots: [load('root')], intermediates: [load('inter')], usage: 'clientAuth' })
  t.equal(validUntil.getTime(), Math.min(...['deep', 'inter', 'root'].map(n => Date.parse(load(n).validTo))))
})

t.test('a forged certificate with the names and key ids of a real authority is refused', async t => {
  const real = Authority.create({ commonName: 'annex-ca' })
  const fake = Authority.create({ commonName: 'annex-ca' })
  const x = new X509Certificate(newClientCertificate(fake, { user: 'admin', groups: ['system:masters'] }).certificatePem)
  t.throws(() => verifyCertificate(x, { roots: [real.certificate], usage: 'clientAuth' }), { code: 'Untrusted' })
  t.throws(() => verifyCertificate(x, { roots: [real.certificate], intermediates: [fake.certificate], usage: 'clientAuth' }), { code: 'Untrusted' })
})

t.test('PEM texts are read with whatever stands around the blocks; bad ones name their source', async t => {
  const ca = Authority.create({ commonName: 'a' })
  t.equal(parseCertificates(`comment\n${ca.certificatePem}\nmore\n${ca.certificatePem}`, 'x').length, 2)
  t.throws(() => parseCertificates('nothing', 'bundle.crt'), { code: 'Malformed', message: /^bundle\.crt: holds no certificate/ })
  t.throws(() => parseCertificates('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----', 'bundle.crt'), { message: /^bundle\.crt: certificate 1 of 1/ })
  t.throws(() => Authority.load({ certificatePem: ca.certificatePem, privateKeyPem: newPrivateKeyPem() }, 'ca.crt', 'ca.key'), { code: 'Mismatch', message: /^ca\.key: is not the private key of the certificate in ca\.crt/ })
  t.throws(() => Authority.load(newClientCertificate(ca, { user: 'u' })), CertificateError)
})
