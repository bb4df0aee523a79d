import type { AddressInfo } from 'node:net'
import type { Http2SecureServer, ServerHttp2Session } from 'node:http2'
import type { Server as HttpsServer } from 'node:https'
import type { Duplex } from 'node:stream'
import { fastify, type FastifyInstance } from 'fastify'
import type { RawRequest, RawResponse } from '../request-context.js'

/** What the TLS side presents and whom it asks for certificates of. */
export interface TlsMaterial {
  readonly certificatePem: string
  readonly privateKeyPem: string
  /** Authorities named in the certificate request. A certificate of another one is not refused here: authenticators decide. */
  readonly clientAuthorities: readonly string[]
}

export interface ListenerOptions {
  readonly bindAddress: string
  /** 0 takes a free port. */
  readonly port: number
  readonly http2: boolean
  readonly tls: TlsMaterial
  readonly onRequest: (req: RawRequest, res: RawResponse) => void
  readonly onUpgrade: (req: RawRequest, socket: Duplex, head: Buffer) => void
  readonly onTlsError: (error: Error) => void
}

/** Bytes (in MB) of unsent data that one HTTP/2 session may hold: the aggregator multiplexes everybody over a few connections. */
const maxSessionMemory = 512
/** Streams of one HTTP/2 session, as upstream. */
const maxStreams = 1000

/** HTTP/1.1 and HTTP/2 over TLS on one port. Fastify owns the sockets and their limits; what a request means is the caller's. */
export class Listener {
  readonly #app: FastifyInstance
  readonly #sessions = new Set<ServerHttp2Session>()
  #tls: TlsMaterial

  constructor (options: ListenerOptions) {
    this.#tls = options.tls
    this.#app = create(options)
    const server = this.#app.server as unknown as Http2SecureServer | HttpsServer
    server.on('upgrade', options.onUpgrade)
    server.on('tlsClientError', options.onTlsError)
    server.on('session', (session: ServerHttp2Session) => {
      this.#sessions.add(session)
      session.on('error', () => {}) // the streams of a broken session report it themselves
      session.once('close', () => { this.#sessions.delete(session) })
    })
  }

  /** @returns the port that is listened on */
  async listen (options: { bindAddress: string; port: number }): Promise<number> {
    await this.#app.listen({ host: options.bindAddress, port: options.port })
    return (this.#app.server.address() as AddressInfo).port
  }

  /** New connections get the new certificate; open ones go on. */
  reload (tls: TlsMaterial): void {
    this.#tls = tls
    const server = this.#app.server as unknown as HttpsServer
    // Leaving out ca would make every client certificate unknown.
    server.setSecureContext(secureContext(tls))
  }

  get tls (): TlsMaterial { return this.#tls }

  /** Tells HTTP/2 clients to take their next requests elsewhere. */
  goAway (): void {
    for (const session of this.#sessions) if (!session.closed && !session.destroyed) session.goaway()
  }

  /** Stops accepting, ends idle connections, waits for the rest up to `graceMs`, then cuts. */
  async close (graceMs: number): Promise<void> {
    for (const session of this.#sessions) session.close()
    const timer = setTimeout(() => {
      for (const session of this.#sessions) session.destroy()
      ;(this.#app.server as unknown as { closeAllConnections?: () => void }).closeAllConnections?.()
    }, graceMs)
    try {
      ;(this.#app.server as unknown as { closeIdleConnections?: () => void }).closeIdleConnections?.()
      await this.#app.close()
    } finally {
      clearTimeout(timer)
    }
  }
}

const secureContext = (tls: TlsMaterial): { cert: string; key: string; ca: string[]; minVersion: 'TLSv1.2' } =>
  ({ cert: tls.certificatePem, key: tls.privateKeyPem, ca: [...tls.clientAuthorities], minVersion: 'TLSv1.2' })

function create (options: ListenerOptions): FastifyInstance {
  const https = { ...secureContext(options.tls), requestCert: true, rejectUnauthorized: false }
  const common = {
    logger: false as const,
    forceCloseConnections: 'idle' as const,
    keepAliveTimeout: 90_000,
    // A client may take this long to send its body.
    requestTimeout: 120_000,
    routerOptions: { maxParamLength: 4096 }
  }
  const http2 = { allowHTTP1: true, maxSessionMemory, settings: { maxConcurrentStreams: maxStreams }, streamResetBurst: 100_000, streamResetRate: 10_000 }
  // The two servers differ in types that nothing here depends on: requests are handled raw.
  const app = (options.http2
    ? fastify({ ...common, http2: true, http2SessionTimeout: 0, https: { ...https, ...http2 } })
    : fastify({ ...common, https })) as unknown as FastifyInstance
  // Bodies are read by the handlers, after authorization.
  app.addHook('onRequest', (request, reply) => {
    reply.hijack()
    options.onRequest(request.raw as unknown as RawRequest, reply.raw as unknown as RawResponse)
  })
  app.all('/*', () => {})
  return app
}
