import { once } from 'node:events'
import { Agent, request as httpsRequest } from 'node:https'
import { connect, type ClientHttp2Session } from 'node:http2'
import { connect as connectTls } from 'node:tls'
import t, { type Test } from 'tap'
import { Authority } from '../../certs/authority.js'
import { newServingCertificate } from '../../certs/serving-certificate.js'
import { Listener, type ListenerOptions } from './listener.js'

const authority = Authority.create({ commonName: 'test' })
const { certificatePem, privateKeyPem } = newServingCertificate(authority, { commonName: 'test', subjectAltNames: { dnsNames: ['localhost'], ipAddresses: ['127.0.0.1'] } })

async function listen (t: Test, options: Pick<ListenerOptions, 'onRequest' | 'isProxy'>): Promise<{ listener: Listener; port: number }> {
  const listener = new Listener({ bindAddress: '127.0.0.1', port: 0, http2: true, tls: { certificatePem, privateKeyPem, clientAuthorities: [] }, onUpgrade: () => {}, onTlsError: () => {}, ...options })
  t.teardown(() => listener.close(0))
  return { listener, port: await listener.listen({ bindAddress: '127.0.0.1', port: 0 }) }
}

async function open (t: Test, port: number): Promise<ClientHttp2Session> {
  const session = connect(`https://127.0.0.1:${port}`, { ca: authority.certificatePem, maxSendHeaderBlockLength: 1 << 20 })
  session.on('error', () => {})
  t.teardown(() => { session.destroy() })
  await once(session, 'connect')
  return session
}

/** Sends a body and answers the body that comes back. @throws Error if the stream is refused or cut */
async function post (session: ClientHttp2Session, body: string): Promise<string> {
  const stream = session.request({ ':path': '/', ':method': 'POST' })
  stream.end(body)
  let received = ''
  for await (const chunk of stream.setEncoding('utf8')) received += chunk as string
  if (stream.rstCode !== 0 || received === '') throw new Error(`the stream was reset with ${stream.rstCode}`)
  return received
}

const echo: ListenerOptions['onRequest'] = (req, res) => {
  let body = ''
  req.setEncoding('utf8')
  req.on('data', (chunk: string) => { body += chunk })
  req.on('end', () => { res.end(body) })
}

t.test('a proxy’s requests that are under way when the server ends are served, and then it goes elsewhere', async t => {
  const { listener, port } = await listen(t, { onRequest: echo, isProxy: () => true })
  const session = await open(t, port)
  const [goaway, closed] = [once(session, 'goaway'), once(session, 'close')]
  await post(session, 'before')
  // Large bodies keep the session writing, so that the notice has to find its place between frames.
  const large = Array.from({ length: 4 }, (_, i) => String(i).repeat(200_000))
  const under = large.map(body => post(session, body))
  const told = listener.goAway()
  // The client cannot know yet.
  const late = Array.from({ length: 20 }, (_, i) => post(session, `late ${i}`))
  t.strictSame(await Promise.all(late), Array.from({ length: 20 }, (_, i) => `late ${i}`))
  for (const [i, body] of (await Promise.all(under)).entries()) if (body !== large[i]) t.fail(`body ${i} is damaged`)
  t.match((await goaway).slice(0, 2), [0, 0x7fffffff])
  await told
  await closed
  t.pass('the client closed the connection')
})

t.test('others’ sessions are told with an ordinary GOAWAY that names the last request taken', async t => {
  const { listener, port } = await listen(t, { onRequest: echo })
  const session = await open(t, port)
  const goaway = once(session, 'goaway')
  await post(session, 'before')
  await listener.goAway()
  t.match((await goaway).slice(0, 2), [0, 1])
})

t.test('the connection of a request is the same object for all of its requests, whatever it sits on', async t => {
  for (const proxy of [true, false]) {
    const sockets = new Set<object>()
    const { port } = await listen(t, { isProxy: () => proxy, onRequest: (req, res, socket) => { sockets.add(socket); t.equal(socket.remoteAddress, '127.0.0.1'); echo(req, res, socket) } })
    const session = await open(t, port)
    for (let i = 0; i < 3; i++) await post(session, 'x')
    t.equal(sockets.size, 1, `HTTP/2, proxy: ${proxy}`)
    const agent = new Agent({ keepAlive: true, ca: authority.certificatePem })
    for (let i = 0; i < 2; i++) {
      await new Promise<void>((resolve, reject) => {
        httpsRequest({ port, host: '127.0.0.1', agent, method: 'POST' }, response => { response.resume().on('end', resolve) }).on('error', reject).end('x')
      })
    }
    t.equal(sockets.size, 2, 'HTTP/1.1')
    agent.destroy()
  }
})

t.test('a client that does not acknowledge is not waited for without end', async t => {
  const { listener, port } = await listen(t, { onRequest: echo, isProxy: () => true })
  const socket = connectTls({ port, host: '127.0.0.1', ca: authority.certificatePem, ALPNProtocols: ['h2'] })
  t.teardown(() => { socket.destroy() })
  // The preface and an empty SETTINGS frame; then it says nothing any more.
  socket.write(Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])]))
  await once(socket, 'data')
  await listener.goAway()
  t.pass('it resolves')
})

t.test('a user may be in hundreds of groups, each of them a header', async t => {
  const groups = Array.from({ length: 2_000 }, (_, i) => `group-${i}-${'x'.repeat(40)}`)
  const counting: ListenerOptions['onRequest'] = (req, res) => { res.end(`${req.rawHeaders.filter(name => name === 'x-remote-group').length}`) }
  for (const proxy of [true, false]) {
    const { port } = await listen(t, { onRequest: counting, isProxy: () => proxy })
    const session = await open(t, port)
    // Until the server's settings have been read the protocol's own limits hold.
    await new Promise<void>(resolve => { session.ping(() => { resolve() }) })
    const stream = session.request({ ':path': '/', 'x-remote-group': groups })
    let received = ''
    for await (const chunk of stream.setEncoding('utf8')) received += chunk as string
    t.equal(received, '2000', `HTTP/2, proxy: ${proxy}`)
    t.equal(session.remoteSettings.maxFrameSize, 1 << 20, 'headers of Go’s clients come in one frame; Node’s clients always split them')
    const overHttp1 = (headers: Record<string, string[]>): Promise<string> => new Promise((resolve, reject) => {
      httpsRequest({ port, host: '127.0.0.1', ca: authority.certificatePem, headers }, response => {
        let text = ''
        response.setEncoding('utf8').on('data', (chunk: string) => { text += chunk }).on('end', () => { resolve(`${response.statusCode} ${text}`) })
      }).on('error', reject).end()
    })
    t.equal(await overHttp1({ 'x-remote-group': groups }), '200 2000', `HTTP/1.1, proxy: ${proxy}`)
    t.match(await overHttp1({ 'x-large': Array.from({ length: 8 }, () => 'x'.repeat(140_000)) }), /^431 /, 'more than 1 MiB')
  }
})
