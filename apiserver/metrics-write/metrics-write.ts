import type { Registry } from 'prom-client'
import { newBadRequest, newMethodNotAllowed, newServiceUnavailable, StatusError } from '../../registry/meta/status-error.js'
import type { Store } from '../../registry/generic/store/store.js'
import type { MetricMapping } from '../../registry/metrics.example.com/metricmappings/types.js'
import type { AdmissionChain } from '../admission/chain.js'
import type { VirtualGroupVersion } from '../discovery/virtual-resource.js'
import { readBody } from '../handlers/body.js'
import { PageNotFound } from '../handlers/dispatch.js'
import type { VirtualApi } from '../http/virtual-api.js'
import type { DescribedKinds } from '../metrics-api/described-kinds.js'
import type { LiveSamples } from '../metrics-api/live-samples.js'
import { StoreFollower } from '../metrics-api/store-follower.js'
import type { RequestContext } from '../request-context.js'
import type { ResourceRequestInfo } from '../request-info.js'
import { respond, type Answer } from '../responses/respond.js'
import { Checkpoints } from './checkpoints.js'
import { compileMapping } from './compiled-mapping.js'
import { OneAtATime } from './one-at-a-time.js'
import { Otlp } from './otlp.js'
import { ProtocolError } from './protocol-error.js'
import { RemoteWrite } from './remote-write.js'
import { SeriesMemory, type SeriesLimits } from './series-memory.js'
import { StatusWriter } from './status-writer.js'
import { WriteMetrics } from './write-metrics.js'
import { writeOperations } from './write-operations.js'
import type { WriteResult } from './write-result.js'

export interface MetricsWriteOptions {
  /** That of MetricMappings. */
  readonly mappings: Pick<Store, 'resource' | 'cacher' | 'watch' | 'update'>
  /** That of CustomMetrics. */
  readonly metrics: Pick<Store, 'resource' | 'cacher' | 'watch' | 'update' | 'delete'>
  /** How often values are kept in the store; an interval of 0 is never. */
  readonly checkpoints: { readonly intervalMs: number; readonly writesPerSecond: number }
  readonly kinds: DescribedKinds
  readonly live: LiveSamples
  readonly limits: SeriesLimits
  /** How long series count whose mapping does not say it. */
  readonly ttlMs: number
  /** How far a sender's clock may be ahead. Default one minute. */
  readonly clockSkewMs?: number
  /** Of a body as it comes. */
  readonly bodyBytes: number
  readonly admission: AdmissionChain | undefined
  /** Where the numbers of `/metrics` are kept. */
  readonly registry: Registry
  readonly onError: (error: unknown) => void
  /** Milliseconds since the epoch. */
  readonly now?: () => number
}

const group = 'metrics.example.com'
const version = 'v1alpha1'
/** A body may become so large when it is decompressed. */
export const decompressedBytes = 8 * 1024 * 1024
const roundMs = 1000

/** One of the resources: a protocol in which series are written. */
interface Protocol {
  readonly singular: string
  readonly kind: string
  /** @throws ProtocolError */
  readonly handle: (namespace: string, body: Buffer, headers: { contentType: string | undefined; contentEncoding: string | undefined }, observe: (results: readonly WriteResult[]) => void) => Promise<Answer>
  /** A failure in the protocol's own form. */
  readonly failure: (status: number, message: string, contentType: string | undefined) => Answer
}

/**
 * The create-only resources through which series are written: `remotewrites` and `otlpmetrics`. What they become is said by the
 * MetricMappings of the namespace; where it ends up is `LiveSamples`, which autoscalers' reads are answered from.
 */
export class MetricsWrite implements VirtualApi {
  readonly #options: MetricsWriteOptions
  readonly memory: SeriesMemory
  readonly #follower: StoreFollower
  readonly #checkpoints: Checkpoints | undefined
  readonly #metricsFollower: StoreFollower
  readonly #status: StatusWriter
  readonly #protocols: ReadonlyMap<string, Protocol>
  readonly #metrics: WriteMetrics
  /** One request is read and taken over at a time: what it becomes in memory is bounded, and samples of two do not mix. */
  readonly #inTurn = new OneAtATime()
  readonly #stop = new AbortController()
  #round: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined

