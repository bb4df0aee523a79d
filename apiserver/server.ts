import type { Duplex } from 'node:stream'
import { WebSocketServer, type WebSocket } from 'ws'
import { pino, type Logger } from 'pino'
import { loadCrdFiles } from '../registry/crd/load.js'
import { builtInResources } from '../registry/groups.js'
import type { Resource } from '../registry/generic/resource.js'
import { Store } from '../registry/generic/store/store.js'
import { custommetrics } from '../registry/metrics.example.com/custommetrics/resource.js'
import { metricmappings } from '../registry/metrics.example.com/metricmappings/resource.js'
import type { Storage } from '../storage/interfaces.js'
import { AdmissionChain } from './admission/chain.js'
import { EndingNamespaces } from './admission/ending-namespaces.js'
import type { AdmissionPlugin } from './admission/interfaces.js'
import { AnonymousAuthenticator } from './authentication/anonymous.js'
import { BearerTokenAuthenticator } from './authentication/bearer-token.js'
import { AuthenticatorChain } from './authentication/chain.js'
import { ClientCertificateAuthenticator } from './authentication/client-certificate.js'
import { PeerCertificates } from './authentication/peer-certificates.js'
import { RequestHeaderAuthenticator } from './authentication/request-header.js'
import { RequestHeaderFile } from './authentication/request-header-file.js'
import { AlwaysAllowPathsAuthorizer } from './authorization/always-allow-paths.js'
import { AuthorizerChain } from './authorization/chain.js'
import { PolicyFileAuthorizer } from './authorization/policy-file.js'
import { PrivilegedGroupAuthorizer } from './authorization/privileged-groups.js'
import { serveCertificates, type ServedCertificates } from './certificates/served-certificates.js'
import { Cluster } from './cluster/cluster.js'
import { CoreApi } from './core-api/core-api.js'
import { openAuditor } from './audit/open.js'
import type { Auditor } from './audit/auditor.js'
import { Discovery } from './discovery/discovery.js'
import { serverVersion } from './discovery/server-version.js'
import { InFlightFilter } from './filters/in-flight.js'
import { HealthChecks, type HealthCheck } from './health/health-checks.js'
import { Listener } from './http/listener.js'
import { Pipeline } from './http/pipeline.js'
import { Router } from './http/router.js'
import { InstrumentedStorage } from './metrics/instrumented-storage.js'
import { LiveSamples } from './metrics-api/live-samples.js'
import { MetricsApi } from './metrics-api/metrics-api.js'
import { ClusterObjects } from './metrics-api/cluster-objects.js'
import { firstKnown, StoredObjectSelector } from './metrics-api/object-selector.js'
import { Metrics } from './metrics/metrics.js'
import { MetricsWrite, type MetricsWriteOptions } from './metrics-write/metrics-write.js'
import { OpenAPIV2 } from './openapi/openapi-v2.js'
import { OpenAPIV3 } from './openapi/openapi-v3.js'
import { complete, urlOf, type ApiserverConfig } from './options/apiserver-options.js'
import { apiserverFlags, type ApiserverOptions } from './options/apiserver-flags.js'
import { parseFlags } from './cli/flags.js'
import { packageVersion } from './cli/package-version.js'
import { openStorage } from './storage.js'
import type { PrimaryLink } from './workers/primary-link.js'
import type { RawRequest } from './request-context.js'

export const version = packageVersion()

export interface ServerDependencies {
  /** Default: the resources of product.md. Those of CRD files come on top. */
  readonly resources?: readonly Resource[]
  readonly log?: Logger
  /** Instead of the store that the config names; closed with the server. */
  readonly storage?: Storage
  /** Asked about every write, after the cluster's own rules. */
  readonly admission?: readonly AdmissionPlugin[]
  /** In a worker of several: connections come from there, and metrics and audit lines go there. */
  readonly primary?: PrimaryLink
}

