import { StorageError } from '../errors.js'
import type { Revision, StorageEvent, WatchBatch } from '../interfaces.js'
import { BookmarkSchedule } from './bookmark-schedule.js'
import { BufferedCacheWatcher } from './buffered-cache-watcher.js'
import type { WatcherHost } from './buffered-cache-watcher.js'
import { systemClock } from './clock.js'
import type {
  CacheItem, CacheList, CacheListOptions, CacherActivity, CacherClock, CacherOptions, CacherStats, CacheWatchEnd, CacheWatchOptions, CacheWatcher
} from './interfaces.js'
import { ReadBarrier } from './read-barrier.js'
import { Reflector } from './reflector.js'
import { InitialEvents, ReplayedEvents } from './start-source.js'
import type { StartSource, WatchFilter } from './start-source.js'
import { Wakeups } from './wakeups.js'
import { Replacement, WatchCache } from './watch-cache.js'
import type { WatchCacheOptions } from './watch-cache.js'
import { WatcherIndex } from './watcher-index.js'

/** The period of the one timer that sends bookmarks and forgets old history. */
const TICK_MS = 1_000

/** After at most so many events watchers get a turn to take them, so that a burst does not fill the buffers of quick ones. */
const EVENTS_PER_TURN = 256

/**
 * The watch cache of one prefix: one list and one watch of the storage serve any number of readers and watchers.
 *
 * It begins to fill when it is made and keeps itself up to date until `stop`, whatever the storage does. While the storage is away,
 * reads of any age go on and watchers stay open and silent. When the changes since then turn out to be lost (compacted), the cache is
 * filled anew: all watchers are ended with `reset`, and the remembered events are gone.
 */
export class Cacher<T> {
  readonly #clock: CacherClock
  readonly #prefix: string
  readonly #bufferSize: number
  readonly #eventsPerTurn: number
  readonly #onError: ((error: unknown, during: CacherActivity) => void) | undefined
  readonly #cacheOptions: WatchCacheOptions<T>
  readonly #reflector: Reflector
  readonly #barrier: ReadBarrier
  readonly #watchers: WatcherIndex<T>
  readonly #bookmarks: BookmarkSchedule
  readonly #host: WatcherHost<T>
  readonly #running: Promise<void>
  #cache: WatchCache<T> | undefined
  #stopped = false
  #cancelTick: () => void = () => {}
  #eventsThisTurn = 0
  #eventsReceived = 0
  #eventsDispatched = 0
  #watchersEndedSlow = 0
  #initializations = 0

