import { isStorageError, StorageError } from '../../storage/errors.js'
import type { StorageErrorCode } from '../../storage/errors.js'
import type { GetResult, ListOptions, ListResult, Revision, Storage, StorageEvent, StorageWatch, StoredValue, WatchBatch, WatchOptions } from '../../storage/interfaces.js'

/** One watch of a ScriptedStorage: batches wait here until they are iterated. */
class ScriptedWatch implements StorageWatch {
  readonly prefix: string
  readonly #storage: ScriptedStorage
  readonly #batches: WatchBatch[] = []
  /** Every event up to this revision has been put into a batch. */
  delivered: Revision
  #failure: StorageError | undefined
  #closed = false
  #arrived: () => void = () => {}

  constructor (storage: ScriptedStorage, prefix: string, after: Revision) {
    this.#storage = storage
    this.prefix = prefix
    this.delivered = after
  }

  deliver (batch: WatchBatch): void {
    this.#batches.push(batch)
    if (batch.revision > this.delivered) this.delivered = batch.revision
    this.#arrived()
  }

  fail (error: StorageError): void {
    this.#failure = error
    this.#arrived()
  }

  requestProgress (): void {
    this.#storage.progressRequested(this)
  }

  close (): void {
    this.#closed = true
    this.#storage.watches.delete(this)
    this.#arrived()
  }

