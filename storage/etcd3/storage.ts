import type { IKeyValue, IRangeResponse } from 'etcd3'
import { StorageError, isStorageError } from '../errors.js'
import type { GetResult, ListOptions, ListResult, Revision, Storage, StorageWatch, WatchOptions } from '../interfaces.js'
import { Slots } from '../slots.js'
import { EtcdClient, UnsettledWrite, newClosed, type ReadOptions } from './client.js'
import { Compactor } from './compactor.js'
import type { RangeFields } from './kv-messages.js'
import { listPages } from './list.js'
import type { Etcd3StorageOptions, EtcdOperation } from './options.js'
import { hasOwnUid, settle, type Unsettled } from './outcome.js'
import { Progress } from './progress.js'
import { toStoredValue } from './values.js'
import { EtcdWatch, closedWatch } from './watcher.js'

const defaultPrefix = '/registry'
const defaultDialTimeoutMs = 20_000
const defaultCompactionIntervalMs = 5 * 60_000
const healthTimeoutMs = 2_000

/**
 * The `Storage` contract over etcd 3.4 or newer. A key is an etcd key as it stands, a value is its bytes, a revision is etcd's.
 *
 * Each write is one transaction that compares the key's mod revision first (0 for a key that must not exist) and reads the key if it
 * differs. It is sent once; if no answer comes, it is read back, as outcome.ts describes. Reads are linearizable unless a revision
 * is asked for, and may be sent again.
 */
export class Etcd3Storage implements Storage {
  readonly #options: Etcd3StorageOptions
  readonly #client: EtcdClient
  readonly #progress: Progress
  readonly #compactor: Compactor
  readonly #watches = new Set<EtcdWatch>()
  readonly #writes = new Slots<Promise<unknown>>()
  readonly #ownKey: Buffer
  #closed: Promise<void> | undefined

  private constructor (options: Etcd3StorageOptions, client: EtcdClient) {
    this.#options = options
    this.#client = client
    this.#ownKey = Buffer.from(`${options.prefix ?? defaultPrefix}/health`)
    this.#progress = new Progress(client, async () => await this.currentRevision(), async (operation, work) => await this.#observe(operation, work))
    this.#compactor = new Compactor(client, async revision => { await this.compact(revision) })
  }

  /**
   * Opens the store. By default etcd need not be there yet: calls then fail with `Unavailable` until it is.
   * @throws StorageError Unavailable if the endpoints or the TLS files cannot be used, or, with `waitForReady`, if etcd did not answer in time
   */
  static async open (options: Etcd3StorageOptions): Promise<Etcd3Storage> {
    const client = await EtcdClient.open(options)
    const storage = new Etcd3Storage(options, client)
    if (options.waitForReady === true) {
      try {
        await storage.#waitForReady(options.dialTimeoutMs ?? defaultDialTimeoutMs)
      } catch (error) {
        await storage.close()
        throw error
      }
    }
    const intervalMs = options.compactionIntervalMs ?? defaultCompactionIntervalMs
    if (intervalMs > 0) storage.#compactor.start(intervalMs)
    return storage
  }

