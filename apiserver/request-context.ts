import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import type { Duplex } from 'node:stream'
import type { AuditRecord } from './audit/auditor.js'
import type { UserInfo } from './authentication/interfaces.js'
import type { RequestInfo } from './request-info.js'
import { Warnings } from './responses/warnings.js'

export type RawRequest = IncomingMessage | Http2ServerRequest
export type RawResponse = ServerResponse | Http2ServerResponse

/** One request on its way through filters and handler. */
export class RequestContext {
  readonly req: RawRequest
  readonly res: RawResponse
  /** The connection, one object for all of its requests. */
  readonly socket: Duplex & { readonly remoteAddress?: string | undefined }
  readonly path: string
  readonly query: URLSearchParams
  readonly info: RequestInfo
  readonly auditId: string
  readonly receivedAt: number
  readonly warnings = new Warnings()
  /** Set by the authentication filter, before anything reads it. */
  user: UserInfo = { name: '', groups: [] }
  /** Absent when the audit policy does not record this request. */
  audit: AuditRecord | undefined
  /** What the answer was, for metrics and audit. */
  statusCode = 0
  responseBytes = 0
  /** Whether somebody answers for its path; until then group and resource are what a client made up. */
  routed = false
  /** Its place among the requests under way, while it is one. */
  slot: number | undefined
  /** What filters want to know when the answer is out; run once, in order. */
  readonly onFinish: ((context: RequestContext) => void)[] = []
  #abort: AbortController | undefined
  #reason: Error | undefined

  constructor (fields: Pick<RequestContext, 'req' | 'res' | 'socket' | 'path' | 'query' | 'info' | 'auditId' | 'receivedAt'>) {
    this.req = fields.req
    this.res = fields.res
    this.socket = fields.socket
    this.path = fields.path
    this.query = fields.query
    this.info = fields.info
    this.auditId = fields.auditId
    this.receivedAt = fields.receivedAt
  }

  header (name: string): string | undefined {
    const value = this.req.headers[name]
    return Array.isArray(value) ? value[0] : value
  }

  /** Ends when the client is gone, the deadline has passed or the server closes. */
  get signal (): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController()
      if (this.#reason !== undefined) this.#abort.abort(this.#reason)
    }
    return this.#abort.signal
  }

  abort (reason: Error): void {
    if (this.#reason !== undefined) return
    this.#reason = reason
    this.#abort?.abort(reason)
  }

  get aborted (): Error | undefined { return this.#reason }

  /** Called once by the writer when nothing more will be sent. */
  finish (): void {
    for (const f of this.onFinish.splice(0)) f(this)
  }
}
