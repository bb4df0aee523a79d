import { StorageError } from '../errors.js'
import type { CacherClock } from './interfaces.js'

export interface WaitLimits {
  readonly clock: CacherClock
  /** Undefined: as long as it takes. */
  readonly timeoutMs: number | undefined
  /** The error of a wait that took too long. */
  readonly timedOut?: (() => StorageError) | undefined
  readonly signal?: AbortSignal | undefined
}

export function aborted (signal: AbortSignal): StorageError {
  return new StorageError('Aborted', 'the wait was aborted', { cause: signal.reason })
}

/**
 * Waits for something that cannot be interrupted itself, and leaves it behind when the time is over or the signal comes.
 * @throws what the promise rejects with, `timedOut()`, or StorageError Aborted
 */
export function waitWithin<V> (promise: Promise<V>, { clock, timeoutMs, timedOut, signal }: WaitLimits): Promise<V> {
  return new Promise<V>((resolve, reject) => {
    if (signal?.aborted === true) {
      promise.catch(() => {})
      reject(aborted(signal))
      return
    }
    const onAbort = (): void => settle(() => reject(aborted(signal as AbortSignal)))
    const cancelTimer = timeoutMs === undefined ? undefined : clock.after(timeoutMs, () => settle(() => reject(timedOut?.())))
    const settle = (finish: () => void): void => {
      cancelTimer?.()
      signal?.removeEventListener('abort', onAbort)
      finish()
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    promise.then((value) => settle(() => resolve(value)), (error: unknown) => settle(() => reject(error)))
  })
}
