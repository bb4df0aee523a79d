import type { Installation } from '../installation.js'
import { labels, names, type Component } from '../names.js'
import type { Manifest, PolicyRule } from './manifest.js'

const apiVersion = 'rbac.authorization.k8s.io/v1'
const apiGroup = 'rbac.authorization.k8s.io'

export const serviceAccount = (name: string, namespace: string, component: Component): Manifest =>
  ({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace, labels: labels(component) } })

export const clusterRole = (name: string, component: Component, rules: readonly PolicyRule[]): Manifest =>
  ({ apiVersion, kind: 'ClusterRole', metadata: { name, labels: labels(component) }, rules })

export const role = (name: string, namespace: string, component: Component, rules: readonly PolicyRule[]): Manifest =>
  ({ apiVersion, kind: 'Role', metadata: { name, namespace, labels: labels(component) }, rules })

export interface Binding {
  readonly name: string
  readonly component: Component
  readonly roleRef: { readonly kind: 'ClusterRole' | 'Role'; readonly name: string }
  readonly serviceAccount: { readonly name: string; readonly namespace: string }
  /** Absent: everywhere. */
  readonly namespace?: string
}

/** Gives a role to a ServiceAccount. */
export const binding = ({ name, namespace, component, roleRef, serviceAccount }: Binding): Manifest => ({
  apiVersion,
  kind: namespace === undefined ? 'ClusterRoleBinding' : 'RoleBinding',
  metadata: { name, ...(namespace !== undefined && { namespace }), labels: labels(component) },
  roleRef: { apiGroup, ...roleRef },
  subjects: [{ kind: 'ServiceAccount', ...serviceAccount }]
})

/** What the server does in the cluster beside asking who users are and what they may do. */
export function serverRules ({ describedResources, groups, serving }: Pick<Installation, 'describedResources' | 'groups' | 'serving'>): PolicyRule[] {
  return [
    // NamespaceLifecycle admission.
    { apiGroups: [''], resources: ['namespaces'], verbs: ['get', 'list', 'watch'] },
    // Objects that metrics are about, to select them by their labels.
    ...byGroup(describedResources).map(([group, resources]) => ({ apiGroups: [group], resources, verbs: ['get', 'list', 'watch'] })),
    // Keeping the caBundle of our own APIServices right.
    ...serving.type === 'own'
      ? [
          { apiGroups: ['apiregistration.k8s.io'], resources: ['apiservices'], verbs: ['get', 'list', 'watch'] },
          { apiGroups: ['apiregistration.k8s.io'], resources: ['apiservices'], resourceNames: groups.flatMap(g => g.versions.map(v => `${v}.${g.name}`)), verbs: ['patch'] }
        ]
      : []
  ]
}

/** What the server does in its own namespace: the Secret of its serving certificate. */
export function ownNamespaceRules ({ serving }: Pick<Installation, 'serving'>): PolicyRule[] {
  if (serving.type === 'secret') return []
  return [
    // A name cannot restrict creating.
    { apiGroups: [''], resources: ['secrets'], verbs: ['create'] },
    { apiGroups: [''], resources: ['secrets'], resourceNames: [names.servingCertificateSecret], verbs: ['get', 'list', 'update', 'watch'] }
  ]
}

/** Everything that the server's ServiceAccount is allowed. */
export function serverRbac (installation: Installation): Manifest[] {
  const { namespace } = installation
  const component = 'apiserver'
  const subject = { name: names.server, namespace }
  const own = `${names.prefix}:apiserver`
  const inOwnNamespace = ownNamespaceRules(installation)
  return [
    clusterRole(own, component, serverRules(installation)),
    binding({ name: own, component, roleRef: { kind: 'ClusterRole', name: own }, serviceAccount: subject }),
    binding({ name: `${names.prefix}:system:auth-delegator`, component, roleRef: { kind: 'ClusterRole', name: 'system:auth-delegator' }, serviceAccount: subject }),
    binding({ name: `${names.prefix}:${names.authenticationReader}`, namespace: 'kube-system', component, roleRef: { kind: 'Role', name: names.authenticationReader }, serviceAccount: subject }),
    ...inOwnNamespace.length === 0
      ? []
      : [
          role(own, namespace, component, inOwnNamespace),
          binding({ name: own, namespace, component, roleRef: { kind: 'Role', name: own }, serviceAccount: subject })
        ]
  ]
}

/** `deployments.apps` and `pods` as groups with their resources. */
function byGroup (resources: readonly string[]): [group: string, resources: string[]][] {
  const groups = new Map<string, string[]>()
  for (const resource of resources) {
    const [plural = '', ...group] = resource.split('.')
    groups.set(group.join('.'), [...groups.get(group.join('.')) ?? [], plural])
  }
  return [...groups]
}
