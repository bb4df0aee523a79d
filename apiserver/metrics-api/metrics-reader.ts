import { addQuantities, canonicalQuantity, type Quantity } from '../../registry/meta/quantity.js'
import { newServiceUnavailable, newStatusError, type StatusError } from '../../registry/meta/status-error.js'
import type { LabelSelector } from '../../registry/meta/label-selector.js'
import { groupResourceOf, type DescribedResource } from './described-kinds.js'
import type { MetricIndex } from './metric-index.js'
import type { CustomMetricPath, ExternalMetricPath } from './metric-path.js'
import { ObjectsUnknown, type ObjectMatcher, type ObjectSelector } from './object-selector.js'
import { expiryMs, staleness, type FreshnessPolicy, type Sample } from './sample.js'

/** A selector of a request, with the text it came as. */
export interface RequestSelector { readonly text: string; readonly selector: LabelSelector }

/** The value of a metric of one object, or one series of an external metric. */
export interface Reading {
  readonly metric: string
  /** The object, or undefined for an external series. The namespace is empty for kinds that are in none. */
  readonly object: { readonly kind: string; readonly namespace: string; readonly name: string; readonly apiVersion: string } | undefined
  readonly labels: Readonly<Record<string, string>>
  readonly value: Quantity
  readonly valueText: string
  readonly timestampMs: number
  readonly timestampText: string
  readonly windowSeconds: number | undefined
  /** When it will not be served any more, if nobody writes. */
  readonly expiresMs: number
}

/**
 * Answers reads from the index alone. Of one series (namespace, object, metric and labels) that several CustomMetrics hold, the newest
 * counts; several series of one object are added up, as autoscalers do with external metrics.
 */
export class MetricsReader {
  readonly #index: MetricIndex
  readonly #objects: ObjectSelector
  readonly #policy: FreshnessPolicy

  constructor (options: { index: MetricIndex; objects: ObjectSelector; freshness: FreshnessPolicy }) {
    this.#index = options.index
    this.#objects = options.objects
    this.#policy = options.freshness
  }

