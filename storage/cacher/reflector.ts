import { isStorageError, StorageError } from '../errors.js'
import type { Revision, Storage, StorageWatch, StoredValue, WatchBatch } from '../interfaces.js'
import type { CacherClock } from './interfaces.js'

/** Where what the Reflector reads goes. */
export interface ReflectorTarget {
  /** A list begins; what it gathers is of no account until `commit`. */
  begin (): { add (values: readonly StoredValue[]): void; commit (revision: Revision): void }
  /** Some changes. The next ones come when the promise has resolved. */
  apply (batch: WatchBatch): Promise<void>
  /** The revision that a watch continues after; undefined before the first list. */
  revision (): Revision | undefined
  /** A watch has been opened and can be asked for progress. */
  watching (): void
  failed (error: unknown, during: 'list' | 'watch'): void
}

export interface ReflectorOptions {
  readonly storage: Storage
  readonly prefix: string
  readonly pageSize: number
  readonly backoffMs: { readonly initial: number; readonly max: number }
  readonly clock: CacherClock
  readonly target: ReflectorTarget
}

/**
 * Keeps a copy of one prefix up to date: lists it, then follows its changes, for as long as it is not stopped. While the storage is away it
 * tries again with growing, jittered pauses and goes on where it was. Only when the changes since then are no longer to be had
 * (compacted, or the storage has gone back in time) does it list anew.
 */
export class Reflector {
  readonly #options: ReflectorOptions
  readonly #abort = new AbortController()
  #watch: StorageWatch | undefined
  #listNext = true
  #failures = 0
  #away = false
  #endPause: (() => void) | undefined
  #pausedAt = 0

  constructor (options: ReflectorOptions) {
    this.#options = options
  }

  /** Whether the last attempt failed and nothing has been heard from the storage since. */
  get away (): boolean {
    return this.#away
  }

  /** Runs until `stop`; never rejects. */
  async run (): Promise<void> {
    while (!this.#abort.signal.aborted) {
      const during = this.#listNext ? 'list' : 'watch'
      try {
        if (this.#listNext) await this.#list()
        else await this.#follow()
      } catch (error) {
        if (this.#abort.signal.aborted) return
        await this.#recover(error, during)
      }
    }
  }

  stop (): void {
    this.#abort.abort()
    this.#watch?.close()
    this.#endPause?.()
  }

  requestProgress (): void {
    this.#watch?.requestProgress()
  }

  /** The storage has been seen to work: do not wait any longer before trying again, except for the shortest pause. */
  retryNow (): void {
    if (this.#endPause !== undefined && this.#options.clock.now() - this.#pausedAt >= this.#options.backoffMs.initial) this.#endPause()
  }

  /** What has been read so far can no longer be continued: list anew. */
  relist (): void {
    this.#listNext = true
    this.#watch?.close()
    this.#endPause?.()
  }

  async #list (): Promise<void> {
    const { storage, prefix, pageSize, target } = this.#options
    const { signal } = this.#abort
    const replacement = target.begin()
    let revision: Revision | undefined
    let startKey: string | undefined
    for (;;) {
      const page = await storage.list(prefix, { revision, startKey, limit: pageSize, signal })
      signal.throwIfAborted()
      revision ??= page.revision
      replacement.add(page.items)
      const last = page.items[page.items.length - 1]
      if (page.remaining === 0 || last === undefined) break
      startKey = `${last.key}\0`
      // Decoding a page takes its time; others have work, too.
      await new Promise((resolve) => setImmediate(resolve))
    }
    this.#listNext = false
    this.#away = false
    replacement.commit(revision)
  }

  async #follow (): Promise<void> {
    const { storage, prefix, target } = this.#options
    const afterRevision = target.revision() as Revision
    if (this.#failures > 0) await this.#checkHistory(afterRevision)
    const watch = storage.watch(prefix, { afterRevision })
    this.#watch = watch
    try {
      target.watching()
      for await (const batch of watch) {
        if (this.#listNext || this.#abort.signal.aborted) return
        this.#failures = 0
        this.#away = false
        await target.apply(batch)
      }
    } finally {
      this.#watch = undefined
      watch.close()
    }
    if (!this.#listNext && !this.#abort.signal.aborted) throw new StorageError('Closed', 'the storage ended the watch')
  }

  /** A storage that was restored from a backup would be silent until it reaches the old revision again. */
  async #checkHistory (afterRevision: Revision): Promise<void> {
    const revision = await this.#options.storage.currentRevision({ signal: this.#abort.signal })
    if (revision >= afterRevision) return
    throw new StorageError('Compacted', `the storage is at revision ${revision}, behind revision ${afterRevision} seen before`, { revision })
  }

  async #recover (error: unknown, during: 'list' | 'watch'): Promise<void> {
    const lost = during === 'watch' && isStorageError(error, 'Compacted')
    // An error that is not the storage's is one of ours, and the copy may be half changed.
    if (lost || !isStorageError(error)) this.#listNext = true
    if (!lost) this.#away = true
    this.#options.target.failed(error, during)
    const { initial, max } = this.#options.backoffMs
    const pause = lost && this.#failures === 0 ? 0 : Math.min(max, initial * 2 ** Math.min(this.#failures, 20)) * (0.5 + Math.random() / 2)
    this.#failures++
    if (pause > 0) await this.#pause(pause)
  }

  async #pause (ms: number): Promise<void> {
    if (this.#abort.signal.aborted) return
    this.#pausedAt = this.#options.clock.now()
    await new Promise<void>((resolve) => {
      const cancel = this.#options.clock.after(ms, resolve)
      this.#endPause = () => {
        cancel()
        resolve()
      }
    })
    this.#endPause = undefined
  }
}
