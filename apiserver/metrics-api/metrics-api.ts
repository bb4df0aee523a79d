import { printInOrder } from '../../registry/codec/json-print.js'
import { newBadRequest, newMethodNotAllowed, newMethodNotSupported, newNotAcceptable, newServiceUnavailable } from '../../registry/meta/status-error.js'
import { parseLabelSelector, SelectorError } from '../../registry/meta/label-selector.js'
import type { Resource } from '../../registry/generic/resource.js'
import type { Store } from '../../registry/generic/store/store.js'
import { systemClock } from '../../storage/cacher/clock.js'
import type { CacherClock } from '../../storage/cacher/interfaces.js'
import type { VirtualGroupVersion } from '../discovery/virtual-resource.js'
import { PageNotFound } from '../handlers/dispatch.js'
import { outputFormat } from '../handlers/scope.js'
import type { VirtualApi } from '../http/virtual-api.js'
import type { RequestContext } from '../request-context.js'
import type { MetricsRouteConfig } from '../options/metrics-route-options.js'
import { truthy, type ResourceRequestInfo } from '../request-info.js'
import { respond } from '../responses/respond.js'
import { tableOptions } from '../responses/table.js'
import { encodeBytes } from '../responses/write-object.js'
import { externalMetricValueList, metricValueList } from './answers.js'
import type { AdmissionPlugin } from '../admission/interfaces.js'
import { DescribedKinds, type KnownKinds } from './described-kinds.js'
import { ExternalNames } from './external-names.js'
import { IndexFeed } from './index-feed.js'
import type { LiveSamples } from './live-samples.js'
import { customMetricsGroup, isMetricRead } from './metric-groups.js'
import { customMetricPath, externalMetricPath } from './metric-path.js'
import type { MetricIndex } from './metric-index.js'
import { metricGroupVersions } from './metric-resources.js'
import { MetricRoutes, type WantedMetric } from './metric-routes.js'
import { isEmpty, MetricsReader, type Reading, type RequestSelector } from './metrics-reader.js'
import { metricsTable } from './metrics-table.js'
import type { ObjectSelector } from './object-selector.js'
import { routedHeader } from './other-adapter.js'

export interface MetricsApiOptions {
  /** That of CustomMetrics. */
  readonly store: Pick<Store, 'cacher' | 'watch'>
  /** What this server serves: where kinds are looked up. */
  readonly resources: readonly Resource[]
  /** What else is known of kinds: the cluster's. */
  readonly kinds?: KnownKinds | undefined
  readonly objects: ObjectSelector
  /** Samples that are not stored, or not yet. */
  readonly live?: LiveSamples | undefined
  /** How long samples count that do not say it. */
  readonly ttlMs: number
  /** How far a writer's clock may be ahead. Default one minute. */
  readonly clockSkewMs?: number
  /** Told of the age of every sample that is answered. */
  readonly observeFreshness: (group: string, seconds: number) => void
  readonly onError: (error: unknown) => void
  /** Whom to ask for metrics that nobody wrote here. */
  readonly routes?: { readonly configs: readonly MetricsRouteConfig[]; readonly userAgent: string; readonly onError: (url: string, error: unknown) => void } | undefined
  /** Milliseconds since the epoch. */
  readonly now?: () => number
  /** For timers. */
  readonly clock?: Pick<CacherClock, 'after'>
}

/** Discovery is rebuilt so much after the first of some changes, or later, so that it takes no more than this part of the time. */
const discoveryDelayMs = 250
const discoveryShare = 1 / 20

/**
 * The read-only groups `custom.metrics.k8s.io` and `external.metrics.k8s.io`, made of stored CustomMetrics. A read is answered from
 * memory and never carries Retry-After, which would make an autoscaler's worker sleep.
 */
export class MetricsApi implements VirtualApi {
  readonly #options: MetricsApiOptions
  readonly #feed: IndexFeed
  readonly #now: () => number
  readonly virtual: readonly VirtualGroupVersion[]
  /** What is asked of writes of CustomMetrics. */
  readonly admission: AdmissionPlugin
  /** How the resources of described objects are found. */
  readonly kinds: DescribedKinds
  /** Called when they are found otherwise now. */
  onKindsChange: () => void = () => {}
  readonly #routes: MetricRoutes | undefined
  #rebuildDiscovery: () => void = () => {}
  #cancelRebuild: (() => void) | undefined
  #rebuildMs = 0

