import { flagSection } from '../cli/flag-types.js'
import type { OptionsOf } from '../cli/flags.js'

const minutes = 60_000
const days = 24 * 60 * minutes
const serving = flagSection('Secure serving')
const storage = flagSection('Storage')
const apis = flagSection('API')
const authentication = flagSection('Authentication')
const authorization = flagSection('Authorization')
const audit = flagSection('Auditing')
const generic = flagSection('Generic')
const logs = flagSection('Logs')

/** The flags of `annex apiserver`: the one source for parsing, `--help` and the README. Names and meanings are k8s.io/apiserver's wherever it has the flag. */
export const apiserverFlags = {
  securePort: serving.int('secure-port', { default: 8443, help: 'The port on which to serve HTTPS with authentication and authorization. 0 takes a free port, which is logged.' }),
  bindAddress: serving.string('bind-address', { default: '127.0.0.1', typeName: 'ip', help: 'The IP address on which to listen for the --secure-port port. 0.0.0.0 or :: is every interface.' }),
  dataDir: serving.string('data-dir', { default: '.annex', help: 'Directory for everything a standalone server keeps: the store, the certificates (pki) and the admin kubeconfig.' }),
  tlsCertFile: serving.string('tls-cert-file', { default: '', help: 'File containing the x509 certificate for HTTPS, intermediate certificates after it. If absent, a certificate of an own authority is made and kept in <data-dir>/pki. Followed when it changes.' }),
  tlsPrivateKeyFile: serving.string('tls-private-key-file', { default: '', help: 'File containing the private key matching --tls-cert-file.' }),
  tlsSan: serving.strings('tls-san', { default: [], help: 'Further DNS names and IP addresses of the certificate that is made, beside localhost, the loopback addresses and the host name. May be repeated.' }),
  servingCertificateSecret: serving.string('serving-certificate-secret', { default: '', typeName: 'namespace/name', help: 'Secret of the cluster in which the replicas of this server share an authority and a certificate for HTTPS. It is made if it is missing, renewed in time, and the caBundle of every APIService that leads here (see --service) is kept in step. Instead of --tls-cert-file.' }),
  service: serving.string('service', { default: '', typeName: 'namespace/name', help: 'Service through which the cluster reaches this server: its names are those of the certificate in --serving-certificate-secret. If absent, the Service annex in the namespace of the Secret.' }),
  servingCertificateValidity: serving.duration('serving-certificate-validity', { default: 90 * days, help: 'How long a certificate in --serving-certificate-secret is valid. It is replaced when two thirds of that are over.' }),
  servingCertificateCaValidity: serving.duration('serving-certificate-ca-validity', { default: 365 * days, help: 'How long the authority in --serving-certificate-secret is valid. It is replaced when two thirds of that are over; the old and the new one are both trusted for a while. At least three times --serving-certificate-validity.' }),
  http2: serving.bool('http2', { default: true, help: 'Serve HTTP/2 beside HTTP/1.1. Turn it off where clients of one connection must not affect each other.' }),

  etcdServers: storage.strings('etcd-servers', { default: [], help: 'List of etcd servers to connect with (scheme://ip:port), comma separated. If absent, the embedded store in <data-dir>/store is used.' }),
  etcdCafile: storage.string('etcd-cafile', { default: '', help: 'SSL Certificate Authority file used to secure etcd communication.' }),
  etcdCertfile: storage.string('etcd-certfile', { default: '', help: 'SSL certification file used to secure etcd communication.' }),
  etcdKeyfile: storage.string('etcd-keyfile', { default: '', help: 'SSL key file used to secure etcd communication.' }),
  etcdPrefix: storage.string('etcd-prefix', { default: '/registry', help: 'The prefix to prepend to all resource paths in etcd.' }),
  etcdCompactionInterval: storage.duration('etcd-compaction-interval', { default: 5 * minutes, help: 'The interval of compaction requests, also of the embedded store. If 0, the compaction request from apiserver is disabled.' }),

  crdFile: apis.stringArray('crd-file', { default: [], help: 'CustomResourceDefinition manifest, or a directory of them, whose kinds are served beside the built-in ones. May be repeated.' }),
  metricTtl: apis.duration('metric-ttl', { default: 5 * minutes, help: 'How long a CustomMetric sample without spec.ttlSeconds is served by the metrics APIs, counted from its timestamp. Also of written series whose MetricMapping does not say it.' }),
  metricSeriesPerMapping: apis.int('metric-series-per-mapping', { default: 10_000, help: 'The maximum number of series that one MetricMapping holds in memory; samples of more are refused.' }),
  metricSeriesPerNamespace: apis.int('metric-series-per-namespace', { default: 20_000, help: 'The maximum number of series that the MetricMappings of one namespace hold in memory; samples of more are refused.' }),
  metricSeries: apis.int('metric-series', { default: 100_000, help: 'The maximum number of series that all MetricMappings hold in memory; samples of more are refused.' }),
  metricCheckpointInterval: apis.duration('metric-checkpoint-interval', { default: 15_000, help: 'How often the value of a metric that is made of written series is kept in the store as a CustomMetric, if it has changed: what other replicas and a restarted server see. 0 keeps none.' }),
  metricCheckpointQps: apis.int('metric-checkpoint-qps', { default: 50, help: 'The maximum number of such writes per second, of all metrics; more wait.' }),
  metricsRoute: apis.stringArray('metrics-route', { default: [], help: 'Metrics that are asked of another adapter unless somebody wrote them here, as comma separated key=value: group (custom.metrics.k8s.io or external.metrics.k8s.io; default both), namespace and metric (patterns with *; default all), url (https://SERVICE.NAMESPACE.svc[:PORT]), ca-file, server-name, cert-file and key-file (of a front proxy that the other side trusts) or token-file (of an account that may impersonate there), timeout (default 5s). May be repeated; the first one that fits counts.' }),

  clientCaFile: authentication.string('client-ca-file', { default: '', help: 'If set, any request presenting a client certificate signed by one of the authorities in the client-ca-file is authenticated with an identity corresponding to the CommonName of the client certificate. A standalone server accepts those of its own authority as well; in a cluster it replaces the authority that the cluster publishes. Followed when it changes.' }),
  anonymousAuth: authentication.bool('anonymous-auth', { default: true, help: 'Enables anonymous requests to the secure port. Requests that are not rejected by another authentication method are treated as anonymous requests, with the user name system:anonymous and the group system:unauthenticated.' }),
  kubeconfig: authentication.string('kubeconfig', { default: '', help: 'kubeconfig file of the cluster that this server joins; the two others below default to it. Without any of them, and outside of a cluster, the server is standalone; in a pod the credentials of its service account are used.' }),
  authenticationKubeconfig: authentication.string('authentication-kubeconfig', { default: '', help: 'kubeconfig file pointing at the core kubernetes server with enough rights to create tokenreviews.authentication.k8s.io.' }),
  authenticationSkipLookup: authentication.bool('authentication-skip-lookup', { default: false, help: 'If false, the authentication-kubeconfig will be used to lookup missing authentication configuration from the cluster.' }),
  authenticationTolerateLookupFailure: authentication.bool('authentication-tolerate-lookup-failure', { default: false, help: 'If true, failures to look up missing authentication configuration from the cluster are not considered fatal. Note that this can result in authentication that treats all requests as anonymous.' }),
  authenticationTokenWebhookCacheTtl: authentication.duration('authentication-token-webhook-cache-ttl', { default: 10_000, help: 'The duration to cache responses from the webhook token authenticator.' }),
  requestheaderClientCaFile: authentication.string('requestheader-client-ca-file', { default: '', help: 'Root certificate bundle to use to verify client certificates on incoming requests before trusting usernames in headers specified by --requestheader-username-headers. Replaces what the cluster publishes, headers and names too. Followed when it changes.' }),
  requestheaderAllowedNames: authentication.strings('requestheader-allowed-names', { default: [], help: 'List of client certificate common names to allow to provide usernames in headers specified by --requestheader-username-headers. If empty, any client certificate validated by the authorities in --requestheader-client-ca-file is allowed.' }),
  requestheaderUsernameHeaders: authentication.strings('requestheader-username-headers', { default: ['x-remote-user'], help: 'List of request headers to inspect for usernames. X-Remote-User is common.' }),
  requestheaderGroupHeaders: authentication.strings('requestheader-group-headers', { default: ['x-remote-group'], help: 'List of request headers to inspect for groups. X-Remote-Group is suggested.' }),
  requestheaderExtraHeadersPrefix: authentication.strings('requestheader-extra-headers-prefix', { default: ['x-remote-extra-'], help: 'List of request header prefixes to inspect. X-Remote-Extra- is suggested.' }),
  requestheaderUidHeaders: authentication.strings('requestheader-uid-headers', { default: [], help: 'List of request headers to inspect for UIDs. X-Remote-Uid is suggested.' }),

  authorizationKubeconfig: authorization.string('authorization-kubeconfig', { default: '', help: 'kubeconfig file pointing at the core kubernetes server with enough rights to create subjectaccessreviews.authorization.k8s.io.' }),
  authorizationAlwaysAllowPaths: authorization.strings('authorization-always-allow-paths', { default: ['/healthz', '/readyz', '/livez'], help: "A list of HTTP paths to skip during authorization, i.e. these are authorized without contacting the 'core' kubernetes server." }),
  authorizationWebhookCacheAuthorizedTtl: authorization.duration('authorization-webhook-cache-authorized-ttl', { default: 10_000, help: "The duration to cache 'authorized' responses from the webhook authorizer." }),
  authorizationWebhookCacheUnauthorizedTtl: authorization.duration('authorization-webhook-cache-unauthorized-ttl', { default: 10_000, help: "The duration to cache 'unauthorized' responses from the webhook authorizer." }),
  authorizationPolicyFile: authorization.string('authorization-policy-file', { default: '', help: 'File of Role, ClusterRole, RoleBinding and ClusterRoleBinding manifests (rbac.authorization.k8s.io/v1) that say what users of a standalone server may do. Followed when it changes. Members of system:masters may do everything.' }),

  auditLogPath: audit.string('audit-log-path', { default: '', help: "If set, all requests coming to the apiserver will be logged to this file. '-' means standard out." }),
  auditPolicyFile: audit.string('audit-policy-file', { default: '', help: 'Path to the file that defines the audit policy configuration (audit.k8s.io/v1 Policy). If absent, the metadata of every request is logged.' }),
  auditLogMaxsize: audit.int('audit-log-maxsize', { default: 100, help: 'The maximum size in megabytes of the audit log file before it gets rotated. Setting to 0 disables rotation (not recommended).' }),
  auditLogMaxbackup: audit.int('audit-log-maxbackup', { default: 100, help: "The maximum number of old audit log files to retain. Setting a value of 0 will mean there's no restriction on the number of files." }),
  auditLogMaxage: audit.int('audit-log-maxage', { default: 366, help: 'The maximum number of days to retain old audit log files based on the timestamp encoded in their filename. Setting a value of 0 means old audit log files are not removed based on age.' }),

  workers: generic.int('workers', { default: 1, help: 'How many processes serve the port, with --etcd-servers: connections are given to them in turn, and one that ends is replaced. Each is a whole replica with a cache of its own, for which every limit counts (--max-requests-inflight, --metric-series and others); /metrics and the audit log are those of all.' }),
  maxRequestsInflight: generic.int('max-requests-inflight', { default: 400, help: 'The maximum number of non-mutating requests in flight at a given time; more are answered with 429. A zero value disables the limit completely. Watches do not count once they have begun.' }),
  maxMutatingRequestsInflight: generic.int('max-mutating-requests-inflight', { default: 200, help: 'The maximum number of mutating requests in flight at a given time; more are answered with 429. A zero value disables the limit completely.' }),
  requestTimeout: generic.duration('request-timeout', { default: minutes, help: 'How long a request may take before it is answered with a timeout. Watches end by --min-request-timeout.' }),
  minRequestTimeout: generic.int('min-request-timeout', { default: 1800, help: 'The minimum number of seconds that a watch without a timeout of its own stays open; the actual time is random between this and its double, to spread out load.' }),
  shutdownDelayDuration: generic.duration('shutdown-delay-duration', { default: 0, help: 'Time to delay the termination. During that time the server keeps serving requests normally. The endpoints /healthz and /livez will return success, but /readyz immediately returns failure.' }),
  shutdownTimeout: generic.duration('shutdown-timeout', { default: minutes, help: 'How long requests under way may take to finish when the server terminates, counted from the end of --shutdown-delay-duration.' }),

  verbosity: logs.int('v', { default: 0, shorthand: 'v', typeName: 'Level', help: 'number for the log level verbosity' })
} as const

/** What a person typed for `annex apiserver`, with the defaults for the rest. */
export type ApiserverOptions = OptionsOf<typeof apiserverFlags>
