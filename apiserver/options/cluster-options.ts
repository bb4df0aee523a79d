import { existsSync } from 'node:fs'
import path from 'node:path'
import type { ApiserverOptions } from './apiserver-flags.js'
import type { Checks } from '../cli/checks.js'
import { formatDuration } from '../cli/duration.js'

/** How one part of the server reaches the cluster. */
export type ClusterCredentials =
  | { readonly type: 'kubeconfig'; readonly file: string }
  /** The service account of a pod; token and CA are read again when they change. */
  | { readonly type: 'inCluster'; readonly server: string; readonly tokenFile: string; readonly caFile: string }

/** The cluster that this server belongs to. The three may be one and the same. */
export interface ClusterConfig {
  /** Who may read namespaces and what admission needs. */
  readonly core: ClusterCredentials
  /** Who may create TokenReviews and read the authentication configuration. */
  readonly authentication: ClusterCredentials
  /** Who may create SubjectAccessReviews. */
  readonly authorization: ClusterCredentials
}

/** A namespaced object of the cluster. */
export interface ObjectName { readonly namespace: string; readonly name: string }

/** Serving certificates that replicas share in a Secret of the cluster. */
export interface ServingSecretConfig {
  readonly secret: ObjectName
  /** Whose names the certificate has, and whose APIServices get the bundle. */
  readonly service: ObjectName
  readonly certificateValidityMs: number
  readonly authorityValidityMs: number
}

/** A front proxy whose certificate and headers are given by flags. */
export interface RequestHeaderConfig {
  readonly clientCaFile: string
  /** Empty: any certificate of the authority. */
  readonly allowedNames: readonly string[]
  readonly usernameHeaders: readonly string[]
  readonly uidHeaders: readonly string[]
  readonly groupHeaders: readonly string[]
  readonly extraHeaderPrefixes: readonly string[]
}

/** Where a process finds out that it runs in a pod. */
export interface ClusterEnvironment {
  /** `process.env` of the command; absent: not in a pod. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
  /** Default: where the kubelet mounts a service account. */
  readonly serviceAccountDir?: string | undefined
}

/**
 * The cluster that the options name: each part's own kubeconfig, else `--kubeconfig`, else the pod's service account, else the kubeconfig
 * of authentication. Undefined without any: the server is standalone. `--authorization-kubeconfig` alone does not name a cluster, for
 * nobody could be authenticated.
 */
export function clusterConfig (o: ApiserverOptions, environment: ClusterEnvironment): ClusterConfig | undefined {
  const file = (name: string): ClusterCredentials | undefined => name === '' ? undefined : { type: 'kubeconfig', file: path.resolve(name) }
  const shared = file(o.kubeconfig) ?? inCluster(environment) ?? file(o.authenticationKubeconfig)
  if (shared === undefined) return undefined
  return {
    core: shared,
    authentication: file(o.authenticationKubeconfig) ?? shared,
    authorization: file(o.authorizationKubeconfig) ?? shared
  }
}

