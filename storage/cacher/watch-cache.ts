import type { Revision, StorageEvent, StoredValue } from '../interfaces.js'
import { Change } from './change.js'
import { History } from './history.js'
import type { HistoryOptions } from './history.js'
import type { CacheItem, CacheList, CacheListOptions } from './interfaces.js'
import { compareKeys } from './key-order.js'
import { SortedKeys } from './sorted-keys.js'
import type { KeySnapshot } from './sorted-keys.js'

export interface WatchCacheOptions<T> {
  readonly prefix: string
  readonly decode: (value: StoredValue) => T
  readonly withRevision: (value: T, revision: Revision) => T
  readonly onCorrupt: (value: StoredValue, error: unknown) => void
  readonly history: HistoryOptions
}

/** How many events `unchangedSince` looks at before it gives the cautious answer. */
const UNCHANGED_SCAN_LIMIT = 1_000

/** Where a fresh copy of the storage is gathered before it replaces the present state. */
export class Replacement<T> {
  readonly items = new Map<string, CacheItem<T>>()
  readonly corrupt = new Set<string>()
  readonly #options: WatchCacheOptions<T>

  constructor (options: WatchCacheOptions<T>) {
    this.#options = options
  }

  add (values: readonly StoredValue[]): void {
    for (const value of values) {
      const item = decodeItem(this.#options, value)
      if (item === undefined) this.corrupt.add(value.key)
      else this.items.set(item.key, item)
    }
  }
}

function decodeItem<T> (options: WatchCacheOptions<T>, value: StoredValue): CacheItem<T> | undefined {
  try {
    return { key: value.key, revision: value.modRevision, value: options.decode(value) }
  } catch (error) {
    options.onCorrupt(value, error)
    return undefined
  }
}

/**
 * The state of one prefix at one revision, and how it came to be: the present items, sorted, and the recent changes. Knows neither
 * the storage nor the watchers. Every method is synchronous and leaves the state consistent.
 */
export class WatchCache<T> {
  readonly history: History<Change<T>>
  readonly #options: WatchCacheOptions<T>
  readonly #items: Map<string, CacheItem<T>>
  readonly #corrupt: Set<string>
  readonly #keys: SortedKeys<CacheItem<T>>
  #revision: Revision
  /** No key differs between this revision and the present one. */
  #lastChange: Revision
  /** The last event that left no change in the history: something undecodable came or went. */
  #lastUnseen: Revision

  constructor (content: Replacement<T>, revision: Revision, options: WatchCacheOptions<T>) {
    this.#options = options
    this.#items = content.items
    this.#corrupt = content.corrupt
    this.#keys = SortedKeys.from(content.items.values())
    this.#revision = revision
    this.#lastChange = revision
    this.#lastUnseen = revision
    this.history = new History(revision, options.history)
  }

  get revision (): Revision {
    return this.#revision
  }

  get size (): number {
    return this.#items.size
  }

  get corruptSize (): number {
    return this.#corrupt.size
  }

  /** Every change up to this revision has been applied. */
  advance (revision: Revision): void {
    if (revision > this.#revision) this.#revision = revision
  }

  /**
   * Applies a change of the storage. The answer is undefined if no reader can see a difference. A value that cannot be decoded counts
   * as a removal: what watchers have been told stays equal to what a list shows.
   */
  apply (event: StorageEvent, now: number): Change<T> | undefined {
    const { key, modRevision: revision } = event
    const item = event.type === 'put' ? decodeItem(this.#options, { key, value: event.value, modRevision: revision }) : undefined
    const previous = this.#items.get(key)
    if (item !== undefined) {
      this.#items.set(key, item)
      this.#keys.set(item)
    } else if (previous !== undefined) {
      this.#items.delete(key)
      this.#keys.delete(key)
    }
    if (event.type === 'put' && item === undefined) this.#corrupt.add(key)
    else this.#corrupt.delete(key)
    this.#lastChange = revision
    this.advance(revision)
    if (item === undefined && previous === undefined) {
      this.#lastUnseen = revision
      return undefined
    }
    const change = new Change(key, revision, { item, previous }, this.#options.withRevision)
    this.history.append(change, now)
    return change
  }

  get (key: string): CacheItem<T> | undefined {
    return this.#items.get(key)
  }

  isCorrupt (key: string): boolean {
    return this.#corrupt.has(key)
  }

  list (options: CacheListOptions<T>): CacheList<T> {
    const { scope, exactKey = false, startKey = scope, limit = 0, matches } = options
    if (exactKey) return this.#listOne(options)
    const items: CacheItem<T>[] = []
    const begin = compareKeys(startKey, scope) > 0 ? startKey : scope
    const cursor = this.#keys.from(begin)
    // Counted rather than compared: the keys themselves need not be looked at.
    const total = this.#keys.rankAfterPrefix(scope) - this.#keys.rank(begin)
    for (let read = 1; read <= total; read++) {
      const item = cursor.next() as CacheItem<T>
      if (matches !== undefined && !matches(item.value)) continue
      items.push(item)
      if (limit > 0 && items.length >= limit) return this.#page(items, total - read)
    }
    return this.#page(items, 0)
  }

  #listOne ({ scope, startKey, matches }: CacheListOptions<T>): CacheList<T> {
    const item = startKey === undefined || compareKeys(startKey, scope) <= 0 ? this.#items.get(scope) : undefined
    return this.#page(item !== undefined && (matches === undefined || matches(item.value)) ? [item] : [], 0)
  }

  #page (items: CacheItem<T>[], remaining: number): CacheList<T> {
    const last = items[items.length - 1]
    const page = { items, revision: this.#revision, remaining }
    return remaining > 0 && last !== undefined ? { ...page, nextKey: `${last.key}\0` } : page
  }

  snapshot (): KeySnapshot<CacheItem<T>> {
    return this.#keys.snapshot()
  }

  /** Whether the scope has now the content that it had at the revision. May say no out of caution. */
  unchangedSince (revision: Revision, scope: string): boolean {
    if (revision > this.#revision) return false
    if (revision >= this.#lastChange) return true
    if (revision < this.#lastUnseen || revision < this.history.floor) return false
    for (let sequence = this.history.end - 1, seen = 0; ; sequence--, seen++) {
      const change = this.history.at(sequence)
      if (change === undefined || change.revision <= revision) return true
      if (seen === UNCHANGED_SCAN_LIMIT || change.key.startsWith(scope)) return false
    }
  }
}