  constructor (options: CacherOptions<T>) {
    if (!options.prefix.endsWith('/')) throw new TypeError(`the prefix ${JSON.stringify(options.prefix)} must end in '/'`)
    this.#clock = options.clock ?? systemClock
    this.#prefix = options.prefix
    this.#bufferSize = options.watchBufferSize ?? 1_000
    this.#eventsPerTurn = Math.min(EVENTS_PER_TURN, Math.ceil(this.#bufferSize / 2))
    this.#onError = options.onError
    this.#cacheOptions = this.#makeCacheOptions(options)
    this.#watchers = new WatcherIndex(this.#prefix)
    this.#bookmarks = new BookmarkSchedule(options.bookmarkIntervalMs ?? 60_000)
    this.#host = this.#makeHost()
    this.#reflector = this.#makeReflector(options)
    this.#barrier = new ReadBarrier({
      storage: options.storage,
      clock: this.#clock,
      timeoutMs: options.freshTimeoutMs ?? 3_000,
      reflector: this.#reflector,
      revision: () => this.#cache?.revision
    })
    this.#running = this.#reflector.run()
    this.#scheduleTick()
  }

  /** Whether the cache has been filled. Once true it stays so, until the Cacher is stopped. */
  ready (): boolean {
    return this.#cache !== undefined && !this.#stopped
  }

  /** @throws StorageError Aborted, Closed */
  async whenReady (signal?: AbortSignal): Promise<void> {
    await this.#barrier.filled(signal)
  }

  /**
   * Waits until the cache reflects at least a revision; `any`: whatever there is; `consistent`: every write that was acknowledged
   * before this call, by a linearizable read of the storage's revision that concurrent calls share. Answers the cache's revision;
   * `get`, `list` and `watch` then show that one or a later one.
   *
   * All that within `freshTimeoutMs`. A cache that has not been filled yet is waited for, too.
   * @throws StorageError FutureRevision (with the cache's revision): not reached in time. For `consistent` this means that the storage's
   *   watch lags behind: read the storage instead. Unavailable: the storage is away. Aborted. Closed.
   */
  waitFresh (want: 'any' | 'consistent' | Revision, signal?: AbortSignal): Promise<Revision> {
    return this.#barrier.wait(want, signal)
  }

  /** The item as it is now. */
  get (key: string): CacheItem<T> | undefined {
    return this.#cache?.get(key)
  }

  /** Whether the key exists but its value could not be decoded, so that `get` and `list` do not know it. */
  isCorrupt (key: string): boolean {
    return this.#cache?.isCorrupt(key) ?? false
  }

  /** The items as they are now. @throws StorageError Unavailable if the cache has not been filled */
  list (options: CacheListOptions<T>): CacheList<T> {
    this.#checkScope(options.scope, options.exactKey === true)
    return this.#filled().list(options)
  }

  /**
   * Whether the present state of the scope (of everything, unless told) equals its state at the revision, so that a read of that revision
   * can be answered by `get` and `list`. False for revisions to come; may be false out of caution.
   */
  unchangedSince (revision: Revision, scope: string = this.#prefix): boolean {
    return this.#cache?.unchangedSince(revision, scope) ?? false
  }

  /** The revision that `get` and `list` reflect; undefined until the cache has been filled. */
  get currentRevision (): Revision | undefined {
    return this.#cache?.revision
  }

  get size (): number {
    return this.#cache?.size ?? 0
  }

  /**
   * Opens a watch; what it starts from is the state at this moment. With a start that is too old it comes ended with `expired`, with a
   * stopped Cacher `closed`.
   * @throws StorageError Unavailable if the cache has not been filled
   */
  watch (options: CacheWatchOptions<T>): CacheWatcher<T> {
    const { scope, exactKey = false, start } = options
    this.#checkScope(scope, exactKey)
    const cache = this.#filled()
    const filter: WatchFilter<T> = { scope, exactKey, matches: options.matches }
    const watcher = new BufferedCacheWatcher({
      filter,
      source: this.#startSource(cache, options, filter),
      after: start.from === 'revision' && start.after > cache.revision ? start.after : cache.revision,
      bookmarksAfter: start.from === 'revision' ? start.after : cache.revision,
      bufferSize: options.bufferSize ?? this.#bufferSize,
      host: this.#host
    })
    const { floor } = cache.history
    if (this.#stopped) watcher.end({ reason: 'closed' })
    else if (start.from === 'revision' && start.after < floor) watcher.end({ reason: 'expired', oldest: floor })
    else {
      this.#watchers.add(watcher)
      if (options.bookmarks) this.#bookmarks.add(watcher, this.#clock.now(), options.deadlineMs)
    }
    return watcher
  }

  stats (): CacherStats {
    const cache = this.#cache
    return {
      ready: this.ready(),
      items: this.size,
      corruptItems: cache?.corruptSize ?? 0,
      revision: cache?.revision,
      watchers: this.#watchers.size,
      historyEvents: cache?.history.size ?? 0,
      historyCapacity: cache?.history.capacity ?? 0,
      oldestRevision: cache?.history.floor,
      waitingReads: this.#barrier.size,
      eventsReceived: this.#eventsReceived,
      eventsDispatched: this.#eventsDispatched,
      watchersEndedSlow: this.#watchersEndedSlow,
      initializations: this.#initializations
    }
  }

  /** Ends all watchers and waits with `closed`. Resolves when nothing is asked of the storage any more. Idempotent. */
  async stop (): Promise<void> {
    if (!this.#stopped) {
      this.#stopped = true
      this.#cancelTick()
      this.#reflector.stop()
      this.#barrier.close(new StorageError('Closed', `the cache of ${this.#prefix} was stopped`))
      this.#endWatchers({ reason: 'closed' })
    }
    await this.#running
  }

  #startSource (cache: WatchCache<T>, { start }: CacheWatchOptions<T>, filter: WatchFilter<T>): StartSource<T> | undefined {
    if (start.from === 'initial') return new InitialEvents(cache.snapshot(), filter, start.bookmarkEnd ? cache.revision : undefined)
    if (start.after >= cache.revision || start.after < cache.history.floor) return undefined
    const sequence = cache.history.sequenceAfter(start.after)
    return sequence === cache.history.end ? undefined : new ReplayedEvents(cache.history, filter, sequence)
  }

  async #apply (batch: WatchBatch): Promise<void> {
    const cache = this.#cache as WatchCache<T>
    const seen = cache.revision
    let last = seen
    for (const event of batch.events) {
      // A resumed watch may repeat what was delivered before it broke.
      if (event.modRevision <= seen) continue
      // Only between two revisions may anybody look.
      if (this.#eventsThisTurn >= this.#eventsPerTurn && event.modRevision !== last) {
        this.#barrier.advance(cache.revision)
        await this.#nextTurn()
        if (this.#stopped) return
      }
      last = event.modRevision
      this.#applyEvent(cache, event)
    }
    cache.advance(batch.revision)
    this.#barrier.advance(cache.revision)
  }

  #applyEvent (cache: WatchCache<T>, event: StorageEvent): void {
    this.#eventsReceived++
    this.#eventsThisTurn++
    const change = cache.apply(event, this.#clock.now())
    if (change === undefined) return
    this.#watchers.forEachOf(change.key, (watcher) => {
      if (watcher.offer(change)) this.#eventsDispatched++
    })
  }

  async #nextTurn (): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
    this.#eventsThisTurn = 0
  }

  #replace (content: Replacement<T>, revision: Revision): void {
    if (this.#stopped) return
    this.#cache = new WatchCache(content, revision, this.#cacheOptions)
    this.#initializations++
    this.#endWatchers({ reason: 'reset' })
    this.#barrier.advance(revision)
  }

  #endWatchers (end: CacheWatchEnd): void {
    for (const watcher of this.#watchers.all()) watcher.end(end)
  }

  #scheduleTick (): void {
    this.#cancelTick = this.#clock.after(TICK_MS, () => {
      const now = this.#clock.now()
      if (this.#cache !== undefined) {
        this.#bookmarks.send(now, this.#cache.revision)
        // The bookmarks of the next tick shall be fresh even if nobody writes here.
        if (this.#bookmarks.anyDueWithin(TICK_MS, now)) this.#reflector.requestProgress()
        this.#cache.history.trim(now)
      }
      this.#scheduleTick()
    })
  }

  #filled (): WatchCache<T> {
    if (this.#cache === undefined) throw new StorageError('Unavailable', `the cache of ${this.#prefix} has not been filled yet`)
    return this.#cache
  }

  #checkScope (scope: string, exactKey: boolean): void {
    if (!scope.startsWith(this.#prefix)) throw new RangeError(`the scope ${JSON.stringify(scope)} is not below ${this.#prefix}`)
    if (!exactKey && !scope.endsWith('/')) throw new RangeError(`the scope ${JSON.stringify(scope)} must end in '/' or be an exact key`)
  }

  #report (error: unknown, during: CacherActivity): void {
    try {
      this.#onError?.(error, during)
    } catch {
      // Whoever cannot take a report gets none.
    }
  }

  #makeCacheOptions (options: CacherOptions<T>): WatchCacheOptions<T> {
    const historyMinimum = Math.max(1, options.historyMinimum ?? 100)
    return {
      prefix: options.prefix,
      decode: options.decode,
      withRevision: options.withRevision,
      onCorrupt: (value, error) => {
        try {
          options.onCorrupt?.(value, error)
        } catch (failure) {
          this.#report(failure, 'onCorrupt')
        }
      },
      history: {
        limit: Math.max(historyMinimum, options.historyLimit ?? 102_400),
        minimum: historyMinimum,
        maxAgeMs: options.historyMs ?? 75_000
      }
    }
  }

  #makeHost (): WatcherHost<T> {
    const wakeups = new Wakeups((error) => this.#report(error, 'onReadable'))
    return {
      wakeSoon: (watcher) => wakeups.add(watcher),
      ended: (watcher, end) => {
        this.#watchers.delete(watcher)
        this.#bookmarks.delete(watcher)
        if (end.reason === 'slow') this.#watchersEndedSlow++
      },
      matchesFailed: (error) => this.#report(error, 'matches')
    }
  }

  #makeReflector (options: CacherOptions<T>): Reflector {
    return new Reflector({
      storage: options.storage,
      prefix: options.prefix,
      pageSize: options.listPageSize ?? 500,
      backoffMs: options.backoffMs ?? { initial: 100, max: 5_000 },
      clock: this.#clock,
      target: {
        begin: () => {
          const content = new Replacement(this.#cacheOptions)
          return { add: (values) => content.add(values), commit: (revision) => this.#replace(content, revision) }
        },
        apply: (batch) => this.#apply(batch),
        revision: () => this.#cache?.revision,
        watching: () => this.#barrier.watching(),
        failed: (error, during) => this.#report(error, during)
      }
    })
  }
}
