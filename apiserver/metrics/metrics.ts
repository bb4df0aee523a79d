import { collectDefaultMetrics, Counter, exponentialBuckets, Gauge, Histogram, Registry, type Aggregator } from 'prom-client'
import type { Store } from '../../registry/generic/store/store.js'
import type { RequestContext } from '../request-context.js'
import { Counters, Histograms, type CounterSeries, type HistogramSeries } from './series.js'

const durationBuckets = [0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60]
const delegatedBuckets = [0.25, 0.5, 0.7, 1, 1.5, 3, 5, 10]
/** What is asked of the cluster: who a token belongs to, and what a user may do. */
type Delegated = 'authn' | 'authz'
const requestLabels = ['verb', 'group', 'version', 'resource', 'subresource', 'scope', 'component'] as const
const storageBuckets = [0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60]

/** The metrics of `/metrics`, with the names and labels of kube-apiserver (contract §10), for the same dashboards. One registry a server. */
export class Metrics {
  readonly registry = new Registry()
  /** What is answered to a scrape, in Prometheus' text format: of this registry, and where several processes serve, of all of them. */
  readonly text: () => Promise<string>
  readonly #requests = new Counters({ name: 'apiserver_request_total', help: 'Requests by verb, resource and HTTP code.', labelNames: [...requestLabels, 'dry_run', 'code'], registers: [this.registry] })
  readonly #durations = new Histograms({ name: 'apiserver_request_duration_seconds', help: 'Time to answer, without watches.', labelNames: [...requestLabels, 'dry_run'], buckets: durationBuckets, registers: [this.registry] })
  readonly #sli = new Histograms({ name: 'apiserver_request_sli_duration_seconds', help: 'Time to answer, without watches and without time spent in webhooks.', labelNames: requestLabels, buckets: durationBuckets, registers: [this.registry] })
  readonly #sizes = new Histograms({ name: 'apiserver_response_sizes', help: 'Bytes of answers.', labelNames: requestLabels, buckets: [1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9], registers: [this.registry] })
  readonly #longRunning = new Gauge({ name: 'apiserver_longrunning_requests', help: 'Watches under way.', labelNames: requestLabels, registers: [this.registry] })
  readonly authenticationAttempts = new Counters({ name: 'authentication_attempts', help: 'Authentication attempts by result.', labelNames: ['result'], registers: [this.registry] })
  readonly authenticatedUsers = new Counters({ name: 'authenticated_user_requests', help: 'Requests by kind of user.', labelNames: ['username'], registers: [this.registry] })
  readonly authorizationAttempts = new Counters({ name: 'authorization_attempts_total', help: 'Authorization attempts by result.', labelNames: ['result'], registers: [this.registry] })
  readonly tlsHandshakeErrors = new Counter({ name: 'apiserver_tls_handshake_errors_total', help: 'TLS handshakes that failed.', registers: [this.registry] })
  readonly auditEvents = new Counter({ name: 'apiserver_audit_event_total', help: 'Audit events written.', registers: [this.registry] })
  readonly auditLevels = new Counter({ name: 'apiserver_audit_level_total', help: 'Requests by audit level.', labelNames: ['level'], registers: [this.registry] })
  readonly deprecatedApis = new Gauge({ name: 'apiserver_requested_deprecated_apis', help: 'Deprecated APIs that were requested.', labelNames: ['group', 'version', 'resource', 'subresource', 'removed_release'], aggregator: 'max', registers: [this.registry] })
  readonly storageRequests = new Histograms({ name: 'etcd_request_duration_seconds', help: 'Time of storage operations.', labelNames: ['operation'], buckets: storageBuckets, registers: [this.registry] })
  readonly storageErrors = new Counter({ name: 'etcd_request_errors_total', help: 'Storage operations that failed.', labelNames: ['operation', 'code'], registers: [this.registry] })

  readonly #delegatedTotals: Readonly<Record<Delegated, Counter>>
  readonly #delegatedDurations: Readonly<Record<Delegated, Histogram>>
  readonly #requestSeries = new Map<string, RequestSeries>()

