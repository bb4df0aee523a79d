import { hostname } from 'node:os'
import path from 'node:path'
import { isIP } from 'node:net'
import { isDnsName } from '../../certs/serving-certificate.js'
import { apiserverFlags, type ApiserverOptions } from './apiserver-flags.js'
import { Checks } from '../cli/checks.js'
import { checkDelegation, checkServingSecret, clusterConfig, requestHeaderConfig, servingSecretConfig, type ClusterConfig, type ClusterEnvironment, type RequestHeaderConfig, type ServingSecretConfig } from './cluster-options.js'
import { metricsRoutes, routeFiles, type MetricsRouteConfig } from './metrics-route-options.js'
import { helpText, markdownTable, parseFlags } from '../cli/flags.js'

const command = 'annex apiserver'
const description = 'The Annex API server serves its kinds as an aggregated Kubernetes API server would. Without a cluster it is standalone: it\n' +
  'keeps objects in an embedded store, makes its own certificates, and writes a kubeconfig for kubectl.'

/** Each is a whole server: more than a machine has cores only costs memory. */
const maxWorkers = 64

export interface TlsFiles { readonly certificateFile: string; readonly keyFile: string }

/** Everything that `annex apiserver` runs with: complete, checked, frozen. Paths are absolute, absent files are undefined. */
export interface ApiserverConfig {
  readonly serving: {
    readonly bindAddress: string
    /** 0 takes a free port. */
    readonly securePort: number
    /** Undefined: certificates of our own authority in `pkiDir`. */
    readonly tls: TlsFiles | undefined
    /** Certificates that replicas share in a Secret, instead of `tls` and of our own. */
    readonly secret: ServingSecretConfig | undefined
    /** Names for our own certificate. */
    readonly sans: readonly string[]
    readonly http2: boolean
  }
  readonly dataDir: string
  readonly pkiDir: string
  readonly storeDir: string
  /** The admin kubeconfig that is written. */
  readonly kubeconfigFile: string
  readonly storage:
    | { readonly type: 'embedded'; readonly directory: string; readonly compactionIntervalMs: number }
    | { readonly type: 'etcd'; readonly servers: readonly string[]; readonly prefix: string; readonly caFile: string | undefined; readonly client: TlsFiles | undefined; readonly compactionIntervalMs: number }
  readonly crdFiles: readonly string[]
  readonly metricTtlMs: number
  /** How many series are held in memory. */
  readonly metricSeries: { readonly perMapping: number; readonly perNamespace: number; readonly total: number }
  /** How often their values are stored; 0 is never. */
  readonly metricCheckpoints: { readonly intervalMs: number; readonly writesPerSecond: number }
  readonly metricsRoutes: readonly MetricsRouteConfig[]
  /** The cluster that is asked about users and their rights, and for its namespaces; undefined: standalone. */
  readonly cluster: ClusterConfig | undefined
  readonly authentication: {
    readonly clientCaFile: string | undefined
    readonly anonymous: boolean
    /** Whether the cluster's own authentication configuration is left alone. */
    readonly skipLookup: boolean
    readonly tolerateLookupFailure: boolean
    readonly tokenCacheTtlMs: number
    /** A front proxy named by flags, instead of the one that the cluster publishes. */
    readonly requestHeader: RequestHeaderConfig | undefined
  }
  readonly authorization: {
    readonly policyFile: string | undefined
    readonly alwaysAllowPaths: readonly string[]
    readonly allowCacheTtlMs: number
    readonly denyCacheTtlMs: number
  }
  /** Undefined: no audit log. */
  readonly audit: { readonly path: string; readonly policyFile: string | undefined; readonly maxSizeBytes: number; readonly maxBackups: number; readonly maxAgeDays: number } | undefined
  readonly limits: {
    /** 0 is no limit. */
    readonly maxRequestsInflight: number
    readonly maxMutatingRequestsInflight: number
    readonly requestTimeoutMs: number
    readonly minRequestTimeoutSeconds: number
  }
  readonly shutdown: { readonly delayMs: number; readonly timeoutMs: number }
  /** How many processes serve. */
  readonly workers: number
  readonly verbosity: number
}