/** As client-go's rest.InClusterConfig decides it: both variables, and a token file. */
export function inCluster ({ env = {}, serviceAccountDir = '/var/run/secrets/kubernetes.io/serviceaccount' }: ClusterEnvironment): ClusterCredentials | undefined {
  const [host, port] = [env['KUBERNETES_SERVICE_HOST'], env['KUBERNETES_SERVICE_PORT']]
  const tokenFile = path.join(serviceAccountDir, 'token')
  if (!host || !port || !existsSync(tokenFile)) return undefined
  return { type: 'inCluster', server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`, tokenFile, caFile: path.join(serviceAccountDir, 'ca.crt') }
}

/** Only with a CA of its own do the other flags of the front proxy count, as upstream has it. */
export function requestHeaderConfig (o: ApiserverOptions): RequestHeaderConfig | undefined {
  if (o.requestheaderClientCaFile === '') return undefined
  return {
    clientCaFile: path.resolve(o.requestheaderClientCaFile),
    allowedNames: o.requestheaderAllowedNames,
    usernameHeaders: o.requestheaderUsernameHeaders,
    uidHeaders: o.requestheaderUidHeaders,
    groupHeaders: o.requestheaderGroupHeaders,
    extraHeaderPrefixes: o.requestheaderExtraHeadersPrefix
  }
}

/** The Secret and the Service of `--serving-certificate-secret` and `--service`; undefined without the former. */
export function servingSecretConfig (o: ApiserverOptions): ServingSecretConfig | undefined {
  const secret = objectName(o.servingCertificateSecret)
  return secret && {
    secret,
    service: objectName(o.service) ?? { namespace: secret.namespace, name: 'annex' },
    certificateValidityMs: o.servingCertificateValidity,
    authorityValidityMs: o.servingCertificateCaValidity
  }
}

/** `NAMESPACE/NAME`; undefined if a text is not that. */
function objectName (text: string): ObjectName | undefined {
  const [namespace = '', name = '', ...more] = text.split('/')
  return more.length === 0 && dnsLabel.test(namespace) && dnsSubdomain.test(name) && name.length <= 253 ? { namespace, name } : undefined
}

const dnsLabel = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/
const dnsSubdomain = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/

/** What is wrong with the flags of the shared serving certificate. */
export function checkServingSecret (checks: Checks, o: ApiserverOptions, cluster: ClusterConfig | undefined): void {
  const { servingCertificateSecret: secret, service, servingCertificateValidity: validity, servingCertificateCaValidity: caValidity } = o
  if (secret === '') {
    if (service !== '') checks.add('service', service, 'needs --serving-certificate-secret')
    return
  }
  if (objectName(secret) === undefined) checks.add('serving-certificate-secret', secret, 'must be the namespace and the name of a Secret, such as annex-system/annex-serving')
  if (service !== '' && (objectName(service) === undefined || !dnsLabel.test(objectName(service)!.name))) checks.add('service', service, 'must be the namespace and the name of a Service, such as annex-system/annex')
  if (cluster === undefined) checks.add('serving-certificate-secret', secret, 'needs a cluster: --kubeconfig, or a pod')
  if (o.tlsCertFile !== '') checks.add('serving-certificate-secret', secret, 'cannot be used with --tls-cert-file, which names the certificate to serve; leave one of them out')
  if (validity < 60_000) checks.add('serving-certificate-validity', formatDuration(validity), 'must be at least 1m')
  else if (caValidity < 3 * validity) checks.add('serving-certificate-ca-validity', formatDuration(caValidity), 'must be at least three times --serving-certificate-validity')
}

/** What is wrong between the flags that join a cluster. */
export function checkDelegation (checks: Checks, o: ApiserverOptions, cluster: ClusterConfig | undefined): void {
  if (cluster === undefined && o.authorizationKubeconfig !== '') checks.add('authorization-kubeconfig', o.authorizationKubeconfig, 'needs --kubeconfig or --authentication-kubeconfig')
  if (cluster !== undefined && o.authorizationPolicyFile !== '') checks.add('authorization-policy-file', o.authorizationPolicyFile, 'has no effect in a cluster, whose own policy decides; leave it out')
  for (const [flag, names] of [
    ['requestheader-allowed-names', o.requestheaderAllowedNames], ['requestheader-username-headers', o.requestheaderUsernameHeaders],
    ['requestheader-group-headers', o.requestheaderGroupHeaders], ['requestheader-extra-headers-prefix', o.requestheaderExtraHeadersPrefix],
    ['requestheader-uid-headers', o.requestheaderUidHeaders]
  ] as const) if (names.some(name => name.trim() === '')) checks.add(flag, names.join(','), 'must not have an empty value')
  if (o.requestheaderUidHeaders.length > 0 && !o.requestheaderUidHeaders.some(name => name.toLowerCase() === 'x-remote-uid')) {
    checks.add('requestheader-uid-headers', o.requestheaderUidHeaders.join(','), 'is set without the standard X-Remote-Uid header; API aggregation will not work')
  }
  for (const path of o.authorizationAlwaysAllowPaths) {
    if (path.slice(0, -1).includes('*')) checks.add('authorization-always-allow-paths', path, 'only trailing * allowed')
  }
  for (const [flag, value] of [
    ['authentication-token-webhook-cache-ttl', o.authenticationTokenWebhookCacheTtl],
    ['authorization-webhook-cache-authorized-ttl', o.authorizationWebhookCacheAuthorizedTtl],
    ['authorization-webhook-cache-unauthorized-ttl', o.authorizationWebhookCacheUnauthorizedTtl]
  ] as const) if (value < 0) checks.add(flag, `${value}ms`, 'must not be negative')
}
