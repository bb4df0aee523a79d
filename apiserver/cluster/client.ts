import type { IncomingMessage } from 'node:http'
import { Agent as HttpAgent, request as httpRequest } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import type { Status } from '../../registry/meta/status-error.js'
import type { Credentials, CredentialSource } from './credentials.js'
import { ClusterError, connectionErrorText } from './errors.js'

export interface ClusterRequest {
  /** Told of the answer: its HTTP status, or `<error>` if there was none, and how long it took. */
  readonly observe?: ((code: string, seconds: number) => void) | undefined
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Path and query. */
  readonly path: string
  readonly body?: string | undefined
  /** Of the body. Default `application/json`. */
  readonly contentType?: string | undefined
  /** Default: JSON. */
  readonly accept?: string | undefined
  /** Further headers. */
  readonly headers?: Readonly<Record<string, string | string[]>> | undefined
  readonly signal?: AbortSignal | undefined
  /** From the first byte sent to the last byte received. Default 10 s. */
  readonly timeoutMs?: number | undefined
}

export interface ClusterClientOptions {
  readonly credentials: CredentialSource
  readonly userAgent: string
  /** How long credentials are used before they are read again. Default 60 s, as client-go reads token files. */
  readonly refreshMs?: number | undefined
  /** Told of the text of every Warning header (RFC 7234 code 299), for commands that a person runs. */
  readonly onWarning?: ((text: string) => void) | undefined
}

/** An answer is read into memory up to this size. */
const maxAnswerBytes = 256 * 1024 * 1024
const maxSockets = 128

/**
 * A client of the cluster's kube-apiserver for the hot path: bare JSON over kept connections. Sends every request once; who may send it
 * again wraps it in `retry`. Credentials are read again every minute and after a 401, which is then tried once more.
 */
export class ClusterClient {
  readonly #options: ClusterClientOptions
  #current: { readonly credentials: Credentials; readonly agent: HttpAgent; readonly readAt: number } | undefined
  #reading: Promise<void> | undefined
  #closed = false

  constructor (options: ClusterClientOptions) { this.#options = options }

  /** Reads the credentials. @throws Error naming the file that is wrong */
  async start (): Promise<void> {
    await this.#refresh(false)
  }

  /** The JSON answer of a request. @throws ClusterError; the signal's reason when it is aborted */
  async json<T> (request: ClusterRequest): Promise<T> {
    const { answer, body } = await this.#whole(request, maxAnswerBytes)
    if ((answer.statusCode ?? 0) >= 300) throw failure(request, answer, body)
    return JSON.parse(body.toString()) as T
  }

  /**
   * An answer as it is, whatever its status.
   * @param maxBytes a larger one is an error
   * @throws ClusterError, RangeError; the signal's reason when it is aborted
   */
  async whole (request: ClusterRequest, maxBytes: number): Promise<{ status: number; contentType: string | undefined; body: Buffer }> {
    const { answer, body } = await this.#whole(request, maxBytes)
    return { status: answer.statusCode ?? 0, contentType: answer.headers['content-type'], body }
  }

  async #whole (request: ClusterRequest, maxBytes: number): Promise<{ answer: IncomingMessage; body: Buffer }> {
    // Not AbortSignal.timeout: that keeps a timer for every answered request.
    const ending = new AbortController()
    const begun = performance.now()
    const observe = (code: string): void => { request.observe?.(code, (performance.now() - begun) / 1000) }
    const leave = (): void => { ending.abort(request.signal?.reason) }
    request.signal?.throwIfAborted()
    const timer = setTimeout(() => {
      ending.abort(new ClusterError(`${title(request.method)} ${JSON.stringify(this.#url(request))}: context deadline exceeded`, { timedOut: true }))
    }, request.timeoutMs ?? 10_000)
    request.signal?.addEventListener('abort', leave, { once: true })
    try {
      const answer = await this.#open(request, ending.signal)
      const body = await readAll(answer, ending.signal, maxBytes)
      this.#warn(answer)
      observe(String(answer.statusCode))
      return { answer, body }
    } catch (error) {
      observe('<error>')
      throw ending.signal.aborted ? ending.signal.reason as Error : error
    } finally {
      clearTimeout(timer)
      request.signal?.removeEventListener('abort', leave)
    }
  }

  /** An answer whose body is read as it comes (a watch); ends with the signal. @throws ClusterError */
  async stream (path: string, signal: AbortSignal, accept?: string): Promise<IncomingMessage> {
    const request: ClusterRequest = { method: 'GET', path, accept }
    const answer = await this.#open(request, signal)
    if ((answer.statusCode ?? 0) >= 300) throw failure(request, answer, await readAll(answer, signal))
    return answer
  }

  /** Ends all connections. */
  close (): void {
    this.#closed = true
    this.#current?.agent.destroy()
  }

