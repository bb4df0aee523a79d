import type { Revision } from '../interfaces.js'
import type { Change } from './change.js'
import type { CacheWatchEnd, CacheWatchEvent, CacheWatcher } from './interfaces.js'
import type { StartSource, WatchFilter } from './start-source.js'
import type { Wakeable } from './wakeups.js'

export interface BufferedCacheWatcherOptions<T> {
  readonly filter: WatchFilter<T>
  /** What comes before the live events. */
  readonly source?: StartSource<T> | undefined
  /** Live events up to this revision are not for this watcher. */
  readonly after: Revision
  /** Bookmarks up to this revision tell the client nothing new. */
  readonly bookmarksAfter: Revision
  readonly bufferSize: number
  readonly host: WatcherHost<T>
}

/** What a watcher needs from the Cacher. */
export interface WatcherHost<T> {
  /** Have the watcher called back soon. */
  wakeSoon (watcher: BufferedCacheWatcher<T>): void
  /** The watcher has ended and is to be forgotten. */
  ended (watcher: BufferedCacheWatcher<T>, end: CacheWatchEnd): void
  matchesFailed (error: unknown): void
}

const DEFAULT_TAKE = 1_000
const SPENT_SLOTS = 256

/**
 * A watcher with a bounded queue of live events in front of which stands, at first, a source of initial or remembered events that is
 * read as it is taken. Live events that come meanwhile wait in the queue and count; the source does not.
 */
export class BufferedCacheWatcher<T> implements CacheWatcher<T>, Wakeable {
  readonly filter: WatchFilter<T>
  readonly #after: Revision
  readonly #bookmarksAfter: Revision
  readonly #bufferSize: number
  readonly #host: WatcherHost<T>
  #source: StartSource<T> | undefined
  #queue: CacheWatchEvent<T>[] = []
  /** Slots of the queue before this one have been taken. */
  #head = 0
  #ended: CacheWatchEnd | undefined
  #callback: (() => void) | undefined
  /** The callback is due or has been called, and what it announced has not been taken completely. */
  #announced = false
  #wakePending = false

  constructor (options: BufferedCacheWatcherOptions<T>) {
    this.filter = options.filter
    this.#source = options.source
    this.#after = options.after
    this.#bookmarksAfter = options.bookmarksAfter
    this.#bufferSize = options.bufferSize
    this.#host = options.host
    if (this.#source !== undefined) this.#announce()
  }

  get ended (): CacheWatchEnd | undefined {
    return this.#ended
  }

  take (max = DEFAULT_TAKE): CacheWatchEvent<T>[] {
    const events: CacheWatchEvent<T>[] = []
    if (this.#ended !== undefined || max <= 0) return events
    if (this.#source !== undefined && !this.#readSource(events, max)) return events
    return this.#takeQueued(events, max)
  }

  /** Whether the source has come to its end. */
  #readSource (events: CacheWatchEvent<T>[], max: number): boolean {
    let state: 'done' | 'more' | 'lost'
    try {
      state = (this.#source as StartSource<T>).read(events, max)
    } catch (error) {
      this.#host.matchesFailed(error)
      this.end({ reason: 'reset' })
      return false
    }
    if (state === 'done') {
      this.#source = undefined
      return true
    }
    if (state === 'lost') this.end({ reason: 'slow' })
    // Nothing found so far, but the search goes on in another turn.
    if (events.length === 0) {
      this.#announced = false
      this.#announce()
    }
    return false
  }

  #takeQueued (events: CacheWatchEvent<T>[], max: number): CacheWatchEvent<T>[] {
    if (this.#queue.length === 0) {
      this.#announced = false
      return events
    }
    const waiting = this.#queue.length - this.#head
    if (events.length + waiting <= max) {
      const queue = this.#head === 0 ? this.#queue : this.#queue.slice(this.#head)
      this.#queue = []
      this.#head = 0
      this.#announced = false
      return events.length === 0 ? queue : events.concat(queue)
    }
    const end = this.#head + max - events.length
    const taken = this.#queue.slice(this.#head, end)
    this.#head = end
    if (this.#head >= SPENT_SLOTS && this.#head * 2 >= this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head)
      this.#head = 0
    }
    return events.length === 0 ? taken : events.concat(taken)
  }

  onReadable (callback: () => void): void {
    this.#callback = callback
    if (this.#ended !== undefined || this.#source !== undefined || this.#queue.length > this.#head) {
      this.#announced = false
      this.#announce()
    }
  }

  close (): void {
    this.#callback = undefined
    this.end({ reason: 'closed' })
  }

  /** For the Cacher: a change in the watcher's scope. True if the watcher will be told of it. */
  offer (change: Change<T>): boolean {
    if (this.#ended !== undefined || change.revision <= this.#after) return false
    let event: CacheWatchEvent<T> | undefined
    try {
      event = change.eventFor(this.filter.matches)
    } catch (error) {
      this.#host.matchesFailed(error)
      this.end({ reason: 'reset' })
      return false
    }
    if (event === undefined) return false
    if (this.#queue.length - this.#head >= this.#bufferSize) {
      this.end({ reason: 'slow' })
      return false
    }
    this.#queue.push(event)
    this.#announce()
    return true
  }

  /**
   * For the Cacher: all changes up to the revision have been offered. A bookmark that still waits at the end of the queue is brought up to
   * date; one that finds the queue full is left out.
   */
  bookmark (revision: Revision): void {
    if (this.#ended !== undefined || revision <= this.#bookmarksAfter) return
    const event: CacheWatchEvent<T> = { type: 'BOOKMARK', revision, initialEventsEnd: false }
    const last = this.#queue.length - 1
    if (last >= this.#head && this.#queue[last]?.type === 'BOOKMARK') {
      this.#queue[last] = event
    } else if (this.#queue.length - this.#head < this.#bufferSize) {
      this.#queue.push(event)
      this.#announce()
    }
  }

  /** For the Cacher: ends the watcher, drops what was not taken and says so. The first reason counts. */
  end (end: CacheWatchEnd): void {
    if (this.#ended !== undefined) return
    this.#ended = end
    this.#source = undefined
    this.#queue = []
    this.#head = 0
    this.#host.ended(this, end)
    this.#announced = false
    if (this.#callback !== undefined) this.#announce()
  }

  /** For the Cacher: the turn has come. */
  wake (): void {
    this.#wakePending = false
    this.#callback?.()
  }

  #announce (): void {
    if (this.#announced) return
    this.#announced = true
    if (this.#wakePending) return
    this.#wakePending = true
    this.#host.wakeSoon(this)
  }
}
