import type { KubeObject } from '../../registry/meta/object-meta.js'
import { Backoff } from '../backoff.js'
import type { ListOptions, ObjectList, SelectOptions } from '../client/interfaces.js'
import { ConnectionError, isExpired, isTooLargeResourceVersion, isTooManyRequests } from '../client/errors.js'
import { sleep, systemClock, type Clock } from '../clock.js'
import { silentLogger, type Logger } from '../logger.js'
import { keyOfObject } from '../object-key.js'
import type { ListerWatcher, ReflectorStore } from './interfaces.js'
import { WatchSession, type WatchEnd } from './watch-session.js'

export interface ReflectorOptions<T extends KubeObject> {
  readonly source: ListerWatcher<T>
  readonly store: ReflectorStore<T>
  /** Which of the source's objects. */
  readonly select?: SelectOptions
  /** Whether to ask for the initial objects as a watch (WatchList, KEP-3157) before falling back to a list. Default true. */
  readonly useWatchList?: boolean
  /** The size of list pages, where lists can be paged; by default 500 where the server pages at all. */
  readonly pageSize?: number
  /** A watch is asked to end after this to twice this. Default 5 minutes, as in client-go. */
  readonly minWatchTimeoutSeconds?: number
  /** A watch without any event for so long is taken for dead and opened again. Default 3 minutes; servers send a bookmark every minute. */
  readonly idleMs?: number
  /** The waits after failures. Default 800 ms doubling up to 30 s, each lengthened by up to its own length; as in client-go. */
  readonly backoff?: { readonly initialMs: number; readonly maxMs: number }
  readonly log?: Logger
  readonly clock?: Clock
  /** From 0 up to 1, for jitter. */
  readonly random?: () => number
}

/** Waiting longer for the end of the initial events, the server does not know WatchList and streams nothing. */
const initialEventsIdleMs = 30_000
const initialEventsEnd = 'k8s.io/initial-events-end'

/**
 * Keeps a store equal to what a server has, by the rules of client-go's `tools/cache` Reflector: the initial objects as a WatchList stream
 * with list as the fallback, then watches that resume where the last one ended, and everything from the start when the server has
 * forgotten that place. Two differences, both cheaper for the server: a watch that ends at once and empty is opened again after a backoff
 * instead of relisting, and so is one whose connection failed for whatever reason.
 */
export class Reflector<T extends KubeObject> {
  readonly #options: ReflectorOptions<T>
  readonly #clock: Clock
  readonly #log: Logger
  readonly #random: () => number
  readonly #backoff: Backoff
  #lastSyncResourceVersion = ''
  /** The last list or watch was told that the server does not have that version (any more, or yet). */
  #resourceVersionUnavailable = false
  /** The last list asked for a version and got that very one. */
  #listedNothingNewer = false
  /** The server pages even what it could serve from its cache, so paging costs it nothing more. */
  #paginated = false

  constructor (options: ReflectorOptions<T>) {
    const { clock = systemClock, random = Math.random } = options
    this.#options = options
    this.#clock = clock
    this.#random = random
    this.#log = options.log ?? silentLogger
    this.#backoff = new Backoff({ initialMs: 800, maxMs: 30_000, ...options.backoff, resetMs: 120_000, clock, random })
  }

  /** The version of the last list, event or bookmark. */
  get lastSyncResourceVersion (): string { return this.#lastSyncResourceVersion }

  /** Runs until the signal aborts; never rejects. */
  async run (signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#listAndWatch(signal)
      } catch (error) {
        if (signal.aborted) return
        const expected = isExpired(error) || error instanceof ConnectionError
        this.#log[expected ? 'info' : 'warn']({ err: error, resourceVersion: this.#lastSyncResourceVersion }, 'the list or watch failed and starts again')
      }
      await sleep(this.#clock, this.#backoff.next(), signal)
    }
  }

