import type { LiveSamples } from '../metrics-api/live-samples.js'
import { humanDuration } from '../../registry/schema/human-duration.js'
import type { CompiledMapping } from './compiled-mapping.js'
import { MappedMetric, type MetricIdentity } from './mapped-metric.js'
import { MappedSeries, type Verdict } from './mapped-series.js'
import type { MappingState } from './mapping-state.js'
import { NamespaceSeries } from './namespace-series.js'
import { seriesKey, seriesText, type Point, type WrittenSeries } from './written-series.js'
import { TimeSlice } from './time-slice.js'
import { WriteResult, type RefusalReason } from './write-result.js'

export interface SeriesLimits {
  readonly perMapping: number
  readonly perNamespace: number
  readonly total: number
}

export interface SeriesMemoryOptions {
  readonly limits: SeriesLimits
  /** Where readers find the metrics. */
  readonly live: LiveSamples
  /** How long series count whose mapping does not say it. */
  readonly ttlMs: number
  /** How far a sender's clock may be ahead. */
  readonly clockSkewMs: number
  /** A metric is no more. */
  readonly onRemoved?: (metric: MappedMetric) => void
  readonly now: () => number
}

/** A metric whose series have all expired stays so long, for the readers that ask why there is nothing. */
const expiredMetricsStayMs = 10 * 60_000

/**
 * The samples that are written at a high rate: held in memory, mapped to metrics, never stored one by one. Every limit refuses new
 * series and leaves those that are there alone.
 */
export class SeriesMemory {
  readonly #options: SeriesMemoryOptions
  readonly #namespaces = new Map<string, NamespaceSeries>()
  #total = 0

