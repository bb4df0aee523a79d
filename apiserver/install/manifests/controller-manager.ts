import type { Installation } from '../installation.js'
import { names } from '../names.js'
import type { Manifest, PolicyRule } from './manifest.js'
import { binding, clusterRole, role, serviceAccount } from './rbac.js'
import { deployment, disruptionBudget } from './workload.js'

/** Verbs of an operator on the objects that it makes for others. */
const managing = ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch']

/** What the operators do everywhere: follow our kinds, write their status, and keep the objects that these stand for. */
export function operatorRules ({ groups }: Pick<Installation, 'groups'>): PolicyRule[] {
  return [
    ...groups.flatMap(({ name, resources }): PolicyRule[] => {
      const stored = resources.filter(r => r.stored)
      const withStatus = stored.filter(r => r.subresources.includes('status'))
      return stored.length === 0
        ? []
        : [
            { apiGroups: [name], resources: stored.map(r => r.name), verbs: ['get', 'list', 'patch', 'update', 'watch'] },
            { apiGroups: [name], resources: withStatus.map(r => `${r.name}/status`), verbs: ['get', 'patch', 'update'] },
            // OwnerReferencesPermissionEnforcement asks for this before an owner may be named that blocks its own deletion.
            { apiGroups: [name], resources: stored.map(r => `${r.name}/finalizers`), verbs: ['update'] }
          ].filter(rule => rule.resources.length > 0)
    }),
    { apiGroups: [''], resources: ['services', 'configmaps', 'secrets', 'persistentvolumeclaims', 'serviceaccounts'], verbs: managing },
    { apiGroups: ['apps'], resources: ['deployments', 'statefulsets'], verbs: managing },
    { apiGroups: ['batch'], resources: ['cronjobs', 'jobs'], verbs: managing },
    { apiGroups: ['networking.k8s.io'], resources: ['ingresses', 'networkpolicies'], verbs: managing },
    { apiGroups: ['autoscaling'], resources: ['horizontalpodautoscalers'], verbs: managing },
    { apiGroups: ['policy'], resources: ['poddisruptionbudgets'], verbs: managing },
    // What a Database publishes about itself.
    { apiGroups: ['metrics.example.com'], resources: ['custommetrics'], verbs: ['create', 'delete'] },
    // The pods of a StatefulSet that was deleted without them.
    { apiGroups: [''], resources: ['pods'], verbs: ['delete', 'get', 'list', 'watch'] },
    { apiGroups: ['', 'events.k8s.io'], resources: ['events'], verbs: ['create', 'patch'] },
    // Why StatefulSets get no pods and claims no volumes.
    { apiGroups: [''], resources: ['events'], verbs: ['list', 'watch'] },
    { apiGroups: ['storage.k8s.io'], resources: ['storageclasses'], verbs: ['list', 'watch'] }
  ]
}

/** One of the replicas leads. */
export const leaderElectionRules: readonly PolicyRule[] = [
  { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['create', 'get', 'patch', 'update'] }
]

export const controllerManagerArgs = ({ namespace }: Pick<Installation, 'namespace'>): string[] =>
  ['controller-manager', '--leader-elect', `--leader-elect-resource-namespace=${namespace}`]

/** The operators: a ServiceAccount with least rights, and a Deployment of which one Pod leads. */
export function controllerManager (installation: Installation): Manifest[] {
  const { namespace, image, replicas } = installation
  const component = 'controller-manager'
  const name = names.controllerManager
  const own = `${names.prefix}:controller-manager`
  const subject = { name, namespace }
  return [
    serviceAccount(name, namespace, component),
    clusterRole(own, component, operatorRules(installation)),
    binding({ name: own, component, roleRef: { kind: 'ClusterRole', name: own }, serviceAccount: subject }),
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
        resources: { requests: { cpu: '50m', memory: '128Mi' }, limits: { memory: '512Mi' } }
      },
      pod: { terminationGracePeriodSeconds: 30 }
    })
  ]
}