/** A running API server. Everything it is made of is built in `start`, in that order, and closed in reverse. */
export class ApiServer {
  readonly config: ApiserverConfig
  readonly #listener: Listener
  readonly #pipeline: Pipeline
  readonly #closers: (() => Promise<void> | void)[]
  readonly #shutdown: { begun: boolean }
  readonly port: number
  readonly stores: readonly Store[]

  private constructor (parts: { config: ApiserverConfig; listener: Listener; pipeline: Pipeline; closers: (() => Promise<void> | void)[]; port: number; stores: readonly Store[]; shutdown: { begun: boolean } }) {
    this.config = parts.config
    this.#listener = parts.listener
    this.#pipeline = parts.pipeline
    this.#closers = parts.closers
    this.port = parts.port
    this.stores = parts.stores
    this.#shutdown = parts.shutdown
  }

  get url (): string { return urlOf(this.config, this.port) }

  /**
   * Builds and starts a server. It listens at once; `/readyz` tells when its caches are filled.
   * @throws CertificateError, StorageError, CrdFileError, ConfigFileError with messages for a person
   */
  static async start (config: ApiserverConfig, dependencies: ServerDependencies = {}): Promise<ApiServer> {
    const log = dependencies.log ?? pino({ level: 'warn' }, pino.destination(2))
    const closers: (() => Promise<void> | void)[] = []
    try {
      return await build(config, dependencies, log, closers, parts => new ApiServer(parts))
    } catch (error) {
      for (const close of closers.reverse()) await close()
      throw error
    }
  }

  /** Resolves when every resource can be read. */
  async ready (signal?: AbortSignal): Promise<void> {
    await Promise.all(this.stores.map(s => s.cacher.whenReady(signal)))
  }

