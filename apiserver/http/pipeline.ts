import { randomUUID, type X509Certificate } from 'node:crypto'
import type { Duplex } from 'node:stream'
import type WebSocket from 'ws'
import { newServiceUnavailable, newUnauthorized, StatusError } from '../../registry/meta/status-error.js'
import { Slots } from '../../storage/slots.js'
import type { Auditor, AuditRequest } from '../audit/auditor.js'
import { sourceIPs } from '../audit/source-ips.js'
import type { AuthenticatorChain } from '../authentication/chain.js'
import type { AuthenticationRequest } from '../authentication/interfaces.js'
import type { PeerCertificates } from '../authentication/peer-certificates.js'
import { wantedUser } from '../authorization/impersonation-headers.js'
import { Impersonator } from '../authorization/impersonation.js'
import { AuthorizationUnavailable, type Authorizer } from '../authorization/interfaces.js'
import { attributesOf, authorize } from '../filters/authorization.js'
import { startDeadline } from '../filters/deadline.js'
import { TooManyInFlight, type InFlightFilter } from '../filters/in-flight.js'
import { PageNotFound } from '../handlers/dispatch.js'
import type { Metrics } from '../metrics/metrics.js'
import { RequestContext, type RawRequest, type RawResponse } from '../request-context.js'
import { requestInfo } from '../request-info.js'
import { respond } from '../responses/respond.js'
import { webSocketSink, type WatchSink } from '../responses/watch-sink.js'
import { respondError } from '../responses/write-object.js'

/** What the pipeline needs of the server around it. */
export interface PipelineOptions {
  readonly authenticator: AuthenticatorChain
  readonly authorizer: Authorizer
  readonly auditor: Auditor | undefined
  readonly peerCertificates: PeerCertificates
  readonly inFlight: InFlightFilter
  readonly metrics: Metrics
  readonly requestTimeoutMs: number
  readonly log: Log
  /** Answers a request that has passed every filter. `open` is how a watch begins its stream. */
  readonly handle: (context: RequestContext, open?: (context: RequestContext) => WatchSink) => Promise<void>
}

export interface Log {
  error: (fields: object, message: string) => void
  warn: (fields: object, message: string) => void
  info: (fields: object, message: string) => void
  debug: (fields: object, message: string) => void
}

/**
 * One request's straight line, read downwards: request info, authentication, audit, impersonation, authorization, in-flight limit,
 * deadline, handler.
 * Nothing reads a body before authorization has said yes.
 */
export class Pipeline {
  readonly #options: PipelineOptions
  readonly #active = new Slots<RequestContext>()
  readonly #impersonator: Impersonator
  #draining = false

  constructor (options: PipelineOptions) {
    this.#options = options
    this.#impersonator = new Impersonator(options.authorizer)
  }

