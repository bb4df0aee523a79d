import { sleep, systemClock, type Clock } from './clock.js'

export interface TokenBucketOptions {
  /** Tokens that come back in a second. Infinity never makes anybody wait. */
  readonly qps: number
  /** How many tokens there can be; it starts full. */
  readonly burst: number
  readonly clock?: Clock
}

/** A token bucket whose tokens can be taken in advance, like golang.org/x/time/rate, which client-go uses. */
export class TokenBucket {
  readonly #qps: number
  readonly #burst: number
  readonly #clock: Clock
  #tokens: number
  #atMs: number

  constructor ({ qps, burst, clock = systemClock }: TokenBucketOptions) {
    if (!(qps > 0) || !(burst >= 1)) throw new RangeError(`a token bucket needs a positive qps and a burst of at least 1, not ${qps} and ${burst}`)
    this.#qps = qps
    this.#burst = burst
    this.#clock = clock
    this.#tokens = burst
    this.#atMs = clock.monotonicMs()
  }

  /** Takes a token. Returns the milliseconds until the bucket would have had it. */
  reserve (): number {
    if (this.#qps === Infinity) return 0
    this.#refill()
    this.#tokens--
    return this.#tokens >= 0 ? 0 : -this.#tokens / this.#qps * 1000
  }

  /** Takes a token if there is one. */
  tryTake (): boolean {
    this.#refill()
    if (this.#tokens < 1) return false
    this.#tokens--
    return true
  }

  /** Takes a token and waits for it; resolves to the milliseconds waited. @throws the signal's reason; the token goes back */
  async take (signal?: AbortSignal): Promise<number> {
    signal?.throwIfAborted()
    const ms = this.reserve()
    if (ms > 0 && !await sleep(this.#clock, ms, signal)) {
      this.#tokens++
      throw signal?.reason
    }
    return ms
  }

  #refill (): void {
    const now = this.#clock.monotonicMs()
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#atMs) / 1000 * this.#qps)
    this.#atMs = now
  }
}