/** Where a server on this machine is reached. */
export function urlOf ({ serving: { bindAddress } }: ApiserverConfig, port: number): string {
  const host = bindAddress === '0.0.0.0' ? '127.0.0.1' : bindAddress === '::' ? '[::1]' : bindAddress.includes(':') ? `[${bindAddress}]` : bindAddress
  return `https://${host}:${port}`
}

/** What became of a command line. */
export type ApiserverCommand =
  | { readonly kind: 'help'; readonly text: string }
  | { readonly kind: 'errors'; readonly errors: readonly string[] }
  | { readonly kind: 'config'; readonly config: ApiserverConfig }

/** Command line → Options → Config. Never throws for what a person typed: every error comes at once, the caller exits with 2. */
export async function readApiserverCommand (args: readonly string[], environment: ClusterEnvironment & { columns?: number | undefined } = {}): Promise<ApiserverCommand> {
  const parsed = parseFlags(apiserverFlags, args, command)
  if (parsed.help) return { kind: 'help', text: helpText(apiserverFlags, { command, description, columns: environment.columns }) }
  const completed = await complete(parsed.options, environment)
  const errors = [...parsed.errors, ...completed.errors]
  return errors.length > 0 ? { kind: 'errors', errors } : { kind: 'config', config: completed.config }
}

/** The flags as Markdown, for the README. */
export const flagTable = (): string => markdownTable(apiserverFlags)

/**
 * Fills in what follows from the options and checks them all, files included.
 * @returns the frozen config; it may be used only if there are no errors
 */
export async function complete (options: ApiserverOptions, environment: ClusterEnvironment = {}): Promise<{ config: ApiserverConfig; errors: readonly string[] }> {
  const checks = new Checks()
  const cluster = clusterConfig(options, environment)
  checkDelegation(checks, options, cluster)
  checkServing(checks, options)
  checkServingSecret(checks, options, cluster)
  checkStorage(checks, options)
  checkNumbers(checks, options)
  const routes = metricsRoutes(options.metricsRoute, checks)
  await Promise.all([
    checks.file('tls-cert-file', options.tlsCertFile),
    checks.file('tls-private-key-file', options.tlsPrivateKeyFile),
    checks.file('client-ca-file', options.clientCaFile),
    checks.file('etcd-cafile', options.etcdCafile),
    checks.file('etcd-certfile', options.etcdCertfile),
    checks.file('etcd-keyfile', options.etcdKeyfile),
    checks.file('kubeconfig', options.kubeconfig),
    checks.file('authentication-kubeconfig', options.authenticationKubeconfig),
    checks.file('authorization-kubeconfig', options.authorizationKubeconfig),
    checks.file('requestheader-client-ca-file', options.requestheaderClientCaFile),
    checks.file('authorization-policy-file', options.authorizationPolicyFile),
    checks.file('audit-policy-file', options.auditPolicyFile),
    ...options.crdFile.map(file => file === '' ? Promise.resolve(checks.add('crd-file', file, 'must not be empty')) : checks.file('crd-file', file, { orDirectory: true })),
    ...routeFiles(routes).map(file => checks.file('metrics-route', file)),
    checks.parentOf('audit-log-path', options.auditLogPath),
    checks.directory('data-dir', options.dataDir)
  ])
  return { config: deepFreeze(configOf(options, cluster, routes)), errors: checks.sorted(Object.values(apiserverFlags).map(flag => flag.name)) }
}

