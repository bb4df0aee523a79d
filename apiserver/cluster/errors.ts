import type { Status } from '../../registry/meta/status-error.js'

/** A request that the cluster refused or did not answer. */
export class ClusterError extends Error {
  override readonly name = 'ClusterError'
  /** The HTTP status; 0 if there was no answer. */
  readonly code: number
  readonly status: Partial<Status> | undefined
  /** How long the server asked to wait. */
  readonly retryAfterMs: number | undefined
  /** Nothing came within the time allowed: asking again would only take as long again. */
  readonly timedOut: boolean

  constructor (message: string, fields: { code?: number; status?: Partial<Status> | undefined; retryAfterMs?: number | undefined; timedOut?: boolean; cause?: unknown } = {}) {
    super(message, fields.cause === undefined ? undefined : { cause: fields.cause })
    this.code = fields.code ?? 0
    this.status = fields.status
    this.retryAfterMs = fields.retryAfterMs
    this.timedOut = fields.timedOut ?? false
  }

  get reason (): string { return this.status?.reason ?? '' }
}

export const isClusterError = (error: unknown, code: number): boolean => error instanceof ClusterError && error.code === code

/** A connection that failed, in the words of Go's net/http, which operators search for. */
export function connectionErrorText (method: string, url: string, error: NodeJS.ErrnoException & { address?: string; port?: number }): string {
  const verb = method[0]! + method.slice(1).toLowerCase()
  const at = error.address === undefined ? '' : ` ${error.address.includes(':') ? `[${error.address}]` : error.address}:${error.port ?? ''}`
  const what = error.code === 'ECONNREFUSED'
    ? `dial tcp${at}: connect: connection refused`
    : error.code === 'ENOTFOUND' || error.code === 'EAI_AGAIN'
      ? `dial tcp: lookup ${(error as { hostname?: string }).hostname ?? new URL(url).hostname}: no such host`
      : error.code === 'ECONNRESET' ? 'read: connection reset by peer' : error.message
  return `${verb} ${JSON.stringify(url)}: ${what}`
}
