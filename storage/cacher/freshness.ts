import type { StorageError } from '../errors.js'
import type { Revision } from '../interfaces.js'
import { waitWithin } from './deadline.js'
import type { WaitLimits } from './deadline.js'
import type { CacherClock } from './interfaces.js'

interface Waiter {
  readonly target: Revision
  readonly resolve: () => void
  readonly reject: (error: StorageError) => void
}

/** How often progress is asked for again while somebody waits (kube-apiserver's progressRequestPeriod). */
const PROGRESS_REQUEST_MS = 100

/**
 * Those who wait for the cache to reach a revision. A prefix that nobody writes to learns of newer revisions only by asking, so as long
 * as there are waiters the storage watch is asked for progress: at once, and again every 100 ms, should an answer get lost.
 */
export class Freshness {
  readonly #clock: CacherClock
  readonly #requestProgress: () => void
  readonly #waiters = new Set<Waiter>()
  /** The storage was at least here when progress was last asked for, so the answer to that will do. */
  #asked: Revision = 0n
  #cancelTimer: (() => void) | undefined

  constructor (clock: CacherClock, requestProgress: () => void) {
    this.#clock = clock
    this.#requestProgress = requestProgress
  }

  get size (): number {
    return this.#waiters.size
  }

  /**
   * Waits until `advance` has been told of the target.
   * @param reached whether the storage is known to have reached the target already
   */
  async wait (target: Revision, reached: boolean, limits: WaitLimits): Promise<void> {
    let waiter: Waiter | undefined
    const turn = new Promise<void>((resolve, reject) => {
      waiter = { target, resolve, reject }
      this.#waiters.add(waiter)
    })
    if (!reached || target > this.#asked) {
      if (reached) this.#asked = target
      this.#requestProgress()
    }
    this.#startTimer()
    try {
      await waitWithin(turn, limits)
    } finally {
      this.#waiters.delete(waiter as Waiter)
      this.#stopTimerIfIdle()
    }
  }

  /** The cache has reached the revision. */
  advance (revision: Revision): void {
    if (this.#waiters.size === 0) return
    for (const waiter of this.#waiters) {
      if (waiter.target > revision) continue
      this.#waiters.delete(waiter)
      waiter.resolve()
    }
    this.#stopTimerIfIdle()
  }

  /** What was asked of the storage before is lost: a new watch begins. */
  askAgain (): void {
    this.#asked = 0n
    this.#requestProgress()
  }

  rejectAll (error: StorageError): void {
    for (const waiter of this.#waiters) waiter.reject(error)
    this.#waiters.clear()
    this.#stopTimerIfIdle()
  }

  #startTimer (): void {
    this.#cancelTimer ??= this.#clock.after(PROGRESS_REQUEST_MS, () => {
      this.#cancelTimer = undefined
      if (this.#waiters.size === 0) return
      this.#requestProgress()
      this.#startTimer()
    })
  }

  #stopTimerIfIdle (): void {
    if (this.#waiters.size > 0) return
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
  }
}
