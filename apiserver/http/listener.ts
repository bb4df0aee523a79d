import type { ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Http2SecureServer, ServerHttp2Session } from 'node:http2'
import type { Server } from 'node:https'
import type { Duplex } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import type { TLSSocket } from 'node:tls'
import { fastify, type FastifyInstance } from 'fastify'
import type { RawRequest, RawResponse } from '../request-context.js'
import { ProxiedSocket } from './proxied-socket.js'

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
  /** `socket` is the connection itself, one object for all of its requests. */
  readonly onRequest: (req: RawRequest, res: RawResponse, socket: TLSSocket) => void
  readonly onUpgrade: (req: RawRequest, socket: Duplex, head: Buffer) => void
  readonly onTlsError: (error: Error) => void
  /** Whether a new connection is a reverse proxy's, which cannot repeat a request: it is told early when the server ends. */
  readonly isProxy?: ((socket: TLSSocket) => boolean) | undefined
}

/** Where connections come from when a port is shared: somebody else accepts them. */
export interface ConnectionSource {
  /** @param take is given every connection, of which nothing has been read @returns the port they come through @throws Error if it cannot be listened on */
  begin (take: (socket: Socket) => void): Promise<number>
  /** No more of them. */
  stop (): void
}

/** Bytes (in MB) of unsent data that one HTTP/2 session may hold: the aggregator multiplexes everybody over a few connections. */
const maxSessionMemory = 512
/** Streams of one HTTP/2 session, as upstream. */
const maxStreams = 1000
/** Bytes of a request's headers, as in Go's server. A user may be in hundreds of groups, each of which is a header of its own. */
const maxHeaderBytes = 1 << 20
/** How many headers HTTP/2 takes; Node's 128 is less than a user may have. */
const maxHeaders = 10_000
/** Bytes of an HTTP/2 frame, as in Go's server: nghttp2 takes headers in more than eight frames for an attack and ends the session, which is everybody's. */
const maxFrameBytes = 1 << 20
/** How long a client may take to acknowledge that the server ends, and how long what it sent just before may take to arrive. */
const [announceMs, settleMs] = [1_000, 150]

/** HTTP/1.1 and HTTP/2 over TLS on one port. Fastify owns the sockets and their limits; what a request means is the caller's. */
export class Listener {
  readonly #app: FastifyInstance
  /** All connections, also those whose TLS handshake is not done: the server's end waits for them. */
  readonly #accepted = new Set<Duplex>()
  /** Connections of HTTP/1.1, each with its requests under way. */
  readonly #connections = new Map<TLSSocket, Set<RawResponse>>()
  readonly #sessions = new Set<ServerHttp2Session>()
  readonly #sockets = new WeakMap<ServerHttp2Session, TLSSocket | ProxiedSocket>()
  readonly #isProxy: (socket: TLSSocket) => boolean
  #tls: TlsMaterial
  #source: ConnectionSource | undefined

