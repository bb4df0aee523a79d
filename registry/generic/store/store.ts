import { Cacher } from '../../../storage/cacher/cacher.js'
import type { CacherOptions, CacheWatchOptions, CacheWatcher } from '../../../storage/cacher/interfaces.js'
import type { Revision, Storage, StoredValue } from '../../../storage/interfaces.js'
import type { KubeObject } from '../../meta/object-meta.js'
import type { Resource } from '../resource.js'
import { ServedObject } from '../served-object.js'
import { keyOf, scopeOf, type StoreContext, type WriteOptions } from './context.js'
import { create, type CreateOptions } from './create.js'
import { deleteObject, type DeleteRequest, type DeleteResult } from './delete.js'
import { get, list, waitFresh, type ListQuery, type ListResult } from './list.js'
import { update, type UpdateOptions, type UpdateResult } from './update.js'

export interface StoreOptions {
  readonly resource: Resource
  readonly storage: Storage
  /** Absolute, without a trailing slash: `/registry`. */
  readonly prefix: string
  readonly now?: () => Date
  readonly onCorrupt?: (value: StoredValue, error: unknown) => void
  readonly cache?: Partial<Pick<CacherOptions<ServedObject>, 'historyLimit' | 'historyMs' | 'watchBufferSize' | 'bookmarkIntervalMs' | 'freshTimeoutMs'>>
}

/**
 * The one generic implementation of a resource over a Storage: what the verb handlers call. Reads and watches come from the Cacher,
 * writes go to the Storage. Begins to fill the cache when it is made.
 */
export class Store {
  readonly resource: Resource
  readonly cacher: Cacher<ServedObject>
  readonly #context: StoreContext

  constructor (options: StoreOptions) {
    const { resource, storage } = options
    this.resource = resource
    const prefix = `${options.prefix}/${resource.group}/${resource.names.plural}/`
    this.cacher = new Cacher<ServedObject>({
      storage,
      prefix,
      decode: value => ServedObject.fromStored(resource, value.value, value.modRevision),
      withRevision: (object, revision) => object.withRevision(revision),
      ...(options.onCorrupt && { onCorrupt: options.onCorrupt }),
      ...options.cache
    })
    this.#context = { resource, storage, cacher: this.cacher, prefix, now: options.now ?? (() => new Date()) }
  }

  /** Ends the cache and every watch. */
  stop (): Promise<void> { return this.cacher.stop() }

  /** The time by which objects are stamped. */
  now (): Date { return this.#context.now() }

  get (namespace: string, name: string, resourceVersion: string, signal?: AbortSignal): Promise<ServedObject> {
    return get(this.#context, namespace, name, resourceVersion, signal)
  }

  list (query: ListQuery): Promise<ListResult> { return list(this.#context, query) }

  create (object: KubeObject, options: CreateOptions): Promise<ServedObject> { return create(this.#context, object, options) }

  update (name: string, options: UpdateOptions): Promise<UpdateResult> { return update(this.#context, name, options) }

  delete (name: string, request: DeleteRequest): Promise<DeleteResult> { return deleteObject(this.#context, name, request) }

  /** The revision at which the cache, as it is, knows of nothing in a namespace; undefined if it knows of something, or not of everything. */
  emptySince (namespace: string): Revision | undefined {
    const { cacher } = this
    if (!cacher.ready() || cacher.stats().corruptItems > 0) return undefined
    return cacher.list({ scope: scopeOf(this.#context, namespace), limit: 1 }).items.length > 0 ? undefined : cacher.currentRevision
  }

  /** Waits until the cache reflects what a watch wants to begin with. */
  waitFresh (want: 'any' | 'consistent' | Revision, signal?: AbortSignal): Promise<Revision> { return waitFresh(this.#context, want, 'watch', signal) }

  /** Watches a namespace (all when empty) or one object; the caller has awaited `waitFresh` where it needs to. */
  watch (at: { namespace: string; name?: string | undefined }, options: Omit<CacheWatchOptions<ServedObject>, 'scope' | 'exactKey'>): CacheWatcher<ServedObject> {
    const exact = at.name !== undefined && (at.namespace !== '' || !this.resource.namespaced)
    return this.cacher.watch({ ...options, scope: exact ? keyOf(this.#context, at.namespace, at.name!) : scopeOf(this.#context, at.namespace), exactKey: exact })
  }
}

export type { CreateOptions, DeleteRequest, DeleteResult, ListQuery, ListResult, UpdateOptions, UpdateResult, WriteOptions }
