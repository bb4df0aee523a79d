import { connect, constants, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2'
import type { IRangeResponse } from 'etcd3'
import { decodeCompareAndSwap, decodeRange, encodeCompareAndSwap, encodeRange, type CompareAndSwapFields, type CompareAndSwapReply, type RangeFields } from './kv-messages.js'
import type { TlsCredentials } from './tls-files.js'

/** Until when an answer is waited for, in milliseconds since the epoch. */
export interface UnaryOptions { readonly deadline: number }

/** What the gRPC status codes are called in messages. */
const statusNames = ['OK', 'CANCELLED', 'UNKNOWN', 'INVALID_ARGUMENT', 'DEADLINE_EXCEEDED', 'NOT_FOUND', 'ALREADY_EXISTS', 'PERMISSION_DENIED', 'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION', 'ABORTED', 'OUT_OF_RANGE', 'UNIMPLEMENTED', 'INTERNAL', 'UNAVAILABLE', 'DATA_LOSS', 'UNAUTHENTICATED']
const [deadlineExceeded, internal, unavailable] = [4, 13, 14]

const connectTimeoutMs = 20_000
const pingTimeoutMs = 5_000
/** etcd ends connections that ping more often than every five seconds. */
const pingIntervalMs = 6_000
/** For so long after a failed attempt calls fail with its error instead of making another one. */
const backoffMs = 100
const windowBytes = 8 << 20

/**
 * Unary calls of etcd's KV service on one HTTP/2 connection to one member, sent once (https://grpc.github.io/grpc/core/md_doc_protocol-http2.html).
 * Failures have grpc-js' words, so that `describeFailure` reads both: what it calls `unsent` has never been on a connection, or the server
 * refused the stream before its application saw it.
 */
export class UnaryClient {
  readonly #address: string
  readonly #credentials: TlsCredentials | undefined
  #session: ClientHttp2Session | undefined
  #connecting: Promise<ClientHttp2Session> | undefined
  #backoff: { readonly until: number; readonly error: Error } | undefined
  #closed = false
  readonly #probed = new WeakMap<ClientHttp2Session, number>()

  constructor (address: string, credentials: TlsCredentials | undefined) {
    this.#address = address
    this.#credentials = address.startsWith('https:') ? credentials : undefined
  }

  async range (fields: RangeFields, options: UnaryOptions): Promise<IRangeResponse> {
    return decodeRange(await this.#call('/etcdserverpb.KV/Range', encodeRange(fields), options))
  }

  async compareAndSwap (fields: CompareAndSwapFields, options: UnaryOptions): Promise<CompareAndSwapReply> {
    return decodeCompareAndSwap(await this.#call('/etcdserverpb.KV/Txn', encodeCompareAndSwap(fields), options))
  }

  /** Calls under way still get their answers. */
  close (): void {
    this.#closed = true
    this.#session?.close()
    this.#session = undefined
  }

  async #call (path: string, message: Buffer, { deadline }: UnaryOptions): Promise<Buffer> {
    const session = this.#session ?? await this.#connected(deadline)
    const left = deadline - Date.now()
    if (left <= 0) throw newFailure(deadlineExceeded, 'Deadline exceeded. Waiting for LB pick')
    let stream: ClientHttp2Stream
    try {
      stream = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers', 'grpc-timeout': `${Math.ceil(left)}m` })
    } catch (error) {
      this.#leave(session)
      throw newFailure(unavailable, `Failed to start HTTP/2 stream: ${(error as Error).message}`, error)
    }
    return await this.#answer(session, stream, message, left)
  }

  #answer (session: ClientHttp2Session, stream: ClientHttp2Stream, message: Buffer, left: number): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const pieces: Buffer[] = []
      let failure: Error | undefined
      let status: string | string[] | undefined
      let text = ''
      const timer = setTimeout(() => {
        failure = newFailure(deadlineExceeded, 'Deadline exceeded')
        stream.close(constants.NGHTTP2_CANCEL)
        this.#probe(session)
        reject(failure)
      }, left)
      const trailers = (headers: Readonly<Record<string, string | string[] | number | undefined>>): void => {
        status ??= headers['grpc-status'] as string | undefined
        if (headers['grpc-message'] !== undefined) text = decodeText(String(headers['grpc-message']))
      }
      stream.on('response', headers => {
        trailers(headers)
        if (headers[':status'] !== 200) failure ??= newFailure(unavailable, `Received HTTP status code ${headers[':status'] ?? 'none'}`)
      })
      stream.on('trailers', trailers)
      stream.on('data', (piece: Buffer) => { pieces.push(piece) })
      stream.on('error', error => {
        failure ??= stream.rstCode === constants.NGHTTP2_REFUSED_STREAM ? newFailure(unavailable, 'Stream refused by server', error) : newFailure(unavailable, `Connection dropped: ${error.message}`, error)
      })
      stream.once('close', () => {
        clearTimeout(timer)
        if (failure === undefined && status === '0') {
          const body = pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)
          // One message: a byte that says that it is not compressed, and its length.
          if (body.length >= 5 && body[0] === 0 && body.readUInt32BE(1) === body.length - 5) { resolve(body.subarray(5)); return }
          failure = newFailure(internal, 'the answer is not one uncompressed message')
        }
        if (failure === undefined && stream.rstCode === constants.NGHTTP2_REFUSED_STREAM) failure = newFailure(unavailable, 'Stream refused by server')
        reject(failure ?? (status === undefined ? newFailure(unavailable, 'Connection dropped') : newFailure(Number(status), text)))
      })
      const frame = Buffer.allocUnsafe(5)
      frame[0] = 0
      frame.writeUInt32BE(message.length, 1)
      stream.end(Buffer.concat([frame, message]))
    })
  }

  /** The connection there is or will be. @throws a failure that is `unsent` */
  async #connected (deadline: number): Promise<ClientHttp2Session> {
    if (this.#closed) throw newFailure(unavailable, 'Channel closed before call started')
    if (this.#backoff !== undefined && Date.now() < this.#backoff.until) throw notEstablished(this.#backoff.error)
    this.#connecting ??= this.#connect()
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => { reject(newFailure(deadlineExceeded, 'Deadline exceeded. Waiting for LB pick')) }, deadline - Date.now())
    })
    try {
      return await Promise.race([this.#connecting, late])
    } finally {
      clearTimeout(timer)
    }
  }

  #connect (): Promise<ClientHttp2Session> {
    const { rootCertificate, certChain, privateKey } = this.#credentials ?? {}
    const session = connect(this.#address, {
      // In MB. Beyond it Node resets the streams of answers, also of writes that were done; what is queued is bounded by the requests in flight.
      maxSessionMemory: 4_096,
      settings: { enablePush: false, initialWindowSize: windowBytes },
      ...(rootCertificate !== undefined && { ca: rootCertificate }), ...(certChain !== undefined && { cert: certChain }), ...(privateKey !== undefined && { key: privateKey })
    })
    session.setMaxListeners(0)
    session.on('goaway', () => { this.#leave(session) })
    session.on('close', () => { this.#leave(session) })
    const attempt = new Promise<ClientHttp2Session>((resolve, reject) => {
      const timer = setTimeout(() => { session.destroy(new Error('the connection was not established in time')) }, connectTimeoutMs)
      timer.unref()
      let last: Error | undefined
      session.on('error', error => { last ??= error })
      session.once('close', () => {
        clearTimeout(timer)
        if (this.#connecting === attempt) this.#connecting = undefined
        // Of an established connection the streams say so themselves.
        if (this.#session !== session && !established) {
          const error = last ?? new Error('the connection was closed')
          this.#backoff = { until: Date.now() + backoffMs, error }
          reject(notEstablished(error))
        }
      })
      let established = false
      session.once('remoteSettings', () => {
        clearTimeout(timer)
        established = true
        this.#connecting = undefined
        this.#backoff = undefined
        session.setLocalWindowSize(windowBytes)
        if (this.#closed) session.close()
        else this.#session = session
        resolve(session)
      })
    })
    attempt.catch(() => {}) // those who wait for it hear of it
    return attempt
  }

  /** Later calls make a new connection; calls under way on this one end as they end. */
  #leave (session: ClientHttp2Session): void {
    if (this.#session === session) this.#session = undefined
    if (!session.closed && !session.destroyed) session.close()
  }

  /** After a call without an answer: a connection that does not answer at all is given up. */
  #probe (session: ClientHttp2Session): void {
    if (session.closed || session.destroyed) return
    if (performance.now() - (this.#probed.get(session) ?? -Infinity) < pingIntervalMs) return
    this.#probed.set(session, performance.now())
    const timer = setTimeout(() => { this.#leave(session); session.destroy() }, pingTimeoutMs)
    timer.unref()
    try {
      session.ping(() => { clearTimeout(timer) })
    } catch {
      clearTimeout(timer)
    }
  }
}

const newFailure = (status: number, details: string, cause?: unknown): Error => new Error(`${status} ${statusNames[status] ?? 'UNKNOWN'}: ${details}`, { cause })

const notEstablished = (error: Error): Error => newFailure(unavailable, `No connection established. Last error: ${error.message}`, error)

/** `grpc-message` is percent-encoded. */
function decodeText (text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
