import { isReason, newStatusError, StatusError, type Status, type StatusReason } from '../../registry/meta/status-error.js'

export { StatusError } from '../../registry/meta/status-error.js'

/** There was no answer, or only a part of one: nothing is known of the request's effect. `code` is Node's, such as `ECONNREFUSED`. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError'
  readonly code: string

  constructor (message: string, options: { readonly code: string; readonly cause?: unknown }) {
    super(message, { cause: options.cause })
    this.code = options.code
  }
}

export const isNotFound = (error: unknown): boolean => isReason(error, 'NotFound')
export const isAlreadyExists = (error: unknown): boolean => isReason(error, 'AlreadyExists')
export const isConflict = (error: unknown): boolean => isReason(error, 'Conflict')
export const isForbidden = (error: unknown): boolean => isReason(error, 'Forbidden')
export const isInvalid = (error: unknown): boolean => isReason(error, 'Invalid')
export const isTooManyRequests = (error: unknown): boolean => isReason(error, 'TooManyRequests') || statusOf(error)?.code === 429
export const isInternalError = (error: unknown): boolean => isReason(error, 'InternalError')
/** The resourceVersion or continue token is too old: list again. */
export const isExpired = (error: unknown): boolean => isReason(error, 'Expired') || isReason(error, 'Gone')

/** The resourceVersion is one that the server has not reached: it was restored from a backup, or replaced. */
export const isTooLargeResourceVersion = (error: unknown): boolean =>
  statusOf(error)?.details?.causes?.some(c => c.reason === 'ResourceVersionTooLarge' || c.message === 'Too large resource version') === true

/** The Status of an error, or of one it was caused by. */
export function statusOf (error: unknown): Status | undefined {
  for (let e = error; e instanceof Error; e = e.cause) if (e instanceof StatusError) return e.status
  return undefined
}

/** What client-go makes of an answer without a Status (apimachinery's NewGenericServerResponse). */
const generic: Readonly<Record<number, readonly [StatusReason, string | undefined]>> = {
  400: ['BadRequest', 'the server rejected our request for an unknown reason'],
  401: ['Unauthorized', 'the server has asked for the client to provide credentials'],
  403: ['Forbidden', undefined],
  404: ['NotFound', 'the server could not find the requested resource'],
  405: ['MethodNotAllowed', 'the server does not allow this method on the requested resource'],
  406: ['NotAcceptable', undefined],
  409: ['Conflict', 'the server reported a conflict'],
  415: ['UnsupportedMediaType', undefined],
  422: ['Invalid', 'the server rejected our request due to an error in our request'],
  429: ['TooManyRequests', 'the server has received too many requests and has asked us to try again later'],
  503: ['ServiceUnavailable', 'the server is currently unable to handle the request'],
  504: ['Timeout', 'the server was unable to return a response in the time allotted, but may still be processing the request']
}

export interface FailedAnswer {
  readonly method: string
  readonly code: number
  readonly body: string
  readonly retryAfterSeconds?: number | undefined
}

/** The error of an answer that is no success: the server's Status, or one that says what client-go would. */
export function statusErrorOf ({ method, code, body, retryAfterSeconds }: FailedAnswer): StatusError {
  const status = statusIn(body)
  if (status !== undefined) return new StatusError({ ...status, code: status.code ?? code })
  const text = body.slice(0, 2048).trim() || 'unknown'
  const [reason, message] = generic[code] ?? [code >= 500 ? 'InternalError' : '', code >= 500 ? `an error on the server (${JSON.stringify(text)}) has prevented the request from succeeding` : `the server responded with the status code ${code} but did not return more information`]
  return newStatusError({
    code,
    reason: code === 409 && method === 'POST' ? 'AlreadyExists' : reason,
    message: message ?? text,
    details: { causes: [{ reason: 'UnexpectedServerResponse', message: text }], ...(retryAfterSeconds !== undefined && { retryAfterSeconds }) }
  })
}

function statusIn (body: string): Status | undefined {
  try {
    const value = JSON.parse(body) as Partial<Status> | null
    return value?.kind === 'Status' && value.status === 'Failure' ? { ...value, metadata: value.metadata ?? {}, status: value.status } : undefined
  } catch {
    return undefined
  }
}
