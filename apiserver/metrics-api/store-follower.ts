import { StorageError } from '../../storage/errors.js'
import type { CacheWatcher } from '../../storage/cacher/interfaces.js'
import type { ServedObject } from '../../registry/generic/served-object.js'
import type { Store } from '../../registry/generic/store/store.js'

/** What is told of a store's objects. */
export interface StoreConsumer {
  /** Everything is about to be told, for the first time or anew. */
  readonly onBegin?: () => void
  /** Everything that there is has been told. */
  readonly onSynced?: () => void
  /** An object is there, or has changed. Told again of everything after a watch was cut. */
  readonly onObject: (object: ServedObject) => void
  readonly onDeleted: (namespace: string, name: string) => void
  /** A failure that the follower survives. */
  readonly onError: (error: unknown) => void
}

/** More than a burst of writes; a follower that is cut nevertheless begins anew. */
const bufferSize = 100_000

/**
 * Follows every object of a store by the events of its cache. When the watch is cut it begins anew and tells what has gone meanwhile,
 * before it is synced.
 */
export class StoreFollower {
  readonly #store: Pick<Store, 'cacher' | 'watch'>
  readonly #consumer: StoreConsumer
  readonly #stop = new AbortController()
  /** `namespace/name` of what has been told. */
  readonly #known = new Set<string>()
  #running: Promise<void> | undefined
  #synced = false
  #cut: () => void = () => {}

  constructor (store: Pick<Store, 'cacher' | 'watch'>, consumer: StoreConsumer) {
    this.#store = store
    this.#consumer = consumer
  }

  /** Whether everything that there was at the start has been told. */
  get hasSynced (): boolean { return this.#synced }

  /** Begins; idempotent. */
  start (): void { this.#running ??= this.#run() }

  /** Begins anew, as if the watch had been cut. */
  restart (): void { this.#cut() }

  /** Resolves when nothing is told any more. The cache ends the watch when it is stopped, too. */
  async stop (): Promise<void> {
    this.#stop.abort(new Error('the follower is stopped'))
    await this.#running
  }

  async #run (): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      try {
        await this.#store.cacher.whenReady(signal)
        const watcher = this.#store.watch({ namespace: '' }, { start: { from: 'initial', bookmarkEnd: true }, bookmarks: false, bufferSize })
        if (await this.#follow(watcher) === 'closed') return
      } catch (error) {
        if (signal.aborted || (error instanceof StorageError && error.code === 'Closed')) return
        this.#consumer.onError(error)
        await new Promise(resolve => { setTimeout(resolve, 1000).unref() })
      }
    }
  }

  async #follow (watcher: CacheWatcher<ServedObject>): Promise<string> {
    const { signal } = this.#stop
    let wake = (): void => {}
    let readable = new Promise<void>(resolve => { wake = resolve })
    const close = (): void => {
      watcher.close()
      wake()
    }
    watcher.onReadable(() => { wake() })
    signal.addEventListener('abort', close, { once: true })
    let cut = false
    this.#cut = () => {
      cut = true
      close()
    }
    this.#consumer.onBegin?.()
    let initial: Set<string> | undefined = new Set()
    try {
      for (;;) {
        const events = watcher.take()
        for (const event of events) {
          if (event.type !== 'BOOKMARK') {
            this.#tell(event.type, event.item.value, initial)
          } else if (event.initialEventsEnd && initial !== undefined) {
            for (const key of this.#known) if (!initial.has(key)) this.#forget(key)
            initial = undefined
            this.#synced = true
            this.#consumer.onSynced?.()
          }
        }
        if (events.length > 0) {
          await new Promise(resolve => { setImmediate(resolve) })
          continue
        }
        if (watcher.ended !== undefined) return cut ? 'cut' : watcher.ended.reason
        await readable
        readable = new Promise(resolve => { wake = resolve })
      }
    } finally {
      this.#cut = () => {}
      signal.removeEventListener('abort', close)
      watcher.close()
    }
  }

  #tell (type: string, object: ServedObject, initial: Set<string> | undefined): void {
    const key = `${object.namespace}/${object.name}`
    if (type === 'DELETED') {
      initial?.delete(key)
      this.#forget(key)
      return
    }
    initial?.add(key)
    this.#known.add(key)
    this.#consumer.onObject(object)
  }

  #forget (key: string): void {
    this.#known.delete(key)
    const slash = key.indexOf('/')
    this.#consumer.onDeleted(key.slice(0, slash), key.slice(slash + 1))
  }
}
