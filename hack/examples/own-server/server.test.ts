import { readFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { join } from 'node:path'
import t from 'tap'
import type { ApiServer } from '../../../apiserver/index.js'
import { start } from './server.js'

const tickets = '/apis/desk.example.org/v1/namespaces/default/tickets'

const ticket = (name: string, spec: object): object => ({ apiVersion: 'desk.example.org/v1', kind: 'Ticket', metadata: { name }, spec })

interface Ticket { metadata: { name: string }; spec: { title: string; priority: number }; items?: Ticket[]; message?: string }

/** Requests as the administrator of the server. */
function clientOf (server: ApiServer): { send: (method: string, path: string, body?: object) => Promise<{ status: number; json: Ticket }>; firstLine: (path: string) => Promise<string>; close: () => void } {
  const pki = (name: string): Buffer => readFileSync(join(server.config.pkiDir, name))
  const agent = new Agent({ ca: pki('ca.crt'), cert: pki('admin.crt'), key: pki('admin.key') })
  const text = async (method: string, path: string, body: object | undefined, enough: (text: string) => boolean): Promise<{ status: number; text: string }> =>
    await new Promise((resolve, reject) => {
      const req = request(server.url + path, { method, agent, headers: { accept: 'application/json', 'content-type': 'application/json' } }, res => {
        let received = ''
        const done = (): void => { resolve({ status: res.statusCode ?? 0, text: received }) }
        res.on('data', (chunk: Buffer) => {
          received += chunk.toString()
          if (!enough(received)) return
          done()
          req.destroy()
        })
        res.on('error', () => {})
        res.on('end', done)
      })
      req.on('error', reject)
      req.end(body === undefined ? undefined : JSON.stringify(body))
    })
  return {
    send: async (method, path, body) => {
      const answer = await text(method, path, body, () => false)
      return { status: answer.status, json: JSON.parse(answer.status === 404 ? '{}' : answer.text) as Ticket }
    },
    firstLine: async path => (await text('GET', path, undefined, received => received.includes('\n'))).text.split('\n')[0]!,
    close: () => { agent.destroy() }
  }
}

t.test('a server of one’s own resource serves it', async t => {
  const server = await start({ securePort: 0, dataDir: t.testdir() })
  const client = clientOf(server)
  t.teardown(async () => {
    client.close()
    await server.close()
  })
  await server.ready()

  const created = await client.send('POST', tickets, ticket('lamp', { title: 'The lamp is broken' }))
  t.equal(created.status, 201)
  t.equal(created.json.spec.priority, 3, 'the default of the schema')

  const listed = await client.send('GET', tickets)
  t.same(listed.json.items?.map(i => i.metadata.name), ['lamp'])

  const event = JSON.parse(await client.firstLine(`${tickets}?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true`)) as { type: string; object: Ticket }
  t.equal(event.type, 'ADDED')
  t.equal(event.object.spec.title, 'The lamp is broken')

  const refused = await client.send('PUT', `${tickets}/lamp`, { ...created.json, spec: { title: 'Another one' } })
  t.equal(refused.status, 422)
  t.match(refused.json.message, 'spec.title: Forbidden: a ticket keeps its title')
  t.match((await client.send('POST', tickets, ticket('x', { title: 'x', priority: 9 }))).json.message, 'spec.priority: Invalid value')
  t.equal((await client.send('GET', '/apis/example.com/v1/webapps')).status, 404, 'it serves nothing else')
})