  constructor (options: SeriesMemoryOptions) { this.#options = options }

  /** Series held, of all mappings. */
  get size (): number { return this.#total }

  * states (): Iterable<MappingState> { for (const { states } of this.#namespaces.values()) yield * states }
  state (namespace: string, name: string): MappingState | undefined { return this.#namespaces.get(namespace)?.state(name) }

  /** Uses a mapping from now on, instead of the one of its name, whose series are forgotten. The same generation again changes nothing. */
  setMapping (mapping: CompiledMapping): void {
    const before = this.state(mapping.namespace, mapping.name)?.mapping
    if (before?.uid === mapping.uid && before.generation === mapping.generation && sameResource(before, mapping)) return
    this.deleteMapping(mapping.namespace, mapping.name)
    let namespace = this.#namespaces.get(mapping.namespace)
    if (namespace === undefined) this.#namespaces.set(mapping.namespace, namespace = new NamespaceSeries(this.#options.limits.perNamespace))
    namespace.set(mapping)
  }

  deleteMapping (namespaceName: string, name: string): void {
    const namespace = this.#namespaces.get(namespaceName)
    const state = namespace?.state(name)
    if (namespace === undefined || state === undefined) return
    for (const series of state.series.values()) this.#forget(namespace, state, series)
    for (const metric of state.metrics.values()) this.#remove(namespace, state, metric)
    namespace.delete(name)
    if (namespace.empty) this.#namespaces.delete(namespaceName)
  }

  /** Whether the metric is still there, or has been removed. */
  holds (metric: MappedMetric): boolean { return this.state(metric.mapping.namespace, metric.mapping.name)?.metrics.get(metric.identity.id) === metric }

  /** Whether the metric is the one that counts of those that are alike. */
  counts (metric: MappedMetric): boolean {
    const namespace = this.#namespaces.get(metric.mapping.namespace)
    return namespace?.owner(metric) === metric
  }

  /**
   * Takes the samples of one request over. One that is refused stops no other. Gives way to other requests all the time; a metric changes
   * when all of the request is in. Whoever calls it waits for the end before calling it again, or samples of two requests mix in a metric.
   * @param result what is known already, added to
   */
  async write (namespaceName: string, written: Iterable<WrittenSeries>, { result = new WriteResult(), slice = new TimeSlice() }: { result?: WriteResult; slice?: TimeSlice } = {}): Promise<WriteResult> {
    const changed = new Map<MappedMetric, MappingState>()
    for (const series of written) {
      const key = seriesKey(series.labels)
      for (const point of series.points) {
        if (slice.over) await slice.next()
        this.#writePoint(namespaceName, key, series, point, { changed, result })
      }
    }
    for (const [metric, state] of changed) {
      if (slice.over) await slice.next()
      if (this.holds(metric)) this.#settle(this.#namespaces.get(namespaceName)!, state, metric)
    }
    return result
  }

  /** Forgets what has expired, and gives way to requests all the time. Called about once a second, one call after the other. */
  async sweep (): Promise<void> {
    const nowMs = this.#options.now()
    const slice = new TimeSlice()
    for (const namespace of this.#namespaces.values()) {
      for (const state of namespace.states) await this.#sweepMapping(namespace, state, nowMs, slice)
    }
  }

  /** Finds the way of each point anew: the mappings may be others after a turn. */
  #writePoint (namespaceName: string, key: string, series: WrittenSeries, point: Point, into: { changed: Map<MappedMetric, MappingState>; result: WriteResult }): void {
    const namespace = this.#namespaces.get(namespaceName)
    if (namespace === undefined) {
      into.result.accepted++
      return
    }
    const nowMs = this.#options.now()
    let refusal: { reason: RefusalReason; text: string } | undefined
    for (const { state, to } of namespace.routes(key, series.labels)) {
      // Also of what cannot be taken: the status has to say why.
      state.receivedMs = nowMs
      if ('type' in to) {
        state.problems.report(to.type, nowMs, () => `${seriesText(series.labels)} ${to.message}`)
        continue
      }
      const problem = this.#append(namespace, state, to, key, series, point, into.changed)
      if (problem === undefined) continue
      refusal ??= problem
      state.refuse(problem.reason)
      state.problems.report(problem.reason === 'tooManySeries' ? 'TooManySeries' : 'SamplesRefused', nowMs, () => `${seriesText(series.labels)} ${problem.text}`)
    }
    if (refusal === undefined) {
      into.result.accepted++
      return
    }
    into.result.refuse(refusal.reason, () => `${seriesText(series.labels)} ${refusal.text}`)
    into.result.refusedSeries.add(series)
  }

  #append (namespace: NamespaceSeries, state: MappingState, identity: MetricIdentity, key: string, { labels, delta = false }: WrittenSeries, point: Point, changed: Map<MappedMetric, MappingState>): { reason: RefusalReason; text: string } | undefined {
    const { clockSkewMs, now } = this.#options
    const nowMs = now()
    const aheadMs = point.timestampMs - nowMs
    if (!(aheadMs <= clockSkewMs)) return { reason: 'future', text: `lies ${humanDuration(aheadMs)} ahead (more than ${humanDuration(clockSkewMs)} of clock skew)` }
    let series = state.series.get(key)
    if (point.stale === true) {
      if (series !== undefined && point.timestampMs >= series.lastMs) {
        this.#forget(namespace, state, series)
        changed.set(series.metric, state)
      }
      return undefined
    }
    // One that would be forgotten at once is not a mistake: senders catch up after an outage.
    if (point.timestampMs + this.#ttlMs(state) < nowMs && series === undefined) return undefined
    if (series === undefined) {
      const full = this.#full(namespace, state)
      if (full !== undefined) return { reason: 'tooManySeries', text: full }
      series = this.#add(namespace, state, identity, key)
    }
    const verdict = series.append(point, delta)
    const problem = refusalOf(verdict, point, series)
    if (problem !== undefined) return problem
    state.accepted++
    state.lastSampleMs = Math.max(state.lastSampleMs ?? -Infinity, point.timestampMs)
    if (verdict === 'reset') state.problems.report('CounterReset', nowMs, () => `${seriesText(labels)} fell to ${point.value}; it is taken to have begun at zero`)
    if (series.window.truncated) state.problems.report('WindowTruncated', nowMs, () => `${seriesText(labels)} has more than ${series.window.count} samples in its window; the latest ones count`)
    changed.set(series.metric, state)
    return undefined
  }

  #ttlMs ({ mapping }: MappingState): number { return mapping.ttlSeconds === undefined ? this.#options.ttlMs : mapping.ttlSeconds * 1000 }

  #full (namespace: NamespaceSeries, state: MappingState): string | undefined {
    const { limits } = this.#options
    if (state.series.size >= limits.perMapping) return `is one more than the ${limits.perMapping} series that a MetricMapping may hold`
    if (namespace.seriesCount >= limits.perNamespace) return `is one more than the ${limits.perNamespace} series that a namespace may hold`
    if (this.#total >= limits.total) return `is one more than the ${limits.total} series that this server holds`
    return undefined
  }

  #add (namespace: NamespaceSeries, state: MappingState, identity: MetricIdentity, key: string): MappedSeries {
    let metric = state.metrics.get(identity.id)
    if (metric === undefined) state.metrics.set(identity.id, metric = new MappedMetric(state.mapping, identity))
    const series = new MappedSeries(key, metric, state.mapping)
    state.series.set(key, series)
    metric.series.add(series)
    metric.expiredMs = undefined
    namespace.seriesCount++
    this.#total++
    return series
  }

  #forget (namespace: NamespaceSeries, state: MappingState, series: MappedSeries): void {
    if (!state.series.delete(series.key)) return
    series.metric.series.delete(series)
    namespace.seriesCount--
    this.#total--
  }

  #settle (namespace: NamespaceSeries, state: MappingState, metric: MappedMetric): void {
    if (metric.series.size === 0) return this.#remove(namespace, state, metric)
    metric.evaluate()
    const others = namespace.claim(metric)
    this.#publish(namespace, state, metric)
    // A mapping that comes before the one that made the metric so far takes it over.
    for (const other of others) this.#publish(namespace, namespace.state(other.mapping.name)!, other)
  }

  #publish (namespace: NamespaceSeries, state: MappingState, metric: MappedMetric): void {
    const { live, now } = this.#options
    const { worth, sampleKey } = metric
    const owner = namespace.owner(metric)
    if (owner !== metric) {
      state.problems.report('Conflicting', now(), () => `${metricText(metric)} is made by the older MetricMapping ${owner.mapping.name} already, whose value counts`)
      live.set(sampleKey, 'hidden')
    } else if (worth.kind === 'value') {
      live.set(sampleKey, worth.sample)
    } else if (worth.kind === 'absent') {
      state.problems.report('InvalidValue', now(), () => `${metricText(metric)} is not served: ${worth.why}`)
      live.set(sampleKey, 'hidden')
    } else {
      live.delete(sampleKey)
    }
  }

