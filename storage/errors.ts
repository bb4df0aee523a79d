import type { Revision, StoredValue } from './interfaces.js'

/** What can go wrong in a store; the code decides what a caller does, the message is for a person. */
export type StorageErrorCode =
  /** create: the key is there already. */
  | 'KeyExists'
  /** update, delete: the key is not at the expected revision (or is gone). */
  | 'Conflict'
  /** The wanted revision is older than the kept history. */
  | 'Compacted'
  /** The wanted revision has not happened yet. */
  | 'FutureRevision'
  /** The value is larger than the store takes. */
  | 'TooLarge'
  /** The store cannot be reached or opened now. */
  | 'Unavailable'
  /** A write was sent and its outcome could not be learnt, even by reading back. */
  | 'OutcomeUnknown'
  /** The disk or the quota is full. */
  | 'NoSpace'
  /** The caller's signal ended the wait. */
  | 'Aborted'
  /** The store was closed. */
  | 'Closed'

export interface StorageErrorOptions {
  readonly key?: string
  /** For KeyExists and Conflict: the value as it stands; undefined if there is none. */
  readonly current?: StoredValue | undefined
  /** For Compacted: the oldest revision still readable; for FutureRevision: the newest. */
  readonly revision?: Revision | undefined
  readonly cause?: unknown
}

/** The only error that a Storage throws. */
export class StorageError extends Error {
  override readonly name = 'StorageError'
  readonly code: StorageErrorCode
  readonly key: string | undefined
  readonly current: StoredValue | undefined
  readonly revision: Revision | undefined

  constructor (code: StorageErrorCode, message: string, options: StorageErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.key = options.key
    this.current = options.current
    this.revision = options.revision
  }
}

/** Whether an error, or one it was caused by, is a StorageError of one of the codes. */
export function isStorageError (error: unknown, ...codes: StorageErrorCode[]): error is StorageError {
  for (let e = error; e instanceof Error; e = e.cause) {
    if (e instanceof StorageError && (codes.length === 0 || codes.includes(e.code))) return true
  }
  return false
}
