import { readFileSync } from 'node:fs'
import { connect, constants, type ClientHttp2Session } from 'node:http2'
import { gunzipSync } from 'node:zlib'
import t from 'tap'
import { bodyMemory } from '../../apiserver/responses/body-memory.js'
import { startServer } from '../fixtures/server.js'

const objects = 60
const namespaces = ['left', 'right'] as const
type Namespace = typeof namespaces[number]
const path = (namespace: Namespace): string => `/apis/example.com/v1/namespaces/${namespace}/webapps`
/** Each namespace has its own letter, so that a byte of another body shows. */
const image = (namespace: Namespace): string => namespace[0]!.repeat(2_000)

const kinds = {
  list: { accept: 'application/json' },
  gzip: { accept: 'application/json', 'accept-encoding': 'gzip' },
  table: { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' },
  yaml: { accept: 'application/yaml' }
} as const
type Kind = keyof typeof kinds

t.test('bodies whose memory is used again are whole, whatever becomes of others', async t => {
  const server = await startServer(t, [], { inProcess: true })
  for (const namespace of namespaces) {
    for (let i = 0; i < objects; i++) {
      const body = { apiVersion: 'example.com/v1', kind: 'WebApp', metadata: { name: `${namespace}-${i}` }, spec: { replicas: 1, port: 80, image: image(namespace) } }
      const { status } = await server.request('POST', path(namespace), { body })
      if (status !== 201) throw new Error(`${status}`)
    }
  }
  const sessions = Array.from({ length: 3 }, () => connect(server.url, { ca: readFileSync(server.caFile), cert: readFileSync(server.adminCert), key: readFileSync(server.adminKey) }))
  t.teardown(() => { for (const session of sessions) session.destroy() })

  const query = (kind: Kind): string => kind === 'table' ? '?includeObject=Object' : ''
  const expected = new Map<string, string>()
  for (const namespace of namespaces) {
    for (const kind of Object.keys(kinds) as Kind[]) expected.set(`${namespace} ${kind}`, comparable(await read(sessions[0]!, path(namespace) + query(kind), kind)))
  }

  const other = { left: 'right', right: 'left' } as const
  let used = 0
  let broken = 0
  let turn = 0
  const client = async (session: ClientHttp2Session): Promise<void> => {
    while (turn < 600) {
      const mine = turn++
      const namespace = namespaces[mine % 2]!
      const kind = (Object.keys(kinds) as Kind[])[Math.floor(mine / 2) % 4]!
      if (bodyMemory.freeBytes > 0) used++
      if (mine % 5 === 0) {
        broken++
        await breakOff(session, path(namespace), kind)
        continue
      }
      const answer = await read(session, path(namespace) + query(kind), kind)
      if (comparable(answer) !== expected.get(`${namespace} ${kind}`)) throw new Error(`${namespace} ${kind}: not what was there before`)
      if (answer.includes(image(other[namespace]))) throw new Error(`${namespace} ${kind} has content of the other namespace`)
    }
  }
  await Promise.all(Array.from({ length: 24 }, (_, i) => client(sessions[i % sessions.length]!)))
  const overHttp1 = await server.request('GET', path('right'))
  t.equal(comparable(overHttp1.text), expected.get('right list'))
  t.comment(`memory was there to be used again for ${used} of 600, ${broken} broken off, ${bodyMemory.freeBytes} bytes kept`)
  t.ok(used > 0 && broken > 0)
  t.ok(bodyMemory.freeBytes <= 8 * 1024 * 1024)
})

/** Without the ages of rows, which change. */
const comparable = (text: string): string => text.replace(/"\d+[smh]\d*[smh]?"/g, '"age"')

async function read (session: ClientHttp2Session, path: string, kind: Kind): Promise<string> {
  const stream = session.request({ ':path': path, ...kinds[kind] })
  const pieces: Buffer[] = []
  for await (const piece of stream as AsyncIterable<Buffer>) {
    pieces.push(piece)
    // Some take their time, so that bodies of several requests are under way.
    if (pieces.length === 1) await new Promise(resolve => { setImmediate(resolve) })
  }
  const body = Buffer.concat(pieces)
  return (kind === 'gzip' ? gunzipSync(body) : body).toString()
}

/** Takes the beginning of an answer and resets the stream. */
async function breakOff (session: ClientHttp2Session, path: string, kind: Kind): Promise<void> {
  const stream = session.request({ ':path': path, ...kinds[kind] })
  stream.on('error', () => {})
  await new Promise(resolve => { stream.once('data', resolve) })
  stream.close(constants.NGHTTP2_CANCEL)
  await new Promise(resolve => { stream.once('close', resolve) })
}
