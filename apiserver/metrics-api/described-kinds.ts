import type { Resource } from '../../registry/generic/resource.js'

/** The resource of a kind that metrics are about. */
export interface DescribedResource {
  readonly group: string
  readonly resource: string
  /** The kind in lower case, which paths may use too. */
  readonly singular: string
  readonly namespaced: boolean
  /** Of the object references in answers; empty when nobody said it. */
  readonly apiVersion: string
}

/** `deployments.apps`, or the resource alone in the core group: how paths and discovery name it. */
export const groupResourceOf = ({ group, resource }: Pick<DescribedResource, 'group' | 'resource'>): string => group === '' ? resource : `${resource}.${group}`

/** Kinds of Kubernetes that are written without an apiVersion, or that are in no namespace. */
const builtIn: readonly { apiVersion: string; kinds: readonly string[]; namespaced: boolean }[] = [
  { apiVersion: 'v1', namespaced: true, kinds: ['Pod', 'Service', 'ConfigMap', 'Secret', 'Endpoints', 'PersistentVolumeClaim', 'ReplicationController', 'ServiceAccount'] },
  { apiVersion: 'v1', namespaced: false, kinds: ['Node', 'Namespace', 'PersistentVolume'] },
  { apiVersion: 'apps/v1', namespaced: true, kinds: ['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet'] },
  { apiVersion: 'batch/v1', namespaced: true, kinds: ['Job', 'CronJob'] },
  { apiVersion: 'autoscaling/v2', namespaced: true, kinds: ['HorizontalPodAutoscaler'] },
  { apiVersion: 'networking.k8s.io/v1', namespaced: true, kinds: ['Ingress', 'NetworkPolicy'] },
  { apiVersion: 'networking.k8s.io/v1', namespaced: false, kinds: ['IngressClass'] },
  { apiVersion: 'storage.k8s.io/v1', namespaced: false, kinds: ['StorageClass', 'VolumeAttachment'] }
]

/** The kinds of a cluster, as they are known at this moment. */
export interface KnownKinds {
  /** @param group undefined: whichever has the kind */
  ofKind: (group: string | undefined, kind: string) => Omit<DescribedResource, 'apiVersion'> & { readonly version: string } | undefined
}

/** Remembered answers that came from the cluster or were guessed; beyond it any change of the cluster counts. */
const maxRemembered = 1000

/**
 * Names the resource of a kind at once: what this server serves and the built-in kinds are known, then those of the cluster. Plurals that
 * nobody knows are guessed as Kubernetes guesses them, and such kinds are taken to be namespaced.
 */
export class DescribedKinds {
  readonly #kinds = new Map<string, DescribedResource[]>()
  readonly #resources = new Map<string, DescribedResource>()
  readonly #cluster: KnownKinds | undefined
  readonly #answered = new Map<string, { readonly group: string | undefined; readonly kind: string; readonly text: string }>()

  constructor (resources: readonly Resource[], cluster?: KnownKinds) {
    this.#cluster = cluster
    for (const { group, names, namespaced, versions } of resources) {
      const version = versions.find(v => v.served)
      if (version !== undefined) this.#add(names.kind, { group, resource: names.plural, singular: names.singular, namespaced, apiVersion: version.apiVersion })
    }
    for (const { apiVersion, kinds, namespaced } of builtIn) {
      for (const kind of kinds) this.#add(kind, { group: groupOf(apiVersion), resource: pluralOf(kind), singular: kind.toLowerCase(), namespaced, apiVersion })
    }
  }

  #add (kind: string, resource: DescribedResource): void {
    this.#kinds.set(kind, [...this.#kinds.get(kind) ?? [], resource])
    this.#resources.set(groupResourceOf(resource), resource)
  }

  /**
   * The resource that a `describedObject` is of. Without an apiVersion the built-in kinds of Kubernetes come first, then our own, then the
   * cluster's in its order.
   */
  of (apiVersion: string | undefined, kind: string): DescribedResource {
    const candidates = this.#kinds.get(kind) ?? []
    if (apiVersion !== undefined && apiVersion !== '') {
      const group = groupOf(apiVersion)
      return { ...candidates.find(c => c.group === group) ?? this.#asked(group, kind), apiVersion }
    }
    return candidates.at(-1) ?? this.#asked(undefined, kind)
  }

  /** Whether the cluster now says something else about a kind that was asked for. What it says counts from then on. */
  changed (): boolean {
    const before = [...this.#answered.values()]
    this.#answered.clear()
    return before.length === maxRemembered || before.filter(({ group, kind, text }) => JSON.stringify(this.#asked(group, kind)) !== text).length > 0
  }

  #asked (group: string | undefined, kind: string): DescribedResource {
    const found = this.#cluster?.ofKind(group, kind)
    const answer = found === undefined
      ? this.#guessed(group ?? '', kind)
      : { group: found.group, resource: found.resource, singular: found.singular, namespaced: found.namespaced, apiVersion: found.group === '' ? found.version : `${found.group}/${found.version}` }
    const key = `${group ?? '*'}/${kind}`
    if (this.#cluster !== undefined && this.#answered.size < maxRemembered && !this.#answered.has(key)) this.#answered.set(key, { group, kind, text: JSON.stringify(answer) })
    return answer
  }

  /** A kind that is spelt in another way may still be of a known resource, which has one scope. */
  #guessed (group: string, kind: string): DescribedResource {
    const resource = pluralOf(kind)
    return this.#resources.get(groupResourceOf({ group, resource })) ?? { group, resource, singular: kind.toLowerCase(), namespaced: true, apiVersion: '' }
  }
}

const groupOf = (apiVersion: string): string => apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : ''

/** Source: `k8s.io/apimachinery/pkg/api/meta` UnsafeGuessKindToResource. */
function pluralOf (kind: string): string {
  const singular = kind.toLowerCase()
  if (singular === 'endpoints') return singular
  if (singular.endsWith('s')) return `${singular}es`
  if (singular.endsWith('y')) return `${singular.slice(0, -1)}ies`
  return `${singular}s`
}
