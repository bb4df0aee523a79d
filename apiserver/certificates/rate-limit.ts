import type { Clock } from './clock.js'

/** Allows a burst, and then one in so many milliseconds: against somebody who undoes everything at once. */
export class RateLimit {
  readonly #clock: Clock
  readonly #burst: number
  readonly #intervalMs: number
  #left: number
  #at: number

  constructor (clock: Clock, burst: number, intervalMs: number) {
    this.#clock = clock
    this.#burst = burst
    this.#intervalMs = intervalMs
    this.#left = burst
    this.#at = clock.monotonic()
  }

  /** 0: go on; else the milliseconds until the next is allowed. */
  take (): number {
    const now = this.#clock.monotonic()
    this.#left = Math.min(this.#burst, this.#left + (now - this.#at) / this.#intervalMs)
    this.#at = now
    if (this.#left < 1) return Math.ceil((1 - this.#left) * this.#intervalMs)
    this.#left--
    return 0
  }
}