  /** Named and cut as in custom-metrics-apiserver. */
  readonly metricFreshness = new Histogram({ name: 'metrics_apiserver_metric_freshness_seconds', help: 'Age of metric samples when they are answered.', labelNames: ['group'], buckets: exponentialBuckets(1, 1.364, 20), registers: [this.registry] })

  constructor (options: { inFlight: () => { readOnly: number; mutating: number }; stores: () => readonly Store[]; version: string; certificateExpiry: () => Date | undefined; certificateRotation?: () => CertificateRotation | undefined; exposition?: (() => Promise<string>) | undefined }) {
    this.text = options.exposition ?? (() => this.registry.metrics())
    collectDefaultMetrics({ register: this.registry })
    const total = (what: Delegated): Counter =>
      new Counter({ name: `apiserver_delegated_${what}_request_total`, help: 'Number of HTTP requests partitioned by status code.', labelNames: ['code'], registers: [this.registry] })
    const duration = (what: Delegated): Histogram =>
      new Histogram({ name: `apiserver_delegated_${what}_request_duration_seconds`, help: 'Request latency in seconds. Broken down by status code.', labelNames: ['code'], buckets: delegatedBuckets, registers: [this.registry] })
    this.#delegatedTotals = { authn: total('authn'), authz: total('authz') }
    this.#delegatedDurations = { authn: duration('authn'), authz: duration('authz') }
    // The aggregator says what the values of several workers make.
    const gauge = <T extends string>(name: string, help: string, labelNames: readonly T[], read: (set: (labels: Record<T, string>, value: number) => void) => void, aggregator: Aggregator = 'sum'): void => {
      void new Gauge({ name, help, labelNames, aggregator, registers: [this.registry], collect () { this.reset(); read((labels, value) => { this.set(labels, value) }) } })
    }
    new Gauge({ name: 'kubernetes_build_info', help: 'Version of the server.', labelNames: ['git_version'], aggregator: 'first', registers: [this.registry] }).set({ git_version: options.version }, 1)
    gauge('apiserver_current_inflight_requests', 'Requests under way.', ['request_kind'], set => {
      const { readOnly, mutating } = options.inFlight()
      set({ request_kind: 'readOnly' }, readOnly)
      set({ request_kind: 'mutating' }, mutating)
    })
    gauge('annex_serving_certificate_expiration_seconds', 'When the serving certificate expires, in seconds since the epoch.', [], set => {
      const at = options.certificateExpiry()
      if (at !== undefined) set({}, at.getTime() / 1000)
    }, 'min')
    gauge('annex_serving_certificate_authority_expiration_seconds', 'When the authority that signs the shared serving certificate expires, in seconds since the epoch.', [], set => {
      const at = options.certificateRotation?.()?.authorityExpiry
      if (at !== undefined) set({}, at.getTime() / 1000)
    }, 'min')
    gauge('annex_serving_certificate_rotation_stage', 'Where the rotation of the authority of the shared serving certificate stands: 1 for the present stage.', ['stage'], set => {
      const rotation = options.certificateRotation?.()
      for (const stage of rotation?.stages ?? []) set({ stage }, stage === rotation?.stage ? 1 : 0)
    }, 'max')
    const perStore = (name: string, help: string, value: (s: ReturnType<Store['cacher']['stats']>) => number, aggregator?: Aggregator): void => {
      gauge(name, help, ['group', 'resource'], set => { for (const s of options.stores()) set({ group: s.resource.group, resource: s.resource.names.plural }, value(s.cacher.stats())) }, aggregator)
    }
    gauge('apiserver_storage_objects', 'Objects stored.', ['resource'], set => {
      for (const s of options.stores()) set({ resource: `${s.resource.names.plural}.${s.resource.group}` }, s.cacher.stats().items)
    }, 'max')
    perStore('apiserver_resource_objects', 'Objects stored.', s => s.items, 'max')
    perStore('apiserver_watch_cache_resource_version', 'Revision that the watch cache has reached.', s => Number(s.revision ?? 0n), 'min')
    perStore('apiserver_watch_cache_events_received_total', 'Changes received from the store.', s => s.eventsReceived)
    perStore('apiserver_watch_cache_events_dispatched_total', 'Events handed to watchers.', s => s.eventsDispatched)
    perStore('apiserver_watch_cache_initializations_total', 'Times the watch cache was filled.', s => s.initializations)
    perStore('apiserver_registered_watchers', 'Watches under way.', s => s.watchers)
    perStore('apiserver_terminated_watchers_total', 'Watches ended because their client was too slow.', s => s.watchersEndedSlow)
  }

