import type { ObjectName } from './client/interfaces.js'

/** What to reconcile: a name. What happened to the object is not said, and may be several things or none. */
export type ReconcileRequest = ObjectName

export interface ReconcileResult {
  /** Reconcile again after this time, although nothing failed. */
  readonly requeueAfterMs?: number | undefined
  /** Reconcile again with exponential backoff, as after an error, but the failure has been reported where it belongs. */
  readonly backoff?: boolean | undefined
}

/**
 * Brings the world to what the object asks for, from whatever state it is in. Never called twice at once for one name. What it throws is
 * tried again with exponential backoff, except a {@link TerminalError}. The signal aborts when work must end now.
 */
export type Reconcile = (request: ReconcileRequest, signal: AbortSignal) => Promise<ReconcileResult | undefined | void>

/** Trying again is of no use until the object changes. */
export class TerminalError extends Error {
  override readonly name = 'TerminalError'
}
