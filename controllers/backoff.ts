import type { Clock } from './clock.js'

export interface BackoffOptions {
  readonly initialMs: number
  readonly maxMs: number
  /** Starts again when nothing was asked for so long. */
  readonly resetMs: number
  readonly clock: Clock
  /** From 0 up to 1; for tests. */
  readonly random?: () => number
}

/** Waits that double, each lengthened by up to its own length so that clients do not come back together. */
export class Backoff {
  readonly #options: BackoffOptions
  readonly #random: () => number
  #nextMs: number
  #askedAtMs = -Infinity

  constructor (options: BackoffOptions) {
    this.#options = options
    this.#random = options.random ?? Math.random
    this.#nextMs = options.initialMs
  }

  /** The next wait in milliseconds. */
  next (): number {
    const { clock, initialMs, maxMs, resetMs } = this.#options
    const now = clock.monotonicMs()
    if (now - this.#askedAtMs > resetMs) this.#nextMs = initialMs
    this.#askedAtMs = now
    const ms = this.#nextMs
    this.#nextMs = Math.min(ms * 2, maxMs)
    return ms * (1 + this.#random())
  }
}
