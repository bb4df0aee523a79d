import { StorageError } from '../errors.js'
import type { Revision, StorageEvent } from '../interfaces.js'
import type { OpenDatabase } from './database.js'
import { asError, asStorageError, closedError, commitFailure, isNoRoom } from './errors.js'
import type { Tables } from './tables.js'

/** A compare-and-swap: `expected` is the revision that the key must be at, undefined if it must not exist; no `value` deletes it. */
export interface WriteRequest {
  readonly key: string
  readonly value: Buffer | undefined
  readonly expected: Revision | undefined
}

interface QueuedWrite extends WriteRequest {
  readonly id: Buffer
  /** Whether the compare has succeeded and nothing can have changed the key since. */
  compared: boolean
  readonly resolve: (result: { revision: Revision }) => void
  readonly reject: (error: StorageError) => void
}

interface MaintenanceBatch {
  readonly write: () => void
  readonly resolve: () => void
  readonly reject: (error: StorageError) => void
}

export interface CommitStats {
  commits: number
  failedCommits: number
  writes: number
  lastCommitMs: number
  lastCommitWrites: number
}

/** So many writes, or so many bytes of values, go into one transaction at most; the rest waits for the next one. */
const maxBatchWrites = 2_000
const maxBatchBytes = 8 << 20

/**
 * The one place where writes are compared, numbered and made durable: everything queued while a commit is under way shares the next
 * transaction and its one fsync. The queue holds what its callers await and is bounded by them.
 *
 * A compare is only ever made against durable state. There is one transaction at a time, and in it at most one write of a key: a second
 * write of the key waits for the first one's commit. So a failed compare answers at once (nothing unfinished can have caused it), and a
 * failed commit takes no other answer back. Within a key writes keep their order.
 */
export class CommitQueue {
  readonly stats: CommitStats = { commits: 0, failedCommits: 0, writes: 0, lastCommitMs: 0, lastCommitWrites: 0 }
  readonly #directory: string
  readonly #database: OpenDatabase
  readonly #tables: Tables
  readonly #clock: () => number
  readonly #published: (events: readonly StorageEvent[]) => void
  #queue: QueuedWrite[] = []
  /** How many writes of a key are queued or in the transaction under way. */
  readonly #pending = new Map<string, number>()
  #maintenance: MaintenanceBatch[] = []
  #scheduled = false
  #revision: Revision
  /** The newest revision that LMDB may show: of the transaction under way, or of one whose outcome is unknown. */
  #newestInTables: Revision
  #committing = false
  #lastFailure: StorageError | undefined
  #broken: StorageError | undefined
  #closed = false
  #idle: Array<() => void> = []

  /** `published` is called with the events of each commit, in revision order, before its writes are answered. */
  constructor ({ directory, database, tables, clock, published }: { directory: string, database: OpenDatabase, tables: Tables, clock: () => number, published: (events: readonly StorageEvent[]) => void }) {
    this.#directory = directory
    this.#database = database
    this.#tables = tables
    this.#clock = clock
    this.#published = published
    this.#revision = this.#newestInTables = tables.newestRevision()
  }

  /** The newest durable revision. Every acknowledged write is in it, and no other will be lost that is. */
  get revision (): Revision {
    return this.#revision
  }

  /** Whether the tables hold nothing newer than `revision`. */
  get isSettled (): boolean {
    return this.#newestInTables === this.#revision
  }

  get queuedWrites (): number {
    return this.#queue.length
  }

  /** Set once the database can take no more writes until it is opened again. */
  get broken (): StorageError | undefined {
    return this.#broken
  }

  /** The error of the last commit, if it failed. */
  get lastFailure (): StorageError | undefined {
    return this.#lastFailure
  }

  /** Resolves when the write is durable. @throws KeyExists, Conflict, NoSpace, Unavailable, OutcomeUnknown, Closed */
  async submit (request: WriteRequest): Promise<{ revision: Revision }> {
    const refusal = this.#refusal()
    if (refusal !== undefined) throw refusal
    const id = Buffer.from(request.key)
    const pending = this.#pending.get(request.key) ?? 0
    if (pending === 0) {
      const failure = this.#compare(request, id)
      if (failure !== undefined) throw failure
    }
    this.#pending.set(request.key, pending + 1)
    return await new Promise((resolve, reject) => {
      this.#queue.push({ ...request, id, compared: pending === 0, resolve, reject })
      this.#schedule()
    })
  }

  /** Runs a function that puts and removes, in a transaction of its own; while it runs nothing is uncommitted. @throws NoSpace, Unavailable, OutcomeUnknown, Closed */
  async maintain (write: () => void): Promise<void> {
    const refusal = this.#refusal()
    if (refusal !== undefined) throw refusal
    await new Promise<void>((resolve, reject) => {
      this.#maintenance.push({ write, resolve, reject })
      this.#schedule()
    })
  }

