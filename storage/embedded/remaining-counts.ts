import type { Revision } from '../interfaces.js'

/**
 * How many keys follow the last one of a page, remembered for the next page of the same list: counting a past revision again for every
 * page would make a long list quadratic. What exists at a revision never changes, so an entry is never wrong; the oldest give way.
 */
export class RemainingCounts {
  readonly #maxEntries: number
  readonly #counts = new Map<string, number>()

  constructor (maxEntries: number) {
    this.#maxEntries = maxEntries
  }

  /** The number of keys of the prefix at the revision from `start` on, if a page before ended right before `start`. */
  after (prefix: string, start: Buffer, revision: Revision): number | undefined {
    // The first key after a key is the key and a zero byte, which is what a continued list starts with.
    if (start.length === 0 || start[start.length - 1] !== 0) return undefined
    return this.#counts.get(entryName(prefix, start.toString('utf8', 0, start.length - 1), revision))
  }

  remember (prefix: string, lastKey: string, revision: Revision, remaining: number): void {
    const name = entryName(prefix, lastKey, revision)
    this.#counts.delete(name)
    this.#counts.set(name, remaining)
    for (const oldest of this.#counts.keys()) {
      if (this.#counts.size <= this.#maxEntries) return
      this.#counts.delete(oldest)
    }
  }
}

function entryName (prefix: string, lastKey: string, revision: Revision): string {
  return JSON.stringify([prefix, lastKey, `${revision}`])
}
