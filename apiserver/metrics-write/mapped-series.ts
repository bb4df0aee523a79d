import type { CompiledMapping } from './compiled-mapping.js'
import { SampleWindow } from './sample-window.js'
import type { MappedMetric } from './mapped-metric.js'
import type { Point } from './written-series.js'

/** What became of a sample. */
export type Verdict = 'accepted' | 'duplicate' | 'outOfOrder' | 'conflictingDuplicate' | 'reset'

/** One series as one mapping holds it. */
export class MappedSeries {
  readonly key: string
  readonly metric: MappedMetric
  readonly window: SampleWindow
  readonly #counter: boolean
  #lastMs = -Infinity
  #lastValue = NaN

  constructor (key: string, metric: MappedMetric, mapping: CompiledMapping) {
    this.key = key
    this.metric = metric
    this.window = new SampleWindow((mapping.windowSeconds ?? 0) * 1000)
    this.#counter = mapping.function === 'Rate' || mapping.function === 'Increase'
  }

  /** The time of the newest sample, also of one without a usable value. */
  get lastMs (): number { return this.#lastMs }
  /** What the newest sample says; NaN and infinite values are not used. */
  get lastValue (): number { return this.#lastValue }

  append ({ timestampMs, value }: Point, delta: boolean): Verdict {
    if (timestampMs <= this.#lastMs) {
      const known = timestampMs === this.#lastMs ? this.#lastValue : this.window.valueAt(timestampMs)
      // A request that is sent again, because its answer was lost, is no mistake.
      if (known !== undefined && (delta || Object.is(known, value))) return 'duplicate'
      return timestampMs === this.#lastMs ? 'conflictingDuplicate' : 'outOfOrder'
    }
    const total = delta && this.#counter ? (this.window.lastValue ?? 0) + value : value
    const reset = this.#counter && total < (this.window.lastValue ?? -Infinity)
    this.#lastMs = timestampMs
    this.#lastValue = total
    if (Number.isFinite(total)) this.window.push(timestampMs, total)
    return reset ? 'reset' : 'accepted'
  }
}
