/** Keeps those of many that have waited longest, to a bound; among equal ones, those that came first. */
export class LongestWaiting<T> {
  readonly #limit: number
  readonly #kept: { readonly item: T; readonly waitedMs: number }[] = []

  constructor (limit: number) { this.#limit = limit }

  /** The one that waited longest first. */
  get items (): T[] { return this.#kept.map(k => k.item) }

  /** Whether one that waited so long would be kept now. */
  wants (waitedMs: number): boolean { return this.#kept.length < this.#limit || waitedMs > (this.#kept.at(-1)?.waitedMs ?? Infinity) }

  offer (item: T, waitedMs: number): void {
    if (!this.wants(waitedMs)) return
    let [low, high] = [0, this.#kept.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#kept[middle]!.waitedMs >= waitedMs) low = middle + 1
      else high = middle
    }
    this.#kept.splice(low, 0, { item, waitedMs })
    if (this.#kept.length > this.#limit) this.#kept.pop()
  }
}
