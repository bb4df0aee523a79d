import http from 'node:http'
import https from 'node:https'
import { arch, platform } from 'node:os'
import type { GroupVersionResource, KubeObject } from '../../registry/meta/object-meta.js'
import { sleep, systemClock, withTimeout, type Clock } from '../clock.js'
import { TokenBucket } from '../token-bucket.js'
import { connectionOf, type ClientConfig, type Connection, type Credentials } from './config.js'
import { ConnectionError, statusErrorOf } from './errors.js'
import type { ResourceClient } from './interfaces.js'
import { decodeJson, encodeJson } from './json.js'
import { RestResourceClient } from './resource-client.js'

/** What a client tells about its requests; see metrics.ts. */
export interface RequestMetrics {
  /** Every attempt. The code is `<error>` without an answer, as client-go has it. */
  requested (attempt: { readonly method: string; readonly host: string; readonly code: string; readonly seconds: number }): void
  /** Waited for our own rate limit. */
  throttled (seconds: number): void
}

export interface RestClientOptions {
  readonly connection: ClientConfig | Connection
  /** Requests a second, watches aside; Infinity for no limit. Default 20, kube-controller-manager's. */
  readonly qps?: number
  /** Requests at once after a quiet time. Default 30. */
  readonly burst?: number
  /** The program's name, `name/version`. */
  readonly userAgent?: string
  /** How long a request may take, watches aside. Default 60 s. */
  readonly timeoutMs?: number
  readonly metrics?: RequestMetrics
  readonly clock?: Clock
}

export interface RestRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly body?: unknown
  readonly contentType?: string
  readonly signal?: AbortSignal | undefined
}

/** As many as client-go sends again. */
const maxRetries = 10
/** Less than any server keeps an idle connection, so that a request rarely meets one that is just being closed. */
const idleConnectionMs = 30_000
const tcpKeepAliveMs = 15_000

/**
 * An HTTP client of an API server: kept-alive connections, credentials, a rate limit, errors from Statuses. A request is sent again only when
 * client-go would: after 429 or 5xx with a Retry-After (on any verb: the server says it did nothing), and a GET whose connection broke.
 * Another write whose outcome is unknown is for the caller to look into.
 */
export class RestClient {
  readonly #connection: Connection
  readonly #base: URL
  readonly #limit: TokenBucket
  readonly #clock: Clock
  readonly #metrics: RequestMetrics | undefined
  readonly #timeoutMs: number
  readonly #userAgent: string
  #agent: http.Agent | https.Agent | undefined
  #agentOf = ''

  constructor (options: RestClientOptions) {
    const { connection, qps = 20, burst = 30, clock = systemClock } = options
    this.#connection = 'credentials' in connection ? connection : connectionOf(connection)
    this.#base = new URL(this.#connection.server)
    this.#clock = clock
    this.#limit = new TokenBucket({ qps, burst, clock })
    this.#metrics = options.metrics
    this.#timeoutMs = options.timeoutMs ?? 60_000
    this.#userAgent = `${options.userAgent ?? 'annex-controllers'} (${platform()}/${arch()}) node/${process.versions.node}`
  }

  /** The verbs of a resource. */
  resource<T extends KubeObject = KubeObject> (gvr: GroupVersionResource): ResourceClient<T> { return new RestResourceClient<T>(this, gvr) }

