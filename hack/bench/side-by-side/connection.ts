import { connect, type ClientHttp2Session, type ClientHttp2Stream, type OutgoingHttpHeaders } from 'node:http2'
import { Agent, request as httpsRequest } from 'node:https'

export interface ConnectionOptions {
  readonly url: string
  readonly certificatePem: string
  readonly privateKeyPem: string
}

export interface Call {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly path: string
  readonly body?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** A body is kept in pieces: most cases only count it. */
export interface Answer { readonly status: number; readonly pieces: readonly Buffer[] }

/** How many streams one HTTP/2 connection carries at most: sample-apiserver allows 100 at once. */
export const streamsPerSession = 100

/** One client over HTTP/2 and HTTP/1.1, as little of it as there can be: what it costs is not what is measured. */
export class Connection {
  readonly #options: ConnectionOptions
  readonly #sessions: ClientHttp2Session[] = []
  #agent: Agent | undefined

  constructor (options: ConnectionOptions) { this.#options = options }

  /** A request over HTTP/2, on the session with the number. */
  async call (call: Call, session = 0): Promise<Answer> {
    const stream = this.stream(call, session)
    return await new Promise((resolve, reject) => {
      const pieces: Buffer[] = []
      let status = 0
      stream.on('response', headers => { status = headers[':status'] ?? 0 })
      stream.on('data', (piece: Buffer) => { pieces.push(piece) })
      stream.on('end', () => { resolve({ status, pieces }) })
      stream.on('error', reject)
    })
  }

  /** A request over HTTP/1.1, on any of `connections` connections. */
  async call1 (call: Call, connections: number): Promise<Answer> {
    const { url, certificatePem, privateKeyPem } = this.#options
    this.#agent ??= new Agent({ keepAlive: true, maxSockets: connections, cert: certificatePem, key: privateKeyPem, rejectUnauthorized: false })
    return await new Promise((resolve, reject) => {
      const request = httpsRequest(url + call.path, { agent: this.#agent, method: call.method ?? 'GET', headers: { accept: 'application/json', ...call.headers } }, response => {
        const pieces: Buffer[] = []
        response.on('data', (piece: Buffer) => { pieces.push(piece) })
        response.on('end', () => { resolve({ status: response.statusCode ?? 0, pieces }) })
        response.on('error', reject)
      })
      request.on('error', reject)
      request.end(call.body)
    })
  }

  /** An HTTP/2 stream that has been sent. */
  stream (call: Call, session = 0): ClientHttp2Stream {
    const headers: OutgoingHttpHeaders = { ':method': call.method ?? 'GET', ':path': call.path, accept: 'application/json', ...call.headers }
    const stream = this.#session(session).request(headers, { endStream: call.body === undefined })
    if (call.body !== undefined) stream.end(call.body)
    return stream
  }

  close (): void {
    for (const session of this.#sessions) session.destroy()
    this.#sessions.length = 0
    this.#agent?.destroy()
    this.#agent = undefined
  }

  #session (index: number): ClientHttp2Session {
    const known = this.#sessions[index]
    if (known !== undefined && !known.destroyed && !known.closed) return known
    const { url, certificatePem, privateKeyPem } = this.#options
    const session = connect(url, { cert: certificatePem, key: privateKeyPem, rejectUnauthorized: false, settings: { initialWindowSize: 4 * 1024 * 1024 } })
    session.setMaxListeners(0)
    session.on('error', () => {}) // its streams say so
    session.once('connect', () => { session.setLocalWindowSize(64 * 1024 * 1024) })
    return this.#sessions[index] = session
  }
}
