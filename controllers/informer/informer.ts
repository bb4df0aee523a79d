import type { KubeObject } from '../../registry/meta/object-meta.js'
import type { SelectOptions } from '../client/interfaces.js'
import { systemClock, type Clock } from '../clock.js'
import { silentLogger, type Logger } from '../logger.js'
import { keyOfObject } from '../object-key.js'
import { Indexer } from './indexer.js'
import type { IndexFunction, Lister, ListerWatcher, ReflectorStore, ResourceEventHandler } from './interfaces.js'
import { Reflector, type ReflectorOptions } from './reflector.js'

export interface InformerOptions<T extends KubeObject> extends SelectOptions {
  /** A ResourceClient, as a rule. */
  readonly source: ListerWatcher<T>
  readonly indexers?: Readonly<Record<string, IndexFunction<T>>>
  /** Makes what is stored of what came, to hold less of it. It must keep the metadata that identify the object. */
  readonly transform?: (object: T) => T
  /** More settings of the reflector. */
  readonly reflector?: Pick<ReflectorOptions<T>, 'useWatchList' | 'pageSize' | 'minWatchTimeoutSeconds' | 'idleMs' | 'backoff' | 'random'>
  readonly log?: Logger
  readonly clock?: Clock
}

/** A handler's place in an informer. */
export interface HandlerRegistration { remove (): void }

interface Registered<T extends KubeObject> {
  readonly handler: ResourceEventHandler<T>
  readonly resyncMs: number
  cancelResync: () => void
}

/** A cache of the objects of a resource, kept current by a {@link Reflector}, with handlers that are told of every change. Shared by all who need it. */
export class Informer<T extends KubeObject> {
  readonly #indexer: Indexer<T>
  readonly #reflector: Reflector<T>
  readonly #transform: (object: T) => T
  readonly #clock: Clock
  readonly #log: Logger
  readonly #handlers = new Set<Registered<T>>()
  #synced = false
  #waiting: (() => void)[] = []
  #users = 0
  #stop: AbortController | undefined
  #running: Promise<void> = Promise.resolve()

  constructor (options: InformerOptions<T>) {
    const { source, namespace, labelSelector, fieldSelector, clock = systemClock, log = silentLogger } = options
    this.#clock = clock
    this.#log = log
    this.#transform = options.transform ?? (object => object)
    this.#indexer = new Indexer<T>(options.indexers)
    this.#reflector = new Reflector<T>({ ...options.reflector, source, store: this.#store(), select: { namespace, labelSelector, fieldSelector }, clock, log })
  }

  get lister (): Lister<T> { return this.#indexer }
  get lastSyncResourceVersion (): string { return this.#reflector.lastSyncResourceVersion }
  /** Whether the initial objects are in the cache and every handler has been told of them. */
  get hasSynced (): boolean { return this.#synced }

  /** Resolves to true when synced, to false if the signal aborts before. */
  async whenSynced (signal: AbortSignal): Promise<boolean> {
    if (this.#synced) return true
    if (signal.aborted) return false
    return await new Promise(resolve => {
      const onAbort = (): void => { resolve(false) }
      signal.addEventListener('abort', onAbort, { once: true })
      this.#waiting.push(() => {
        signal.removeEventListener('abort', onAbort)
        resolve(true)
      })
    })
  }

  /** Indexes that a user of a shared informer needs. @throws Error if a name is taken */
  addIndexers (indexers: Readonly<Record<string, IndexFunction<T>>>): void { this.#indexer.addIndexers(indexers) }

  /** Adds a handler. It is told at once of what is in the cache. With `resyncMs`, it is told of everything again and again. */
  addHandler (handler: ResourceEventHandler<T>, { resyncMs = 0 }: { readonly resyncMs?: number } = {}): HandlerRegistration {
    const registered: Registered<T> = { handler, resyncMs, cancelResync: () => undefined }
    this.#handlers.add(registered)
    for (const object of this.#indexer.list()) this.#tell([registered], h => h.onAdd?.(object, { initial: true }))
    if (this.#stop !== undefined) this.#scheduleResync(registered)
    return {
      remove: () => {
        registered.cancelResync()
        this.#handlers.delete(registered)
      }
    }
  }

  /**
   * Keeps the cache current until the signal aborts. Several may run the same informer: it works as long as one of them does. Resolves when
   * the signal has aborted and, for the last of them, the work has ended. Run again, it brings the cache up to date.
   */
  async run (signal: AbortSignal): Promise<void> {
    if (signal.aborted) return
    if (this.#users++ === 0) this.#start()
    await new Promise<void>(resolve => { signal.addEventListener('abort', () => { resolve() }, { once: true }) })
    if (--this.#users > 0) return
    this.#stop?.abort()
    this.#stop = undefined
    for (const registered of this.#handlers) registered.cancelResync()
    await this.#running
  }

  #start (): void {
    const stop = this.#stop = new AbortController()
    this.#running = this.#running.then(async () => { await this.#reflector.run(stop.signal) })
    for (const registered of this.#handlers) this.#scheduleResync(registered)
  }

  #scheduleResync (registered: Registered<T>): void {
    if (registered.resyncMs <= 0) return
    registered.cancelResync = this.#clock.setTimer(registered.resyncMs, () => {
      if (this.#synced) for (const object of this.#indexer.list()) this.#tell([registered], h => h.onUpdate?.(object, object))
      if (this.#handlers.has(registered)) this.#scheduleResync(registered)
    })
  }

  #store (): ReflectorStore<T> {
    return {
      add: object => { this.#set(object) },
      update: object => { this.#set(object) },
      delete: object => {
        const known = this.#indexer.delete(object) !== undefined
        const last = this.#transform(object)
        if (known) this.#tell(this.#handlers, h => h.onDelete?.(last, { finalStateUnknown: false }))
      },
      replace: objects => {
        const present = new Set(objects.map(keyOfObject))
        for (const gone of this.#indexer.list()) {
          if (present.has(keyOfObject(gone))) continue
          this.#indexer.delete(gone)
          this.#tell(this.#handlers, h => h.onDelete?.(gone, { finalStateUnknown: true }))
        }
        for (const object of objects) this.#set(object)
        this.#synced = true
        for (const resolve of this.#waiting.splice(0)) resolve()
      }
    }
  }

  /** What is stored decides whether handlers see an addition or an update, whatever the event said. */
  #set (received: T): void {
    const object = this.#transform(received)
    const old = this.#indexer.set(object)
    if (old === undefined) this.#tell(this.#handlers, h => h.onAdd?.(object, { initial: !this.#synced }))
    else if (old.metadata.resourceVersion !== object.metadata.resourceVersion) this.#tell(this.#handlers, h => h.onUpdate?.(old, object))
  }

  #tell (handlers: Iterable<Registered<T>>, call: (handler: ResourceEventHandler<T>) => void): void {
    for (const { handler } of Array.from(handlers)) {
      try {
        call(handler)
      } catch (error) {
        this.#log.error({ err: error }, 'a handler of an informer failed')
      }
    }
  }
}
