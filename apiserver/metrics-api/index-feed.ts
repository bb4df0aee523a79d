import type { Store } from '../../registry/generic/store/store.js'
import type { CustomMetric } from '../../registry/metrics.example.com/custommetrics/types.js'
import type { DescribedKinds } from './described-kinds.js'
import type { LiveSamples } from './live-samples.js'
import { MetricIndex } from './metric-index.js'
import { sampleOf } from './sample.js'
import { StoreFollower } from './store-follower.js'

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

/**
 * Keeps an index up to date by the events of the store's cache. When the watch is cut, a new index is filled while the old one answers.
 */
export class IndexFeed {
  readonly #follower: StoreFollower
  #index: MetricIndex | undefined
  /** The one that events go to: another one until it has been filled. */
  #filling: MetricIndex | undefined

  constructor ({ store, kinds, live, onNamesChange, onError }: IndexFeedOptions) {
    this.#follower = new StoreFollower(store, {
      onBegin: () => {
        this.#abandon()
        this.#filling = new MetricIndex(onNamesChange, live)
      },
      onSynced: () => {
        this.#index?.close()
        this.#index = this.#filling
        onNamesChange()
      },
      onObject: object => {
        const sample = sampleOf(object.storageObject() as CustomMetric, kinds)
        if (sample === undefined) this.#filling?.delete(`${object.namespace}/${object.name}`)
        else this.#filling?.set(sample)
      },
      onDeleted: (namespace, name) => { this.#filling?.delete(`${namespace}/${name}`) },
      onError
    })
  }

  /** Undefined until it has been filled for the first time. */
  get index (): MetricIndex | undefined { return this.#index }

  /** Begins; idempotent. */
  start (): void { this.#follower.start() }

  /** Fills a new index, because kinds are now of other resources; the old one answers meanwhile. */
  refill (): void { this.#follower.restart() }

  /** Resolves when no event is applied any more. The cache ends the watch when it is stopped, too. */
  async stop (): Promise<void> {
    await this.#follower.stop()
    this.#abandon()
  }

  /** One that is not filled will not be. */
  #abandon (): void {
    if (this.#filling !== this.#index) this.#filling?.close()
  }
}
