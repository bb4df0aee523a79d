import type { Installation } from '../installation.js'
import { names } from '../names.js'
import type { Manifest, PolicyRule } from './manifest.js'
import { binding, clusterRole, role, serviceAccount } from './rbac.js'
import { deployment, disruptionBudget, probe } from './workload.js'

/** Verbs of an operator on the objects that it makes for others; it applies, and never updates. */
const managing = ['create', 'delete', 'get', 'list', 'patch', 'watch']
const reading = ['get', 'list', 'watch']

/**
 * What the operators do everywhere, and nothing else: follow our kinds, write their status, and keep the objects that these stand for. The
 * end-to-end tests of the operators run with exactly these.
 */
export const operatorRules: readonly PolicyRule[] = [
  { apiGroups: ['example.com'], resources: ['webapps'], verbs: reading },
  { apiGroups: ['example.com'], resources: ['webapps/status'], verbs: ['patch'] },
  // A Database has a finalizer, for what it leaves behind.
  { apiGroups: ['mycompany.io', 'db.example.com'], resources: ['databases'], verbs: [...reading, 'patch'] },
  { apiGroups: ['mycompany.io', 'db.example.com'], resources: ['databases/status'], verbs: ['patch'] },
  // OwnerReferencesPermissionEnforcement asks for this before an owner may be named that blocks its own deletion.
  { apiGroups: ['example.com'], resources: ['webapps/finalizers'], verbs: ['update'] },
  { apiGroups: ['mycompany.io', 'db.example.com'], resources: ['databases/finalizers'], verbs: ['update'] },
  // What a Database publishes about itself.
  { apiGroups: ['metrics.example.com'], resources: ['custommetrics'], verbs: managing },
  { apiGroups: [''], resources: ['configmaps', 'persistentvolumeclaims', 'services'], verbs: managing },
  // Only those whose names are known.
  { apiGroups: [''], resources: ['secrets'], verbs: ['create', 'delete', 'get', 'patch'] },
  { apiGroups: ['apps'], resources: ['deployments', 'statefulsets'], verbs: managing },
  { apiGroups: ['batch'], resources: ['cronjobs'], verbs: managing },
  { apiGroups: ['policy'], resources: ['poddisruptionbudgets'], verbs: managing },
  // The pods of a StatefulSet that was deleted without them.
  { apiGroups: [''], resources: ['pods'], verbs: [...reading, 'delete'] },
  // Why StatefulSets get no pods and claims no volumes.
  { apiGroups: [''], resources: ['events'], verbs: ['list', 'watch'] },
  { apiGroups: ['storage.k8s.io'], resources: ['storageclasses'], verbs: ['list', 'watch'] },
  { apiGroups: ['events.k8s.io'], resources: ['events'], verbs: ['create', 'patch'] }
]

/** One of the replicas leads. A name cannot restrict creating. */
export const leaderElectionRules: readonly PolicyRule[] = [
  { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['create'] },
  { apiGroups: ['coordination.k8s.io'], resources: ['leases'], resourceNames: [names.controllerManager], verbs: ['get', 'update'] }
]

/** The default of `--secure-port`. */
const healthPort = 10260

export const controllerManagerArgs = ({ namespace }: Pick<Installation, 'namespace'>): string[] =>
  ['controller-manager', '--leader-elect', `--leader-elect-resource-namespace=${namespace}`, `--secure-port=${healthPort}`, '--v=2']

/** The operators: a ServiceAccount with least rights, and a Deployment of which one Pod leads. */
export function controllerManager (installation: Installation): Manifest[] {
  const { namespace, image, replicas } = installation
  const component = 'controller-manager'
  const name = names.controllerManager
  const own = `${names.prefix}:controller-manager`
  const subject = { name, namespace }
  return [
    serviceAccount(name, namespace, component),
    clusterRole(own, component, operatorRules),
    binding({ name: own, component, roleRef: { kind: 'ClusterRole', name: own }, serviceAccount: subject }),
    // Who may read its metrics is asked of the cluster.
    binding({ name: `${own}:system:auth-delegator`, component, roleRef: { kind: 'ClusterRole', name: 'system:auth-delegator' }, serviceAccount: subject }),
    role(`${own}:leader-election`, namespace, component, leaderElectionRules),
    binding({ name: `${own}:leader-election`, namespace, component, roleRef: { kind: 'Role', name: `${own}:leader-election` }, serviceAccount: subject }),
    disruptionBudget(name, namespace, component),
    deployment({
      name,
      namespace,
      component,
      replicas,
      container: {
        image,
        args: controllerManagerArgs(installation),
        ports: [{ name: 'https', containerPort: healthPort, protocol: 'TCP' }],
        startupProbe: probe('/healthz', { periodSeconds: 2, failureThreshold: 30 }),
        readinessProbe: probe('/readyz', { periodSeconds: 10, failureThreshold: 3 }),
        // Fails when a leader could not renew its Lease and does not end by itself.
        livenessProbe: probe('/healthz', { periodSeconds: 10, failureThreshold: 6 }),
        resources: { requests: { cpu: '50m', memory: '128Mi' }, limits: { memory: '512Mi' } }
      },
      pod: { terminationGracePeriodSeconds: 30 }
    })
  ]
}