function configOf (o: ApiserverOptions, cluster: ClusterConfig | undefined, routes: readonly MetricsRouteConfig[]): ApiserverConfig {
  const file = (name: string): string | undefined => name === '' ? undefined : path.resolve(name)
  const pair = (certificate: string, key: string): TlsFiles | undefined => certificate === '' || key === '' ? undefined : { certificateFile: path.resolve(certificate), keyFile: path.resolve(key) }
  const dataDir = path.resolve(o.dataDir)
  const storeDir = path.join(dataDir, 'store')
  // The address people reach us by is one of the certificate's names; a wildcard address is not.
  const host = hostname()
  const own = [...isDnsName(host) ? [host] : [], ...o.bindAddress === '0.0.0.0' || o.bindAddress === '::' ? [] : [o.bindAddress]]
  return {
    serving: {
      bindAddress: o.bindAddress,
      securePort: o.securePort,
      tls: pair(o.tlsCertFile, o.tlsPrivateKeyFile),
      secret: servingSecretConfig(o),
      // What replicas share cannot have the names of one of them.
      sans: [...new Set([...o.servingCertificateSecret === '' ? own : [], ...o.tlsSan])],
      http2: o.http2
    },
    dataDir,
    pkiDir: path.join(dataDir, 'pki'),
    storeDir,
    kubeconfigFile: path.join(dataDir, 'kubeconfig'),
    storage: o.etcdServers.length === 0
      ? { type: 'embedded', directory: storeDir, compactionIntervalMs: o.etcdCompactionInterval }
      : { type: 'etcd', servers: o.etcdServers, prefix: o.etcdPrefix, caFile: file(o.etcdCafile), client: pair(o.etcdCertfile, o.etcdKeyfile), compactionIntervalMs: o.etcdCompactionInterval },
    crdFiles: o.crdFile.map(f => path.resolve(f)),
    metricTtlMs: o.metricTtl,
    metricSeries: { perMapping: o.metricSeriesPerMapping, perNamespace: o.metricSeriesPerNamespace, total: o.metricSeries },
    metricCheckpoints: { intervalMs: o.metricCheckpointInterval, writesPerSecond: o.metricCheckpointQps },
    metricsRoutes: routes,
    cluster,
    authentication: {
      clientCaFile: file(o.clientCaFile),
      anonymous: o.anonymousAuth,
      skipLookup: o.authenticationSkipLookup,
      tolerateLookupFailure: o.authenticationTolerateLookupFailure,
      tokenCacheTtlMs: o.authenticationTokenWebhookCacheTtl,
      requestHeader: requestHeaderConfig(o)
    },
    authorization: {
      policyFile: file(o.authorizationPolicyFile),
      alwaysAllowPaths: o.authorizationAlwaysAllowPaths,
      allowCacheTtlMs: o.authorizationWebhookCacheAuthorizedTtl,
      denyCacheTtlMs: o.authorizationWebhookCacheUnauthorizedTtl
    },
    audit: o.auditLogPath === ''
      ? undefined
      : { path: o.auditLogPath === '-' ? '-' : path.resolve(o.auditLogPath), policyFile: file(o.auditPolicyFile), maxSizeBytes: o.auditLogMaxsize * 1024 * 1024, maxBackups: o.auditLogMaxbackup, maxAgeDays: o.auditLogMaxage },
    limits: {
      maxRequestsInflight: o.maxRequestsInflight,
      maxMutatingRequestsInflight: o.maxMutatingRequestsInflight,
      requestTimeoutMs: o.requestTimeout,
      minRequestTimeoutSeconds: o.minRequestTimeout
    },
    shutdown: { delayMs: o.shutdownDelayDuration, timeoutMs: o.shutdownTimeout },
    workers: o.workers,
    verbosity: o.verbosity
  }
}

function checkServing (checks: Checks, o: ApiserverOptions): void {
  if (o.securePort < 0 || o.securePort > 65535) checks.add('secure-port', o.securePort, 'must be between 0 and 65535, inclusive')
  if (isIP(o.bindAddress) === 0) checks.add('bind-address', o.bindAddress, 'must be an IP address')
  if (o.dataDir === '') checks.add('data-dir', o.dataDir, 'must not be empty')
  if ((o.tlsCertFile === '') !== (o.tlsPrivateKeyFile === '')) {
    checks.both('tls-cert-file', o.tlsCertFile, 'tls-private-key-file', o.tlsPrivateKeyFile)
  }
  for (const name of o.tlsSan) if (isIP(name) === 0 && !isDnsName(name)) checks.add('tls-san', name, 'must be a DNS name or an IP address')
  if (o.tlsSan.length > 0 && o.tlsCertFile !== '') checks.add('tls-san', o.tlsSan.join(','), 'has no effect on the certificate of --tls-cert-file; leave one of them out')
}

