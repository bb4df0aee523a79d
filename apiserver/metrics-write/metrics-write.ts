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
import type { RequestContext } from '../request-context.js'
import type { ResourceRequestInfo } from '../request-info.js'
import { respond, type Answer } from '../responses/respond.js'
import { compileMapping } from './compiled-mapping.js'
import { ProtocolError } from './protocol-error.js'
import { RemoteWrite } from './remote-write.js'
import { SeriesMemory, type SeriesLimits } from './series-memory.js'
import { StatusWriter } from './status-writer.js'
import { StoreFollower } from './store-follower.js'

export interface MetricsWriteOptions {
  /** That of MetricMappings. */
  readonly mappings: Pick<Store, 'resource' | 'cacher' | 'watch' | 'update'>
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
  readonly onError: (error: unknown) => void
  /** Milliseconds since the epoch. */
  readonly now?: () => number
}

const group = 'metrics.example.com'
const version = 'v1alpha1'
/** A body may become so large when it is decompressed. */
export const decompressedBytes = 16 * 1024 * 1024
const roundMs = 1000

/**
 * The create-only resources through which series are written: `remotewrites` and `otlpmetrics`. What they become is said by the
 * MetricMappings of the namespace; where it ends up is `LiveSamples`, which autoscalers' reads are answered from.
 */
export class MetricsWrite implements VirtualApi {
  readonly #options: MetricsWriteOptions
  readonly memory: SeriesMemory
  readonly #follower: StoreFollower
  readonly #status: StatusWriter
  readonly #remoteWrite: RemoteWrite
  #round: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined

  readonly virtual: readonly VirtualGroupVersion[] = [{
    group, version,
    resources: () => [
      { name: 'remotewrites', singularName: 'remotewrite', namespaced: true, kind: 'RemoteWrite', verbs: ['create'] }
    ]
  }]

  constructor (options: MetricsWriteOptions) {
    this.#options = options
    const now = options.now ?? Date.now
    this.memory = new SeriesMemory({ limits: options.limits, live: options.live, ttlMs: options.ttlMs, clockSkewMs: options.clockSkewMs ?? 60_000, now })
    this.#status = new StatusWriter({ store: options.mappings, onError: options.onError, now })
    this.#remoteWrite = new RemoteWrite({ memory: this.memory, decompressedBytes })
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
    this.#timer ??= setInterval(() => { this.#tick() }, roundMs).unref()
  }

  async stop (): Promise<void> {
    clearInterval(this.#timer)
    await this.#follower.stop()
    await this.#round
  }

  /** The kinds of described objects may be of other resources now; mappings of which that is true begin anew. */
  kindsChanged (): void { for (const mapping of this.#status.mappings) this.#use(mapping) }

  /** Whether a request is for one of the resources. */
  serves (info: ResourceRequestInfo): boolean { return info.group === group && info.version === version && info.resource === 'remotewrites' }

  /** Answers a request that has been authorized. @throws StatusError 400, 403, 404, 405, 413, 503; PageNotFound */
  async handle (context: RequestContext): Promise<void> {
    const info = context.info as ResourceRequestInfo
    if (info.parts.length > 1) throw new PageNotFound()
    if (context.req.method !== 'POST' || info.namespace === '') throw newMethodNotAllowed()
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
    try {
      const body = await readBody(context, this.#options.bodyBytes)
      return this.#remoteWrite.handle(info.namespace, body, headers, () => {})
    } catch (error) {
      if (error instanceof StatusError && error.code === 413) return plainText(413, error.message)
      if (error instanceof ProtocolError) return plainText(error.status, error.message)
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
      kind: { group, version, kind: 'RemoteWrite' },
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

  #tick (): void {
    this.memory.sweep()
    this.#round ??= this.#status.round(this.memory.states())
      .catch(this.#options.onError)
      .finally(() => { this.#round = undefined })
  }
}

const plainText = (status: number, message: string): Answer =>
  ({ status, contentType: 'text/plain; charset=utf-8', headers: { 'x-content-type-options': 'nosniff' }, body: Buffer.from(`${message}\n`) })
