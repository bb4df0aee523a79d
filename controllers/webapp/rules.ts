const reading = ['get', 'list', 'watch']
const applied = [...reading, 'create', 'patch', 'delete']

/** What the WebApp operator may have to do, and nothing else. The install manifests give exactly this; a test holds both together. */
export const webAppOperatorRules: readonly { readonly apiGroups: readonly string[], readonly resources: readonly string[], readonly verbs: readonly string[] }[] = [
  { apiGroups: ['example.com'], resources: ['webapps'], verbs: reading },
  { apiGroups: ['example.com'], resources: ['webapps/status'], verbs: ['patch'] },
  // To block the deletion of an owner is to change its finalizers.
  { apiGroups: ['example.com'], resources: ['webapps/finalizers'], verbs: ['update'] },
  { apiGroups: ['apps'], resources: ['deployments'], verbs: applied },
  { apiGroups: [''], resources: ['services'], verbs: applied },
  { apiGroups: ['policy'], resources: ['poddisruptionbudgets'], verbs: applied },
  { apiGroups: [''], resources: ['pods'], verbs: reading },
  { apiGroups: ['events.k8s.io'], resources: ['events'], verbs: ['create', 'patch'] }
]
