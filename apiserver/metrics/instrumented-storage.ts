import { StorageError } from '../../storage/errors.js'
import type { GetResult, ListOptions, ListResult, Revision, Storage, StorageWatch, WatchOptions } from '../../storage/interfaces.js'
import type { Metrics } from './metrics.js'

/** Times every operation of a store for `etcd_request_duration_seconds` (whatever the store is: dashboards know that name). */
export class InstrumentedStorage implements Storage {
  readonly #storage: Storage
  readonly #metrics: Metrics

  constructor (storage: Storage, metrics: Metrics) {
    this.#storage = storage
    this.#metrics = metrics
  }

  get (key: string, options?: { revision?: Revision | undefined; signal?: AbortSignal | undefined }): Promise<GetResult> { return this.#timed('get', this.#storage.get(key, options)) }
  list (prefix: string, options?: ListOptions): Promise<ListResult> { return this.#timed('list', this.#storage.list(prefix, options)) }
  create (key: string, value: Buffer): Promise<{ revision: Revision }> { return this.#timed('create', this.#storage.create(key, value)) }
  update (key: string, value: Buffer, expected: { modRevision: Revision }): Promise<{ revision: Revision }> { return this.#timed('update', this.#storage.update(key, value, expected)) }
  delete (key: string, expected: { modRevision: Revision }): Promise<{ revision: Revision }> { return this.#timed('delete', this.#storage.delete(key, expected)) }
  watch (prefix: string, options: WatchOptions): StorageWatch { return this.#storage.watch(prefix, options) }
  compact (revision: Revision): Promise<void> { return this.#timed('compact', this.#storage.compact(revision)) }
  currentRevision (options?: { signal?: AbortSignal | undefined }): Promise<Revision> { return this.#timed('currentRevision', this.#storage.currentRevision(options)) }
  knownRevision (): Revision | undefined { return this.#storage.knownRevision?.() }
  health (options?: { signal?: AbortSignal | undefined }): Promise<void> { return this.#storage.health(options) }
  close (): Promise<void> { return this.#storage.close() }

  async #timed<T> (operation: string, running: Promise<T>): Promise<T> {
    const began = performance.now()
    try {
      return await running
    } catch (error) {
      this.#metrics.storageErrors.inc({ operation, code: error instanceof StorageError ? error.code : 'unknown' })
      throw error
    } finally {
      this.#metrics.storageRequests.of({ operation }).observe((performance.now() - began) / 1000)
    }
  }
}