  /**
   * A custom metric: one reading per object, sorted by namespace and name; for a path that names an object, exactly one.
   * @throws StatusError 404 that says why there is nothing, 503 while the objects are not known yet
   */
  async custom (path: CustomMetricPath, nowMs: number, selectors: { objects?: RequestSelector | undefined; series?: RequestSelector | undefined } = {}): Promise<Reading[]> {
    const resource = this.#index.resolve(path.resource)
    const subject = `${resource === undefined ? path.resource : groupResourceOf(resource)}${path.object === undefined ? '' : ` ${path.object}`}`
    const notFound = (reason: string): StatusError => metricNotFound(path.metric, subject, selectors.series, reason)
    // Nothing is followed in a cluster for a metric that nobody wrote.
    if (resource === undefined || isEmpty(this.#index.custom(resource, path.metric, path))) throw notFound('never written')
    const matcher = path.object === undefined ? await this.#matcher(resource, selectors.objects?.selector, notFound) : undefined
    const found = new Selection(nowMs, this.#policy, selectors.series?.selector)
    for (const sample of this.#index.custom(resource, path.metric, path)) {
      if (concernsItsNamespace(sample, resource)) found.offer(sample, matcher && (() => matches(matcher, sample, resource)))
    }
    const kind = resource.singular
    if (found.empty) throw notFound(found.reason(selectors.series?.text ?? '', `no ${kind} matched${selectors.objects === undefined ? '' : ` ${selectors.objects.text}`}`))
    return found.byObject(resource)
  }

  async #matcher (resource: DescribedResource, selector: LabelSelector | undefined, failure: (reason: string) => StatusError): Promise<ObjectMatcher | undefined> {
    try {
      return await this.#objects.matcher(resource, selector)
    } catch (error) {
      if (!(error instanceof ObjectsUnknown)) throw error
      throw error.when === 'refused' ? failure(error.message) : newServiceUnavailable(failure(error.message).message)
    }
  }

  /** An external metric: one reading per series. @throws StatusError 404 that says why there is nothing */
  external (path: ExternalMetricPath, nowMs: number, series?: RequestSelector): Reading[] {
    const found = new Selection(nowMs, this.#policy, series?.selector)
    for (const sample of this.#index.external(path.namespace, path.metric)) found.offer(sample)
    if (found.empty) throw metricNotFound(path.metric, `namespaces ${path.namespace}`, series, found.reason(series?.text ?? '', ''))
    return found.bySeries()
  }
}

/** Whether there is nothing; looks no further than the first one. */
export function isEmpty (samples: Iterable<unknown>): boolean {
  for (const _ of samples) return false
  return true
}

/** A sample about a namespace counts only where that namespace's own writers wrote it. */
const concernsItsNamespace = (sample: Sample, resource: DescribedResource): boolean =>
  !(resource.resource === 'namespaces' && resource.group === '') || sample.described?.name === sample.namespace

const matches = (matcher: ObjectMatcher, sample: Sample, resource: DescribedResource): boolean =>
  matcher(resource.namespaced ? sample.namespace : '', sample.described!.name)

/** The first words are those of custom-metrics-apiserver; the reason is what `kubectl describe hpa` shows. */
function metricNotFound (metric: string, subject: string, series: RequestSelector | undefined, reason: string): StatusError {
  const selected = series === undefined ? '' : ` with selector ${series.text}`
  return newStatusError({ code: 404, reason: 'NotFound', message: `the server could not find the metric ${metric} for ${subject}${selected}: ${reason}` })
}

/** The samples of one read that count, and why the others do not. */
class Selection {
  readonly #nowMs: number
  readonly #policy: FreshnessPolicy
  readonly #series: LabelSelector | undefined
  readonly #fresh: Sample[] = []
  /** The stale one that counted longest. */
  #lastStale: Sample | undefined
  #offered = 0
  #ofSeries = 0

  constructor (nowMs: number, policy: FreshnessPolicy, series: LabelSelector | undefined) {
    this.#nowMs = nowMs
    this.#policy = policy
    this.#series = series
  }

  offer (sample: Sample, objectMatches?: () => boolean): void {
    this.#offered++
    if (this.#series?.matches(sample.labels) === false) return
    this.#ofSeries++
    if (objectMatches?.() === false) return
    if (staleness(sample, this.#nowMs, this.#policy) === undefined) this.#fresh.push(sample)
    else if (this.#lastStale === undefined || expiryMs(sample, this.#policy) > expiryMs(this.#lastStale, this.#policy)) this.#lastStale = sample
  }

  get empty (): boolean { return this.#fresh.length === 0 }

  reason (series: string, noObject: string): string {
    if (this.#offered === 0) return 'never written'
    if (this.#ofSeries === 0) return `no series matched ${series}`
    return this.#lastStale === undefined ? noObject : staleness(this.#lastStale, this.#nowMs, this.#policy)!
  }

  byObject (resource: DescribedResource): Reading[] {
    const objects = new Map<string, Map<string, Sample>>()
    for (const sample of this.#fresh) {
      const key = `${resource.namespaced ? sample.namespace : ''}/${sample.described!.name}`
      let series = objects.get(key)
      if (series === undefined) objects.set(key, series = new Map())
      keepNewest(series, sample)
    }
    return [...objects].sort(([a], [b]) => a < b ? -1 : 1).map(([, series]) => {
      const [first, ...others] = [...series.values()]
      return others.reduce((sum, sample) => added(sum, readingOf(sample, this.#policy)), readingOf(first!, this.#policy))
    })
  }

  bySeries (): Reading[] {
    const series = new Map<string, Sample>()
    for (const sample of this.#fresh) keepNewest(series, sample)
    return [...series.values()].sort((a, b) => a.labelsKey < b.labelsKey ? -1 : 1).map(s => readingOf(s, this.#policy))
  }
}

/** Among equally new ones the name decides, so that every replica answers the same. */
function keepNewest (series: Map<string, Sample>, sample: Sample): void {
  const known = series.get(sample.labelsKey)
  if (known === undefined || sample.timestampMs > known.timestampMs || (sample.timestampMs === known.timestampMs && sample.key < known.key)) series.set(sample.labelsKey, sample)
}

function readingOf (sample: Sample, policy: FreshnessPolicy): Reading {
  const { described, metric, labels, value, valueText, timestampMs, timestampText, windowSeconds } = sample
  return {
    metric, labels, value, valueText, timestampMs, timestampText, windowSeconds,
    object: described && { kind: described.kind, namespace: described.resource.namespaced ? sample.namespace : '', name: described.name, apiVersion: described.resource.apiVersion },
    expiresMs: expiryMs(sample, policy)
  }
}

/** Two series of one object: as old as the older one. */
function added (a: Reading, b: Reading): Reading {
  const value = addQuantities(a.value, b.value)
  const older = a.timestampMs <= b.timestampMs ? a : b
  const windows = [a.windowSeconds, b.windowSeconds].filter(w => w !== undefined)
  return {
    ...older, labels: {}, value, valueText: canonicalQuantity(value),
    windowSeconds: windows.length === 0 ? undefined : Math.max(...windows),
    expiresMs: Math.min(a.expiresMs, b.expiresMs)
  }
}
