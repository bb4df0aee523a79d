/** What a question was answered with, and for how long that is believed. 0: not at all. */
export interface Answered<V> { readonly value: V; readonly ttlMs: number }

export interface ExpiringCacheOptions {
  /** How many answers are kept; the least recently used goes first. */
  readonly size: number
  readonly now?: (() => number) | undefined
}

/**
 * Answers that are believed for some time. Who asks the same while an answer is on its way waits for that one; who gives up does not
 * take it from the others. Failures are not kept.
 */
export class ExpiringCache<V> {
  readonly #size: number
  readonly #now: () => number
  readonly #entries = new Map<string, { readonly value: V; readonly until: number }>()
  readonly #asking = new Map<string, Promise<V>>()

  constructor (options: ExpiringCacheOptions) {
    this.#size = options.size
    this.#now = options.now ?? (() => performance.now())
  }

  get size (): number { return this.#entries.size }

  get (key: string): V | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    const expired = this.#now() >= entry.until
    // Which entry was used last matters only when one may have to go soon, and keeping track of it costs more than all the rest.
    if (!expired && this.#entries.size * 4 < this.#size * 3) return entry.value
    this.#entries.delete(key)
    if (expired) return undefined
    this.#entries.set(key, entry)
    return entry.value
  }

  /** The kept answer, or the one that `ask` gets. @throws what `ask` throws; the signal's reason */
  async ask (key: string, ask: () => Promise<Answered<V>>, signal: AbortSignal | undefined): Promise<V> {
    const kept = this.get(key)
    if (kept !== undefined) return kept
    let asking = this.#asking.get(key)
    if (asking === undefined) {
      asking = ask().then(({ value, ttlMs }) => {
        if (ttlMs > 0) this.#keep(key, value, ttlMs)
        return value
      }).finally(() => { this.#asking.delete(key) })
      asking.catch(() => {}) // everybody who waited may have left
      this.#asking.set(key, asking)
    }
    return signal === undefined ? asking : unlessAborted(asking, signal)
  }

  #keep (key: string, value: V, ttlMs: number): void {
    this.#entries.delete(key)
    this.#entries.set(key, { value, until: this.#now() + ttlMs })
    if (this.#entries.size > this.#size) this.#entries.delete(this.#entries.keys().next().value!)
  }
}

function unlessAborted<V> (asking: Promise<V>, signal: AbortSignal): Promise<V> {
  signal.throwIfAborted()
  return new Promise((resolve, reject) => {
    const leave = (): void => { reject(signal.reason as Error) }
    signal.addEventListener('abort', leave, { once: true })
    asking.then(resolve, reject).finally(() => { signal.removeEventListener('abort', leave) })
  })
}
