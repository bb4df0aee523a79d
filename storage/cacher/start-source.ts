import type { Revision } from '../interfaces.js'
import type { Change } from './change.js'
import type { History } from './history.js'
import type { CacheItem, CacheWatchEvent } from './interfaces.js'
import type { KeyCursor, KeySnapshot } from './sorted-keys.js'

/** How many items or changes one `take` looks at, so that a choosy predicate over a large cache does not hold up the process. */
const SCAN_LIMIT = 5_000

/** Which keys and values a watcher sees. */
export interface WatchFilter<T> {
  readonly scope: string
  readonly exactKey: boolean
  readonly matches: ((value: T) => boolean) | undefined
}

/**
 * What a watcher sees before the live events, produced as it is taken. `read` appends at most `max` events and says whether it came to
 * the end, has more (perhaps without having found anything), or can no longer know what came next.
 */
export interface StartSource<T> {
  read (events: CacheWatchEvent<T>[], max: number): 'done' | 'more' | 'lost'
}

export function inScope<T> (filter: WatchFilter<T>, key: string): boolean {
  return filter.exactKey ? key === filter.scope : key.startsWith(filter.scope)
}

/** The items of a snapshot as ADDED events, then, if wanted, the bookmark that says so. */
export class InitialEvents<T> implements StartSource<T> {
  readonly #filter: WatchFilter<T>
  readonly #cursor: KeyCursor<CacheItem<T>>
  readonly #bookmark: Revision | undefined

  /** @param bookmark the snapshot's revision, if its end is to be announced */
  constructor (snapshot: KeySnapshot<CacheItem<T>>, filter: WatchFilter<T>, bookmark: Revision | undefined) {
    this.#filter = filter
    this.#cursor = snapshot.from(filter.scope)
    this.#bookmark = bookmark
  }

  read (events: CacheWatchEvent<T>[], max: number): 'done' | 'more' {
    const { matches } = this.#filter
    for (let seen = 0; seen < SCAN_LIMIT && events.length < max; seen++) {
      const item = this.#cursor.next()
      if (item === undefined || !inScope(this.#filter, item.key)) {
        if (this.#bookmark !== undefined) events.push({ type: 'BOOKMARK', revision: this.#bookmark, initialEventsEnd: true })
        return 'done'
      }
      if (matches === undefined || matches(item.value)) events.push({ type: 'ADDED', item })
    }
    return 'more'
  }
}

/** Remembered changes, from one up to and without another. */
export class ReplayedEvents<T> implements StartSource<T> {
  readonly #history: History<Change<T>>
  readonly #filter: WatchFilter<T>
  readonly #end: number
  #next: number

  constructor (history: History<Change<T>>, filter: WatchFilter<T>, from: number) {
    this.#history = history
    this.#filter = filter
    this.#next = from
    this.#end = history.end
  }

  read (events: CacheWatchEvent<T>[], max: number): 'done' | 'more' | 'lost' {
    for (let seen = 0; seen < SCAN_LIMIT && events.length < max; seen++) {
      if (this.#next === this.#end) return 'done'
      const change = this.#history.at(this.#next)
      if (change === undefined) return 'lost'
      this.#next++
      if (!inScope(this.#filter, change.key)) continue
      const event = change.eventFor(this.#filter.matches)
      if (event !== undefined) events.push(event)
    }
    return this.#next === this.#end ? 'done' : 'more'
  }
}
