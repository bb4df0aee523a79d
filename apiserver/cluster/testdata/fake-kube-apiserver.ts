import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import type { Test } from 'tap'
import { Authority } from '../../../certs/authority.js'
import { newClientCertificate } from '../../../certs/client-certificate.js'
import { kubeconfigText } from '../../../certs/kubeconfig.js'
import { newServingCertificate, servingNames } from '../../../certs/serving-certificate.js'

export interface Received {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingMessage['headers']
  /** Common name of the client certificate, empty without one. */
  readonly user: string
  readonly body: unknown
}
export interface Reply { readonly status?: number; readonly headers?: Record<string, string>; readonly body?: unknown }
/** Undefined hangs up without an answer; `never` keeps the client waiting. */
export type Handler = (request: Received) => Reply | undefined | 'never' | Promise<Reply | undefined | 'never'>

type Item = { metadata: { name: string; resourceVersion?: string } & Record<string, unknown> } & Record<string, unknown>
interface Collection { readonly items: Map<string, Item>; readonly watches: Set<ServerResponse> }

/**
 * A kube-apiserver for faults that a real one does not show on demand: over TLS with client certificates, with whatever answers a test
 * wants, and with collections that can be listed and watched.
 */
export class FakeKubeApiserver {
  readonly ca = Authority.create({ commonName: 'cluster-ca' })
  readonly received: Received[] = []
  /** Kept answers: the first that is defined for `METHOD /path`. */
  readonly handlers = new Map<string, Handler>()
  readonly #collections = new Map<string, Collection>()
  readonly #server: Server
  readonly #sockets = new Set<Duplex>()
  #revision = 100
  /** Watches below are answered with 410, whether by status or by an event. */
  compacted = 0
  watchExpiry: 'status' | 'event' = 'event'
  sockets = 0

  private constructor () {
    const serving = newServingCertificate(this.ca, { subjectAltNames: servingNames([]) })
    this.#server = createServer({ cert: serving.certificatePem, key: serving.privateKeyPem, ca: this.ca.certificatePem, requestCert: true, rejectUnauthorized: false }, (req, res) => { void this.#serve(req, res) })
    this.#server.on('connection', socket => {
      this.sockets++
      this.#sockets.add(socket)
      socket.once('close', () => { this.#sockets.delete(socket) })
    })
  }

  static async start (t: Pick<Test, 'teardown'>, port = 0): Promise<FakeKubeApiserver> {
    const server = new FakeKubeApiserver()
    await server.listen(port)
    t.teardown(() => server.stop())
    return server
  }

