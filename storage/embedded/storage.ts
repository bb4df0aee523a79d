import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { StorageError } from '../errors.js'
import type { GetResult, ListOptions, ListResult, Revision, Storage, StorageEvent, StorageWatch, StoredValue, WatchOptions } from '../interfaces.js'
import { keptCopy } from '../kept-bytes.js'
import { CommitQueue, type CommitStats } from './commit-queue.js'
import { Compactor, type CompactionStats } from './compactor.js'
import { makeDirectory, openDatabase, unusableError, type OpenDatabase } from './database.js'
import { DirectoryLock } from './directory-lock.js'
import { asStorageError, closedError, throwIfAborted } from './errors.js'
import { EventRing } from './event-ring.js'
import { RemainingCounts } from './remaining-counts.js'
import { prefixRange, Tables, type KeyRange } from './tables.js'
import { EmbeddedWatch, type WatchSource } from './watch.js'

export interface EmbeddedStorageOptions {
  /** Made with mode 0700 if it is missing. One process at a time. */
  readonly directory: string
  /** How often history is compacted; 5 minutes if absent, never if 0. */
  readonly compactionIntervalMs?: number | undefined
  /** How much history compaction leaves; 5 minutes if absent, as kube-apiserver with etcd. */
  readonly historyMs?: number | undefined
  /** Address space for the data at the start, in bytes; it grows when needed. */
  readonly mapSize?: number | undefined
  /** Larger values are refused with TooLarge; 1.5 MiB if absent, as in etcd. */
  readonly maxValueBytes?: number | undefined
  /** The time in milliseconds, for the age of history. */
  readonly clock?: (() => number) | undefined
}

/** Figures for metrics. */
export interface EmbeddedStorageStats extends CommitStats, CompactionStats {
  readonly revision: Revision
  readonly compactRevision: Revision
  /** Size of the data file; it never shrinks, freed room is used again. */
  readonly fileBytes: number
  readonly keys: number
  readonly deadKeys: number
  /** Versions that were replaced and are still kept. */
  readonly oldVersions: number
  readonly logLines: number
  readonly queuedWrites: number
  readonly watches: number
  readonly bufferedEvents: number
  readonly bufferedBytes: number
}

/** LMDB's limit for keys, less what a version adds to a key. */
const maxKeyBytes = 1_978 - 9

/** Keys looked at in one turn of the event loop: a few milliseconds. */
const keysPerTurn = 2_000

/** Events (and lines of the log) that a watch takes in one step, and bytes of values after which a step ends. */
const eventsPerStep = 500
const bytesPerStep = 4 << 20

/** Up to so many writes ago, the keys at a revision are counted by looking at the writes since. */
const countableChanges = 1_000

/** Storage in one LMDB file, in this process. Every read is from a snapshot, every answered write is on the disk. See README.md of `storage`. */
export class EmbeddedStorage implements Storage {
  readonly #directory: string
  readonly #lock: DirectoryLock
  readonly #database: OpenDatabase
  readonly #tables: Tables
  readonly #commits: CommitQueue
  readonly #compactor: Compactor
  readonly #maxValueBytes: number
  readonly #ring = new EventRing({ maxEvents: 8_192, maxBytes: 16 << 20 })
  readonly #watches = new Set<EmbeddedWatch>()
  readonly #watchSource: WatchSource
  readonly #remaining = new RemainingCounts(1_000)
  /** Reads under way, which need the database open. */
  #reads = 0
  #readsDone: (() => void) | undefined
  #closing: Promise<void> | undefined

  private constructor (lock: DirectoryLock, database: OpenDatabase, directory: string, options: EmbeddedStorageOptions) {
    const { compactionIntervalMs: intervalMs = 300_000, historyMs = 300_000, maxValueBytes = 1.5 * (1 << 20), clock = Date.now } = options
    this.#directory = directory
    this.#lock = lock
    this.#database = database
    this.#maxValueBytes = maxValueBytes
    const tables = this.#tables = new Tables(database)
    const commits = this.#commits = new CommitQueue({ directory, database, tables, clock, published: events => { this.#publish(events) } })
    const compactor = this.#compactor = new Compactor({ tables, commits, clock, historyMs, intervalMs })
    this.#watchSource = {
      get revision () { return commits.revision },
      get compactRevision () { return compactor.revision },
      eventsAfter: (revision, prefix) => this.#eventsAfter(revision, prefix),
      removed: watch => { this.#watches.delete(watch) }
    }
  }

  /** Opens or makes the store of a directory. @throws StorageError Unavailable: the directory is in use, or it or its files cannot be used; the message says which and what to do */
  static async open (options: EmbeddedStorageOptions): Promise<EmbeddedStorage> {
    const directory = resolve(options.directory)
    await makeDirectory(directory)
    let lock: DirectoryLock | undefined
    try {
      lock = await DirectoryLock.acquire(directory)
      return new EmbeddedStorage(lock, await openDatabase(directory, options.mapSize), directory, options)
    } catch (error) {
      await lock?.release()
      throw error instanceof StorageError ? error : unusableError(directory, error)
    }
  }

