import type { ListResult } from '../../registry/generic/store/list.js'
import type { Store } from '../../registry/generic/store/store.js'
import { newServiceUnavailable, StatusError } from '../../registry/meta/status-error.js'
import { isStorageError } from '../../storage/errors.js'

export interface EndingNamespacesOptions {
  /** Whether a namespace is being terminated, as last heard. */
  readonly isTerminating: (namespace: string) => boolean
  /** Whether a namespace exists: asked of the cluster itself, at this moment. */
  readonly exists: (namespace: string, signal: AbortSignal) => Promise<boolean>
  readonly log: { readonly warn: (fields: object, message: string) => void; readonly error: (fields: object, message: string) => void }
  /** Default 5 s. */
  readonly checkIntervalMs?: number | undefined
  /** For how long after the store came back something written before may still appear. Default 2 min. */
  readonly watchMs?: number | undefined
}

/** A collection that was said to be empty without asking the store. */
interface Promised {
  readonly store: Store
  readonly namespace: string
  /** When the store was first asked successfully since. */
  seenAt?: number
}

/** So many collections are remembered; further ones wait for the store. */
const mostPromises = 10_000

/**
 * Lets namespaces end while our store is away, if they hold nothing of ours. To end one, the namespace controller deletes the collection of
 * every kind, lists it, and needs both to succeed; with a 503 of ours no namespace of the cluster could end.
 *
 * Without the store, a collection in a terminating namespace is said to be empty when nothing is known to be in it. That can be wrong
 * only for what the store took and the cache was not told of before it went away: another replica's write, or one whose answer was
 * lost. Such an object is deleted when the store is back, as was asked, and nothing else ever is:
 *
 * - Known objects make the answer a 503. Nothing can be added meanwhile that stays: a terminating namespace takes no new objects.
 * - What is found when the store is back is deleted only if the cluster says, after the objects were read from the store, that the
 *   namespace does not exist. Each was then made in a namespace that had ended by that time, whatever clocks say and even if one of
 *   that name is created again. It is deleted by its uid. If the namespace exists, its own end takes care, or nobody can tell to
 *   which namespace of that name the object belongs: it stays.
 * - If this process ends before it could look, such an object stays as well, in a namespace that is not there; it is listed like any other.
 */
export class EndingNamespaces {
  readonly #options: EndingNamespacesOptions
  readonly #promised = new Map<string, Promised>()
  readonly #stopped = new AbortController()
  #timer: NodeJS.Timeout | undefined
  #checking: Promise<void> = Promise.resolve()

  constructor (options: EndingNamespacesOptions) { this.#options = options }

  /** How many collections are remembered. */
  get size (): number { return this.#promised.size }

  /**
   * What to answer to the deletion of a collection that failed: an empty collection, if the namespace is ending and holds nothing known.
   * @throws the error if it is not the store's absence; else, for a terminating namespace, a 503 without Retry-After: the namespace
   *   controller would wait for it in place, for each of our kinds, while other namespaces wait behind
   */
  deleteCollection (store: Store, namespace: string, error: unknown): ListResult {
    if (!storeIsAway(error) || namespace === '' || !this.#options.isTerminating(namespace)) throw error
    const empty = nothingKnown(store, namespace)
    if (empty === undefined || !this.#promise(store, namespace)) throw error instanceof StatusError ? newServiceUnavailable(error.message, undefined, { cause: error }) : error
    return empty
  }

  /** What to answer to a list that failed: an empty one after its collection was said to be deleted. @throws the error otherwise */
  list (store: Store, namespace: string, error: unknown): ListResult {
    const empty = storeIsAway(error) && this.#promised.has(keyOf(store, namespace)) && this.#options.isTerminating(namespace) ? nothingKnown(store, namespace) : undefined
    if (empty === undefined) throw error
    return empty
  }

  async stop (): Promise<void> {
    this.#stopped.abort()
    clearTimeout(this.#timer)
    await this.#checking
  }

  #promise (store: Store, namespace: string): boolean {
    const key = keyOf(store, namespace)
    if (!this.#promised.has(key) && this.#promised.size >= mostPromises) return false
    this.#promised.set(key, { store, namespace })
    this.#schedule()
    return true
  }

  #schedule (): void {
    if (this.#timer !== undefined || this.#stopped.signal.aborted) return
    this.#timer = setTimeout(() => {
      this.#checking = this.#check().finally(() => {
        this.#timer = undefined
        if (this.#promised.size > 0) this.#schedule()
      })
    }, this.#options.checkIntervalMs ?? 5_000).unref()
  }

  /** Looks after every promise, one after the other; the first failure ends the round. */
  async #check (): Promise<void> {
    const { signal } = this.#stopped
    try {
      for (const [key, promised] of this.#promised) {
        if (signal.aborted) return
        await this.#deleteLeftovers(promised, signal)
        promised.seenAt ??= performance.now()
        if (performance.now() - promised.seenAt >= (this.#options.watchMs ?? 120_000)) this.#promised.delete(key)
      }
    } catch (error) {
      if (!signal.aborted && !isStorageError(error, 'Unavailable', 'Closed')) this.#options.log.warn({ err: error }, 'namespaces that ended while the store was away cannot be looked after; trying again')
    }
  }

  async #deleteLeftovers ({ store, namespace }: Promised, signal: AbortSignal): Promise<void> {
    const { items } = await store.list({ namespace, limit: 0, continueToken: '', resourceVersion: '', resourceVersionMatch: '', signal })
    // In this order: first read, then asked whether the namespace exists.
    if (items.length === 0 || await this.#options.exists(namespace, signal)) return
    const { resource } = store
    for (const item of items) {
      const fields = { resource: `${resource.names.plural}.${resource.group}`, namespace, name: item.name, uid: item.uid }
      try {
        await store.delete(item.name, { namespace, version: resource.storageVersion, dryRun: false, warn: () => {}, signal, deletion: { preconditions: { uid: item.uid }, propagationPolicy: 'Background' } })
        this.#options.log.warn(fields, 'an object was deleted whose namespace ended while the store was away')
      } catch (error) {
        if (!(error instanceof StatusError) || error.code === 503) throw error
        if (error.code !== 404) this.#options.log.error({ ...fields, err: error }, 'an object whose namespace ended while the store was away cannot be deleted')
      }
    }
  }
}

const storeIsAway = (error: unknown): boolean => isStorageError(error, 'Unavailable')

const keyOf = (store: Store, namespace: string): string => `${store.resource.group}/${store.resource.names.plural}/${namespace}`

/** An empty list, unless something is known to be there, or nothing is known at all. */
function nothingKnown (store: Store, namespace: string): ListResult | undefined {
  const revision = store.emptySince(namespace)
  return revision === undefined ? undefined : { items: [], resourceVersion: revision.toString(), continueToken: '', remainingItemCount: undefined }
}
