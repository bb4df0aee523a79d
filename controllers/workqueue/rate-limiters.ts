import type { Clock } from '../clock.js'
import { TokenBucket } from '../token-bucket.js'

/** Says how long an item has to wait before it is tried again. */
export interface RateLimiter<T> {
  /** Milliseconds until the item may be tried; every call counts as a failure of the item. */
  when (item: T): number
  /** The item succeeded, or is given up: its failures are forgotten. */
  forget (item: T): void
  /** Failures of the item since it was last forgotten. */
  numRequeues (item: T): number
}

/** base·2^failures for each item, up to a limit. */
export class ItemExponentialFailureRateLimiter<T> implements RateLimiter<T> {
  readonly #baseMs: number
  readonly #maxMs: number
  readonly #failures = new Map<T, number>()

  constructor ({ baseMs, maxMs }: { readonly baseMs: number; readonly maxMs: number }) {
    this.#baseMs = baseMs
    this.#maxMs = maxMs
  }

  when (item: T): number {
    const failures = this.numRequeues(item)
    this.#failures.set(item, failures + 1)
    return Math.min(this.#baseMs * 2 ** failures, this.#maxMs)
  }

  forget (item: T): void { this.#failures.delete(item) }
  numRequeues (item: T): number { return this.#failures.get(item) ?? 0 }
}

/** One token bucket for all items together. */
export class BucketRateLimiter<T> implements RateLimiter<T> {
  readonly #bucket: TokenBucket
  constructor (bucket: TokenBucket) { this.#bucket = bucket }
  when (_item: T): number { return this.#bucket.reserve() }
  forget (_item: T): void {}
  numRequeues (_item: T): number { return 0 }
}

/** The longest wait that any of several limiters asks for. */
export class MaxOfRateLimiter<T> implements RateLimiter<T> {
  readonly #limiters: readonly RateLimiter<T>[]
  constructor (...limiters: readonly RateLimiter<T>[]) { this.#limiters = limiters }
  when (item: T): number { return Math.max(0, ...this.#limiters.map(l => l.when(item))) }
  forget (item: T): void { for (const l of this.#limiters) l.forget(item) }
  numRequeues (item: T): number { return Math.max(0, ...this.#limiters.map(l => l.numRequeues(item))) }
}

/** client-go's DefaultTypedControllerRateLimiter: 5 ms doubling up to 1000 s for each item, and 10 a second with a burst of 100 for all. */
export function defaultControllerRateLimiter<T> (clock: Clock): RateLimiter<T> {
  return new MaxOfRateLimiter<T>(
    new ItemExponentialFailureRateLimiter({ baseMs: 5, maxMs: 1_000_000 }),
    new BucketRateLimiter(new TokenBucket({ qps: 10, burst: 100, clock }))
  )
}
