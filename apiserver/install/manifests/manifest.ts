/** An object of Kubernetes as it is applied: only the fields that we have an opinion on. */
export interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly [field: string]: unknown
}

/** A rule of a Role or ClusterRole. */
export interface PolicyRule {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly resourceNames?: readonly string[]
  readonly verbs: readonly string[]
}

/** Where a kind that install uses is found in the API. */
const resources: Readonly<Record<string, { readonly plural: string; readonly namespaced: boolean }>> = {
  'v1/Namespace': { plural: 'namespaces', namespaced: false },
  'v1/ServiceAccount': { plural: 'serviceaccounts', namespaced: true },
  'v1/ConfigMap': { plural: 'configmaps', namespaced: true },
  'v1/Service': { plural: 'services', namespaced: true },
  'apps/v1/Deployment': { plural: 'deployments', namespaced: true },
  'policy/v1/PodDisruptionBudget': { plural: 'poddisruptionbudgets', namespaced: true },
  'rbac.authorization.k8s.io/v1/ClusterRole': { plural: 'clusterroles', namespaced: false },
  'rbac.authorization.k8s.io/v1/ClusterRoleBinding': { plural: 'clusterrolebindings', namespaced: false },
  'rbac.authorization.k8s.io/v1/Role': { plural: 'roles', namespaced: true },
  'rbac.authorization.k8s.io/v1/RoleBinding': { plural: 'rolebindings', namespaced: true },
  'apiregistration.k8s.io/v1/APIService': { plural: 'apiservices', namespaced: false }
}

/** The kinds that install may make, those that need others last. */
export const installedKinds: readonly string[] = Object.keys(resources)

/** The URL path of a kind's objects everywhere, or in a namespace. @param kind `apps/v1/Deployment` */
export function collectionPath (kind: string, namespace?: string): string {
  const found = resources[kind]
  if (found === undefined) throw new Error(`install does not know the kind ${kind}`)
  const apiVersion = kind.slice(0, kind.lastIndexOf('/'))
  const inNamespace = found.namespaced && namespace !== undefined ? `/namespaces/${namespace}` : ''
  return `${apiVersion.includes('/') ? '/apis' : '/api'}/${apiVersion}${inNamespace}/${found.plural}`
}

/** The URL path of one object. */
export const objectPath = ({ apiVersion, kind, metadata: { name, namespace } }: Manifest): string =>
  `${collectionPath(`${apiVersion}/${kind}`, namespace)}/${encodeURIComponent(name)}`

/** As kubectl names objects: `deployment.apps/annex`. */
export function displayName ({ apiVersion, kind, metadata: { name } }: Pick<Manifest, 'apiVersion' | 'kind' | 'metadata'>): string {
  const [group, version] = apiVersion.split('/')
  return `${kind.toLowerCase()}${version === undefined ? '' : `.${group}`}/${name}`
}