  constructor (options: ListenerOptions) {
    this.#tls = options.tls
    this.#isProxy = options.isProxy ?? (() => false)
    this.#app = create(options, (req, res) => { this.#onRequest(req, res, options.onRequest) })
    const server = this.#app.server as unknown as Server
    // Set here, for an HTTP/2 server does not take them as options of its HTTP/1.1. Of a count Node drops what is beyond it without a word.
    Object.assign(server, { maxHeaderSize: maxHeaderBytes, maxHeadersCount: 0 })
    server.on('upgrade', options.onUpgrade)
    server.on('connection', (socket: Duplex) => {
      this.#accepted.add(socket)
      socket.once('close', () => { this.#accepted.delete(socket) })
    })
    server.on('tlsClientError', options.onTlsError)
    server.on('session', (session: ServerHttp2Session) => {
      this.#sessions.add(session)
      session.on('error', () => {}) // the streams of a broken session report it themselves
      session.once('close', () => { this.#sessions.delete(session) })
    })
    if (options.http2) this.#acceptThrough(server as unknown as Http2SecureServer)
    server.on('secureConnection', (socket: TLSSocket) => {
      if (socket.alpnProtocol === 'h2') return
      const open = new Set<RawResponse>()
      this.#connections.set(socket, open)
      socket.once('close', () => {
        this.#connections.delete(socket)
        // Node tells only the response whose turn it is; those pipelined behind it would never hear of it.
        for (const res of [...open] as ServerResponse[]) {
          if (res.socket !== null) continue
          res.destroy()
          res.emit('close')
        }
      })
    })
  }

  /** @returns the port that is listened on */
  async listen (options: { bindAddress: string; port: number }): Promise<number> {
    await this.#app.listen({ host: options.bindAddress, port: options.port })
    return (this.#app.server.address() as AddressInfo).port
  }

  /** Serves connections that are accepted elsewhere, as if they had come here. @returns the port they come through */
  async listenThrough (source: ConnectionSource): Promise<number> {
    await this.#app.ready()
    this.#source = source
    const { server } = this.#app
    // From here on Node watches how long headers and bodies take.
    server.emit('listening')
    return await source.begin(socket => { server.emit('connection', socket) })
  }

  /** New connections get the new certificate; open ones go on. */
  reload (tls: TlsMaterial): void {
    this.#tls = tls
    // Leaving out ca would make every client certificate unknown.
    ;(this.#app.server as unknown as Server).setSecureContext(secureContext(tls))
  }

  get tls (): TlsMaterial { return this.#tls }

  /**
   * Tells HTTP/2 clients to take their next requests elsewhere. Resolves when proxies have read it and what they sent before has arrived,
   * or after a bound: from then on nothing new comes from those that follow it.
   */
  async goAway (): Promise<void> {
    const told: Promise<void>[] = []
    for (const session of this.#sessions) {
      if (session.closed || session.destroyed) continue
      const socket = this.#sockets.get(session)
      if (socket instanceof ProxiedSocket) {
        socket.announceShutdown()
        told.push(acknowledged(session))
      } else session.goaway()
    }
    if (told.length === 0) return
    await Promise.race([Promise.all(told), delay(announceMs)])
    // A stream that was begun before the notice was read may be written after its acknowledgement, moments later.
    await delay(settleMs)
  }

  /** Stops accepting, ends idle connections, waits for the rest up to `graceMs`, then cuts. */
  async close (graceMs: number): Promise<void> {
    this.#source?.stop()
    for (const session of this.#sessions) session.close()
    // An HTTP/2 server knows nothing of its HTTP/1.1 connections in Node 20. One whose body nobody read is idle too once it is answered.
    for (const [socket, open] of this.#connections) if (open.size === 0) socket.destroy()
    const timer = setTimeout(() => {
      for (const session of this.#sessions) session.destroy()
      for (const socket of this.#accepted) socket.destroy()
    }, graceMs)
    try {
      await this.#app.close()
      // A server waits for the connections that it has accepted itself.
      await Promise.all([...this.#accepted].map(socket => new Promise(resolve => { socket.once('close', resolve) })))
    } finally {
      clearTimeout(timer)
    }
  }

  #onRequest (req: RawRequest, res: RawResponse, handle: ListenerOptions['onRequest']): void {
    const socket = this.#socketOf(req)
    const open = this.#connections.get(socket)
    if (open !== undefined) {
      open.add(res)
      res.once('close', () => { open.delete(res) })
    }
    handle(req, res, socket)
  }

  /** Puts itself before the server's own listener of connections, to choose what an HTTP/2 session sits on; not if that is not as known. */
  #acceptThrough (server: Http2SecureServer): void {
    const [accept, ...others] = server.listeners('secureConnection') as ((this: Http2SecureServer, socket: TLSSocket | ProxiedSocket) => void)[]
    if (accept === undefined || others.length > 0) return
    server.removeAllListeners('secureConnection')
    server.on('secureConnection', socket => {
      const below = socket.alpnProtocol === 'h2' && this.#isProxy(socket) ? new ProxiedSocket(socket) : socket
      const remember = (session: ServerHttp2Session): void => { this.#sockets.set(session, below) }
      server.once('session', remember)
      accept.call(server, below)
      server.off('session', remember)
    })
  }

  #socketOf (req: RawRequest): TLSSocket {
    const session = 'stream' in req ? req.stream.session as ServerHttp2Session | undefined : undefined
    const socket = session === undefined ? undefined : this.#sockets.get(session)
    return socket instanceof ProxiedSocket ? socket.tls : socket ?? req.socket as TLSSocket
  }
}

/** Resolves when the client has read everything up to now, or the session is over. */
const acknowledged = (session: ServerHttp2Session): Promise<void> => new Promise(resolve => {
  session.once('close', resolve)
  if (!session.ping(() => { resolve() })) resolve()
})

const secureContext = (tls: TlsMaterial): { cert: string; key: string; ca: string[]; minVersion: 'TLSv1.2' } =>
  ({ cert: tls.certificatePem, key: tls.privateKeyPem, ca: [...tls.clientAuthorities], minVersion: 'TLSv1.2' })

function create (options: ListenerOptions, onRequest: (req: RawRequest, res: RawResponse) => void): FastifyInstance {
  const https = { ...secureContext(options.tls), requestCert: true, rejectUnauthorized: false }
  const common = {
    logger: false as const,
    forceCloseConnections: 'idle' as const,
    keepAliveTimeout: 90_000,
    // A client may take this long to send its body.
    requestTimeout: 120_000,
    routerOptions: { maxParamLength: 4096 }
  }
  const http2 = { allowHTTP1: true, maxSessionMemory, maxHeaderListPairs: maxHeaders, settings: { maxConcurrentStreams: maxStreams, maxHeaderListSize: maxHeaderBytes, maxFrameSize: maxFrameBytes }, streamResetBurst: 100_000, streamResetRate: 10_000 }
  // The two servers differ in types that nothing here depends on: requests are handled raw.
  const app = (options.http2
    ? fastify({ ...common, http2: true, http2SessionTimeout: 0, https: { ...https, ...http2 } })
    : fastify({ ...common, https })) as unknown as FastifyInstance
  // Bodies are read by the handlers, after authorization.
  app.addHook('onRequest', (request, reply) => {
    reply.hijack()
    onRequest(request.raw as unknown as RawRequest, reply.raw as unknown as RawResponse)
  })
  app.all('/*', () => {})
  return app
}
