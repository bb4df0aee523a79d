import { flagSection } from '../cli/flag-types.js'
import type { OptionsOf } from '../cli/flags.js'
import { clusterFlags } from './cluster-flags.js'

const installation = flagSection('Installation')
const network = flagSection('Network')
const storage = flagSection('Storage')
const certificates = flagSection('Certificates')

/** Which groups an installation has; doctor asks the same. */
export const groupFlags = {
  crdFile: installation.stringArray('crd-file', { default: [], help: 'CustomResourceDefinition manifest, or a directory of them, whose kinds are served beside the built-in ones. May be repeated.' }),
  excludeGroup: installation.strings('exclude-group', { default: [], help: 'API group that is not registered, for example custom.metrics.k8s.io where another adapter serves it.' })
} as const

/** The flags of `annex install`. */
export const installFlags = {
  ...clusterFlags,
  image: installation.string('image', { default: '', help: 'The container image, made with the Dockerfile of this repository.' }),
  replicas: installation.int('replicas', { default: 2, help: 'Pods of each Deployment.' }),
  ...groupFlags,
  describedResource: installation.strings('described-resource', {
    default: ['pods', 'services', 'nodes', 'deployments.apps', 'statefulsets.apps', 'daemonsets.apps', 'replicasets.apps', 'jobs.batch', 'ingresses.networking.k8s.io'],
    help: 'Resources of the cluster that the server may read, to select the objects of metrics by their labels.'
  }),
  apiserverArg: installation.stringArray('apiserver-arg', { default: [], help: 'Further flag of annex apiserver, for example --apiserver-arg=--audit-log-path=-. May be repeated.' }),
  controllerManager: installation.bool('controller-manager', { default: true, help: 'Install the operators too.' }),
  dryRun: installation.bool('dry-run', { default: false, help: 'Print the manifests as YAML instead of applying them. No cluster is needed.' }),
  forceConflicts: installation.bool('force-conflicts', { default: false, help: 'Take over fields that somebody else has set, and groups that another server is registered for.' }),

  servicePort: network.int('service-port', { default: 443, help: 'The port of the Service.' }),
  securePort: network.int('secure-port', { default: 0, help: 'The port of the Pods. 0 is 10250, which firewalls between control plane and nodes let through, and 8443 on the host network.' }),
  hostNetwork: network.bool('host-network', { default: false, help: 'Run on the host network, where the control plane does not reach Pods. The namespace is then under Pod Security privileged.' }),

  etcdServers: storage.strings('etcd-servers', { default: [], help: 'etcd servers that the replicas share (scheme://host:port), comma separated. Required.' }),
  etcdPrefix: storage.string('etcd-prefix', { default: '/annex', help: 'The prefix to prepend to all resource paths in etcd.' }),
  etcdTlsSecret: storage.string('etcd-tls-secret', { default: '', help: 'Secret of the namespace with ca.crt, tls.crt and tls.key for etcd.' }),

  tlsSecret: certificates.string('tls-secret', { default: '', help: 'Secret of type kubernetes.io/tls in the namespace with a serving certificate for annex.<namespace>.svc. If absent, the server makes its certificates and renews them.' }),
  caBundleFile: certificates.string('ca-bundle-file', { default: '', help: 'Certificates (PEM) that the certificate of --tls-secret is verified by.' }),
  injectCaFrom: certificates.string('inject-ca-from', { default: '', help: 'Certificate (<namespace>/<name>) of cert-manager that makes --tls-secret: its CA injector then keeps the caBundle.' })
} as const

export type InstallOptions = OptionsOf<typeof installFlags>
