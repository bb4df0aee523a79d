import type { Binding, PolicyRule, RbacObject, Role } from './rbac-objects.js'

const clusterRole = (name: string, ...rules: PolicyRule[]): Role => ({ kind: 'ClusterRole', metadata: { name }, rules })
const clusterRoleBinding = (name: string, ...groups: string[]): Binding => ({
  kind: 'ClusterRoleBinding',
  metadata: { name },
  subjects: groups.map(group => ({ kind: 'Group', name: group })),
  roleRef: { kind: 'ClusterRole', name }
})
/** A role that collects the rules of every ClusterRole labelled `rbac.authorization.k8s.io/aggregate-to-<name>=true`. */
const aggregated = (name: string, labels: Readonly<Record<string, string>> = {}): Role => ({
  kind: 'ClusterRole',
  metadata: { name, labels },
  aggregationRule: { clusterRoleSelectors: [{ matchLabels: { [`rbac.authorization.k8s.io/aggregate-to-${name}`]: 'true' } }] }
})

const health = ['/livez', '/readyz', '/healthz']
const version = ['/version', '/version/']

/**
 * The roles and bindings that every cluster has and that mean something here (kubernetes `rbac/bootstrappolicy`): whoever is
 * authenticated may discover the API, everybody may read health and version, and admin, edit and view collect aggregated roles.
 */
export const defaultRbacObjects: readonly RbacObject[] = [
  clusterRole('cluster-admin', { verbs: ['*'], apiGroups: ['*'], resources: ['*'] }, { verbs: ['*'], nonResourceURLs: ['*'] }),
  clusterRole('system:discovery', { verbs: ['get'], nonResourceURLs: [...health, ...version, '/openapi', '/openapi/*', '/api', '/api/*', '/apis', '/apis/*'] }),
  clusterRole('system:monitoring', { verbs: ['get'], nonResourceURLs: ['/metrics', '/metrics/slis', ...health, ...health.map(path => `${path}/*`)] }),
  clusterRole('system:basic-user',
    { verbs: ['create'], apiGroups: ['authorization.k8s.io'], resources: ['selfsubjectaccessreviews', 'selfsubjectrulesreviews'] },
    { verbs: ['create'], apiGroups: ['authentication.k8s.io'], resources: ['selfsubjectreviews'] }),
  clusterRole('system:public-info-viewer', { verbs: ['get'], nonResourceURLs: [...health, ...version] }),
  aggregated('admin'),
  aggregated('edit', { 'rbac.authorization.k8s.io/aggregate-to-admin': 'true' }),
  aggregated('view', { 'rbac.authorization.k8s.io/aggregate-to-edit': 'true' }),
  clusterRoleBinding('cluster-admin', 'system:masters'),
  clusterRoleBinding('system:monitoring', 'system:monitoring'),
  clusterRoleBinding('system:discovery', 'system:authenticated'),
  clusterRoleBinding('system:basic-user', 'system:authenticated'),
  clusterRoleBinding('system:public-info-viewer', 'system:authenticated', 'system:unauthenticated')
]
