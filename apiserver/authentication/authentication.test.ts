import { X509Certificate } from 'node:crypto'
import { connect as connectHttp2, createSecureServer } from 'node:http2'
import tls from 'node:tls'
import t from 'tap'
import { Authority, dayMs } from '../../certs/authority.js'
import { newClientCertificate } from '../../certs/client-certificate.js'
import { parseCertificates, type KeyPair } from '../../certs/key-pair.js'
import { newServingCertificate, servingNames } from '../../certs/serving-certificate.js'
import { AnonymousAuthenticator } from './anonymous.js'
import { BearerTokenAuthenticator, bearerToken } from './bearer-token.js'
import { AuthenticatorChain } from './chain.js'
import { ClientCertificateAuthenticator, type ClientCertificateOptions } from './client-certificate.js'
import { headerValues, type AuthenticationRequest, type UserInfo } from './interfaces.js'
import { PeerCertificates } from './peer-certificates.js'

const ca = Authority.create({ commonName: 'annex-ca' })
const request = (init: { pair?: KeyPair; headers?: readonly string[] } = {}): AuthenticationRequest => ({
  rawHeaders: init.headers ?? [],
  peerCertificates: init.pair === undefined ? [] : parseCertificates(init.pair.certificatePem, 'client'),
  signal: new AbortController().signal
})
const trusting = (...authorities: Authority[]): ClientCertificateOptions => {
  const bundle = authorities.map(a => a.certificate)
  return { authorities: () => bundle }
}

t.test('a certificate gives user, groups and credential id', async t => {
  const pair = newClientCertificate(ca, { user: 'jane', groups: ['dev', 'a, b', 'system:masters'] })
  const user = await new ClientCertificateAuthenticator(trusting(ca)).authenticate(request({ pair }))
  const fingerprint = new X509Certificate(pair.certificatePem).fingerprint256.replaceAll(':', '').toLowerCase()
  t.same(user, { name: 'jane', groups: ['dev', 'a, b', 'system:masters'], extra: { 'authentication.kubernetes.io/credential-id': [`X509SHA256=${fingerprint}`] } })
})

t.test('what a certificate must not do', async t => {
  const other = Authority.create({ commonName: 'annex-ca' })
  const cases: [string, AuthenticationRequest, ClientCertificateOptions, RegExp | undefined][] = [
    ['no certificate', request(), trusting(ca), undefined],
    ['no bundle', request({ pair: newClientCertificate(ca, { user: 'u' }) }), { authorities: () => undefined }, undefined],
    ['no common name', request({ pair: ca.issue({ subject: { commonName: '', organizations: ['system:masters'] }, usage: 'clientAuth', validityDays: 1 }) }), trusting(ca), undefined],
    ['another authority of the same name', request({ pair: newClientCertificate(other, { user: 'u' }) }), trusting(ca), /unknown authority/],
    ['an empty bundle', request({ pair: newClientCertificate(ca, { user: 'u' }) }), trusting(), /unknown authority/],
    ['a serving certificate', request({ pair: newServingCertificate(ca, { subjectAltNames: servingNames([]) }) }), trusting(ca), /incompatible key usage/],
    ['an expired one', request({ pair: newClientCertificate(ca, { user: 'u', validityDays: 1 }) }), { ...trusting(ca), now: () => Date.now() + 2 * dayMs }, /expired/],
    ['one of two trusted authorities', request({ pair: newClientCertificate(other, { user: 'u' }) }), trusting(ca, other), /^never$/]
  ]
  for (const [name, req, options, error] of cases) {
    const authenticator = new ClientCertificateAuthenticator(options)
    if (error === undefined) t.equal(await authenticator.authenticate(req), undefined, name)
    else if (error.source === '^never$') t.equal((await authenticator.authenticate(req))?.name, 'u', name)
    else await t.rejects(authenticator.authenticate(req), { message: error }, name)
  }
})

t.test('a remembered certificate ends with its validity and with its bundle', async t => {
  const pair = newClientCertificate(ca, { user: 'jane', validityDays: 1 })
  let now = Date.now()
  let bundle: readonly X509Certificate[] = [ca.certificate]
  const authenticator = new ClientCertificateAuthenticator({ authorities: () => bundle, now: () => now })
  const first = await authenticator.authenticate(request({ pair }))
  t.equal(await authenticator.authenticate(request({ pair })), first, 'verified once')
  now += 2 * dayMs
  await t.rejects(authenticator.authenticate(request({ pair })), { code: 'NotCurrent' })
  now -= 2 * dayMs
  t.equal((await authenticator.authenticate(request({ pair })))?.name, 'jane')
  bundle = [Authority.create({ commonName: 'annex-ca' }).certificate]
  await t.rejects(authenticator.authenticate(request({ pair })), { code: 'Untrusted' }, 'a replaced bundle counts at once')
})

