import { setTimeout as sleep } from 'node:timers/promises'
import type { JsonObject } from '../../registry/codec/value.js'
import type { ClusterClient } from './client.js'
import { ClusterError, isClusterError } from './errors.js'
import { splitLines } from './lines.js'

/** An object of the cluster, as much of it as is needed to keep it. */
interface ClusterObject extends JsonObject { metadata: { name: string; namespace?: string; resourceVersion: string } & JsonObject }
interface ClusterList { metadata: { resourceVersion: string; continue?: string }; items?: ClusterObject[] }
interface ClusterEvent { type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'; object: ClusterObject & { code?: number; message?: string } }

export interface InformerOptions<T> {
  readonly client: ClusterClient
  /** The collection, e.g. `/api/v1/namespaces`. */
  readonly path: string
  readonly fieldSelector?: string | undefined
  /** Accept header of lists and watches. Default: JSON. */
  readonly accept?: { readonly list: string; readonly watch: string } | undefined
  /** What is kept of an object. */
  readonly keep: (object: JsonObject) => T
  /** Under which key an object is kept. Default: its name, for collections of one namespace or of none. */
  readonly keyOf?: ((metadata: { readonly name: string; readonly namespace?: string }) => string) | undefined
  /** Called after a change is in place; undefined for a deleted object. */
  readonly onChange?: ((key: string, value: T | undefined) => void) | undefined
  /** A list was taken over, or a watch has begun. */
  readonly onConnect?: (() => void) | undefined
  /** A list or watch that failed; it is tried again. */
  readonly onError?: ((error: unknown) => void) | undefined
  readonly backoff?: { readonly firstMs: number; readonly maxMs: number } | undefined
}

const pageSize = 500
/** A watch is opened for 5 to 10 minutes, as by client-go's reflector. */
const watchSeconds = (): number => 300 + Math.floor(Math.random() * 300)

/**
 * Keeps the objects of one collection up to date by list and watch, after client-go's Reflector: the first list may come from the
 * server's cache, a watch that ends is resumed where it was (bookmarks move that on), 410 lists again at the newest state, failures
 * back off from 0.8 to 30 seconds.
 */
export class Informer<T> {
  readonly #options: InformerOptions<T>
  readonly #keyOf: (metadata: { readonly name: string; readonly namespace?: string }) => string
  #values = new Map<string, T>()
  readonly #stop = new AbortController()
  #synced = false
  readonly #waiting = new Set<() => void>()
  #running: Promise<void> | undefined

  constructor (options: InformerOptions<T>) {
    this.#options = options
    this.#keyOf = options.keyOf ?? (metadata => metadata.name)
  }

  /** Begins; idempotent. */
  start (): void {
    this.#running ??= this.#run()
  }

  async stop (): Promise<void> {
    this.#stop.abort(new Error('the informer is stopped'))
    for (const resolve of this.#waiting) resolve()
    await this.#running
  }

  /** Whether a first list has been taken over. */
  get hasSynced (): boolean { return this.#synced }

  /** Resolves to whether the first list is there, at the latest after `timeoutMs`. */
  async whenSynced (timeoutMs: number): Promise<boolean> {
    if (this.#synced || this.#stop.signal.aborted) return this.#synced
    await new Promise<void>(resolve => {
      const done = (): void => {
        clearTimeout(timer)
        this.#waiting.delete(done)
        resolve()
      }
      const timer = setTimeout(done, timeoutMs)
      this.#waiting.add(done)
    })
    return this.#synced
  }

  get (key: string): T | undefined { return this.#values.get(key) }
  get size (): number { return this.#values.size }

  async #run (): Promise<void> {
    const { firstMs, maxMs } = this.#options.backoff ?? { firstMs: 800, maxMs: 30_000 }
    const { signal } = this.#stop
    let delay = firstMs
    let from = '0'
    while (!signal.aborted) {
      try {
        let resourceVersion = await this.#list(from)
        for (;;) {
          const began = performance.now()
          resourceVersion = await this.#watch(resourceVersion, () => { delay = firstMs })
          // A server that ends watches at once is left in peace between them.
          if (performance.now() - began < 1000) await sleep(firstMs * (1 + Math.random()), undefined, { ref: false, signal })
        }
      } catch (error) {
        if (signal.aborted) return
        this.#options.onError?.(error)
        // The revision is gone: nothing but the newest state will do. After other failures a list, too, may lag behind what was seen.
        from = isClusterError(error, 410) || this.#synced ? '' : '0'
        await sleep(delay * (1 + Math.random()), undefined, { ref: false, signal }).catch(() => {})
        delay = Math.min(delay * 2, maxMs)
      }
    }
  }

  async #list (resourceVersion: string): Promise<string> {
    const { accept, client, fieldSelector, keep, onConnect, path } = this.#options
    const found = new Map<string, T>()
    let token = ''
    let list: ClusterList
    do {
      const query = new URLSearchParams({ limit: String(pageSize), ...(fieldSelector && { fieldSelector }), ...(token === '' ? resourceVersion !== '' && { resourceVersion } : { continue: token }) })
      list = await client.json<ClusterList>({ method: 'GET', path: `${path}?${query.toString()}`, accept: accept?.list, signal: this.#stop.signal, timeoutMs: 60_000 })
      for (const item of list.items ?? []) found.set(this.#keyOf(item.metadata), keep(item))
      token = list.metadata.continue ?? ''
    } while (token !== '')
    const before = this.#values
    this.#values = found
    this.#synced = true
    onConnect?.()
    for (const resolve of this.#waiting) resolve()
    for (const [key, value] of found) this.#options.onChange?.(key, value)
    for (const key of before.keys()) if (!found.has(key)) this.#options.onChange?.(key, undefined)
    return list.metadata.resourceVersion
  }

  /** @returns where the next watch goes on, when this one ended in order or was cut off */
  async #watch (resourceVersion: string, onOpen: () => void): Promise<string> {
    const { accept, client, fieldSelector, onConnect, path } = this.#options
    const seconds = watchSeconds()
    const query = new URLSearchParams({ watch: '1', resourceVersion, allowWatchBookmarks: 'true', timeoutSeconds: String(seconds), ...(fieldSelector && { fieldSelector }) })
    // A connection that died without a word would otherwise be watched for ever.
    const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout((seconds + 30) * 1000)])
    const answer = await client.stream(`${path}?${query.toString()}`, signal, accept?.watch)
    onOpen()
    onConnect?.()
    let last = resourceVersion
    try {
      for await (const line of splitLines(answer)) {
        const event = JSON.parse(line) as ClusterEvent
        if (event.type === 'ERROR') throw new ClusterError(event.object.message ?? 'the watch failed', { code: event.object.code ?? 500 })
        this.#apply(event)
        last = event.object.metadata.resourceVersion
      }
    } catch (error) {
      this.#stop.signal.throwIfAborted()
      if (error instanceof ClusterError || error instanceof SyntaxError) throw error
      // Cut off in the middle: what was seen was whole, so it goes on from there.
    }
    return last
  }

  #apply ({ type, object }: ClusterEvent): void {
    if (type === 'BOOKMARK') return
    const key = this.#keyOf(object.metadata)
    if (type === 'DELETED') {
      this.#values.delete(key)
      this.#options.onChange?.(key, undefined)
      return
    }
    const value = this.#options.keep(object)
    this.#values.set(key, value)
    this.#options.onChange?.(key, value)
  }
}
