import { systemClock, type Clock } from '../clock.js'
import { defaultControllerRateLimiter, type RateLimiter } from './rate-limiters.js'

/** What a queue tells about itself; see metrics.ts for the Prometheus form. */
export interface WorkqueueMetrics {
  added (): void
  retried (): void
  /** An item was handed out, so many seconds after it was added. */
  started (queuedSeconds: number): void
  /** An item was processed, in so many seconds. */
  finished (workSeconds: number): void
}

/** What can be read from a queue at any time. */
export interface WorkqueueReadings {
  readonly length: number
  /** For each item in processing, the seconds since it was handed out. */
  unfinishedSeconds (): number[]
}

export interface WorkqueueOptions<T> {
  readonly rateLimiter?: RateLimiter<T>
  readonly clock?: Clock
  readonly metrics?: WorkqueueMetrics
}

/**
 * A queue of keys with the semantics of client-go's `util/workqueue`: first in, first out; a key that is added many times before it is
 * handed out is processed once; a key that is added while it is processed is processed again afterwards, never by two workers at once.
 * Keys are compared like those of a Map. There is no limit to its length: it holds each key at most once.
 */
export class Workqueue<T> implements WorkqueueReadings {
  readonly #clock: Clock
  readonly #rateLimiter: RateLimiter<T>
  readonly #metrics: WorkqueueMetrics | undefined
  /** In order; every element is dirty and not in processing. The ones before #head were handed out. */
  #queue: T[] = []
  #head = 0
  /** What needs processing, with the time since when. */
  readonly #dirty = new Map<T, number>()
  /** What is being processed, with the time since when. It may be dirty too. */
  readonly #processing = new Map<T, number>()
  readonly #delayed = new Map<T, { readonly atMs: number; cancel: () => void }>()
  #getting: ((item: T | undefined) => void)[] = []
  #drained: (() => void)[] = []
  #shuttingDown = false

  constructor ({ clock = systemClock, rateLimiter, metrics }: WorkqueueOptions<T> = {}) {
    this.#clock = clock
    this.#rateLimiter = rateLimiter ?? defaultControllerRateLimiter(clock)
    this.#metrics = metrics
  }

  /** How many keys wait to be handed out. */
  get length (): number { return this.#queue.length - this.#head }
  get shuttingDown (): boolean { return this.#shuttingDown }

  unfinishedSeconds (): number[] {
    const now = this.#clock.monotonicMs()
    return [...this.#processing.values()].map(since => (now - since) / 1000)
  }

  /** Marks a key as needing processing. Ignored once the queue is shutting down. */
  add (item: T): void {
    if (this.#shuttingDown || this.#dirty.has(item)) return
    this.#metrics?.added()
    this.#dirty.set(item, this.#clock.monotonicMs())
    if (!this.#processing.has(item)) this.#push(item)
  }

  /** Adds a key after a time. If it is waiting already, the earlier time counts. */
  addAfter (item: T, ms: number): void {
    if (this.#shuttingDown) return
    this.#metrics?.retried()
    if (ms <= 0) {
      this.add(item)
      return
    }
    const atMs = this.#clock.monotonicMs() + ms
    const waiting = this.#delayed.get(item)
    if (waiting !== undefined && waiting.atMs <= atMs) return
    waiting?.cancel()
    const cancel = this.#clock.setTimer(ms, () => {
      this.#delayed.delete(item)
      this.add(item)
    })
    this.#delayed.set(item, { atMs, cancel })
  }

  /** Adds a key when the rate limiter says so. Call `forget` when the key has succeeded, whether or not it is done. */
  addRateLimited (item: T): void { this.addAfter(item, this.#rateLimiter.when(item)) }
  forget (item: T): void { this.#rateLimiter.forget(item) }
  numRequeues (item: T): number { return this.#rateLimiter.numRequeues(item) }

  /** The next key, as soon as there is one; undefined when the queue is shut down and empty. `done` must follow. */
  async get (): Promise<T | undefined> {
    if (this.length > 0) return this.#take()
    if (this.#shuttingDown) return undefined
    return await new Promise(resolve => { this.#getting.push(resolve) })
  }

  /** The key was processed. If it was added meanwhile, it is queued again. */
  done (item: T): void {
    const since = this.#processing.get(item)
    if (since !== undefined) this.#metrics?.finished((this.#clock.monotonicMs() - since) / 1000)
    this.#processing.delete(item)
    if (this.#dirty.has(item)) this.#push(item)
    if (this.#processing.size === 0) this.#drained.splice(0).forEach(resolve => { resolve() })
  }

  /** Takes nothing more. What is queued is still handed out; what waits for its time is dropped. Ends the waiting of `shutDownWithDrain`. */
  shutDown (): void {
    this.#stopAdding()
    this.#drained.splice(0).forEach(resolve => { resolve() })
  }

  /** Like `shutDown`, and resolves when nothing is in processing. */
  async shutDownWithDrain (): Promise<void> {
    this.#stopAdding()
    if (this.#processing.size > 0) await new Promise<void>(resolve => { this.#drained.push(resolve) })
  }

  /** Forgets what is queued, so that workers end after the keys they have. For a controller that must stop at once. */
  clear (): void {
    for (const item of this.#queue.slice(this.#head)) this.#dirty.delete(item)
    this.#queue = []
    this.#head = 0
  }

  #stopAdding (): void {
    this.#shuttingDown = true
    for (const { cancel } of this.#delayed.values()) cancel()
    this.#delayed.clear()
    // Whoever waits found the queue empty.
    for (const resolve of this.#getting.splice(0)) resolve(undefined)
  }

  #push (item: T): void {
    this.#queue.push(item)
    this.#getting.shift()?.(this.#take())
  }

  #take (): T {
    const item = this.#queue[this.#head++] as T
    if (this.#head > 1000 && this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head)
      this.#head = 0
    }
    const now = this.#clock.monotonicMs()
    this.#metrics?.started((now - (this.#dirty.get(item) ?? now)) / 1000)
    this.#dirty.delete(item)
    this.#processing.set(item, now)
    return item
  }
}