  async get (key: string, options: { revision?: Revision | undefined, signal?: AbortSignal | undefined } = {}): Promise<GetResult> {
    return await this.#read(options, async revision => ({ value: this.#tables.get(Buffer.from(key), revision), revision }))
  }

  async list (prefix: string, options: ListOptions = {}): Promise<ListResult> {
    return await this.#read(options, async revision => {
      const range = prefixRange(prefix, options.startKey)
      const limit = options.limit === undefined || options.limit <= 0 ? Infinity : options.limit
      const items: StoredValue[] = []
      let rest: KeyRange | undefined = range
      while (rest !== undefined && items.length < limit) {
        // Also after a turn that found nothing: keys that are newer than the revision, or gone before it, take their time too.
        if (rest !== range) await this.#pause(options.signal)
        const { found, next } = this.#tables.scan(rest, revision, { limit: limit - items.length, budget: keysPerTurn, isHead: this.#isHead(revision) })
        for (const modRevision of found) items.push(this.#tables.value(modRevision))
        rest = next === undefined ? undefined : { start: next, end: range.end }
      }
      const remaining = rest === undefined ? 0 : await this.#countRemaining(prefix, range, { items, rest, revision, signal: options.signal })
      return { items, revision, remaining }
    })
  }

  async create (key: string, value: Buffer): Promise<{ revision: Revision }> {
    this.#checkSize(key, value)
    return await this.#commits.submit({ key, value: keptCopy(value), expected: undefined })
  }

  async update (key: string, value: Buffer, { modRevision }: { modRevision: Revision }): Promise<{ revision: Revision }> {
    this.#checkSize(key, value)
    return await this.#commits.submit({ key, value: keptCopy(value), expected: modRevision })
  }

  async delete (key: string, { modRevision }: { modRevision: Revision }): Promise<{ revision: Revision }> {
    this.#checkSize(key, undefined)
    return await this.#commits.submit({ key, value: undefined, expected: modRevision })
  }

  watch (prefix: string, { afterRevision }: WatchOptions): StorageWatch {
    if (this.#closing !== undefined) return closedWatch(this.#directory)
    const watch = new EmbeddedWatch(this.#watchSource, prefix, afterRevision)
    this.#watches.add(watch)
    return watch
  }

  async compact (revision: Revision): Promise<void> {
    if (this.#closing !== undefined) throw closedError(this.#directory)
    try {
      await this.#compactor.compact(revision)
    } catch (error) {
      throw asStorageError(error, this.#directory)
    }
  }

  /** Compacts what is older than `historyMs`, as the timer does. */
  async compactHistory (): Promise<void> {
    if (this.#closing !== undefined) throw closedError(this.#directory)
    await this.#compactor.compactHistory()
  }

  async currentRevision (options: { signal?: AbortSignal | undefined } = {}): Promise<Revision> {
    return await this.#read({ signal: options.signal }, async revision => revision)
  }

  knownRevision (): Revision | undefined {
    return this.#closing === undefined && this.#commits.broken === undefined ? this.#commits.revision : undefined
  }

  /** After a failed commit this tries one, so that a store whose disk has room again is healthy again. */
  async health (options: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    await this.#read({ signal: options.signal }, async () => {
      try {
        if (this.#commits.broken !== undefined) throw this.#commits.broken
        if (this.#commits.lastFailure !== undefined) await this.#commits.maintain(() => { this.#tables.writeCompactRevision(this.#compactor.revision) })
      } catch (cause) {
        if (cause instanceof StorageError && (cause.code === 'Closed' || cause.code === 'Unavailable')) throw cause
        throw new StorageError('Unavailable', (cause as Error).message, { cause })
      }
    })
  }

  async close (): Promise<void> {
    this.#closing ??= this.#close()
    await this.#closing
  }

  stats (): EmbeddedStorageStats {
    const { current, dead, history, log, path } = this.#database
    const closed = this.#closing !== undefined
    const entries = (table: typeof current): number => closed ? 0 : (table.getStats() as { entryCount: number }).entryCount
    return {
      ...this.#commits.stats,
      ...this.#compactor.stats,
      revision: this.#commits.revision,
      compactRevision: this.#compactor.revision,
      fileBytes: statSync(path, { throwIfNoEntry: false })?.size ?? 0,
      keys: entries(current),
      deadKeys: entries(dead),
      oldVersions: entries(history),
      logLines: entries(log),
      queuedWrites: this.#commits.queuedWrites,
      watches: this.#watches.size,
      bufferedEvents: this.#ring.length,
      bufferedBytes: this.#ring.bytes
    }
  }

  async #close (): Promise<void> {
    for (const watch of this.#watches) watch.close()
    await this.#compactor.close()
    await this.#commits.close()
    if (this.#reads > 0) await new Promise<void>(resolve => { this.#readsDone = resolve })
    await this.#database.root.close()
    await this.#lock.release()
  }

  /** Runs a read at a revision, which it keeps readable and the database open. Whatever goes wrong becomes a StorageError. */
  async #read<T> ({ revision: asked, signal }: { revision?: Revision | undefined, signal?: AbortSignal | undefined }, read: (revision: Revision) => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) throw closedError(this.#directory)
    throwIfAborted(signal)
    const { revision: newest } = this.#commits
    const revision = asked ?? newest
    if (revision > newest) throw new StorageError('FutureRevision', `revision ${revision} has not happened yet: the store is at ${newest}`, { revision: newest })
    const { revision: oldest } = this.#compactor
    if (revision < oldest) throw new StorageError('Compacted', `revision ${revision} is no longer kept: history begins at ${oldest}`, { revision: oldest })
    const unpin = this.#compactor.pin(revision)
    this.#reads++
    try {
      return await read(revision)
    } catch (error) {
      throw asStorageError(error, this.#directory)
    } finally {
      unpin()
      if (--this.#reads === 0) this.#readsDone?.()
    }
  }

  /** Lets others run in the middle of a long read. */
  async #pause (signal: AbortSignal | undefined): Promise<void> {
    await nextTurn()
    throwIfAborted(signal)
    if (this.#closing !== undefined) throw closedError(this.#directory)
  }

  /** Whether the tables hold nothing that was written after the revision. */
  #isHead (revision: Revision): boolean {
    return revision === this.#commits.revision && this.#commits.isSettled
  }

  async #countRemaining (prefix: string, range: KeyRange, { items, rest, revision, signal }: { items: readonly StoredValue[], rest: KeyRange, revision: Revision, signal: AbortSignal | undefined }): Promise<number> {
    // The next page of a list begins right behind the last item of the one before, and what exists at a revision does not change.
    const before = this.#remaining.after(prefix, range.start, revision)
    let remaining = before === undefined ? this.#tables.count(rest, revision, countableChanges) : before - items.length
    if (remaining === undefined) {
      remaining = 0
      for (let uncounted: Buffer | undefined = rest.start; uncounted !== undefined;) {
        const { found, next } = this.#tables.scan({ start: uncounted, end: rest.end }, revision, { limit: Infinity, budget: keysPerTurn, isHead: this.#isHead(revision) })
        remaining += found.length
        uncounted = next
        if (next !== undefined) await this.#pause(signal)
      }
    }
    const last = items.at(-1)
    if (last !== undefined) this.#remaining.remember(prefix, last.key, revision, remaining)
    return remaining
  }

  #publish (events: readonly StorageEvent[]): void {
    this.#ring.push(events)
    for (const watch of this.#watches) watch.advance()
  }

  #eventsAfter (revision: Revision, prefix: string): { events: StorageEvent[], revision: Revision, fromHistory: boolean } {
    const recent = this.#ring.from(revision + 1n, eventsPerStep)
    if (recent !== undefined) {
      return { events: recent.filter(event => event.key.startsWith(prefix)), revision: recent.at(-1)?.modRevision ?? revision, fromHistory: false }
    }
    const start = Buffer.from(prefix)
    const events: StorageEvent[] = []
    let last = revision
    let bytes = 0
    for (const line of this.#tables.readLog(revision + 1n, this.#commits.revision, eventsPerStep)) {
      if (bytes >= bytesPerStep) break
      last = line.revision
      if (Buffer.compare(line.key.subarray(0, start.length), start) !== 0) continue
      bytes += line.value.length
      const key = line.key.toString()
      events.push(line.type === 'put' ? { type: 'put', key, value: line.value, modRevision: last } : { type: 'delete', key, modRevision: last })
    }
    return { events, revision: last, fromHistory: true }
  }

  #checkSize (key: string, value: Buffer | undefined): void {
    const keyBytes = Buffer.byteLength(key)
    if (keyBytes === 0 || keyBytes > maxKeyBytes) throw new StorageError('TooLarge', `a key must have 1 to ${maxKeyBytes} bytes, and this one has ${keyBytes}`, { key })
    if (value !== undefined && value.length > this.#maxValueBytes) {
      throw new StorageError('TooLarge', `the value of ${key} has ${value.length} bytes, and ${this.#maxValueBytes} are allowed`, { key })
    }
  }
}

/** A watch of a store that is closed: its iteration fails. */
function closedWatch (directory: string): StorageWatch {
  return {
    requestProgress () { /* there is nobody to answer */ },
    close () { /* it is */ },
    // eslint-disable-next-line require-yield
    async * [Symbol.asyncIterator] () {
      throw closedError(directory)
    }
  }
}
