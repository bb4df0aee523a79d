import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { request as httpsRequest, type RequestOptions as HttpsOptions } from 'node:https'
import type { ClientRequest, IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { connect, type TLSSocket } from 'node:tls'
import t from 'tap'
import { Authority } from '../../certs/authority.js'
import { newServingCertificate } from '../../certs/serving-certificate.js'
import { runAnnex, startServer, type TestServer } from '../fixtures/server.js'

const webapps = '/apis/example.com/v1/namespaces/default/webapps'
const webapp = (name: string): object => ({ apiVersion: 'example.com/v1', kind: 'WebApp', metadata: { name }, spec: { replicas: 1, image: 'nginx', port: 80 } })

/** A request whose second half is sent when the test wants it. */
class SlowRequest {
  readonly #request: ClientRequest
  readonly #rest: string
  readonly #answer: Promise<{ status: number; headers: IncomingMessage['headers']; text: string }>

  constructor (server: TestServer, path: string, body: object, user?: Parameters<TestServer['client']['tls']>[0]) {
    const text = JSON.stringify(body)
    const options: HttpsOptions = { method: 'POST', agent: false, ...server.client.tls(user), headers: { accept: 'application/json', 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), connection: 'keep-alive' } }
    this.#request = httpsRequest(server.url + path, options)
    this.#answer = new Promise((resolve, reject) => {
      this.#request.on('error', reject)
      this.#request.on('response', response => {
        let received = ''
        response.on('data', (chunk: Buffer) => { received += chunk.toString() })
        response.on('end', () => { resolve({ status: response.statusCode ?? 0, headers: response.headers, text: received }) })
      })
    })
    this.#answer.catch(() => {})
    this.#request.write(text.slice(0, 10))
    this.#rest = text.slice(10)
  }

  /** Sends the rest. */
  finish (): Promise<{ status: number; headers: IncomingMessage['headers']; text: string }> {
    this.#request.end(this.#rest)
    return this.#answer
  }

  /** The answer of a server that does not wait for the rest. */
  get answer (): Promise<{ status: number; headers: IncomingMessage['headers']; text: string }> { return this.#answer }
}

/** Resolves when the server counts so many requests under way. */
async function inFlight (server: TestServer, mutating: number): Promise<void> {
  for (const until = Date.now() + 60_000; Date.now() < until;) {
    if ((await server.request('GET', '/metrics')).text.includes(`apiserver_current_inflight_requests{request_kind="mutating"} ${mutating}\n`)) return
  }
  throw new Error(`there were never ${mutating} requests under way`)
}