t.test('no more certificates are remembered than allowed, and the least recently used goes first', async t => {
  const authenticator = new ClientCertificateAuthenticator({ ...trusting(ca), cacheSize: 2 })
  const [a, b, c] = ['a', 'b', 'c'].map(user => request({ pair: newClientCertificate(ca, { user }) })) as [AuthenticationRequest, AuthenticationRequest, AuthenticationRequest]
  const first = { a: await authenticator.authenticate(a), b: await authenticator.authenticate(b) }
  t.equal(await authenticator.authenticate(a), first.a)
  await authenticator.authenticate(c)
  t.equal(await authenticator.authenticate(a), first.a, 'used recently')
  const again = await authenticator.authenticate(b)
  t.not(again, first.b, 'verified again')
  t.same(again, first.b)
})

t.test('the chain: first user wins, a failed credential is never anonymous, system:authenticated is added once', async t => {
  const jane: UserInfo = { name: 'jane', groups: ['dev'] }
  const says = (user: UserInfo | undefined | Error) => ({ authenticate: async () => { if (user instanceof Error) throw user; return user } })
  const bad = new Error('bad credential')
  const cases: [string, (UserInfo | undefined | Error)[], boolean, string[] | undefined][] = [
    ['nobody asked', [], true, ['system:anonymous', 'system:unauthenticated']],
    ['nobody knows', [undefined, undefined], true, ['system:anonymous', 'system:unauthenticated']],
    ['nobody knows and anonymous is off', [undefined], false, undefined],
    ['the second knows', [undefined, jane], true, ['jane', 'dev', 'system:authenticated']],
    ['the first knows', [jane, bad], true, ['jane', 'dev', 'system:authenticated']],
    ['one fails, the next knows', [bad, jane], true, ['jane', 'dev', 'system:authenticated']],
    ['one fails, nobody knows', [bad, undefined], true, undefined],
    ['two fail', [bad, bad], true, undefined],
    ['already has the group', [{ name: 'p', groups: ['system:authenticated', 'x'] }], true, ['p', 'system:authenticated', 'x']]
  ]
  for (const [name, answers, anonymous, expected] of cases) {
    const chain = new AuthenticatorChain({ authenticators: answers.map(says), ...(anonymous && { anonymous: new AnonymousAuthenticator() }) })
    if (expected === undefined) {
      const error = await chain.authenticate(request()).then(() => undefined, (e: unknown) => e)
      t.match(error, { status: { code: 401, reason: 'Unauthorized', message: 'Unauthorized' } }, name)
      t.notMatch(JSON.stringify((error as { status: object }).status), /bad credential/, name)
    } else {
      const user = await chain.authenticate(request())
      t.same([user.name, ...user.groups], expected, name)
    }
  }
})

t.test('a bearer token is read as upstream reads it, and refused when nobody can verify it', async t => {
  const ws = (token: string): string => `base64url.bearer.authorization.k8s.io.${Buffer.from(token).toString('base64url')}`
  for (const [name, headers, token] of [
    ['none', [], undefined],
    ['bearer', ['Authorization', 'Bearer abc'], 'abc'],
    ['any case', ['authorization', 'bEARER abc'], 'abc'],
    ['basic', ['Authorization', 'Basic eDp5'], undefined],
    ['without a token', ['Authorization', 'Bearer'], undefined],
    ['only spaces', ['Authorization', 'Bearer   '], undefined],
    ['websocket', ['Sec-WebSocket-Protocol', `v5.channel.k8s.io, ${ws('abc')}`], 'abc']
  ] as const) t.equal(bearerToken(headers), token, name)
  const chain = new AuthenticatorChain({ authenticators: [new BearerTokenAuthenticator()], anonymous: new AnonymousAuthenticator() })
  await t.rejects(chain.authenticate(request({ headers: ['Authorization', 'Bearer abc'] })), { name: 'StatusError', message: 'Unauthorized' })
  t.equal((await chain.authenticate(request({ headers: ['Authorization', 'Basic eDp5'] }))).name, 'system:anonymous')
  const verified = new BearerTokenAuthenticator(async token => token === 'abc' ? { name: 'sa', groups: [] } : undefined)
  t.equal((await verified.authenticate(request({ headers: ['Authorization', 'Bearer abc'] })))?.name, 'sa')
})

