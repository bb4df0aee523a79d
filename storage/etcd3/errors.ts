import { ClientClosedError } from 'etcd3'
import { StorageError, type StorageErrorCode, type StorageErrorOptions } from '../errors.js'

/** How a failed call left the world. */
export type FailureKind =
  /** etcd answered with a reason and did not do it. */
  | 'refused'
  /** The request never left this process, or the server's HTTP/2 layer refused the stream before reading it. */
  | 'unsent'
  /** Anything else: a write may have happened, or may still happen. */
  | 'unknown'

/** A failed call in terms that callers can decide on. */
export interface CallFailure {
  readonly kind: FailureKind
  /** What the refusal means to the caller of a Storage. `Unavailable` for everything that has no code of its own. */
  readonly code: StorageErrorCode
  /** The text of the status, without the code before it. */
  readonly details: string
  readonly cause: unknown
}

/**
 * gRPC status codes (https://grpc.github.io/grpc/core/md_doc_statuscodes.html) that etcd gives only to requests that it did not execute:
 * INVALID_ARGUMENT, NOT_FOUND, PERMISSION_DENIED, RESOURCE_EXHAUSTED, FAILED_PRECONDITION, OUT_OF_RANGE, UNIMPLEMENTED, UNAUTHENTICATED.
 * UNAVAILABLE is not among them: `etcdserver: request timed out` may be a write that is applied a moment later.
 */
const refusals = new Set([3, 5, 7, 8, 9, 11, 12, 16])

/** What etcd and grpc-go say, checked against etcd 3.4.23 and 3.6.16. The codes alone do not tell these apart. */
const meanings: ReadonlyArray<readonly [text: string, code: StorageErrorCode]> = [
  ['required revision has been compacted', 'Compacted'],
  ['required revision is a future revision', 'FutureRevision'],
  ['etcdserver: request is too large', 'TooLarge'],
  // grpc-go reads at most --max-request-bytes and 512 KiB.
  ['grpc: received message larger than max', 'TooLarge'],
  ['database space exceeded', 'NoSpace']
]

/**
 * grpc-js' words for calls that were never put on a connection, or that the server refused before its application saw them
 * (REFUSED_STREAM, RFC 9113 section 8.7). A deadline that ran out while waiting for a connection belongs here, too.
 */
const unsentTexts = ['No connection established', 'Channel closed before call started', 'Name resolution failed', 'Failed to start HTTP/2 stream',
  'Stream refused by server', 'Waiting for LB pick', 'Waiting for name resolution']

/** Reads what a call of the etcd client rejected with. That client keeps grpc-js' message (`14 UNAVAILABLE: details`) but drops its code. */
export function describeFailure (error: unknown): CallFailure {
  const message = error instanceof Error ? error.message : String(error)
  const match = /^(?:\w+: )?(\d+) [A-Z_]+: ([^]*)$/.exec(message)
  const details = match?.[2] ?? message
  const status = match?.[1] === undefined ? undefined : Number(match[1])
  for (const [text, code] of meanings) {
    if (details.includes(text)) return { kind: 'refused', code, details, cause: error }
  }
  const failure = (kind: FailureKind): CallFailure => ({ kind, code: 'Unavailable', details, cause: error })
  if (error instanceof ClientClosedError || unsentTexts.some(text => details.includes(text))) return failure('unsent')
  // grpc-js makes up some of these codes itself (for a proxy's 403, for HTTP/2's ENHANCE_YOUR_CALM): only etcd's own text is etcd's answer.
  return failure(status !== undefined && refusals.has(status) && details.startsWith('etcdserver: ') ? 'refused' : 'unknown')
}

/** The StorageError for a failed call that certainly changed nothing. */
export function toStorageError (failure: CallFailure, endpoints: readonly string[], options: Omit<StorageErrorOptions, 'cause'> = {}): StorageError {
  return new StorageError(failure.code, failure.code === 'Unavailable' ? unavailableText(failure, endpoints) : meaningText(failure), { ...options, cause: failure.cause })
}

function meaningText ({ code, details }: CallFailure): string {
  if (code === 'TooLarge') return 'etcdserver: request is too large'
  if (code === 'NoSpace') return `${details}: compact and defragment etcd or raise its --quota-backend-bytes, then disarm the NOSPACE alarm (etcdctl alarm disarm)`
  return details
}

function unavailableText (failure: CallFailure, endpoints: readonly string[]): string {
  const where = `etcd at ${endpoints.join(', ')}`
  if (failure.kind === 'refused') return `${where} refused the request: ${failure.details}`
  return `${where} cannot be reached: ${failure.details.replace(/^No connection established\. Last error: (?:Error: )?/, '').replace(/\.? *Resolution note: *$/, '')}. Check that it runs and has a leader, and the configured endpoints and certificates`
}
