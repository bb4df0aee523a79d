/** A rule of RBAC. */
export interface PolicyRule { readonly apiGroups: readonly string[]; readonly resources: readonly string[]; readonly verbs: readonly string[] }

const applied = ['get', 'list', 'watch', 'create', 'patch', 'delete']

/** What the Database operator may have to do, and nothing else; of Secrets it reads only those whose names it knows. */
export const databaseOperatorRules: readonly PolicyRule[] = [
  { apiGroups: ['mycompany.io', 'db.example.com'], resources: ['databases'], verbs: ['get', 'list', 'watch', 'patch'] },
  { apiGroups: ['mycompany.io', 'db.example.com'], resources: ['databases/status'], verbs: ['patch'] },
  // To block the deletion of an owner is to change its finalizers.
  { apiGroups: ['mycompany.io', 'db.example.com'], resources: ['databases/finalizers'], verbs: ['update'] },
  { apiGroups: ['metrics.example.com'], resources: ['custommetrics'], verbs: applied },
  { apiGroups: [''], resources: ['configmaps', 'services', 'persistentvolumeclaims'], verbs: applied },
  { apiGroups: [''], resources: ['secrets'], verbs: ['get', 'create', 'patch', 'delete'] },
  { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list', 'watch', 'delete'] },
  { apiGroups: [''], resources: ['events'], verbs: ['list', 'watch'] },
  { apiGroups: ['events.k8s.io'], resources: ['events'], verbs: ['create', 'patch'] },
  { apiGroups: ['apps'], resources: ['statefulsets'], verbs: applied },
  { apiGroups: ['batch'], resources: ['cronjobs'], verbs: applied },
  { apiGroups: ['storage.k8s.io'], resources: ['storageclasses'], verbs: ['list', 'watch'] }
]