function checkStorage (checks: Checks, o: ApiserverOptions): void {
  for (const server of o.etcdServers) {
    const url = parseUrl(server)
    if (url === undefined || !['http:', 'https:'].includes(url.protocol) || url.port === '') checks.add('etcd-servers', server, 'must be a URL such as https://10.0.0.1:2379')
  }
  const schemes = new Set(o.etcdServers.map(server => parseUrl(server)?.protocol))
  if (schemes.has('http:') && schemes.has('https:')) checks.add('etcd-servers', o.etcdServers.join(','), 'must be all http or all https')
  for (const [flag, value] of [['etcd-cafile', o.etcdCafile], ['etcd-certfile', o.etcdCertfile], ['etcd-keyfile', o.etcdKeyfile]] as const) {
    if (value === '') continue
    if (o.etcdServers.length === 0) checks.add(flag, value, 'needs --etcd-servers')
    else if (schemes.has('http:')) checks.add(flag, value, 'needs https in --etcd-servers')
  }
  if ((o.etcdCertfile === '') !== (o.etcdKeyfile === '')) checks.both('etcd-certfile', o.etcdCertfile, 'etcd-keyfile', o.etcdKeyfile)
  if (o.etcdServers.length > 0 && !o.etcdPrefix.startsWith('/')) checks.add('etcd-prefix', o.etcdPrefix, 'must begin with /')
}

function checkNumbers (checks: Checks, o: ApiserverOptions): void {
  for (const [flag, value] of [
    ['max-requests-inflight', o.maxRequestsInflight], ['max-mutating-requests-inflight', o.maxMutatingRequestsInflight], ['min-request-timeout', o.minRequestTimeout],
    ['audit-log-maxsize', o.auditLogMaxsize], ['audit-log-maxbackup', o.auditLogMaxbackup], ['audit-log-maxage', o.auditLogMaxage], ['v', o.verbosity]
  ] as const) if (value < 0) checks.add(flag, value, 'must not be negative')
  for (const [flag, value] of [['etcd-compaction-interval', o.etcdCompactionInterval], ['metric-checkpoint-interval', o.metricCheckpointInterval], ['shutdown-delay-duration', o.shutdownDelayDuration], ['shutdown-timeout', o.shutdownTimeout]] as const) {
    if (value < 0) checks.add(flag, `${value}ms`, 'must not be negative')
  }
  if (o.workers < 1 || o.workers > maxWorkers) checks.add('workers', o.workers, `must be between 1 and ${maxWorkers}, inclusive`)
  else if (o.workers > 1 && o.etcdServers.length === 0) checks.add('workers', o.workers, 'needs --etcd-servers: the embedded store belongs to one process; leave --workers out')
  if (o.requestTimeout <= 0) checks.add('request-timeout', `${o.requestTimeout}ms`, 'must be positive')
  if (o.metricTtl <= 0) checks.add('metric-ttl', `${o.metricTtl}ms`, 'must be positive')
  for (const [flag, value] of [['metric-series-per-mapping', o.metricSeriesPerMapping], ['metric-series-per-namespace', o.metricSeriesPerNamespace], ['metric-series', o.metricSeries], ['metric-checkpoint-qps', o.metricCheckpointQps]] as const) {
    if (value <= 0) checks.add(flag, value, 'must be positive')
  }
  if (o.auditPolicyFile !== '' && o.auditLogPath === '') checks.add('audit-policy-file', o.auditPolicyFile, 'needs --audit-log-path')
}

function parseUrl (text: string): URL | undefined {
  try {
    return new URL(text)
  } catch {
    return undefined
  }
}

function deepFreeze<T> (value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const member of Object.values(value)) deepFreeze(member)
  }
  return value
}