t.test('repeated headers stay apart', async t => {
  t.same(headerValues(['X-Remote-Group', 'a, b', 'Host', 'h', 'x-remote-group', 'c'], 'X-REMOTE-GROUP'), ['a, b', 'c'])
})

t.test('over real TLS, with intermediates, resumption, HTTP/1.1 and HTTP/2', async t => {
  // An intermediate authority is one that another has signed; ours are self-signed, so openssl makes this one.
  const { execFileSync } = await import('node:child_process')
  const { readFileSync, writeFileSync } = await import('node:fs')
  const dir = t.testdir({ 'root.crt': ca.certificatePem, 'root.key': ca.privateKeyPem, ext: 'basicConstraints=critical,CA:true\nkeyUsage=keyCertSign\n' })
  const openssl = (...args: string[]): void => { execFileSync('openssl', args, { cwd: dir, stdio: 'pipe' }) }
  openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', 'inter.key', '-out', 'inter.csr', '-subj', '/CN=inter')
  openssl('x509', '-req', '-in', 'inter.csr', '-CA', 'root.crt', '-CAkey', 'root.key', '-CAcreateserial', '-out', 'inter.crt', '-days', '5', '-extfile', 'ext')
  const interPem = readFileSync(`${dir}/inter.crt`, 'utf8')
  const inter = Authority.load({ certificatePem: interPem, privateKeyPem: readFileSync(`${dir}/inter.key`, 'utf8') })
  const leaf = newClientCertificate(inter, { user: 'jane', groups: ['dev'] })
  writeFileSync(`${dir}/leaf.crt`, leaf.certificatePem)

  const peers = new PeerCertificates()
  const authenticator = new ClientCertificateAuthenticator(trusting(ca))
  const serving = newServingCertificate(ca, { subjectAltNames: servingNames([]) })
  const counts: number[] = []
  const server = createSecureServer({ cert: serving.certificatePem, key: serving.privateKeyPem, ca: ca.certificatePem, requestCert: true, rejectUnauthorized: false, allowHTTP1: true }, (req, res) => {
    const peerCertificates = peers.of(req.socket)
    counts.push(peerCertificates.length)
    authenticator.authenticate({ rawHeaders: req.rawHeaders, peerCertificates, signal: new AbortController().signal })
      .then(user => { res.end(user?.name ?? 'nobody') }, (error: Error) => { res.statusCode = 401; res.end(error.message) })
  })
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  t.teardown(() => server.close())
  const port = (server.address() as { port: number }).port

  let session: Buffer | undefined
  const http1 = (options: tls.ConnectionOptions): Promise<string> => new Promise((resolve, reject) => {
    const socket = tls.connect({ port, host: '127.0.0.1', ca: ca.certificatePem, ALPNProtocols: ['http/1.1'], ...options })
    let text = ''
    socket.on('session', s => { session = s })
    socket.setEncoding('utf8').on('data', chunk => { text += String(chunk) }).on('error', reject).on('end', () => { socket.end(); resolve(text) })
    socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  })
  const http2 = (options: tls.ConnectionOptions): Promise<string> => new Promise((resolve, reject) => {
    const client = connectHttp2(`https://127.0.0.1:${port}`, { ca: ca.certificatePem, ...options } as object)
    client.on('error', reject)
    const stream = client.request({ ':path': '/' })
    let text = ''
    stream.setEncoding('utf8').on('data', chunk => { text += String(chunk) }).on('error', reject).on('end', () => { client.close(); resolve(text) })
  })
  const withChain = { cert: leaf.certificatePem + interPem, key: leaf.privateKeyPem }
  const alone = { cert: leaf.certificatePem, key: leaf.privateKeyPem }
  t.match(await http1(alone), /401.*unknown authority/s, 'the intermediate is missing')
  t.match(await http2(alone), /unknown authority/)
  t.match(await http1(withChain), /\r\njane/)
  t.match(await http2(withChain), /^jane$/)
  t.match(await http1({ ...withChain, session: session! }), /\r\njane/, 'a resumed session comes without the intermediate')
  t.match(await http1({}), /nobody/)
  t.match(await http2({}), /nobody/)
  t.same(counts, [1, 1, 2, 2, 1, 0, 0])
  t.same(peers.of(new tls.TLSSocket(new (await import('node:net')).Socket())), [])
})