  /**
   * Ends the server gracefully: readyz fails at once, then after the delay no new watch is taken, the present ones end spread over a
   * second, requests under way are finished, and connections are told to go elsewhere. Idempotent.
   */
  async close (): Promise<void> {
    if (this.#shutdown.begun) return
    this.#shutdown.begun = true
    const { delayMs, timeoutMs } = this.config.shutdown
    if (delayMs > 0) await new Promise(resolve => setTimeout(resolve, delayMs))
    const told = this.#listener.goAway()
    this.#pipeline.drain(Math.min(1000, timeoutMs))
    await told
    await this.#pipeline.idle(timeoutMs)
    await this.#listener.close(Math.min(1000, timeoutMs))
    for (const close of this.#closers.reverse()) await close()
  }
}

type Parts = { config: ApiserverConfig; listener: Listener; pipeline: Pipeline; closers: (() => Promise<void> | void)[]; port: number; stores: readonly Store[]; shutdown: { begun: boolean } }

async function build (config: ApiserverConfig, dependencies: ServerDependencies, log: Logger, closers: (() => Promise<void> | void)[], make: (parts: Parts) => ApiServer): Promise<ApiServer> {
  const resources = [...dependencies.resources ?? builtInResources, ...unlessBuiltIn(loadCrdFiles(config.crdFiles), dependencies.resources ?? builtInResources, log)]
  const shutdown = { begun: false }
  const { primary } = dependencies

  let listener: Listener | undefined
  let certificates: ServedCertificates | undefined
  const onAuthoritiesChange = (): void => { certificates?.refresh() }
  const frontProxy = config.authentication.requestHeader && await RequestHeaderFile.open(config.authentication.requestHeader, {
    change: onAuthoritiesChange,
    error: error => { log.error({ err: error }, 'the changed authority of the front proxy is not used') }
  })
  if (frontProxy !== undefined) closers.push(() => frontProxy.close())
  const cluster = config.cluster && await Cluster.join({ config, log, observe: (what, code, seconds) => { metrics.delegated(what, code, seconds) }, onAuthoritiesChange, userAgent: `annex/${version}` })
  if (cluster !== undefined) closers.push(() => cluster.close())
  const published = cluster?.authentication
  certificates = await serveCertificates(config, log, closers, {
    client: cluster?.core,
    further: () => [...frontProxy ? [frontProxy.pem] : [], ...published?.pems() ?? []],
    onChange: tls => { listener?.reload(tls) }
  })

  const inFlight = new InFlightFilter({ readOnly: config.limits.maxRequestsInflight, mutating: config.limits.maxMutatingRequestsInflight })
  const metrics: Metrics = new Metrics({ inFlight: () => inFlight, stores: () => stores, version: serverVersion(version).gitVersion, certificateExpiry: certificates.expiry, certificateRotation: certificates.rotation, exposition: primary && (() => primary.scrape()) })
  primary?.report(metrics.registry)
  const opened = dependencies.storage ?? await openStorage(config.storage)
  closers.push(() => opened.close())
  const storage = new InstrumentedStorage(opened, metrics)
  const prefix = config.storage.type === 'etcd' ? config.storage.prefix.replace(/\/$/, '') : '/registry'
  const stores: readonly Store[] = resources.map(resource => new Store({
    resource, storage, prefix,
    onCorrupt: (value, error) => { log.error({ key: value.key, err: error }, 'a stored object cannot be read and is not served') }
  }))
  const storeOf = new Map(stores.map(s => [s.resource, s]))
  closers.push(async () => { await Promise.all(stores.map(s => s.stop())) })

  const authorizer = new AuthorizerChain([
    new PrivilegedGroupAuthorizer(),
    new AlwaysAllowPathsAuthorizer(config.authorization.alwaysAllowPaths),
    cluster?.authorizer ?? await openPolicy(config, log, closers)
  ])
  const { clientAuthorities } = certificates
  const proxies = new RequestHeaderAuthenticator({ settings: () => frontProxy === undefined ? published?.requestHeader() : frontProxy.settings() })
  const peerCertificates = new PeerCertificates()
  const authenticator = new AuthenticatorChain({
    authenticators: [
      proxies,
      new ClientCertificateAuthenticator({ authorities: () => clientAuthorities() ?? published?.clientAuthorities() }),
      new BearerTokenAuthenticator(cluster && ((token, signal) => cluster.tokens.verify(token, signal)))
    ],
    ...(config.authentication.anonymous && { anonymous: new AnonymousAuthenticator() })
  })

  const auditWriter = config.audit && primary && (await import('./workers/audit-lines.js')).auditLines(config.audit, primary)
  const auditor: Auditor | undefined = config.audit && await openAuditor(config.audit, { metrics, log, writer: auditWriter })
  if (auditor !== undefined) closers.push(() => auditor.close())

  const health = new HealthChecks(healthChecks(storage, stores, shutdown, () => cluster?.unsynced() ?? []), (failed, error) => { log.warn({ check: failed, err: error }, 'a health check failed') })
  const info = { title: 'Annex', version: serverVersion(version).gitVersion }
  const live = new LiveSamples()
  const metricsApi = openMetricsApi({ config, stores, resources, prefix, live, metrics, log, cluster, closers })
  const plugins = [...cluster ? [cluster.lifecycle] : [], ...metricsApi ? [metricsApi.admission] : [], ...dependencies.admission ?? []]
  const admission = plugins.length > 0 ? new AdmissionChain(plugins) : undefined
  const bodyBytes = 3 * 1024 * 1024
  const metricsWrite = metricsApi && openMetricsWrite(config, stores, { kinds: metricsApi.kinds, live, admission, bodyBytes, registry: metrics.registry }, log)
  if (metricsApi !== undefined && metricsWrite !== undefined) metricsApi.onKindsChange = () => { metricsWrite.kindsChanged() }
  const virtual = [...metricsApi ? [metricsApi] : [], ...metricsWrite ? [metricsWrite] : [], ...cluster ? [] : [new CoreApi({ stores, prefix })]]
  const discovery = new Discovery({ resources, virtual: virtual.flatMap(v => v.virtual), version: serverVersion(version), rootPaths: [...health.paths(), '/metrics', '/openapi/v2', '/openapi/v3', '/version'] })
  metricsApi?.start(() => { discovery.rebuild() })
  if (metricsApi !== undefined) closers.push(() => metricsApi.stop())
  metricsWrite?.start()
  if (metricsWrite !== undefined) closers.push(() => metricsWrite.stop())
  const endingNamespaces = cluster && new EndingNamespaces({ isTerminating: n => cluster.lifecycle.isTerminating(n), exists: (n, signal) => cluster.lifecycle.exists(n, signal), log })
  if (endingNamespaces !== undefined) closers.push(() => endingNamespaces.stop())
  const documented = { resources, info, operations: metricsWrite ? [metricsWrite.documented] : [] }
  const router = new Router({
    resources, storeOf, authorizer, health, metrics, admission, endingNamespaces,
    discovery, virtual,
    openapi: [new OpenAPIV2(documented), new OpenAPIV3(documented)],
    limits: { bodyBytes, minWatchSeconds: config.limits.minRequestTimeoutSeconds }
  })
  const pipeline = new Pipeline({
    authenticator, authorizer, auditor, inFlight, metrics, log,
    peerCertificates,
    requestTimeoutMs: config.limits.requestTimeoutMs,
    handle: (context, open) => router.handle(context, open)
  })

  const webSockets = new WebSocketServer({ noServer: true, maxPayload: 64 * 1024, handleProtocols: protocols => [...protocols].find(p => !p.startsWith('base64url.bearer.')) ?? false })
  const accept = (req: RawRequest, socket: Duplex, head: Buffer): Promise<WebSocket> =>
    new Promise(resolve => { webSockets.handleUpgrade(req as never, socket, head, resolve) })
  listener = new Listener({
    bindAddress: config.serving.bindAddress,
    port: config.serving.securePort,
    http2: config.serving.http2,
    tls: certificates.tls(),
    onRequest: (req, res, socket) => { void pipeline.serve(req, res, socket) },
    isProxy: socket => proxies.isProxy(peerCertificates.of(socket)),
    onUpgrade: (req, socket, head) => { void pipeline.serveUpgrade(req, socket, head, accept) },
    onTlsError: () => { metrics.tlsHandshakeErrors.inc() }
  })
  const port = await (primary === undefined ? listener.listen({ bindAddress: config.serving.bindAddress, port: config.serving.securePort }) : listener.listenThrough(primary))
  const server = make({ config, listener, pipeline, closers, port, stores, shutdown })
  await certificates.writeKubeconfig(server.url)
  return server
}

/** The metrics groups, where CustomMetrics are among the resources. */
function openMetricsApi ({ config, stores, resources, prefix, live, metrics, log, cluster, closers }: {
  config: ApiserverConfig; stores: readonly Store[]; resources: readonly Resource[]; prefix: string; live: LiveSamples; metrics: Metrics; log: Logger
  cluster: Cluster | undefined; closers: (() => Promise<void> | void)[]
}): MetricsApi | undefined {
  const store = stores.find(s => s.resource === custommetrics)
  if (store === undefined) return undefined
  const own = new StoredObjectSelector(stores, prefix)
  const others = cluster && new ClusterObjects({
    client: cluster.core,
    kinds: cluster.kinds,
    onError: (resource, error) => { log.warn({ resource, err: error }, 'the objects that metrics are about cannot be followed in the cluster; trying again') }
  })
  if (others !== undefined) closers.push(() => others.stop())
  const api = new MetricsApi({
    store, resources, live,
    kinds: cluster?.kinds,
    objects: others === undefined ? own : firstKnown(own, others),
    ttlMs: config.metricTtlMs,
    routes: {
      configs: config.metricsRoutes,
      userAgent: `annex/${version}`,
      onError: (url, error) => { log.warn({ url, err: error }, 'the metrics of another adapter cannot be listed; trying again') }
    },
    observeFreshness: (group, seconds) => { metrics.metricFreshness.observe({ group }, seconds) },
    onError: error => { log.error({ err: error }, 'the metrics index could not be filled; it is tried again') }
  })
  if (cluster !== undefined) {
    cluster.onKindsChange = () => { api.kindsChanged() }
    cluster.kinds.start()
  }
  return api
}

/** The resources through which samples are written, where MetricMappings are among the resources. */
function openMetricsWrite (config: ApiserverConfig, stores: readonly Store[], shared: Pick<MetricsWriteOptions, 'kinds' | 'live' | 'admission' | 'bodyBytes' | 'registry'>, log: Logger): MetricsWrite | undefined {
  const [mappings, metrics] = [metricmappings, custommetrics].map(r => stores.find(s => s.resource === r))
  return mappings && metrics && new MetricsWrite({
    ...shared, mappings, metrics,
    checkpoints: config.metricCheckpoints,
    limits: config.metricSeries,
    ttlMs: config.metricTtlMs,
    onError: error => { log.error({ err: error }, 'what was written to metrics could not be kept; it is tried again') }
  })
}

/** A CRD file may repeat a kind that is built in; the built-in one knows more, so it is served. */
function unlessBuiltIn (fromFiles: readonly Resource[], builtIn: readonly Resource[], log: Logger): Resource[] {
  const known = new Set(builtIn.map(r => `${r.names.plural}.${r.group}`))
  return fromFiles.filter(r => {
    const name = `${r.names.plural}.${r.group}`
    if (!known.has(name)) return true
    log.warn({ resource: name }, 'a CRD file defines a resource that is built in; the built-in one is served')
    return false
  })
}

function healthChecks (storage: Storage, stores: readonly Store[], shutdown: { readonly begun: boolean }, unsynced: () => string[]): { livez: HealthCheck[]; readyz: HealthCheck[] } {
  const ping: HealthCheck = { name: 'ping', check: () => {} }
  const store: HealthCheck = { name: 'etcd', check: signal => storage.health({ signal }) }
  const caches: HealthCheck = {
    name: 'informer-sync',
    check: () => {
      const missing = [...stores.filter(s => !s.cacher.ready()).map(s => `${s.resource.names.plural}.${s.resource.group}`), ...unsynced()]
      if (missing.length > 0) throw new Error(`not filled yet: ${missing.join(', ')}`)
    }
  }
  const shuttingDown: HealthCheck = { name: 'shutdown', check: () => { if (shutdown.begun) throw new Error('the server is shutting down') } }
  // Being alive does not need the store: restarting this process would not bring it back.
  return { livez: [ping], readyz: [ping, store, { ...store, name: 'etcd-readiness' }, caches, shuttingDown] }
}

/** What users of a standalone server may do. */
async function openPolicy (config: ApiserverConfig, log: Logger, closers: (() => Promise<void> | void)[]): Promise<PolicyFileAuthorizer> {
  const policy = await PolicyFileAuthorizer.open({ file: config.authorization.policyFile, onError: error => { log.error({ err: error }, 'the changed authorization policy is not used') } })
  closers.push(() => policy.close())
  return policy
}

/**
 * Starts a standalone server of one's own resources: what outsiders build with (`import { createServer, defineResource } from 'annex'`).
 * Options are those of the command line; absent ones have its defaults.
 * @throws Error listing every option that is wrong
 */
export async function createServer (options: Partial<Omit<ApiserverOptions, 'workers'>> & Omit<ServerDependencies, 'primary'>): Promise<ApiServer> {
  const { resources, log, storage, admission, ...flags } = options
  const { config, errors } = await complete({ ...parseFlags(apiserverFlags, [], 'createServer').options, ...flags }, { env: process.env })
  if (errors.length > 0) throw new Error(`the server cannot start:\n${errors.map(e => `  ${e}`).join('\n')}`)
  return ApiServer.start(config, { ...(resources && { resources }), ...(log && { log }), ...(storage && { storage }), ...(admission && { admission }) })
}