  async * [Symbol.asyncIterator] (): AsyncGenerator<WatchBatch> {
    for (;;) {
      if (this.#closed) return
      const batch = this.#batches.shift()
      if (batch !== undefined) {
        yield batch
        continue
      }
      if (this.#failure !== undefined) throw this.#failure
      await new Promise<void>((resolve) => {
        this.#arrived = resolve
      })
    }
  }
}

/** How often something was asked of the storage. */
export interface ScriptedCalls {
  list: number
  watch: number
  currentRevision: number
  requestProgress: number
}

/**
 * A Storage in memory whose misfortunes are scripted: it can be away, hold its answers and its events back, break its watches, forget its
 * history, or fall back to an earlier state. Writes (`put`, `remove`) take effect at once and need no waiting.
 */
export class ScriptedStorage implements Storage {
  readonly calls: ScriptedCalls = { list: 0, watch: 0, currentRevision: 0, requestProgress: 0 }
  readonly watches = new Set<ScriptedWatch>()
  /** Every call rejects, and every new watch fails, with Unavailable. */
  away = false
  /** Events and progress stay in the storage until this is false again and `flush` is called. */
  holdEvents = false
  /** Requests for progress get no answer. */
  ignoreProgress = false
  /** Called in the middle of every list, between its reading and its answer. */
  duringList: (() => void | Promise<void>) | undefined
  #log: StorageEvent[] = []
  #revision: Revision = 1n
  #compacted: Revision = 0n
  #heldRevisions: (() => void)[] | undefined

  get revision (): Revision {
    return this.#revision
  }

  put (key: string, value: string): Revision {
    return this.write([{ key, value }])
  }

  remove (key: string): Revision {
    return this.write([{ key, value: undefined }])
  }

  /** Several changes under one revision, as a foreign transaction of etcd makes them. */
  write (changes: readonly { key: string; value: string | undefined }[]): Revision {
    const modRevision = ++this.#revision
    for (const { key, value } of changes) {
      this.#log.push(value === undefined ? { type: 'delete', key, modRevision } : { type: 'put', key, value: Buffer.from(value), modRevision })
    }
    this.flush()
    return modRevision
  }

  /** Delivers what watches have not got yet, unless events are held. */
  flush (): void {
    if (this.holdEvents) return
    for (const watch of this.watches) {
      const events = this.#log.filter((event) => event.modRevision > watch.delivered && event.key.startsWith(watch.prefix))
      const last = events[events.length - 1]
      if (last !== undefined) watch.deliver({ events, revision: last.modRevision })
    }
  }

  /** Delivers a batch as it is: for repetitions. */
  deliver (batch: WatchBatch): void {
    for (const watch of this.watches) watch.deliver(batch)
  }

  progressRequested (watch: ScriptedWatch): void {
    this.calls.requestProgress++
    // A watch that is broken gets no events any more, so it must not be told of progress either.
    if (this.ignoreProgress || this.holdEvents || !this.watches.has(watch)) return
    this.flush()
    watch.deliver({ events: [], revision: this.#revision })
  }

  /** Breaks every open watch. */
  breakWatches (code: StorageErrorCode, message = 'scripted'): void {
    for (const watch of this.watches) watch.fail(new StorageError(code, message))
    this.watches.clear()
  }

  /** From now on `currentRevision` looks at once but answers only when the result is called. */
  holdRevisions (): () => void {
    const held: (() => void)[] = []
    this.#heldRevisions = held
    return () => {
      if (this.#heldRevisions === held) this.#heldRevisions = undefined
      for (const answer of held) answer()
    }
  }

  /** As after restoring a backup: the later history never happened. */
  restore (revision: Revision): void {
    this.#log = this.#log.filter((event) => event.modRevision <= revision)
    this.#revision = revision
  }

  /** The keys of a prefix with their values, in the order of their bytes. */
  state (prefix: string, revision = this.#revision): StoredValue[] {
    const values = new Map<string, StoredValue>()
    for (const event of this.#log) {
      if (event.modRevision > revision || !event.key.startsWith(prefix)) continue
      if (event.type === 'put') values.set(event.key, event)
      else values.delete(event.key)
    }
    return [...values.values()].sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)))
  }

  async get (key: string, options: { revision?: Revision | undefined } = {}): Promise<GetResult> {
    await this.#answer()
    const revision = options.revision ?? this.#revision
    return { value: this.state(key, revision).find((value) => value.key === key), revision }
  }

  async list (prefix: string, options: ListOptions = {}): Promise<ListResult> {
    this.calls.list++
    await this.#answer()
    const revision = options.revision ?? this.#revision
    const start = Buffer.from(options.startKey ?? prefix)
    const all = this.state(prefix, revision).filter((value) => Buffer.compare(Buffer.from(value.key), start) >= 0)
    const items = options.limit === undefined || options.limit === 0 ? all : all.slice(0, options.limit)
    await this.duringList?.()
    if (revision < this.#compacted) throw new StorageError('Compacted', 'scripted', { revision: this.#compacted })
    return { items, revision, remaining: all.length - items.length }
  }

  async create (key: string, value: Buffer): Promise<{ revision: Revision }> {
    await this.#answer()
    const current = this.#current(key)
    if (current !== undefined) throw new StorageError('KeyExists', 'the key is there already', { key, current })
    return { revision: this.put(key, value.toString()) }
  }

  async update (key: string, value: Buffer, expected: { modRevision: Revision }): Promise<{ revision: Revision }> {
    await this.#answer()
    this.#expect(key, expected.modRevision)
    return { revision: this.put(key, value.toString()) }
  }

  async delete (key: string, expected: { modRevision: Revision }): Promise<{ revision: Revision }> {
    await this.#answer()
    this.#expect(key, expected.modRevision)
    return { revision: this.remove(key) }
  }

  watch (prefix: string, { afterRevision }: WatchOptions): StorageWatch {
    this.calls.watch++
    const watch = new ScriptedWatch(this, prefix, afterRevision)
    if (this.away) watch.fail(new StorageError('Unavailable', 'scripted'))
    else if (afterRevision < this.#compacted) watch.fail(new StorageError('Compacted', 'scripted', { revision: this.#compacted }))
    else this.watches.add(watch)
    this.flush()
    return watch
  }

  async compact (revision: Revision): Promise<void> {
    if (revision > this.#compacted) this.#compacted = revision
  }

  async currentRevision (): Promise<Revision> {
    this.calls.currentRevision++
    const revision = this.#revision
    if (this.#heldRevisions !== undefined) {
      const held = this.#heldRevisions
      await new Promise<void>((resolve) => held.push(resolve))
    }
    await this.#answer()
    return revision
  }

  async health (): Promise<void> {
    await this.#answer()
  }

  async close (): Promise<void> {
    for (const watch of this.watches) watch.close()
  }

  #current (key: string): StoredValue | undefined {
    return this.state(key).find((value) => value.key === key)
  }

  #expect (key: string, modRevision: Revision): void {
    const current = this.#current(key)
    if (current?.modRevision !== modRevision) throw new StorageError('Conflict', 'the key is at another revision', { key, current })
  }

  async #answer (): Promise<void> {
    if (this.away) throw new StorageError('Unavailable', 'scripted')
  }
}

/** Whether a promise rejects with the code; what it resolves with is an error. */
export async function rejectsWith (promise: Promise<unknown>, code: StorageErrorCode): Promise<StorageError> {
  try {
    await promise
  } catch (error) {
    if (isStorageError(error, code)) return error
    throw error
  }
  throw new Error(`resolved instead of rejecting with ${code}`)
}