  /** Takes no more writes, and resolves when those under way are answered. */
  async close (): Promise<void> {
    this.#closed = true
    if (this.#isIdle()) return
    await new Promise<void>(resolve => { this.#idle.push(resolve) })
  }

  #refusal (): StorageError | undefined {
    return this.#closed ? closedError(this.#directory) : this.#broken
  }

  #isIdle (): boolean {
    return !this.#committing && this.#queue.length === 0 && this.#maintenance.length === 0
  }

  /** Leaves the rest of this turn of the event loop the time to queue more. */
  #schedule (): void {
    if (this.#scheduled || this.#committing) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      void this.#commit()
    })
  }

  /** One maintenance batch and one transaction with what is queued, so that neither waits for long. */
  async #commit (): Promise<void> {
    this.#committing = true
    const maintenance = this.#maintenance.shift()
    if (maintenance !== undefined) await this.#commitMaintenance(maintenance)
    if (this.#queue.length > 0) await this.#commitWrites()
    this.#committing = false
    if (this.#isIdle()) {
      for (const resolve of this.#idle.splice(0)) resolve()
    } else {
      this.#schedule()
    }
  }

  async #commitWrites (): Promise<void> {
    const batch = this.#takeBatch()
    if (batch.length === 0) return
    const timeMs = this.#clock()
    const first = this.#revision + 1n
    this.#newestInTables = this.#revision + BigInt(batch.length)
    const failure = await this.#transact(() => {
      let revision = first
      for (const { id: key, value, expected } of batch) this.#tables.write({ key, value, expected }, revision++, timeMs)
    })
    for (const write of batch) this.#release(write)
    if (failure !== undefined) {
      if (this.#broken === undefined) this.#newestInTables = this.#revision
      for (const { reject, key } of batch) reject(new StorageError(failure.code, failure.message, { key, cause: failure.cause }))
      return
    }
    this.#revision = this.#newestInTables
    this.stats.writes += batch.length
    this.stats.lastCommitWrites = batch.length
    let revision = first
    this.#published(batch.map(({ key, value }) => value === undefined ? { type: 'delete', key, modRevision: revision++ } : { type: 'put', key, value, modRevision: revision++ }))
    revision = first
    for (const { resolve } of batch) resolve({ revision: revision++ })
  }

  async #commitMaintenance ({ write, resolve, reject }: MaintenanceBatch): Promise<void> {
    const failure = await this.#transact(write)
    if (failure === undefined) resolve()
    else reject(failure)
  }

  /** The writes for the next transaction; those whose compare fails are answered here. */
  #takeBatch (): QueuedWrite[] {
    const batch: QueuedWrite[] = []
    const later: QueuedWrite[] = []
    const keys = new Set<string>()
    let bytes = 0
    for (const [index, write] of this.#queue.entries()) {
      if (batch.length >= maxBatchWrites || bytes >= maxBatchBytes) {
        later.push(...this.#queue.slice(index))
        break
      }
      if (keys.has(write.key)) {
        later.push(write)
        continue
      }
      const failure = this.#broken ?? (write.compared ? undefined : this.#compare(write, write.id))
      if (failure !== undefined) {
        this.#release(write)
        write.reject(failure)
        continue
      }
      // If this commit fails, the key is as it was compared.
      write.compared = true
      keys.add(write.key)
      batch.push(write)
      bytes += write.value?.length ?? 0
    }
    this.#queue = later
    return batch
  }

  #release ({ key }: QueuedWrite): void {
    const pending = this.#pending.get(key) ?? 0
    if (pending > 1) this.#pending.set(key, pending - 1)
    else this.#pending.delete(key)
  }

  /** The error if the key is not as the write expects it. */
  #compare ({ key, expected, value }: WriteRequest, id: Buffer): StorageError | undefined {
    try {
      const head = this.#tables.headRevision(id)
      if (head === expected) return undefined
      const current = head === undefined ? undefined : this.#tables.value(head)
      if (expected === undefined) return new StorageError('KeyExists', `the key ${key} exists already, at revision ${head}`, { key, current })
      const what = value === undefined ? 'delete' : 'update'
      const state = head === undefined ? 'does not exist' : `is at revision ${head}`
      return new StorageError('Conflict', `cannot ${what} the key ${key} at revision ${expected}: it ${state}`, { key, current })
    } catch (error) {
      return asStorageError(error, this.#directory)
    }
  }

  /** Commits what the function puts and removes; the error if that failed. */
  async #transact (write: () => void): Promise<StorageError | undefined> {
    if (this.#broken !== undefined) return this.#broken
    const start = performance.now()
    let thrown: { error: unknown } | undefined
    try {
      await this.#database.root.batch(() => {
        try {
          write()
        } catch (error) {
          thrown = { error }
        }
      })
      // LMDB has no way back from here: it has committed what the function wrote before.
      if (thrown !== undefined) return this.#break(asError(thrown.error))
      // Reads of this turn may have looked at the state before.
      this.#database.root.resetReadTxn()
      this.stats.commits++
      this.stats.lastCommitMs = performance.now() - start
      this.#lastFailure = undefined
      return undefined
    } catch (error) {
      this.stats.failedCommits++
      return await this.#failed(await commitFailure(error))
    }
  }

  /**
   * LMDB writes pages, syncs them, and only then makes one of its two first pages point to them: if anything fails before that, nothing has
   * happened. If that last write fails, LMDB refuses every further transaction, which is how we know, and nobody can say what a restart will find.
   */
  async #failed (cause: Error): Promise<StorageError> {
    try {
      this.#database.root.transactionSync(() => { /* only whether it can begin */ })
    } catch {
      return this.#break(cause)
    }
    this.#lastFailure = await isNoRoom(cause, this.#directory)
      ? new StorageError('NoSpace', `no space is left for the store in ${this.#directory}: free some on its file system; nothing was written`, { cause })
      : new StorageError('Unavailable', `a commit to the store in ${this.#directory} failed: ${cause.message}; nothing was written; check the disk and its quotas`, { cause })
    return this.#lastFailure
  }

  /** Takes no more writes; the error for those of the commit that failed. */
  #break (cause: Error): StorageError {
    this.#lastFailure = this.#broken = new StorageError('Unavailable', `the store in ${this.#directory} takes no writes since a commit failed: ${cause.message}; check the disk, then restart`, { cause })
    return new StorageError('OutcomeUnknown', `a commit to the store in ${this.#directory} failed, and its outcome is unknown: ${cause.message}`, { cause })
  }
}