  /** Sends a request and returns the decoded answer. @throws StatusError, ConnectionError, or the signal's reason */
  async request (request: RestRequest): Promise<unknown> {
    await this.#throttle(request.signal)
    const deadline = withTimeout(this.#clock, this.#timeoutMs, request.signal, () => new ConnectionError(`${request.method} ${request.path}: no answer within ${this.#timeoutMs / 1000} s`, { code: 'ETIMEDOUT' }))
    try {
      return await this.#retrying({ ...request, signal: deadline.signal }, async (response, signal) => decodeJson(await readText(response, request, signal)))
    } finally {
      deadline.release()
    }
  }

  /** Sends a GET and hands back the answer when it has begun with 200. Not rate-limited, as in client-go. The caller reads or destroys it. */
  async stream (path: string, signal?: AbortSignal): Promise<http.IncomingMessage> {
    return await this.#retrying({ method: 'GET', path, signal }, async response => response)
  }

  /** Closes every connection; answers under way end with an error. */
  close (): void {
    this.#agent?.destroy()
    this.#agent = undefined
    this.#agentOf = ''
  }

  async #retrying<T> (request: RestRequest, read: (response: http.IncomingMessage, signal: AbortSignal | undefined) => Promise<T>): Promise<T> {
    for (let retries = 0; ; retries++) {
      let waitSeconds: number
      try {
        const response = await this.#send(request)
        const code = response.statusCode ?? 0
        if (code >= 200 && code < 300) return await read(response, request.signal)
        const retryAfterSeconds = retryAfter(response)
        const body = await readText(response, request, request.signal)
        const retry = (code === 429 || code >= 500) && retryAfterSeconds !== undefined && retries < maxRetries
        if (!retry) throw statusErrorOf({ method: request.method, code, body, retryAfterSeconds })
        waitSeconds = retryAfterSeconds
      } catch (error) {
        request.signal?.throwIfAborted()
        if (request.method !== 'GET' || retries >= maxRetries || !(error instanceof ConnectionError && error.code === 'ECONNRESET')) throw error
        waitSeconds = 1
      }
      if (!await sleep(this.#clock, waitSeconds * 1000, request.signal)) throw request.signal?.reason
      await this.#throttle(request.signal)
    }
  }

  async #throttle (signal: AbortSignal | undefined): Promise<void> {
    const ms = await this.#limit.take(signal)
    if (ms > 0) this.#metrics?.throttled(ms / 1000)
  }

  async #send (request: RestRequest): Promise<http.IncomingMessage> {
    const { method, path, body, contentType = 'application/json', signal } = request
    signal?.throwIfAborted()
    const credentials = await this.#connection.credentials()
    const payload = body === undefined ? undefined : encodeJson(body)
    const startMs = this.#clock.monotonicMs()
    const measure = (code: string): void => { this.#metrics?.requested({ method, host: this.#base.host, code, seconds: (this.#clock.monotonicMs() - startMs) / 1000 }) }
    const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
      const secure = this.#base.protocol === 'https:'
      const sent = (secure ? https : http).request({
        host: this.#base.hostname.replace(/^\[|\]$/g, ''),
        port: this.#base.port || (secure ? 443 : 80),
        path: this.#base.pathname.replace(/\/$/, '') + path,
        method,
        agent: this.#agentFor(credentials, secure),
        ...(signal !== undefined && { signal }),
        headers: {
          accept: 'application/json',
          'user-agent': this.#userAgent,
          ...(payload !== undefined && { 'content-type': contentType, 'content-length': Buffer.byteLength(payload) }),
          ...credentials.headers
        }
      }, resolve)
      sent.on('error', error => { reject(signal?.aborted === true ? signal.reason : connectionError(request, error)) })
      sent.end(payload)
    }).catch((error: unknown) => {
      measure('<error>')
      throw error
    })
    measure(String(response.statusCode))
    if (response.statusCode === 401) await this.#connection.credentials({ refresh: true }).catch(() => undefined)
    return response
  }

  /** The agent of the present certificates. Connections under way with former ones end by themselves. */
  #agentFor ({ tls }: Credentials, secure: boolean): http.Agent | https.Agent {
    const identity = JSON.stringify([tls.ca, tls.cert, tls.key, tls.servername, tls.rejectUnauthorized])
    if (this.#agent === undefined || this.#agentOf !== identity) {
      const options = { keepAlive: true, keepAliveMsecs: tcpKeepAliveMs, timeout: idleConnectionMs }
      this.#agent = secure ? new https.Agent({ ...options, ...tls }) : new http.Agent(options)
      this.#agentOf = identity
    }
    return this.#agent
  }
}

async function readText (response: http.IncomingMessage, request: RestRequest, signal: AbortSignal | undefined): Promise<string> {
  const chunks: Buffer[] = []
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk)
  } catch (error) {
    signal?.throwIfAborted()
    throw connectionError(request, error as Error)
  }
  return Buffer.concat(chunks).toString()
}

const connectionError = ({ method, path }: RestRequest, error: Error): ConnectionError =>
  new ConnectionError(`${method} ${path}: ${error.message}`, { code: (error as NodeJS.ErrnoException).code ?? 'UNKNOWN', cause: error })

/** The seconds of a Retry-After header; dates are not read, as client-go does not. */
function retryAfter (response: http.IncomingMessage): number | undefined {
  const value = response.headers['retry-after']
  return value !== undefined && /^\d+$/.test(value) ? Number(value) : undefined
}