  #remove (namespace: NamespaceSeries, state: MappingState, metric: MappedMetric): void {
    if (!state.metrics.delete(metric.identity.id)) return
    this.#options.live.delete(metric.sampleKey)
    this.#handOver(namespace, metric)
    this.#options.onRemoved?.(metric)
  }

  #handOver (namespace: NamespaceSeries, metric: MappedMetric): void {
    const [next] = namespace.release(metric)
    if (next !== undefined) this.#publish(namespace, namespace.state(next.mapping.name)!, next)
  }

  async #sweepMapping (namespace: NamespaceSeries, state: MappingState, nowMs: number, slice: TimeSlice): Promise<void> {
    const ttlMs = this.#ttlMs(state)
    const changed = new Set<MappedMetric>()
    for (const series of state.series.values()) {
      if (series.lastMs + ttlMs < nowMs) {
        this.#forget(namespace, state, series)
        changed.add(series.metric)
      }
      if (slice.over) await slice.next()
    }
    for (const metric of changed) {
      if (slice.over) await slice.next()
      if (!this.holds(metric)) continue
      if (metric.series.size > 0) this.#settle(namespace, state, metric)
      else {
        metric.expiredMs = nowMs
        // Another mapping that makes it goes on; this one claims it again with its next sample.
        this.#handOver(namespace, metric)
        // Nothing is left that speaks against a value which another replica keeps.
        if (metric.worth.kind === 'absent') this.#options.live.delete(metric.sampleKey)
      }
    }
    let spare = state.metrics.size - this.#options.limits.perMapping
    for (const metric of state.metrics.values()) {
      if (metric.expiredMs !== undefined && (nowMs - metric.expiredMs > expiredMetricsStayMs || spare > 0)) {
        this.#remove(namespace, state, metric)
        spare--
      }
      if (slice.over) await slice.next()
    }
  }
}

const sameResource = (a: CompiledMapping, b: CompiledMapping): boolean => JSON.stringify(a.described?.resource) === JSON.stringify(b.described?.resource)

const metricText = ({ identity, mapping }: MappedMetric): string =>
  `the metric ${identity.metric}${mapping.described === undefined ? '' : ` of ${mapping.described.kind} ${identity.object}`}`

function refusalOf (verdict: Verdict, { timestampMs, value }: Point, series: MappedSeries): { reason: RefusalReason; text: string } | undefined {
  if (verdict === 'outOfOrder') return { reason: 'outOfOrder', text: `has a sample out of order: ${isoTime(timestampMs)} after ${isoTime(series.lastMs)}` }
  if (verdict === 'conflictingDuplicate') return { reason: 'duplicate', text: `has two samples at ${isoTime(timestampMs)}: ${series.lastValue} and ${value}` }
  return undefined
}

/** A time may be anything. */
const isoTime = (ms: number): string => Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : `${ms} ms`