  async #listAndWatch (signal: AbortSignal): Promise<void> {
    let session: WatchSession<T> | undefined
    if (this.#options.useWatchList ?? true) {
      try {
        session = await this.#watchList(signal)
      } catch (error) {
        if (signal.aborted) return
        this.#log.debug({ err: error }, 'the initial objects cannot be streamed; listing')
      }
    }
    if (session === undefined) {
      if (signal.aborted) return
      await this.#list(signal)
    }
    await this.#watch(session, signal)
  }

  /** Streams the initial objects. Resolves to the open watch, or to undefined if the signal aborted. @throws what makes it impossible */
  async #watchList (signal: AbortSignal): Promise<WatchSession<T> | undefined> {
    while (!signal.aborted) {
      const objects = new Map<string, T>()
      let resourceVersion = ''
      const session = await this.#open({
        resourceVersion: this.#resourceVersionUnavailable ? '' : this.#lastSyncResourceVersion,
        resourceVersionMatch: 'NotOlderThan',
        sendInitialEvents: true
      }, signal, initialEventsIdleMs).catch(async (error: unknown) => { await this.#recover(error, signal) })
      if (session === undefined) continue
      let complete = false
      try {
        await session.read(({ type, object }) => {
          if (type === 'ADDED' || type === 'MODIFIED') objects.set(keyOfObject(object), object)
          else if (type === 'DELETED') objects.delete(keyOfObject(object))
          else complete = object.metadata.annotations?.[initialEventsEnd] === 'true'
          if (type !== 'ADDED') resourceVersion = object.metadata.resourceVersion ?? ''
          return !complete
        })
      } catch (error) {
        session.close()
        await this.#recover(error, signal)
        continue
      }
      if (!complete) {
        session.close()
        if (session.idle) throw new Error('the server does not say where the initial events end')
        await sleep(this.#clock, this.#backoff.next(), signal)
        continue
      }
      this.#resourceVersionUnavailable = false
      this.#listedNothingNewer = false
      this.#options.store.replace([...objects.values()])
      this.#lastSyncResourceVersion = resourceVersion
      session.idleMs = this.#idleMs
      return session
    }
    return undefined
  }

  /** After a failed WatchList: returns if it is to be tried again. @throws the error otherwise */
  async #recover (error: unknown, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return
    if (canWatchAgain(error)) await sleep(this.#clock, this.#backoff.next(), signal)
    else if ((isExpired(error) || isTooLargeResourceVersion(error)) && !this.#resourceVersionUnavailable) this.#resourceVersionUnavailable = true
    else throw error
  }

  async #list (signal: AbortSignal): Promise<void> {
    const { source, store, select = {}, pageSize } = this.#options
    const list = async (resourceVersion: string): Promise<ObjectList<T>> => {
      // From a version on, the server's cache answers, but only without pages: with them, that very version is meant, which is why we list.
      const limit = resourceVersion === '' || resourceVersion === '0' ? pageSize : this.#paginated ? undefined : 0
      const options: ListOptions = { ...select, resourceVersion, ...(limit !== undefined && { limit }) }
      return await source.listAll(options, { signal })
    }
    // An old version is good enough to begin with; later ones may not be older than what was seen.
    const resourceVersion = this.#resourceVersionUnavailable ? '' : this.#lastSyncResourceVersion === '' ? '0' : this.#lastSyncResourceVersion
    const found = await list(resourceVersion).catch(async (error: unknown) => {
      if (!isExpired(error) && !isTooLargeResourceVersion(error)) throw error
      this.#resourceVersionUnavailable = true
      return await list('')
    })
    if (resourceVersion === '0' && found.paginated === true) this.#paginated = true
    this.#resourceVersionUnavailable = false
    this.#listedNothingNewer = resourceVersion !== '' && resourceVersion === found.resourceVersion
    store.replace(found.items)
    this.#lastSyncResourceVersion = found.resourceVersion
  }

  /** Watches, again and again, until something happens that takes a new list. */
  async #watch (first: WatchSession<T> | undefined, signal: AbortSignal): Promise<void> {
    let session = first
    while (!signal.aborted) {
      const startMs = this.#clock.monotonicMs()
      // What is sent first without a version is in no order, so none of it can be resumed from.
      let ordered = session !== undefined || (this.#lastSyncResourceVersion !== '' && this.#lastSyncResourceVersion !== '0')
      let events = 0
      let end: WatchEnd = 'closed'
      try {
        session ??= await this.#open({ resourceVersion: this.#lastSyncResourceVersion }, signal, this.#idleMs)
        end = await session.read(({ type, object }) => {
          events++
          const { store } = this.#options
          if (type === 'ADDED') store.add(object)
          else if (type === 'MODIFIED') store.update(object)
          else if (type === 'DELETED') store.delete(object)
          ordered ||= type !== 'ADDED'
          if (ordered && object.metadata.resourceVersion !== undefined) this.#lastSyncResourceVersion = object.metadata.resourceVersion
          return true
        })
      } catch (error) {
        if (signal.aborted) return
        // What can be listed but not watched would be listed for ever.
        if (isExpired(error) && events === 0 && this.#listedNothingNewer) this.#resourceVersionUnavailable = true
        if (!canWatchAgain(error)) throw error
        this.#log.debug({ err: error }, 'the watch failed and is opened again')
        await sleep(this.#clock, this.#backoff.next(), signal)
        continue
      } finally {
        session?.close()
        session = undefined
      }
      if (end === 'idle') this.#log.info({ resourceVersion: this.#lastSyncResourceVersion }, 'nothing came over the watch for too long; it is opened again')
      if (events === 0 && this.#clock.monotonicMs() - startMs < 1000) await sleep(this.#clock, this.#backoff.next(), signal)
    }
  }

  async #open (options: { readonly resourceVersion: string, readonly resourceVersionMatch?: 'NotOlderThan', readonly sendInitialEvents?: boolean }, signal: AbortSignal, idleMs: number): Promise<WatchSession<T>> {
    const { source, select = {}, minWatchTimeoutSeconds = 300 } = this.#options
    const timeoutSeconds = Math.floor(minWatchTimeoutSeconds * (1 + this.#random()))
    return await WatchSession.open(this.#clock, async context => await source.watch({ ...select, ...options, timeoutSeconds, allowWatchBookmarks: true }, { signal: context }), { signal, timeoutSeconds, idleMs })
  }

  get #idleMs (): number { return this.#options.idleMs ?? 180_000 }
}

/** The version that was reached is as good as before. */
const canWatchAgain = (error: unknown): boolean => error instanceof ConnectionError || isTooManyRequests(error)