  async listen (port: number): Promise<void> {
    await new Promise<void>(resolve => { this.#server.listen(port, '127.0.0.1', resolve) })
  }

  get port (): number { return (this.#server.address() as AddressInfo).port }
  get url (): string { return `https://127.0.0.1:${this.port}` }

  async stop (): Promise<void> {
    if (!this.#server.listening) return
    const closed = new Promise(resolve => { this.#server.close(resolve) })
    this.hangUp()
    await closed
  }

  hangUp (): void { for (const socket of this.#sockets) socket.destroy() }

  /** Writes a kubeconfig for a user with a client certificate. */
  kubeconfig (directory: string, user = 'annex'): string {
    const file = path.join(directory, `${user}.kubeconfig`)
    writeFileSync(file, kubeconfigText({ server: this.url, certificateAuthorityPem: this.ca.certificatePem, client: newClientCertificate(this.ca, { user }) }))
    return file
  }

  on (methodAndPath: string, handler: Handler): void { this.handlers.set(methodAndPath, handler) }

  /** How many requests came for a method and path. */
  count (methodAndPath: string): number { return this.received.filter(r => `${r.method} ${r.path}` === methodAndPath).length }

  /** Adds or changes an object of a collection, and tells its watches. */
  put (collection: string, item: Item): void {
    const { items, watches } = this.#collection(collection)
    const known = items.has(item.metadata.name)
    const stored = { ...item, metadata: { ...item.metadata, resourceVersion: String(++this.#revision) } }
    items.set(item.metadata.name, stored)
    for (const watch of watches) watch.write(JSON.stringify({ type: known ? 'MODIFIED' : 'ADDED', object: stored }) + '\n')
  }

  remove (collection: string, name: string): void {
    const { items, watches } = this.#collection(collection)
    const item = items.get(name)!
    items.delete(name)
    const object = { ...item, metadata: { ...item.metadata, resourceVersion: String(++this.#revision) } }
    for (const watch of watches) watch.write(JSON.stringify({ type: 'DELETED', object }) + '\n')
  }

  bookmark (collection: string): string {
    const revision = String(++this.#revision)
    for (const watch of this.#collection(collection).watches) watch.write(JSON.stringify({ type: 'BOOKMARK', object: { metadata: { resourceVersion: revision } } }) + '\n')
    return revision
  }

  /** Ends the watches of a collection: in order, or in the middle of a line. */
  endWatches (collection: string, how: 'in order' | 'cut'): void {
    const { watches } = this.#collection(collection)
    for (const watch of watches) {
      watches.delete(watch)
      if (how === 'in order') watch.end()
      else watch.write('{"type":"ADDED","obj', () => { watch.destroy() })
    }
  }

  watches (collection: string): number { return this.#collections.get(collection)?.watches.size ?? 0 }
  get revision (): number { return this.#revision }
  /** Everything before now is forgotten. */
  compact (): void { this.compacted = ++this.#revision }

  #collection (path: string): Collection {
    let found = this.#collections.get(path)
    if (found === undefined) this.#collections.set(path, found = { items: new Map(), watches: new Set() })
    return found
  }

  async #serve (req: IncomingMessage, res: ServerResponse): Promise<void> {
    const url = new URL(req.url!, 'https://x')
    const chunks: Buffer[] = []
    for await (const chunk of req as AsyncIterable<Buffer>) chunks.push(chunk)
    const subject = (req.socket as TLSSocket).getPeerCertificate().subject as { CN?: string } | undefined
    const request: Received = {
      method: req.method!, path: url.pathname, query: url.searchParams, headers: req.headers, user: subject?.CN ?? '',
      body: chunks.length === 0 ? undefined : JSON.parse(Buffer.concat(chunks).toString())
    }
    this.received.push(request)
    const handler = this.handlers.get(`${request.method} ${request.path}`)
    if (handler === undefined) return this.#serveCollection(request, res)
    const reply = await handler(request)
    if (reply === 'never') return
    if (reply === undefined) { req.socket.destroy(); return }
    send(res, reply)
  }

  #serveCollection ({ path, query }: Received, res: ServerResponse): void {
    const at = path.lastIndexOf('/')
    const collection = this.#collections.get(path)
    if (collection === undefined) {
      const item = this.#collections.get(path.slice(0, at))?.items.get(decodeURIComponent(path.slice(at + 1)))
      return send(res, item === undefined ? notFound : { body: item })
    }
    const selected = /^metadata\.name=(.*)$/.exec(query.get('fieldSelector') ?? '')?.[1]
    const items = [...collection.items.values()].filter(i => selected === undefined || i.metadata.name === selected)
    if (query.get('watch') === null) return send(res, { body: { kind: 'List', metadata: { resourceVersion: String(this.#revision) }, items } })
    if (Number(query.get('resourceVersion')) < this.compacted) {
      const status = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message: 'too old resource version', reason: 'Expired', code: 410 }
      if (this.watchExpiry === 'status') return send(res, { status: 410, body: status })
      res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ type: 'ERROR', object: status }) + '\n')
      return
    }
    res.writeHead(200, { 'content-type': 'application/json' }).flushHeaders()
    // What happened since is told first.
    for (const item of items) if (Number(item.metadata.resourceVersion) > Number(query.get('resourceVersion'))) res.write(JSON.stringify({ type: 'ADDED', object: item }) + '\n')
    collection.watches.add(res)
    res.once('close', () => { collection.watches.delete(res) })
  }
}

const notFound: Reply = { status: 404, body: { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message: 'not found', reason: 'NotFound', code: 404 } }

function send (res: ServerResponse, { status = 200, headers = {}, body }: Reply): void {
  res.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body))
}

/** A TokenReview that says whose token it is; undefined: nobody's. */
export const tokenReview = (user: object | undefined, error?: string): Reply =>
  ({ status: 201, body: { kind: 'TokenReview', apiVersion: 'authentication.k8s.io/v1', status: user === undefined ? { user: {}, ...(error !== undefined && { error }) } : { authenticated: true, user } } })

export const accessReview = (status: object): Reply => ({ status: 201, body: { kind: 'SubjectAccessReview', apiVersion: 'authorization.k8s.io/v1', status } })

/** Waits until a condition holds; the test's own timeout ends it. */
export async function until (condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!await condition()) await new Promise(resolve => { setTimeout(resolve, 5) })
}
