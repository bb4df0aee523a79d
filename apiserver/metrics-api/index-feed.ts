import { StorageError } from '../../storage/errors.js'
import type { CacheWatchEvent, CacheWatcher } from '../../storage/cacher/interfaces.js'
import type { ServedObject } from '../../registry/generic/served-object.js'
import type { Store } from '../../registry/generic/store/store.js'
import type { CustomMetric } from '../../registry/metrics.example.com/custommetrics/types.js'
import type { DescribedKinds } from './described-kinds.js'
import type { LiveSamples } from './live-samples.js'
import { MetricIndex } from './metric-index.js'
import { sampleOf } from './sample.js'

export interface IndexFeedOptions {
  /** That of CustomMetrics. */
  readonly store: Pick<Store, 'cacher' | 'watch'>
  readonly kinds: DescribedKinds
  /** Samples that are not stored, or not yet. */
  readonly live?: LiveSamples | undefined
  /** Metrics came or went. */
  readonly onNamesChange: () => void
  /** A failure that the feed survives. */
  readonly onError: (error: unknown) => void
}

/** More than a burst of writes; a feed that is cut nevertheless begins anew. */
const bufferSize = 100_000

/**
 * Keeps an index up to date by the events of the store's cache. When the watch is cut, a new index is filled while the old one answers.
 */
export class IndexFeed {
  readonly #options: IndexFeedOptions
  readonly #stop = new AbortController()
  #index: MetricIndex | undefined
  #running: Promise<void> | undefined
  #cut: () => void = () => {}

  constructor (options: IndexFeedOptions) { this.#options = options }

  /** Undefined until it has been filled for the first time. */
  get index (): MetricIndex | undefined { return this.#index }

  /** Begins; idempotent. */
  start (): void { this.#running ??= this.#run() }

  /** Fills a new index, because kinds are now of other resources; the old one answers meanwhile. */
  refill (): void { this.#cut() }

  /** Resolves when no event is applied any more. The cache ends the watch when it is stopped, too. */
  async stop (): Promise<void> {
    this.#stop.abort(new Error('the metrics index is stopped'))
    await this.#running
  }

  async #run (): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      try {
        await this.#options.store.cacher.whenReady(signal)
        const watcher = this.#options.store.watch({ namespace: '' }, { start: { from: 'initial', bookmarkEnd: true }, bookmarks: false, bufferSize })
        if (await this.#follow(watcher) === 'closed') return
      } catch (error) {
        if (signal.aborted || (error instanceof StorageError && error.code === 'Closed')) return
        this.#options.onError(error)
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
    const filling = new MetricIndex(this.#options.onNamesChange, this.#options.live)
    try {
      for (;;) {
        const events = watcher.take()
        for (const event of events) this.#apply(filling, event)
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
      if (this.#index !== filling) filling.close()
    }
  }

  #apply (index: MetricIndex, event: CacheWatchEvent<ServedObject>): void {
    if (event.type === 'BOOKMARK') {
      if (!event.initialEventsEnd) return
      this.#index?.close()
      this.#index = index
      this.#options.onNamesChange()
      return
    }
    const object = event.item.value
    const sample = event.type === 'DELETED' ? undefined : sampleOf(object.storageObject() as CustomMetric, this.#options.kinds)
    if (sample === undefined) index.delete(`${object.namespace}/${object.name}`)
    else index.set(sample)
  }
}