  /** Requests under way, watches too. */
  get active (): number { return this.#active.size }

  /** New watches are refused from now on, and HTTP/1.1 clients told to send their next requests elsewhere; the ones there are end within `spreadMs`, one after the other. */
  drain (spreadMs: number): void {
    this.#draining = true
    for (const context of this.#active) {
      lastOfItsConnection(context)
      if (context.info.verb !== 'watch') continue
      setTimeout(() => { context.abort(new Error('the server is shutting down')) }, Math.random() * spreadMs).unref()
    }
  }

  /** Resolves when no request is under way any more, or after `graceMs`. */
  async idle (graceMs: number): Promise<void> {
    const deadline = performance.now() + graceMs
    while (this.#active.size > 0 && performance.now() < deadline) await new Promise(resolve => { setTimeout(resolve, 10).unref() })
  }

  async serve (req: RawRequest, res: RawResponse, socket: Duplex): Promise<void> {
    const context = this.#context(req, res, socket)
    res.on('close', () => {
      // Of an answered request nothing is left to be stopped.
      if (!res.writableEnded) context.abort(new Error('the client closed the connection'))
      this.#finish(context)
    })
    res.on('error', () => {}) // the client went away; `close` follows
    try {
      await this.#filter(context)
      await this.#options.handle(context)
    } catch (error) {
      await this.#fail(context, error)
    } finally {
      if (res.writableEnded || res.destroyed) this.#finish(context)
    }
  }

  /** A WebSocket upgrade: only watches take one. The filters run as for any request; a refusal is an HTTP answer on the raw socket. */
  async serveUpgrade (req: RawRequest, socket: Duplex, head: Buffer, accept: (req: RawRequest, socket: Duplex, head: Buffer) => Promise<WebSocket>): Promise<void> {
    const refused = new UpgradeResponse(socket)
    const context = this.#context(req, refused as unknown as RawResponse, socket)
    socket.on('error', () => { socket.destroy() })
    socket.once('close', () => {
      context.abort(new Error('the client closed the connection'))
      this.#finish(context)
    })
    try {
      await this.#filter(context)
      if (context.info.verb !== 'watch') throw new PageNotFound()
      // The handler opens the stream once its options are checked; the handshake is answered then.
      await this.#options.handle(context, () => new LazySink(accept(req, socket, head).then(ws => { ws.on('error', () => { ws.terminate() }); return webSocketSink(ws, context) })))
    } catch (error) {
      await this.#fail(context, error)
      refused.end()
    } finally {
      // A client that keeps its side open must not keep the place of a request.
      if (refused.writableEnded) {
        this.#finish(context)
        socket.end(() => { socket.destroy() })
      }
    }
  }

  #context (req: RawRequest, res: RawResponse, socket: Duplex): RequestContext {
    const url = req.url ?? '/'
    const at = url.indexOf('?')
    const path = at < 0 ? url : url.slice(0, at)
    const query = new URLSearchParams(at < 0 ? '' : url.slice(at + 1))
    const header = req.headers['audit-id']
    const context = new RequestContext({
      req, res, socket, path, query,
      info: requestInfo(req.method ?? 'GET', path, query),
      auditId: typeof header === 'string' && /^[\x21-\x7e]{1,64}$/.test(header) ? header : randomUUID(),
      receivedAt: performance.now()
    })
    context.slot = this.#active.add(context)
    if (this.#draining) lastOfItsConnection(context)
    return context
  }

  async #filter (context: RequestContext): Promise<void> {
    const { auditor, metrics, authorizer, inFlight, requestTimeoutMs } = this.#options
    await auditor?.room()
    await this.#authenticate(context)
    context.audit = auditor?.begin(this.#auditRequest(context))
    await this.#impersonate(context)
    try {
      const reason = await authorize(context, authorizer)
      context.audit?.setDecision('allow', reason)
      metrics.authorizationAttempts.of({ result: 'allowed' }).inc()
    } catch (error) {
      const forbidden = error instanceof StatusError && error.code === 403
      context.audit?.setDecision(forbidden ? 'forbid' : 'error')
      metrics.authorizationAttempts.of({ result: forbidden ? 'denied' : 'error' }).inc()
      throw forbidden ? error : new AuthorizationUnavailable(error)
    }
    if (this.#draining && context.info.verb === 'watch') throw newServiceUnavailable('the server is shutting down', 1)
    inFlight.enter(context)
    startDeadline(context, requestTimeoutMs)
  }

  async #authenticate (context: RequestContext): Promise<void> {
    const { authenticator, peerCertificates, metrics, auditor, log } = this.#options
    try {
      context.user = await authenticator.authenticate(new Credentials(context, peerCertificates.of(context.socket)))
      metrics.authenticationAttempts.of({ result: 'success' }).inc()
      metrics.authenticatedUsers.of({ username: context.user.name.startsWith('system:') ? context.user.name.split(':').slice(0, 2).join(':') : 'other' }).inc()
    } catch (error) {
      metrics.authenticationAttempts.of({ result: 'failure' }).inc()
      log.debug({ auditID: context.auditId, err: error }, 'authentication failed')
      auditor?.authenticationFailed(this.#auditRequest(context), newUnauthorized().status)
      throw error
    }
  }

  /** Whoever may do so acts as another user from here on; the audit log names both. */
  async #impersonate (context: RequestContext): Promise<void> {
    let wanted
    try {
      wanted = wantedUser(context.req.rawHeaders)
    } catch (error) {
      if ('setHeader' in context.res) context.res.setHeader('x-content-type-options', 'nosniff') // as upstream's filters do, for a 403 too
      throw error
    }
    if (wanted === undefined) return
    const { user, constraint } = await this.#impersonator.impersonate(wanted, attributesOf(context), context.signal)
    context.user = user
    context.audit?.setImpersonatedUser(user, constraint)
  }

  #auditRequest (context: RequestContext): AuditRequest {
    return {
      auditID: context.auditId,
      requestURI: context.req.url ?? '/',
      attributes: attributesOf(context),
      sourceIPs: sourceIPs(context.req.rawHeaders, context.socket.remoteAddress),
      userAgent: context.header('user-agent') ?? '',
      receivedAt: Date.now(),
      longRunning: context.info.verb === 'watch'
    }
  }

  async #fail (context: RequestContext, error: unknown): Promise<void> {
    if (error instanceof PageNotFound) {
      await respond(context, { status: 404, contentType: 'text/plain; charset=utf-8', headers: { 'x-content-type-options': 'nosniff' }, body: Buffer.from('404 page not found\n') })
      return
    }
    if (error instanceof AuthorizationUnavailable) {
      if (context.aborted === undefined) this.#options.log.error({ auditID: context.auditId, err: error.cause }, 'a request could not be authorized')
      await respond(context, { status: 500, contentType: 'text/plain; charset=utf-8', headers: { 'x-content-type-options': 'nosniff' }, body: Buffer.from(error.text(context.req.url ?? '/')) })
      return
    }
    if (error instanceof TooManyInFlight) {
      await respond(context, { status: 429, contentType: 'text/plain; charset=utf-8', headers: { 'retry-after': '1', 'x-content-type-options': 'nosniff' }, body: Buffer.from('Too many requests, please try again later.\n') })
      return
    }
    // A handler that fails because its client left has nobody to tell.
    if (context.aborted !== undefined && !(context.aborted instanceof StatusError) && !(error instanceof StatusError)) return
    await respondError(context, error, unexpected => {
      this.#options.log.error({ auditID: context.auditId, path: context.path, verb: context.info.verb, err: unexpected }, 'a request failed unexpectedly')
      context.audit?.panic(unexpected)
    })
  }

