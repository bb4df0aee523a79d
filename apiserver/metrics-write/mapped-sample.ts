import { canonicalQuantity, type Quantity } from '../../registry/meta/quantity.js'
import { formatRfc3339 } from '../../registry/schema/rfc3339.js'
import type { Sample } from '../metrics-api/sample.js'
import type { CompiledMapping } from './compiled-mapping.js'
import { quantityOfFloat } from './float-quantity.js'
import type { MetricIdentity } from './mapped-metric.js'

/**
 * The value of a mapped metric as readers find it. It is made once and changes with the samples that come, thousands a second: nothing is
 * left behind for the garbage collector, and what only readers want is made when they ask.
 */
export class MappedSample implements Sample {
  readonly key: string
  readonly namespace: string
  readonly metric: string
  readonly labels: Readonly<Record<string, string>>
  readonly labelsKey: string
  readonly described: Sample['described']
  readonly windowSeconds: number | undefined
  readonly ttlMs: number | undefined
  #number = 0
  #timestampMs = 0
  #value: Quantity | undefined
  #valueText: string | undefined
  #timestampText: string | undefined

  constructor (key: string, { namespace, described, windowSeconds, ttlSeconds }: CompiledMapping, { metric, labels, labelsKey, object }: MetricIdentity) {
    this.key = key
    this.namespace = namespace
    this.metric = metric
    this.labels = labels
    this.labelsKey = labelsKey
    this.described = described && { kind: described.kind, name: object!, resource: described.resource }
    this.windowSeconds = windowSeconds
    this.ttlMs = ttlSeconds === undefined ? undefined : ttlSeconds * 1000
  }

  /** @param value one that is a quantity, see `isQuantity` */
  set (value: number, timestampMs: number): void {
    if (!Object.is(value, this.#number)) {
      this.#number = value
      this.#value = undefined
      this.#valueText = undefined
    }
    if (timestampMs === this.#timestampMs) return
    this.#timestampMs = timestampMs
    this.#timestampText = undefined
  }

  get value (): Quantity { return this.#value ??= quantityOfFloat(this.#number)! }
  get valueText (): string { return this.#valueText ??= canonicalQuantity(this.value) }
  get timestampMs (): number { return this.#timestampMs }
  get timestampText (): string { return this.#timestampText ??= formatRfc3339(this.#timestampMs) }
}
