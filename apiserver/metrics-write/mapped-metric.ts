import { createHash } from 'node:crypto'
import { isPathSegment } from '../../registry/meta/names.js'
import { groupResourceOf } from '../metrics-api/described-kinds.js'
import type { Sample } from '../metrics-api/sample.js'
import type { CompiledMapping } from './compiled-mapping.js'
import { isQuantity } from './float-quantity.js'
import { MappedSample } from './mapped-sample.js'
import type { MappedSeries } from './mapped-series.js'
import type { Problem } from './mapping-problems.js'

/**
 * What a metric is worth: a value, nothing yet (a rate needs two samples), or nothing that may be served, a value stored before included.
 */
export type Worth =
  | { readonly kind: 'value'; readonly sample: Sample }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'absent'; readonly why: string }

/** What a series becomes by a mapping, before it is known whether the metric exists. */
export interface MetricIdentity {
  /** Unique among the metrics of a namespace: equal for mappings that make the same metric. */
  readonly id: string
  readonly metric: string
  readonly labels: Readonly<Record<string, string>>
  readonly labelsKey: string
  /** The name of the described object. */
  readonly object: string | undefined
}

/** @returns a problem when the series cannot become a metric */
export function identify (mapping: CompiledMapping, labels: ReadonlyMap<string, string>): MetricIdentity | Problem {
  // An empty label is the same as an absent one.
  const value = (label: string): string | undefined => labels.get(label) || undefined
  const { described } = mapping
  const object = described && value(described.nameLabel)
  if (described !== undefined && object === undefined) return { type: 'LabelMissing', message: `has no label ${described.nameLabel}, which names the described ${described.kind}` }
  const metric = mapping.metric.expand(value)
  if (metric === undefined) return { type: 'LabelMissing', message: `has no label ${mapping.metric.labels.filter(l => value(l) === undefined).join(', ')}, which the metric's name is made of` }
  const problems = [...isPathSegment(metric, { prefix: false }), ...metric.length > 1024 ? ['must be no more than 1024 characters'] : []]
  if (problems.length > 0) return { type: 'InvalidName', message: `would become the metric ${JSON.stringify(metric.slice(0, 100))}: ${problems.join(', ')}` }
  const kept = mapping.labels.flatMap(l => { const v = value(l); return v === undefined ? [] : [[l, v] as const] })
  const labelsKey = JSON.stringify(kept)
  // External metrics are found without case.
  const id = JSON.stringify([described === undefined ? '' : groupResourceOf(described.resource), object ?? '', described === undefined ? metric.toLowerCase() : metric, labelsKey])
  return { id, metric, labels: Object.fromEntries(kept), labelsKey, object }
}

/** One metric of one mapping, made of the series that fall together in it. */
export class MappedMetric {
  readonly mapping: CompiledMapping
  readonly identity: MetricIdentity
  /** The name of the CustomMetric that keeps its value. */
  readonly checkpointName: string
  /** Of samples, the same as that of the CustomMetric. */
  readonly sampleKey: string
  readonly series = new Set<MappedSeries>()
  worth: Worth = { kind: 'unknown' }
  /** Its worth whenever it has a value; what is in it changes. */
  readonly #value: { readonly kind: 'value'; readonly sample: MappedSample }
  /** When its last series expired; the metric stays a while, so that readers are told. */
  expiredMs: number | undefined

  constructor (mapping: CompiledMapping, identity: MetricIdentity) {
    this.mapping = mapping
    this.identity = identity
    const hash = createHash('sha256').update(identity.id).digest('hex').slice(0, 12)
    this.checkpointName = `${mapping.name.slice(0, 200).replace(/[^a-z0-9]+$/, '')}-${hash}`
    this.sampleKey = `${mapping.namespace}/${this.checkpointName}`
    this.#value = { kind: 'value', sample: new MappedSample(this.sampleKey, mapping, identity) }
  }

  /** Computes its worth from its series. */
  evaluate (): void {
    const combined = combine(this.mapping.function, this.series)
    if (combined === undefined) this.worth = { kind: 'unknown' }
    else if ('why' in combined) this.worth = { kind: 'absent', why: combined.why }
    else if (!isQuantity(combined.value)) this.worth = { kind: 'absent', why: `${combined.value} is beyond ±2^63/1000 (about 9.2e15)` }
    else {
      this.#value.sample.set(combined.value, combined.timestampMs)
      this.worth = this.#value
    }
  }
}

interface Combined { readonly value: number; readonly timestampMs: number }

/** Undefined: no series has enough samples. A series whose newest value is no number leaves no honest answer for the others. */
function combine (reduce: CompiledMapping['function'], all: Iterable<MappedSeries>): Combined | { why: string } | undefined {
  let timestampMs = -Infinity
  let value = reduce === 'Max' ? -Infinity : 0
  let samples = 0
  for (const { window, lastMs, lastValue } of all) {
    if (!Number.isFinite(lastValue)) return { why: `the value of a series is ${lastValue}` }
    switch (reduce) {
      case 'Latest': value += lastValue; break
      case 'Sum': value += window.sum(); break
      case 'Avg': value += window.sum(); break
      case 'Max': value = Math.max(value, window.max()); break
      case 'Rate':
      case 'Increase': {
        const increase = window.increase()
        if (increase === undefined) continue
        value += reduce === 'Rate' ? increase.value / increase.seconds : increase.value
      }
    }
    samples += window.count
    timestampMs = Math.max(timestampMs, lastMs)
  }
  if (samples === 0) return undefined
  return { value: reduce === 'Avg' ? value / samples : value, timestampMs }
}
