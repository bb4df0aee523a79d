import { constants, createServer, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { freePorts } from '../../test/fixtures/free-ports.js'
import { describeFailure, type FailureKind } from './errors.js'
import { UnaryClient } from './unary-client.js'

/** A gRPC server that answers as told, and a client of it. */
async function start (t: Test, answer: (stream: ServerHttp2Stream, call: number) => void): Promise<{ client: UnaryClient; sessions: ServerHttp2Session[] }> {
  const server = createServer()
  const sessions: ServerHttp2Session[] = []
  let calls = 0
  server.on('session', session => { sessions.push(session); session.on('error', () => {}) })
  server.on('stream', stream => { stream.on('error', () => {}); answer(stream, ++calls) })
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  const client = new UnaryClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, undefined)
  t.teardown(() => {
    client.close()
    for (const session of sessions) session.destroy()
    server.close()
  })
  return { client, sessions }
}

const reply = Buffer.from([0, 0, 0, 0, 4, 0x0a, 0x02, 0x18, 0x07]) // a header with revision 7

function succeed (stream: ServerHttp2Stream): void {
  stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
  stream.on('wantTrailers', () => { stream.sendTrailers({ 'grpc-status': '0' }) })
  // In two pieces, cut inside the prefix.
  stream.write(reply.subarray(0, 3))
  setImmediate(() => { stream.end(reply.subarray(3)) })
}

const ask = (client: UnaryClient, ms = 10_000): Promise<string> => client.range({ key: Buffer.from('k') }, { deadline: Date.now() + ms }).then(r => r.header.revision)
const failureOf = async (client: UnaryClient, ms?: number): Promise<{ kind: FailureKind; details: string }> => {
  const error: unknown = await ask(client, ms).then(() => { throw new Error('a failure was expected') }, (e: unknown) => e)
  const { kind, details } = describeFailure(error)
  return { kind, details }
}

t.test('an answer comes whole, whatever its pieces', async t => {
  const { client, sessions } = await start(t, succeed)
  t.equal(await ask(client), '7')
  t.same(await Promise.all(Array.from({ length: 300 }, () => ask(client))), Array(300).fill('7'))
  t.equal(sessions.length, 1, 'on one connection')
})

t.test('what etcd refuses is told from what nobody can tell', async t => {
  const refuse = (status: string, message: string) => (stream: ServerHttp2Stream): void => { stream.respond({ ':status': 200, 'grpc-status': status, 'grpc-message': message }, { endStream: true }) }
  const cases: [name: string, answer: (stream: ServerHttp2Stream) => void, wanted: FailureKind, text: RegExp][] = [
    ['a refusal of etcd', refuse('8', 'etcdserver: mvcc: database space exceeded'), 'refused', /database space/],
    ['an encoded text', refuse('3', 'etcdserver: 100%25 wrong'), 'refused', /100% wrong/],
    ['a write that may be applied yet', refuse('14', 'etcdserver: request timed out'), 'unknown', /timed out/],
    ['a refused stream', stream => { stream.close(constants.NGHTTP2_REFUSED_STREAM) }, 'unsent', /refused by server/],
    ['a reset', stream => { stream.close(constants.NGHTTP2_INTERNAL_ERROR) }, 'unknown', /dropped/],
    ['a lost connection', stream => { stream.session!.destroy() }, 'unknown', /dropped/],
    ['a proxy', stream => { stream.respond({ ':status': 502 }, { endStream: true }) }, 'unknown', /502/],
    ['an answer without its end', stream => { stream.respond({ ':status': 200 }); stream.end(reply) }, 'unknown', /./],
    ['an answer that is cut off', stream => {
      stream.respond({ ':status': 200 }, { waitForTrailers: true })
      stream.on('wantTrailers', () => { stream.sendTrailers({ 'grpc-status': '0' }) })
      stream.end(reply.subarray(0, 7))
    }, 'unknown', /message/]
  ]
  for (const [name, answer, wanted, text] of cases) {
    const { client } = await start(t, answer)
    const { kind, details } = await failureOf(client)
    t.equal(kind, wanted, name)
    t.match(details, text, name)
  }
})

t.test('nobody there is unsent, and soon tried again', async t => {
  const [port = 0] = await freePorts(1)
  const client = new UnaryClient(`http://127.0.0.1:${port}`, undefined)
  for (let i = 0; i < 2; i++) t.match(await failureOf(client), { kind: 'unsent', details: /ECONNREFUSED/ })
  const again = createServer()
  again.on('stream', succeed)
  await new Promise<void>(resolve => { again.listen(port, '127.0.0.1', resolve) })
  let answer: string | undefined
  for (const until = Date.now() + 60_000; answer === undefined && Date.now() < until;) answer = await ask(client).catch(() => undefined)
  t.equal(answer, '7')
  client.close()
  t.match(await failureOf(client), { kind: 'unsent' }, 'after the end, too')
  again.close()
})

t.test('after a GOAWAY the next call takes a new connection, and the ones under way end on theirs', async t => {
  let first: ServerHttp2Stream | undefined
  const { client, sessions } = await start(t, (stream, call) => { if (call === 1) first = stream; else succeed(stream) })
  const waiting = ask(client)
  while (first === undefined) await new Promise(resolve => { setImmediate(resolve) })
  sessions[0]!.goaway(constants.NGHTTP2_NO_ERROR, first.id)
  let answer: string | undefined
  // What was sent before the client knew is refused, and safe to be sent again.
  const kinds = new Set<string>()
  for (const until = Date.now() + 60_000; answer === undefined && Date.now() < until;) {
    answer = await ask(client).catch((error: unknown) => { kinds.add(describeFailure(error).kind); return undefined })
  }
  t.equal(answer, '7')
  t.ok([...kinds].every(kind => kind === 'unsent'))
  t.equal(sessions.length, 2)
  succeed(first)
  t.equal(await waiting, '7')
})

t.test('a call ends with its deadline', async t => {
  const { client } = await start(t, (stream, call) => { if (call > 1) succeed(stream) })
  t.match(await failureOf(client, 50), { kind: 'unknown', details: /Deadline/ })
  t.equal(await ask(client), '7', 'and the connection stays')
})