  #finish (context: RequestContext): void {
    if (context.slot === undefined) return
    this.#active.remove(context.slot)
    context.slot = undefined
    context.audit?.finish(context.statusCode || undefined)
    if (context.statusCode !== 0) this.#options.metrics.finished(context)
    context.finish()
  }
}

/**
 * What authenticators look at. A class, for V8 makes a hidden class of every object literal that has a getter, and that keeps the request
 * in memory until the next full garbage collection.
 */
class Credentials implements AuthenticationRequest {
  readonly #context: RequestContext
  readonly rawHeaders: readonly string[]
  readonly peerCertificates: readonly X509Certificate[]

  constructor (context: RequestContext, peerCertificates: readonly X509Certificate[]) {
    this.#context = context
    this.rawHeaders = context.req.rawHeaders
    this.peerCertificates = peerCertificates
  }

  get signal (): AbortSignal { return this.#context.signal }
}

/** HTTP/2 has its own way to say this. */
function lastOfItsConnection ({ req, res }: RequestContext): void {
  if (req.httpVersionMajor === 1 && !res.headersSent && 'setHeader' in res) res.setHeader('connection', 'close')
}

/** A sink that is being opened: what is written meanwhile waits. Its buffer is one batch, for it says at once that it is full. */
class LazySink implements WatchSink {
  #sink: WatchSink | undefined
  #drained: (() => void) | undefined
  #waiting: ((sink: WatchSink) => void)[] = []

  constructor (opening: Promise<WatchSink>) {
    opening.then(sink => {
      this.#sink = sink
      for (const action of this.#waiting.splice(0)) action(sink)
      this.#drained?.()
    }, () => { this.#waiting = [] })
  }

  write (lines: Buffer): boolean {
    if (this.#sink !== undefined) return this.#sink.write(lines)
    this.#waiting.push(sink => { sink.write(lines) })
    return false
  }

  onDrain (callback: () => void): void {
    if (this.#sink === undefined) this.#drained = callback
    else this.#sink.onDrain(callback)
  }

  end (): void { this.#then(sink => { sink.end() }) }
  destroy (): void { this.#then(sink => { sink.destroy() }) }
  #then (action: (sink: WatchSink) => void): void {
    if (this.#sink === undefined) this.#waiting.push(action)
    else action(this.#sink)
  }
}

/** Just enough of a response to refuse an upgrade with an ordinary HTTP/1.1 answer. */
class UpgradeResponse {
  readonly #socket: Duplex
  headersSent = false
  writableEnded = false
  constructor (socket: Duplex) { this.#socket = socket }

  get destroyed (): boolean { return this.#socket.destroyed }

  writeHead (status: number, headers: Record<string, string | string[] | number>): void {
    this.headersSent = true
    const lines = Object.entries(headers).flatMap(([name, value]) => (Array.isArray(value) ? value : [value]).map(v => `${name}: ${v}\r\n`))
    this.#socket.write(`HTTP/1.1 ${status} ${status < 400 ? 'OK' : 'Refused'}\r\nconnection: close\r\n${lines.join('')}\r\n`, 'latin1')
  }

  end (body?: Buffer): void {
    if (this.writableEnded) return
    this.writableEnded = true
    if (body === undefined) this.#socket.end()
    else this.#socket.end(body)
  }
}