  constructor (options: MetricsApiOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
    this.kinds = new DescribedKinds(options.resources, options.kinds)
    this.#feed = new IndexFeed({ store: options.store, kinds: this.kinds, live: options.live, onNamesChange: () => { this.#namesChanged() }, onError: options.onError })
    this.admission = new ExternalNames(() => this.#feed.index)
    const { routes } = options
    this.#routes = routes && routes.configs.length > 0 ? new MetricRoutes(routes.configs, { ...routes, onChange: () => { this.#namesChanged() } }) : undefined
    this.virtual = metricGroupVersions(() => this.#feed.index, group => this.#routes?.resources(group) ?? [])
  }

  /** Begins to follow the store. @param rebuildDiscovery called a moment after metrics have come or gone */
  start (rebuildDiscovery: () => void): void {
    this.#rebuildDiscovery = rebuildDiscovery
    this.#feed.start()
    this.#routes?.start()
  }

  async stop (): Promise<void> {
    this.#cancelRebuild?.()
    this.#rebuildDiscovery = () => {}
    await Promise.all([this.#feed.stop(), this.#routes?.stop()])
  }

  /** The kinds of the cluster are others now. */
  kindsChanged (): void {
    if (!this.kinds.changed()) return
    this.#feed.refill()
    this.onKindsChange()
  }

  /** Whether a request is for one of these groups. */
  serves (info: ResourceRequestInfo): boolean { return isMetricRead(info) }

  /** Answers a request that has been authorized. @throws StatusError 400, 404, 405, 406, 503; PageNotFound */
  async handle (context: RequestContext): Promise<void> {
    const info = context.info as ResourceRequestInfo
    if (!this.virtual.some(v => v.group === info.group && v.version === info.version)) throw new PageNotFound()
    const { wanted, owned, read } = info.group === customMetricsGroup ? this.#custom(info, context.query) : this.#external(info, context.query)
    if (!['GET', 'HEAD'].includes(context.req.method ?? '')) throw newMethodNotAllowed()
    if (info.verb === 'watch' || truthy(context.query.get('watch'))) throw newMethodNotSupported({ group: info.group, resource: info.resource }, 'watch')
    const { index } = this.#feed
    if (index !== undefined && await this.#askedElsewhere(context, wanted, () => owned(index))) return
    const format = outputFormat(context)
    const table = format.view?.kind === 'Table' ? tableOptions(context.query) : undefined
    if (format.view !== undefined && table === undefined) throw newNotAcceptable('the only following views are accepted: Table')
    if (index === undefined) throw newServiceUnavailable('the stored metrics have not been read yet')
    const nowMs = this.#now()
    const { readings, list } = await read(new MetricsReader({ index, objects: this.#options.objects, freshness: { ttlMs: this.#options.ttlMs, clockSkewMs: this.#options.clockSkewMs ?? 60_000 } }), nowMs)
    for (const r of readings) this.#options.observeFreshness(info.group, Math.max(0, nowMs - r.timestampMs) / 1000)
    const answer = table === undefined ? list : metricsTable(readings, (list as { items: object[] }).items, format.view!, table, nowMs)
    await respond(context, { status: 200, ...encodeBytes([Buffer.from(printInOrder(answer))], format) })
  }

  /** Passes a request on for a metric that nobody wrote here, if a rule leads elsewhere. @throws StatusError 503 */
  async #askedElsewhere (context: RequestContext, wanted: WantedMetric, owned: () => boolean): Promise<boolean> {
    const adapter = this.#routes?.find(wanted)
    if (adapter === undefined || context.header(routedHeader) !== undefined || owned()) return false
    const answer = await adapter.ask({ url: context.req.url ?? '/', accept: context.header('accept') ?? 'application/json', user: context.user, signal: context.signal })
    await respond(context, answer)
    return true
  }

  /** Checks the request before anything is read. */
  #custom (info: ResourceRequestInfo, query: URLSearchParams): Question {
    const path = customMetricPath(info)
    const objects = selectorOf(query, 'labelSelector')
    const series = selectorOf(query, 'metricLabelSelector')
    return {
      wanted: { group: info.group, namespace: path.namespace, metric: path.metric },
      owned: index => {
        const resource = index.resolve(path.resource)
        return resource !== undefined && !isEmpty(index.custom(resource, path.metric, { namespace: path.namespace, object: undefined }))
      },
      read: async (reader, nowMs) => {
        const readings = await reader.custom(path, nowMs, { objects, series })
        return { readings, list: metricValueList(info.version as 'v1beta1' | 'v1beta2', readings, series) }
      }
    }
  }

  #external (info: ResourceRequestInfo, query: URLSearchParams): Question {
    const path = externalMetricPath(info)
    const series = selectorOf(query, 'labelSelector')
    return {
      wanted: { group: info.group, ...path },
      owned: index => !isEmpty(index.external(path.namespace, path.metric)),
      read: async (reader, nowMs) => {
        const readings = reader.external(path, nowMs, series)
        return { readings, list: externalMetricValueList(readings) }
      }
    }
  }

  #namesChanged (): void {
    this.#cancelRebuild ??= (this.#options.clock ?? systemClock).after(Math.max(discoveryDelayMs, this.#rebuildMs / discoveryShare), () => {
      this.#cancelRebuild = undefined
      const began = performance.now()
      this.#rebuildDiscovery()
      this.#rebuildMs = performance.now() - began
      const { index } = this.#feed
      if (index !== undefined) this.#options.objects.retain?.(name => index.describes(name))
    })
  }
}

/** A request that was understood. */
interface Question {
  readonly wanted: WantedMetric
  /** Whether the metric was written here, be it expired. */
  readonly owned: (index: MetricIndex) => boolean
  readonly read: (reader: MetricsReader, nowMs: number) => Promise<{ readings: Reading[]; list: object }>
}

/** @returns undefined for an absent or empty parameter. @throws StatusError 400 */
function selectorOf (query: URLSearchParams, parameter: string): RequestSelector | undefined {
  const text = query.get(parameter) ?? ''
  if (text === '') return undefined
  try {
    const selector = parseLabelSelector(text)
    return selector.requirements.length === 0 ? undefined : { text, selector }
  } catch (error) {
    throw error instanceof SelectorError ? newBadRequest(`${parameter}: ${error.message}`) : error
  }
}