  async get (key: string, { revision, signal }: { revision?: Revision | undefined; signal?: AbortSignal | undefined } = {}): Promise<GetResult> {
    return await this.#observe('get', async () => {
      const reply = await this.#range({ key: Buffer.from(key), ...(revision !== undefined && { revision: revision.toString() }) }, { signal })
      const kv = reply.kvs[0]
      return { value: kv === undefined ? undefined : toStoredValue(kv), revision: revision ?? BigInt(reply.header.revision) }
    })
  }

  async list (prefix: string, options: ListOptions = {}): Promise<ListResult> {
    return await this.#observe('list', async () => await listPages(prefix, options, async request => await this.#range(request, { signal: options.signal })))
  }

  async create (key: string, value: Buffer): Promise<{ revision: Revision }> {
    return await this.#write({ operation: 'create', key, value })
  }

  async update (key: string, value: Buffer, { modRevision }: { modRevision: Revision }): Promise<{ revision: Revision }> {
    return await this.#write({ operation: 'update', key, value, modRevision })
  }

  async delete (key: string, { modRevision }: { modRevision: Revision }): Promise<{ revision: Revision }> {
    return await this.#write({ operation: 'delete', key, modRevision })
  }

  watch (prefix: string, { afterRevision }: WatchOptions): StorageWatch {
    if (this.#closed !== undefined) return closedWatch()
    const watch = new EtcdWatch({ client: this.#client, progress: this.#progress, prefix, afterRevision, onEnd: ended => { this.#watches.delete(ended) } })
    this.#watches.add(watch)
    return watch
  }

  async compact (revision: Revision): Promise<void> {
    await this.#observe('compact', async () => {
      try {
        // Compacting twice is compacting once, so this may be sent again.
        await this.#client.read(async ({ requests }, options) => await requests.kv.compact({ revision: revision.toString() }, options))
      } catch (error) {
        if (!isStorageError(error, 'Compacted')) throw error
      }
    })
  }

  async currentRevision ({ signal }: { signal?: AbortSignal | undefined } = {}): Promise<Revision> {
    return await this.#observe('currentRevision', async () => BigInt((await this.#range({ key: this.#ownKey, count_only: true }, { signal })).header.revision))
  }

  async health ({ signal }: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    await this.#observe('health', async () => { await this.#range({ key: this.#ownKey }, { signal, timeoutMs: healthTimeoutMs }) })
  }

  async close (): Promise<void> {
    this.#closed ??= this.#close()
    await this.#closed
  }

  async #close (): Promise<void> {
    this.#compactor.stop()
    for (const watch of this.#watches) watch.close()
    while (this.#writes.size > 0) await Promise.allSettled(this.#writes)
    this.#client.close()
  }

  async #waitForReady (timeoutMs: number): Promise<void> {
    const until = Date.now() + timeoutMs
    for (let pause = 50; ; pause = Math.min(1_000, pause * 2)) {
      try {
        await this.health()
        return
      } catch (error) {
        if (Date.now() + pause >= until) throw error
        await this.#client.sleep(pause)
      }
    }
  }

  async #range (request: RangeFields, options: ReadOptions): Promise<IRangeResponse> {
    if (this.#closed !== undefined) throw newClosed()
    return await this.#client.read(async ({ kv }, callOptions) => await kv.range(request, callOptions), options)
  }

  async #write (write: Unsettled): Promise<{ revision: Revision }> {
    const written = this.#observe(write.operation, async () => {
      if (this.#closed !== undefined) throw newClosed()
      return await this.#transact(write)
    })
    const slot = this.#writes.add(written)
    try {
      return await written
    } finally {
      this.#writes.remove(slot)
    }
  }

  async #transact (write: Unsettled): Promise<{ revision: Revision }> {
    const { operation, key } = write
    const { maxRequestBytes = Infinity, provesAuthorship = hasOwnUid } = this.#options
    const bytes = Buffer.from(key)
    if (operation !== 'delete' && write.value.length > maxRequestBytes) throw new StorageError('TooLarge', 'etcdserver: request is too large', { key })
    // To etcd, mod revision 0 is a key that does not exist: nothing that could be updated or deleted.
    if (operation !== 'create' && write.modRevision <= 0n) throw newConflict(write, await this.#read(key))
    const modRevision = operation === 'create' ? '0' : write.modRevision.toString()
    try {
      const reply = await this.#client.write(async ({ kv }, options) => await kv.compareAndSwap({ key: bytes, modRevision, value: operation === 'delete' ? undefined : write.value }, options))
      if (reply.succeeded) return { revision: BigInt(reply.revision) }
      throw newConflict(write, reply.current)
    } catch (error) {
      if (!(error instanceof UnsettledWrite)) throw error
      return await this.#observe('readBack', async () => await settle(write, async (k, revision) => await this.#read(k, revision), provesAuthorship, error))
    }
  }

  /** Reads one key also while the storage closes: writes under way may need it. */
  async #read (key: string, revision?: Revision): Promise<IKeyValue | undefined> {
    const request = { key: Buffer.from(key), ...(revision !== undefined && { revision: revision.toString() }) }
    return (await this.#client.read(async ({ kv }, options) => await kv.range(request, options))).kvs[0]
  }

  /** Times an operation, and makes sure that nothing but a StorageError leaves. */
  async #observe<T> (operation: EtcdOperation, work: () => Promise<T>): Promise<T> {
    const { onRequest } = this.#options
    const start = performance.now()
    try {
      const result = await work()
      onRequest?.(operation, performance.now() - start)
      return result
    } catch (error) {
      const failure = error instanceof StorageError ? error : new StorageError('Unavailable', `etcd: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
      onRequest?.(operation, performance.now() - start, failure.code)
      throw failure
    }
  }
}

function newConflict ({ operation, key, ...write }: Unsettled, kv: IKeyValue | undefined): StorageError {
  const current = kv === undefined ? undefined : toStoredValue(kv)
  if (operation === 'create') return new StorageError('KeyExists', `${key} exists already`, { key, current })
  const at = 'modRevision' in write ? write.modRevision : 0n
  return new StorageError('Conflict', `${key} is ${current === undefined ? 'gone' : `at revision ${current.modRevision}`}, not at revision ${at}`, { key, current })
}
