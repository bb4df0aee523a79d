import type { Revision, Storage, StoredValue } from '../interfaces.js'

/** One key of the cache. Shared by every reader and watcher: never changed once made. */
export interface CacheItem<T> {
  readonly key: string
  /** The revision of the write that made the value; in a DELETED event the revision of the change that took it away. */
  readonly revision: Revision
  readonly value: T
}

/**
 * What a watcher is told. An event object is made once per change and shared by all watchers, so whatever is derived from it
 * (serialised bytes) can be remembered by its identity.
 *
 * DELETED carries the last content under the revision of the delete, or of the change that made it stop matching.
 */
export type CacheWatchEvent<T> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly item: CacheItem<T> }
  | { readonly type: 'BOOKMARK'; readonly revision: Revision; readonly initialEventsEnd: boolean }

/** Time, replaceable in tests. */
export interface CacherClock {
  /** Milliseconds that never go back. */
  now (): number
  /** Runs something once, later; the result cancels it. Must not keep the process alive. */
  after (ms: number, run: () => void): () => void
}

export interface CacherOptions<T> {
  readonly storage: Storage
  /** Ends in '/', for example '/registry/mycompany.io/databases/'. */
  readonly prefix: string
  /** May throw: the value is then reported through `onCorrupt` and left out of the cache. */
  readonly decode: (value: StoredValue) => T
  /** The same content under another revision, for DELETED events. Called at most once per change. */
  readonly withRevision: (value: T, revision: Revision) => T
  readonly onCorrupt?: ((value: StoredValue, error: unknown) => void) | undefined
  /** Told of every failure that the Cacher survives: of the storage, of a predicate, of an `onReadable` callback. For the log. */
  readonly onError?: ((error: unknown, during: CacherActivity) => void) | undefined
  /** No more events than this are remembered. Default 102,400 (kube-apiserver's upper bound). */
  readonly historyLimit?: number | undefined
  /** So many events are remembered whatever their age. Default 100 (kube-apiserver's lower bound). */
  readonly historyMinimum?: number | undefined
  /** Events younger than this are remembered, up to the limit. Default 75 s (kube-apiserver's DefaultEventFreshDuration). */
  readonly historyMs?: number | undefined
  /** Events a watcher may have waiting before it is ended as slow. Default 1,000. */
  readonly watchBufferSize?: number | undefined
  /** How long `waitFresh` waits. Default 3 s (kube-apiserver's blockTimeout). */
  readonly freshTimeoutMs?: number | undefined
  /** Time between two bookmarks of a watcher. Default one minute. */
  readonly bookmarkIntervalMs?: number | undefined
  /** Keys read from the storage at once when the cache is filled. Default 500: what a page needs for a moment leaves holes among what stays, and etcd counts the rest anew for each. */
  readonly listPageSize?: number | undefined
  /** First and longest pause between attempts while the storage is away. Default 100 ms and 5 s. */
  readonly backoffMs?: { readonly initial: number; readonly max: number } | undefined
  readonly clock?: CacherClock | undefined
}

export type CacherActivity = 'list' | 'watch' | 'matches' | 'onReadable' | 'onCorrupt'

export interface CacheListOptions<T> {
  /** A key prefix at or below the cacher's, ending in '/'; or one key, with `exactKey`. */
  readonly scope: string
  readonly exactKey?: boolean | undefined
  /** Begin at this key (inclusive) instead of at the beginning of the scope. */
  readonly startKey?: string | undefined
  /** At most so many matching items; 0 or absent means all. */
  readonly limit?: number | undefined
  readonly matches?: ((value: T) => boolean) | undefined
}

export interface CacheList<T> {
  /** In key order (UTF-8 bytes). */
  readonly items: CacheItem<T>[]
  readonly revision: Revision
  /** Keys of the scope after the last returned one, matching or not. 0 unless the limit was reached. */
  readonly remaining: number
  /** Where the next page begins; absent when `remaining` is 0. */
  readonly nextKey?: string | undefined
}

export type CacheWatchStart =
  /** Every change after this revision. A revision in the future is fine: silent until it has passed. */
  | { readonly from: 'revision'; readonly after: Revision }
  /** The present state as ADDED events, then, if wanted, a BOOKMARK with `initialEventsEnd`, then every change. */
  | { readonly from: 'initial'; readonly bookmarkEnd: boolean }

export interface CacheWatchOptions<T> {
  /** A key prefix at or below the cacher's, ending in '/'; or one key, with `exactKey`. */
  readonly scope: string
  readonly exactKey?: boolean | undefined
  /** Which values the watcher is interested in; all when absent. Must be quick, pure and must not throw. */
  readonly matches?: ((value: T) => boolean) | undefined
  readonly start: CacheWatchStart
  /** Whether to send a bookmark about once a minute, and one shortly before the deadline. */
  readonly bookmarks: boolean
  /** In so many milliseconds from now the caller will end the watch. The Cacher only times the last bookmark by it. */
  readonly deadlineMs?: number | undefined
  /** Instead of the Cacher's `watchBufferSize`. */
  readonly bufferSize?: number | undefined
}

export interface CacheWatchEnd {
  /**
   * - `closed`: by the watcher's `close`, or because the Cacher was stopped.
   * - `slow`: more events were waiting than the buffer takes, or remembered events were forgotten before they were taken.
   * - `expired`: the wanted start is older than the remembered events.
   * - `reset`: the cache was filled anew (or a predicate threw), so the watcher cannot be continued without a gap.
   */
  readonly reason: 'closed' | 'slow' | 'expired' | 'reset'
  /** For `expired`: the oldest revision that a watch could have started after. */
  readonly oldest?: Revision | undefined
}

/** One client's view of the changes. */
export interface CacheWatcher<T> {
  /**
   * Takes the next events, in order: at most `max` (1,000 unless told). An empty answer means that nothing is waiting now, and
   * that the `onReadable` callback will be called when something is. After the end it is always empty: what had not been taken
   * is dropped, for a client resumes from the last event it saw.
   */
  take (max?: number): CacheWatchEvent<T>[]
  /**
   * Sets the one callback. It is called, never synchronously, whenever the queue has turned from empty to non-empty, and once at the
   * end (unless the end is the caller's own `close`); however many events arrive within a turn of the event loop, it is one call.
   * What is readable already when the callback is set counts as having just arrived.
   */
  onReadable (callback: () => void): void
  readonly ended: CacheWatchEnd | undefined
  close (): void
}

/** For metrics. Counters count since the start. */
export interface CacherStats {
  readonly ready: boolean
  readonly items: number
  /** Keys whose value cannot be decoded. */
  readonly corruptItems: number
  readonly revision: Revision | undefined
  readonly watchers: number
  readonly historyEvents: number
  readonly historyCapacity: number
  /** The oldest revision that a watch can start after. */
  readonly oldestRevision: Revision | undefined
  readonly waitingReads: number
  readonly eventsReceived: number
  /** Events put into some watcher's queue. */
  readonly eventsDispatched: number
  readonly watchersEndedSlow: number
  /** How often the cache was filled: 1 in an undisturbed life. */
  readonly initializations: number
}