/** Asks until the answer is as wanted. */
async function eventually (what: string, condition: () => Promise<boolean>): Promise<void> {
  for (const until = Date.now() + 60_000; Date.now() < until;) {
    if (await condition()) return
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  throw new Error(`never: ${what}`)
}

t.setTimeout(600_000)

t.test('SIGTERM: readyz fails at once, then watches end, requests under way are finished, and the process ends with 0', async t => {
  const server = await startServer(t, ['--shutdown-delay-duration=8s'])
  const watch = await server.watch(webapps)
  const events = watch.rest()
  const slow = new SlowRequest(server, webapps, webapp('under-way'))
  await inFlight(server, 1)

  const { exited, process: child } = server
  child?.kill('SIGTERM')
  await eventually('readyz fails', async () => (await server.request('GET', '/readyz')).status === 503)
  t.match((await server.request('GET', '/readyz?verbose')).text, /^\[-\]shutdown failed: reason withheld$/m)
  t.equal((await server.request('GET', '/livez')).status, 200, 'it is alive all the same')
  t.equal((await server.request('POST', webapps, { body: webapp('during-delay') })).status, 201, 'during the delay it serves')

  t.same((await events).map(e => [e.type, e.object.metadata.name]), [['ADDED', 'during-delay']], 'the watch ends cleanly')
  await t.rejects(server.watch(webapps), 'no new watch')
  const finished = await slow.finish()
  t.equal(finished.status, 201, finished.text)
  t.equal(finished.headers.connection, 'close', 'the client takes its next request elsewhere')
  t.same(await exited, { code: 0, signal: null })

  await server.restart([])
  t.same((await server.request('GET', webapps)).items.map(i => i.metadata.name), ['during-delay', 'under-way'], 'and everything is there')
})

t.test('kill -9 loses nothing that was acknowledged', async t => {
  const server = await startServer(t)
  const acknowledged: string[] = []
  const writers = Array.from({ length: 8 }, async (_, w) => {
    for (let i = 0; ; i++) {
      const name = `w${w}-${i}`
      try {
        if ((await server.request('POST', webapps, { body: webapp(name) })).status === 201) acknowledged.push(name)
      } catch {
        return
      }
    }
  })
  await eventually('there are some', async () => acknowledged.length > 200)
  await server.kill()
  await Promise.all(writers)
  await server.restart()
  const there = new Set((await server.request('GET', webapps)).items.map(i => i.metadata.name))
  t.same(acknowledged.filter(name => !there.has(name)), [])
  t.ok(there.size <= acknowledged.length + writers.length, 'at most the writes under way are there besides')
})

t.test('a second process on one data directory says who has it and what to do', async t => {
  const server = await startServer(t)
  const second = await runAnnex(['apiserver', '--secure-port=0', `--data-dir=${server.dataDir}`])
  t.equal(second.code, 1)
  t.match(second.stderr, `the directory ${join(server.dataDir, 'store')} is in use by process ${server.process?.pid}: stop it, or give this server a directory of its own`)
  t.equal((await server.request('GET', '/readyz')).status, 200, 'the first one goes on')
})

t.test('a bad command line is answered with everything that is wrong, and 2', async t => {
  const directory = t.testdir()
  const bad = await runAnnex(['apiserver', '--secure-port=70000', '--bind-address=nowhere', '--no-such-flag', `--data-dir=${directory}`, '--authorization-policy-file=/does/not/exist'])
  t.equal(bad.code, 2)
  for (const flag of ['secure-port', 'bind-address', 'no-such-flag', 'authorization-policy-file']) t.match(bad.stderr, flag)
  t.equal((await runAnnex(['apiserver', '--help'])).code, 0)
  t.equal((await runAnnex(['no-such-command'])).code, 2)
})

t.test('files that cannot be used are named at the start', async t => {
  const directory = t.testdir({ 'policy.yaml': 'kind: Role\nrules: 3\n', 'crd.yaml': 'apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nspec: {group: 1}\n', pki: { 'ca.crt': 'no certificate' } })
  for (const [name, flags, message] of [
    ['policy', [`--data-dir=${join(directory, 'a')}`, `--authorization-policy-file=${join(directory, 'policy.yaml')}`], 'policy.yaml'],
    ['CRD', [`--data-dir=${join(directory, 'b')}`, `--crd-file=${join(directory, 'crd.yaml')}`], 'crd.yaml'],
    ['certificate', [`--data-dir=${directory}`], 'ca.crt']
  ] as const) {
    const ended = await runAnnex(['apiserver', '--secure-port=0', ...flags])
    t.ok(ended.code === 1 || ended.code === 2, `${name}: ${ended.code}`)
    t.match(ended.stderr, message, name)
    t.notMatch(ended.stderr, /^ +at .*\(.*:\d+\)/m, 'no stack for a person')
  }
})

const peer = async (server: TestServer): Promise<string> => {
  const socket: TLSSocket = connect({ host: '127.0.0.1', port: server.port, ...server.client.tls() })
  await once(socket, 'secureConnect')
  const { serialNumber } = socket.getPeerCertificate()
  socket.destroy()
  return serialNumber
}

t.test('a changed certificate is used without a restart, and open connections go on', async t => {
  const server = await startServer(t, [], { inProcess: true })
  const watch = await server.watch(webapps)
  const before = await peer(server)
  const authority = Authority.load({ certificatePem: readFileSync(server.caFile, 'utf8'), privateKeyPem: readFileSync(join(server.dataDir, 'pki', 'ca.key'), 'utf8') })
  const privateKeyPem = readFileSync(join(server.dataDir, 'pki', 'apiserver.key'), 'utf8')
  writeFileSync(join(server.dataDir, 'pki', 'apiserver.crt'), newServingCertificate(authority, { commonName: 'new', subjectAltNames: { dnsNames: ['localhost'], ipAddresses: ['127.0.0.1'] }, privateKeyPem }).certificatePem)
  await eventually('the new certificate is shown', async () => await peer(server) !== before)
  t.equal((await server.request('POST', webapps, { body: webapp('reloaded') })).status, 201, 'clients’ certificates are still known')
  t.match(await watch.next(), { type: 'ADDED', object: { metadata: { name: 'reloaded' } } })
  watch.close()
})

t.test('upgrades that are refused give back their places, though the client keeps its side open', async t => {
  const policy = join(t.testdir(), 'policy.yaml')
  writeFileSync(policy, 'apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: all}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}\nsubjects: [{kind: User, name: reader}]\n')
  const server = await startServer(t, ['--max-requests-inflight=1', `--authorization-policy-file=${policy}`], { inProcess: true })
  const halfOpen = { port: server.port, host: '127.0.0.1', ca: readFileSync(server.caFile), allowHalfOpen: true }
  for (const path of ['/healthz', `${webapps}?watch=true`]) {
    for (let i = 0; i < 3; i++) {
      const socket = connect(halfOpen)
      t.teardown(() => { socket.destroy() })
      socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`)
      const [answer] = await once(socket.setEncoding('latin1'), 'data') as [string]
      t.match(answer, /^HTTP\/1\.1 40[34] /)
      t.equal((await server.request('GET', webapps, { user: { name: 'reader' } })).status, 200)
    }
  }
  t.ok(await server.stop())
})

// Answered without its body, a request must not hold the end of its server for the two minutes that bodies may take.
t.test('limits', { timeout: 110_000 }, async t => {
  const policy = join(t.testdir(), 'policy.yaml')
  writeFileSync(policy, 'apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: all}\nroleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}\nsubjects: [{kind: User, name: busy}]\n')
  const server = await startServer(t, ['--max-mutating-requests-inflight=1', `--authorization-policy-file=${policy}`], { inProcess: true })
  const busy = { name: 'busy' }

  await t.test('more writes at once than the limit are 429 in plain text', async t => {
    const first = new SlowRequest(server, webapps, webapp('first'), busy)
    await inFlight(server, 1)
    const second = await server.request('POST', webapps, { user: busy, body: webapp('second') })
    t.equal(second.status, 429)
    t.equal(second.text, 'Too many requests, please try again later.\n')
    t.match(second.headers, { 'retry-after': '1', 'content-type': /^text\/plain/ })
    for (const group of ['custom', 'external']) {
      const metric = await server.request('POST', `/apis/${group}.metrics.k8s.io/v1beta1/namespaces/shop/pods/web-0/queue`, { user: busy, body: {} })
      t.same([metric.status, metric.headers['retry-after']], [429, undefined], 'an autoscaler would sleep')
    }
    t.equal((await server.request('GET', webapps, { user: busy })).status, 200, 'reads have a limit of their own')
    t.equal((await server.request('POST', webapps, { body: webapp('third') })).status, 201, 'administrators are not refused')
    t.equal((await first.finish()).status, 201)
    await inFlight(server, 0)
    t.equal((await server.request('POST', webapps, { user: busy, body: webapp('second') })).status, 201)
  })

  await t.test('a request that takes longer than it asked for is 504, without kind', async t => {
    const { status, headers, text } = await new SlowRequest(server, `${webapps}?timeout=100ms`, webapp('late')).answer
    t.equal(status, 504)
    t.match(headers, { 'content-type': 'application/json' })
    t.same(JSON.parse(text), { metadata: {}, status: 'Failure', message: 'Timeout: request did not complete within the allotted timeout', reason: 'Timeout', details: {}, code: 504 })
    t.equal((await server.request('GET', `${webapps}/late`)).status, 404)
  })

  await t.test('a resourceVersion from the future is 504 with its cause', async t => {
    const answer = await server.request('GET', `${webapps}?resourceVersion=99999999`)
    t.match(answer.json, { kind: 'Status', code: 504, reason: 'Timeout', message: /^Timeout: Too large resource version: 99999999, current: \d+$/, details: { causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }], retryAfterSeconds: 1 } })
    t.equal(answer.headers['retry-after'], '1')
  })

  await t.test('a watch ends when its timeout is over', async t => {
    const watch = await server.watch('/apis/example.com/v1/namespaces/empty/webapps?timeoutSeconds=1')
    t.same(await watch.rest(), [])
  })
})