  async #open (request: ClusterRequest, signal: AbortSignal): Promise<IncomingMessage> {
    // Not a ClusterError: nobody should try again.
    if (this.#closed) throw new Error('the client of the cluster is closed')
    if (this.#current === undefined || Date.now() - this.#current.readAt > (this.#options.refreshMs ?? 60_000)) await this.#refresh(false)
    const answer = await this.#send(request, signal)
    if (answer.statusCode !== 401) return answer
    const before = this.#current!.credentials
    await this.#refresh(true)
    if (sameCredentials(before, this.#current!.credentials)) return answer
    await readAll(answer, signal)
    return this.#send(request, signal)
  }

  async #send (request: ClusterRequest, signal: AbortSignal): Promise<IncomingMessage> {
    for (;;) {
      try {
        return await this.#sendOnce(request, signal)
      } catch (error) {
        // The server closed an idle connection just as it was used again: it has not seen the request.
        if (!(error instanceof StaleConnection)) throw error
      }
    }
  }

  #sendOnce (request: ClusterRequest, signal: AbortSignal): Promise<IncomingMessage> {
    const { credentials, agent } = this.#current!
    const url = credentials.server + request.path
    const send = url.startsWith('http:') ? httpRequest : httpsRequest
    return new Promise((resolve, reject) => {
      const sent = send(url, {
        method: request.method,
        agent: credentials.agent ?? agent,
        signal,
        headers: {
          accept: request.accept ?? 'application/json',
          'user-agent': this.#options.userAgent,
          ...credentials.headers,
          ...request.headers,
          ...(request.body !== undefined && { 'content-type': request.contentType ?? 'application/json', 'content-length': Buffer.byteLength(request.body) })
        }
      })
      sent.on('response', resolve)
      sent.on('error', (error: NodeJS.ErrnoException) => {
        if (sent.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE') && !signal.aborted) reject(new StaleConnection())
        else reject(signal.aborted ? signal.reason as Error : new ClusterError(connectionErrorText(request.method, url, error), { cause: error }))
      })
      sent.end(request.body)
    })
  }

  /** Concurrent callers share one reading. While there are credentials, a failure to read new ones leaves them in use. */
  async #refresh (fresh: boolean): Promise<void> {
    this.#reading ??= this.#read(fresh).finally(() => { this.#reading = undefined })
    try {
      await this.#reading
    } catch (error) {
      if (this.#current === undefined) throw error
      this.#current = { ...this.#current, readAt: Date.now() }
    }
  }

  async #read (fresh: boolean): Promise<void> {
    const credentials = await this.#options.credentials.read(fresh)
    const before = this.#current
    const agent = before !== undefined && sameConnection(before.credentials, credentials) ? before.agent : newAgent(credentials)
    this.#current = { credentials, agent, readAt: Date.now() }
    if (before !== undefined && before.agent !== agent) closeWhenIdle(before.agent)
    if (this.#closed) agent.destroy()
  }

  #warn (answer: IncomingMessage): void {
    if (this.#options.onWarning === undefined) return
    for (const [, text = ''] of (answer.headers.warning ?? '').matchAll(/299 \S+ "((?:[^"\\]|\\.)*)"/g)) this.#options.onWarning(text.replaceAll(/\\(.)/g, '$1'))
  }

  #url (request: ClusterRequest): string { return `${this.#current?.credentials.server ?? ''}${request.path}` }
}

class StaleConnection extends Error { override readonly name = 'StaleConnection' }

const newAgent = (credentials: Credentials): HttpAgent => credentials.server.startsWith('http:')
  ? new HttpAgent({ keepAlive: true, maxSockets })
  : new HttpsAgent({ ...credentials.tls, keepAlive: true, maxSockets, scheduling: 'lifo' })

/** Requests under way keep their connections; those that wait for one go to the new agent's. */
function closeWhenIdle (agent: HttpAgent): void {
  for (const sockets of Object.values(agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy()
  agent.on('free', socket => { socket.destroy() })
}

const sameConnection = (a: Credentials, b: Credentials): boolean => a.server === b.server && fingerprint(a.tls) === fingerprint(b.tls)
const sameCredentials = (a: Credentials, b: Credentials): boolean => sameConnection(a, b) && fingerprint(a.headers) === fingerprint(b.headers)
const fingerprint = (values: object): string => JSON.stringify(Object.entries(values).map(([name, value]) => [name, String(value)]))

const title = (method: string): string => method[0]! + method.slice(1).toLowerCase()

async function readAll (answer: IncomingMessage, signal: AbortSignal, maxBytes = maxAnswerBytes): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  try {
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      signal.throwIfAborted()
      length += chunk.length
      if (length > maxBytes) throw new RangeError(`the answer is larger than ${maxBytes} bytes`)
      chunks.push(chunk)
    }
  } catch (cause) {
    if (signal.aborted || cause instanceof RangeError) throw cause
    throw new ClusterError('unexpected EOF', { cause })
  }
  if (!answer.complete) throw new ClusterError('unexpected EOF')
  return Buffer.concat(chunks, length)
}

/** An answer that is no success, as client-go reads it: the Status's message, or what can be said without one. */
function failure (request: ClusterRequest, answer: IncomingMessage, body: Buffer): ClusterError {
  const code = answer.statusCode ?? 0
  let status: Partial<Status> | undefined
  try {
    const parsed = JSON.parse(body.toString()) as Partial<Status> | null
    if (parsed?.kind === 'Status') status = parsed
  } catch {} // a proxy's page, or nothing
  const seconds = Number(answer.headers['retry-after'] ?? status?.details?.retryAfterSeconds ?? Number.NaN)
  const message = status?.message ?? (code === 401 ? 'Unauthorized' : `the server responded with the status code ${code} but did not return more information (${request.method.toLowerCase()} ${request.path})`)
  return new ClusterError(message, { code, status, retryAfterMs: Number.isFinite(seconds) ? seconds * 1000 : undefined })
}
