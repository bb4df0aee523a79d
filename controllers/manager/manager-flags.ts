import { flagSection } from '../../apiserver/cli/flag-types.js'
import type { OptionsOf } from '../../apiserver/cli/flags.js'

const seconds = 1000
const hours = 3600 * seconds
const generic = flagSection('Generic')
const election = flagSection('Leader election')
const serving = flagSection('Secure serving')
const syncs = flagSection('Controllers')
const logs = flagSection('Logs')

/** The flags of `annex controller-manager`. Names and meanings are kube-controller-manager's wherever it has the flag. */
export const managerFlags = {
  controllers: generic.strings('controllers', { default: ['*'], help: "A list of controllers to enable. '*' enables all on-by-default controllers, 'foo' enables the controller named 'foo', '-foo' disables the controller named 'foo'. All controllers: {controllers}." }),
  kubeconfig: generic.string('kubeconfig', { default: '', help: 'Path to kubeconfig file with authorization and master location information. If absent, the service account of the pod is used, or else $KUBECONFIG or ~/.kube/config.' }),
  kubeApiQps: generic.float('kube-api-qps', { default: 20, help: 'QPS to use while talking with kubernetes apiserver. Watches do not count.' }),
  kubeApiBurst: generic.int('kube-api-burst', { default: 30, help: 'Burst to use while talking with kubernetes apiserver.' }),
  minResyncPeriod: generic.duration('min-resync-period', { default: 12 * hours, help: 'The resync period in reflectors will be random between MinResyncPeriod and 2*MinResyncPeriod.' }),

  concurrentWebappSyncs: syncs.int('concurrent-webapp-syncs', { default: 5, help: 'The number of webapp objects that are allowed to sync concurrently. Larger number = more responsive webapps, but more CPU (and network) load.' }),
  concurrentDatabaseSyncs: syncs.int('concurrent-database-syncs', { default: 5, help: 'The number of database objects of each group that are allowed to sync concurrently. Larger number = more responsive databases, but more CPU (and network) load.' }),
  databaseImageRegistry: syncs.string('database-image-registry', { default: 'docker.io/library', help: 'Where the official images postgres, mysql and mongo are pulled from: a registry and a path, such as a mirror of docker.io/library.' }),

  leaderElect: election.bool('leader-elect', { default: true, help: 'Start a leader election client and gain leadership before executing the main loop. Enable this when running replicated components for high availability.' }),
  leaderElectLeaseDuration: election.duration('leader-elect-lease-duration', { default: 15 * seconds, help: 'The duration that non-leader candidates will wait after observing a leadership renewal until attempting to acquire leadership of a led but unrenewed leader slot. This is effectively the maximum duration that a leader can be stopped before it is replaced by another candidate.' }),
  leaderElectRenewDeadline: election.duration('leader-elect-renew-deadline', { default: 10 * seconds, help: 'The interval between attempts by the acting master to renew a leadership slot before it stops leading. This must be less than the lease duration.' }),
  leaderElectRetryPeriod: election.duration('leader-elect-retry-period', { default: 2 * seconds, help: 'The duration the clients should wait between attempting acquisition and renewal of a leadership.' }),
  leaderElectResourceLock: election.string('leader-elect-resource-lock', { default: 'leases', help: "The type of resource object that is used for locking during leader election. Only 'leases' is supported." }),
  leaderElectResourceName: election.string('leader-elect-resource-name', { default: 'annex-controller-manager', help: 'The name of resource object that is used for locking during leader election.' }),
  leaderElectResourceNamespace: election.string('leader-elect-resource-namespace', { default: 'annex-system', help: 'The namespace of resource object that is used for locking during leader election.' }),

  bindAddress: serving.string('bind-address', { default: '0.0.0.0', typeName: 'ip', help: 'The IP address on which to listen for the --secure-port port. 0.0.0.0 or :: is every interface.' }),
  securePort: serving.int('secure-port', { default: 10260, help: 'The port on which to serve HTTPS: /healthz, /livez, /readyz, and /metrics for those whom the cluster allows to get it. If 0, do not serve at all.' }),
  tlsCertFile: serving.string('tls-cert-file', { default: '', help: 'File containing the x509 certificate for HTTPS. If absent, a self-signed one is made at every start.' }),
  tlsPrivateKeyFile: serving.string('tls-private-key-file', { default: '', help: 'File containing the private key matching --tls-cert-file.' }),

  verbosity: logs.int('v', { default: 0, shorthand: 'v', typeName: 'Level', help: 'number for the log level verbosity' })
} as const

export type ManagerOptions = OptionsOf<typeof managerFlags>