  /** A review was asked of the cluster; `code` is `<error>` if there was no answer. */
  delegated (what: Delegated, code: string, seconds: number): void {
    this.#delegatedTotals[what].inc({ code })
    this.#delegatedDurations[what].observe({ code }, seconds)
  }

  /** Called when a watch begins; the answer ends it. */
  longRunning (context: RequestContext): () => void {
    const labels = labelsOf(context)
    this.#longRunning.inc(labels)
    return () => { this.#longRunning.dec(labels) }
  }

  /** Called when an answer is out. */
  finished (context: RequestContext): void {
    const series = this.#seriesOf(context)
    const { statusCode } = context
    let requests = series.requests.get(statusCode)
    if (requests === undefined) series.requests.set(statusCode, requests = this.#requests.of({ ...series.labels, code: String(statusCode) }))
    requests.inc()
    if (series.labels.verb === 'WATCH') return
    const seconds = (performance.now() - context.receivedAt) / 1000
    series.durations.observe(seconds)
    series.sli.observe(seconds)
    series.sizes.observe(context.responseBytes)
  }

  /** Paths are the clients' to make up: only those that somebody serves are told apart, and only so many, and short ones. */
  #seriesOf (context: RequestContext): RequestSeries {
    const own = labelsOf(context)
    const told = context.info.kind === 'path' || (context.routed && [own.group, own.version, own.resource, own.subresource].every(l => l.length <= maxLabelLength))
    const labels = told ? own : { ...own, ...other }
    const { verb, group, version, resource, subresource, scope } = labels
    const dry_run = context.query.has('dryRun') ? 'All' : ''
    const key = `${verb} ${group}/${version}/${resource}/${subresource} ${scope} ${dry_run}`
    const known = this.#requestSeries.get(key)
    if (known !== undefined) return known
    const all = { ...(this.#requestSeries.size < maxRequestSeries ? labels : { ...labels, ...other }), dry_run }
    const made = { labels: all, requests: new Map<number, CounterSeries>(), durations: this.#durations.of(all), sli: this.#sli.of(all), sizes: this.#sizes.of(all) }
    if (this.#requestSeries.size < maxRequestSeries) this.#requestSeries.set(key, made)
    return made
  }
}

const maxRequestSeries = 5_000
const maxLabelLength = 253
const other = { group: 'other', version: '', resource: '', subresource: '' }

/** What requests of one kind are counted in. */
interface RequestSeries {
  readonly labels: Labels & { readonly dry_run: string }
  readonly requests: Map<number, CounterSeries>
  readonly durations: HistogramSeries
  readonly sli: HistogramSeries
  readonly sizes: HistogramSeries
}

/** What there is to tell about a shared serving certificate. */
export interface CertificateRotation { readonly authorityExpiry: Date | undefined; readonly stage: string; readonly stages: readonly string[] }

type Labels = Record<typeof requestLabels[number], string>
const verbs: Readonly<Record<string, string>> = { get: 'GET', list: 'LIST', watch: 'WATCH', create: 'POST', update: 'PUT', patch: 'PATCH', delete: 'DELETE', deletecollection: 'DELETE', post: 'POST', put: 'PUT', head: 'GET' }

function labelsOf ({ info, req }: RequestContext): Labels {
  if (info.kind === 'path') return { verb: verbs[info.verb] ?? 'other', group: '', version: '', resource: '', subresource: info.path.startsWith('/metrics') ? '/metrics' : '', scope: '', component: 'apiserver' }
  const apply = info.verb === 'patch' && String(req.headers['content-type'] ?? '').startsWith('application/apply-patch')
  const scope = info.name !== '' || info.verb === 'create' ? 'resource' : info.namespace !== '' ? 'namespace' : 'cluster'
  return { verb: apply ? 'APPLY' : verbs[info.verb] ?? 'other', group: info.group, version: info.version, resource: info.resource, subresource: info.subresource, scope, component: 'apiserver' }
}
