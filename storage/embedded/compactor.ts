import { StorageError } from '../errors.js'
import type { Revision } from '../interfaces.js'
import { asError } from './errors.js'
import type { CommitQueue } from './commit-queue.js'
import type { Tables } from './tables.js'

/** So many lines of the log are forgotten in one transaction: a few milliseconds, which is what a write may have to wait. */
const linesPerBatch = 250

export interface CompactionStats {
  compactions: number
  failedCompactions: number
  lastCompactionMs: number
  /** Why the last compaction by the timer failed; undefined if it did not. */
  lastCompactionError: string | undefined
}

/**
 * Forgets history. First the revision is recorded, durably: from then on nobody can read below it. What that makes superfluous is then
 * removed along the log, in small transactions that take turns with writes; after a crash the next start goes on where the work had got to.
 */
export class Compactor {
  readonly stats: CompactionStats = { compactions: 0, failedCompactions: 0, lastCompactionMs: 0, lastCompactionError: undefined }
  readonly #tables: Tables
  readonly #commits: CommitQueue
  readonly #clock: () => number
  readonly #historyMs: number
  readonly #timer: NodeJS.Timeout | undefined
  #revision: Revision
  /** Reads under way at past revisions, and how many: what they need stays until they are done. */
  readonly #pins = new Map<Revision, number>()
  #unpinned: (() => void) | undefined
  #working: Promise<void> | undefined
  #closed = false

  constructor ({ tables, commits, clock, historyMs, intervalMs }: { tables: Tables, commits: CommitQueue, clock: () => number, historyMs: number, intervalMs: number }) {
    this.#tables = tables
    this.#commits = commits
    this.#clock = clock
    this.#historyMs = historyMs
    this.#revision = tables.compactRevision()
    if (tables.forgottenRevision() < this.#revision) this.#inBackground(this.#work())
    if (intervalMs > 0) {
      this.#timer = setInterval(() => { this.#inBackground(this.compactHistory()) }, intervalMs)
      this.#timer.unref()
    }
  }

  /** History before this revision is gone; 1 if nothing was ever compacted. */
  get revision (): Revision {
    return this.#revision
  }

  /** Resolves when history before the revision is gone and its room is free for new data. @throws FutureRevision, NoSpace, Unavailable, Closed */
  async compact (revision: Revision): Promise<void> {
    if (revision > this.#commits.revision) {
      throw new StorageError('FutureRevision', `cannot compact at revision ${revision}: the store is at ${this.#commits.revision}`, { revision: this.#commits.revision })
    }
    if (revision <= this.#revision) return
    await this.#commits.maintain(() => {
      // Another compaction to a later revision may have been recorded meanwhile.
      if (revision > this.#tables.compactRevision()) this.#tables.writeCompactRevision(revision)
    })
    if (revision > this.#revision) this.#revision = revision
    await this.#work()
  }

  /** Compacts to the newest revision that is older than the history to keep. */
  async compactHistory (): Promise<void> {
    const revision = this.#revisionAt(this.#clock() - this.#historyMs)
    if (revision !== undefined && revision > this.#revision) await this.compact(revision)
  }

  /** Keeps what a read at the revision needs until the returned function is called. */
  pin (revision: Revision): () => void {
    this.#pins.set(revision, (this.#pins.get(revision) ?? 0) + 1)
    return () => {
      const count = this.#pins.get(revision) ?? 0
      if (count > 1) this.#pins.set(revision, count - 1)
      else this.#pins.delete(revision)
      this.#unpinned?.()
    }
  }

  /** Begins no more work, and waits for the batch under way; the next start finishes the rest. */
  async close (): Promise<void> {
    this.#closed = true
    clearInterval(this.#timer)
    this.#unpinned?.()
    await this.#working?.catch(() => { /* its caller has been told */ })
  }

  /** One pass at a time; a compaction that comes meanwhile gets the next one. */
  async #work (): Promise<void> {
    while (this.#working !== undefined) await this.#working.catch(() => { /* its caller is told */ })
    if (this.#closed) return
    const target = this.#revision
    this.#working = this.#forget(target)
    try {
      await this.#working
    } finally {
      this.#working = undefined
    }
  }

  async #forget (target: Revision): Promise<void> {
    const start = performance.now()
    // The last line of the pass before is looked at again: it may be a delete that was kept for watches.
    let next = this.#tables.forgottenRevision()
    while (next <= target) {
      if (this.#limit(target) < next) await new Promise<void>(resolve => { this.#unpinned = resolve })
      this.#unpinned = undefined
      if (this.#closed) return
      await this.#commits.maintain(() => {
        const limit = this.#limit(target)
        const lines = this.#tables.readLog(next, limit, linesPerBatch)
        this.#tables.forget(lines, target)
        const last = lines.at(-1)?.revision
        // With a line for every revision nothing is left out by going on behind the last one, or behind the limit if there was none.
        if (last !== undefined) next = last + 1n
        else if (limit >= next) next = limit + 1n
      })
    }
    this.stats.compactions++
    this.stats.lastCompactionMs = performance.now() - start
  }

  /** A line of the log may be worked on if no read is under way at an older revision. */
  #limit (target: Revision): Revision {
    let limit = target
    for (const revision of this.#pins.keys()) if (revision < limit) limit = revision
    return limit
  }

  /** The newest revision of the log written at or before a time. A clock that was set back makes this imprecise for a while, not wrong. */
  #revisionAt (timeMs: number): Revision | undefined {
    let low = this.#revision
    let high = this.#commits.revision
    let found: Revision | undefined
    while (low <= high) {
      const middle: Revision = (low + high) / 2n
      const line = this.#tables.logLine(middle)
      if (line !== undefined && line.timeMs <= timeMs) {
        found = middle
        low = middle + 1n
      } else {
        high = middle - 1n
      }
    }
    return found
  }

  /** A failure shows in the statistics; the next tick of the timer tries again. */
  #inBackground (work: Promise<void>): void {
    work.then(
      () => { this.stats.lastCompactionError = undefined },
      (error: unknown) => {
        if (this.#closed) return
        this.stats.failedCompactions++
        this.stats.lastCompactionError = asError(error).message
      })
  }
}