  readonly virtual: readonly VirtualGroupVersion[] = [{
    group, version,
    resources: () => [...this.#protocols].map(([name, { singular, kind }]) => ({ name, singularName: singular, namespaced: true, kind, verbs: ['create'] }))
  }]

  /** For OpenAPI. */
  readonly documented = { group, version, operations: writeOperations(group, version) }

  constructor (options: MetricsWriteOptions) {
    this.#options = options
    const now = options.now ?? Date.now
    this.memory = new SeriesMemory({ limits: options.limits, live: options.live, ttlMs: options.ttlMs, clockSkewMs: options.clockSkewMs ?? 60_000, onRemoved: metric => { this.#checkpoints?.metricRemoved(metric) }, now })
    const { intervalMs, writesPerSecond } = options.checkpoints
    this.#checkpoints = intervalMs === 0 ? undefined : new Checkpoints({
      store: options.metrics, memory: this.memory, live: options.live, intervalMs, writesPerRound: writesPerSecond, ttlMs: options.ttlMs, onError: options.onError, now
    })
    this.#metricsFollower = new StoreFollower(options.metrics, {
      onObject: object => { this.#checkpoints?.observe(object) },
      onDeleted: (namespace, name) => { this.#checkpoints?.deleted(namespace, name) },
      onError: options.onError
    })
    this.#status = new StatusWriter({ store: options.mappings, onError: options.onError, now })
    this.#metrics = new WriteMetrics(options.registry, this.memory)
    const remoteWrite = new RemoteWrite({ memory: this.memory, decompressedBytes })
    const otlp = new Otlp({ memory: this.memory, decompressedBytes })
    this.#protocols = new Map<string, Protocol>([
      ['remotewrites', { singular: 'remotewrite', kind: 'RemoteWrite', handle: (...request) => remoteWrite.handle(...request), failure: plainText }],
      ['otlpmetrics', { singular: 'otlpmetric', kind: 'OTLPMetrics', handle: (...request) => otlp.handle(...request), failure: (...failure) => otlp.failure(...failure) }]
    ])
    this.#follower = new StoreFollower(options.mappings, {
      onObject: object => {
        const mapping = object.storageObject() as MetricMapping
        this.#status.observe(mapping)
        this.#use(mapping)
      },
      onDeleted: (namespace, name) => {
        this.memory.deleteMapping(namespace, name)
        this.#status.forget(namespace, name)
      },
      onError: options.onError
    })
  }

  /** Begins to follow the mappings, and to forget what expires. */
  start (): void {
    this.#follower.start()
    this.#metricsFollower.start()
    this.#timer ??= setInterval(() => { this.#tick() }, roundMs).unref()
  }

  /** Resolves when nothing is written any more: of a round that is under way, what was begun ends. */
  async stop (): Promise<void> {
    clearInterval(this.#timer)
    this.#stop.abort()
    await Promise.all([this.#follower.stop(), this.#metricsFollower.stop(), this.#round])
  }

  /** The kinds of described objects may be of other resources now; mappings of which that is true begin anew. */
  kindsChanged (): void { for (const mapping of this.#status.mappings) this.#use(mapping) }

  /** Whether a request is for one of the resources. */
  serves (info: ResourceRequestInfo): boolean { return info.group === group && info.version === version && this.#protocols.has(info.resource) }

  /** Answers a request that has been authorized. @throws StatusError 400, 403, 404, 405, 413, 503; PageNotFound */
  async handle (context: RequestContext): Promise<void> {
    const info = context.info as ResourceRequestInfo
    if (info.parts.length > 1) throw new PageNotFound()
    if (context.req.method !== 'POST' || info.verb !== 'create' || info.namespace === '') throw newMethodNotAllowed()
    if (context.query.has('dryRun')) throw newBadRequest('samples cannot be written with dryRun')
    if (!this.#follower.hasSynced) throw newServiceUnavailable('the MetricMappings have not been read yet', 1)
    await this.#admit(context, info)
    await respond(context, await this.#write(context, info))
  }

  #use (mapping: MetricMapping): void {
    try {
      this.memory.setMapping(compileMapping(mapping, this.#options.kinds))
    } catch (error) {
      // Validation lets none through that cannot be used; one that others stored stops no other.
      this.memory.deleteMapping(mapping.metadata.namespace ?? '', mapping.metadata.name ?? '')
      this.#options.onError(error)
    }
  }

  async #write (context: RequestContext, info: ResourceRequestInfo): Promise<Answer> {
    const headers = { contentType: context.header('content-type'), contentEncoding: context.header('content-encoding') }
    const { handle, failure } = this.#protocols.get(info.resource)!
    try {
      const body = await readBody(context, this.#options.bodyBytes)
      this.#metrics.received(info.resource, body.length)
      return await this.#inTurn.run(async () => {
        if (context.aborted !== undefined) throw context.aborted
        return await handle(info.namespace, body, headers, results => { this.#metrics.observe(info.resource, results) })
      })
    } catch (error) {
      if (error instanceof StatusError && error.code === 413) return failure(413, error.message, headers.contentType)
      if (error instanceof ProtocolError) return failure(error.status, error.message, headers.contentType)
      throw error
    }
  }

  /** Nothing is written into a namespace that is not there or ends; other plug-ins see that something is created, not what. */
  async #admit (context: RequestContext, info: ResourceRequestInfo): Promise<void> {
    const { admission } = this.#options
    if (admission?.handles('CREATE') !== true) return
    const attributes = {
      operation: 'CREATE' as const,
      resource: { group, version, resource: info.resource },
      kind: { group, version, kind: this.#protocols.get(info.resource)!.kind },
      subresource: '', namespace: info.namespace, name: '',
      object: undefined, oldObject: undefined,
      options: { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1' },
      dryRun: false,
      user: context.user,
      warn: (text: string) => { context.warnings.add(text) },
      annotate: (key: string, value: string) => { context.audit?.annotate(key, value) },
      signal: context.signal
    }
    await admission.admit(attributes)
    await admission.validate(attributes)
  }

  /** Rounds do not overlap: one that takes longer than a second lets the next one out. */
  #tick (): void {
    this.#round ??= this.#runRound()
      .catch(this.#options.onError)
      .finally(() => { this.#round = undefined })
  }

  async #runRound (): Promise<void> {
    await this.memory.sweep()
    if (!this.#follower.hasSynced || !this.#metricsFollower.hasSynced) return
    const { signal } = this.#stop
    await this.#status.round(this.memory.states(), signal)
    await this.#checkpoints?.round(signal)
  }
}

const plainText = (status: number, message: string): Answer =>
  ({ status, contentType: 'text/plain; charset=utf-8', headers: { 'x-content-type-options': 'nosniff' }, body: Buffer.from(`${message}\n`) })
