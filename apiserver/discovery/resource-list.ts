import type { GroupVersion, ServedResource } from './group-version.js'
import { storageVersionHash } from './storage-version-hash.js'
import type { VirtualResource } from './virtual-resource.js'

/** `metav1.APIResource`, in the order in which Go writes its members. */
export interface APIResource {
  readonly name: string
  readonly singularName: string
  readonly namespaced: boolean
  readonly group?: string
  readonly version?: string
  readonly kind: string
  readonly verbs: readonly string[]
  readonly shortNames?: readonly string[]
  readonly categories?: readonly string[]
  readonly storageVersionHash?: string
}

// The order in which kube-apiserver lists the verbs of custom resources; it shows in `kubectl api-resources -o wide`.
const resourceVerbs = ['delete', 'deletecollection', 'get', 'list', 'patch', 'create', 'update', 'watch'] as const
const subresourceVerbs = ['get', 'patch', 'update'] as const

/** Everything that a group version serves: each resource with its subresources behind it, then the virtual ones by name. */
export function apiResources (groupVersion: GroupVersion): APIResource[] {
  return [
    ...groupVersion.resources.flatMap(definedResource),
    ...groupVersion.virtual.map(virtual => virtualResource(virtual, groupVersion)).sort((a, b) => a.name < b.name ? -1 : 1)
  ]
}

function definedResource ({ resource, version }: ServedResource): APIResource[] {
  const { names, namespaced, storageVersion } = resource
  const main: APIResource = {
    name: names.plural,
    singularName: names.singular,
    namespaced,
    kind: names.kind,
    verbs: resourceVerbs,
    ...lists(names.shortNames, names.categories),
    // As for a CustomResourceDefinition, a storage version that is not served leaves no hash.
    ...(storageVersion.served && { storageVersionHash: storageVersionHash(resource.group, storageVersion.name, names.kind) })
  }
  const { status, scale } = version.subresources
  return [
    main,
    ...(status ? [{ name: `${names.plural}/status`, singularName: '', namespaced, kind: names.kind, verbs: subresourceVerbs }] : []),
    ...(scale ? [{ name: `${names.plural}/scale`, singularName: '', namespaced, group: 'autoscaling', version: 'v1', kind: 'Scale', verbs: subresourceVerbs }] : [])
  ]
}

function virtualResource (virtual: VirtualResource, { group, version }: GroupVersion): APIResource {
  const differs = (virtual.group ?? group) !== group || (virtual.version ?? version) !== version
  return {
    name: virtual.name,
    singularName: virtual.singularName,
    namespaced: virtual.namespaced,
    ...(differs && { group: virtual.group ?? group, version: virtual.version ?? version }),
    kind: virtual.kind,
    verbs: virtual.verbs,
    ...lists(virtual.shortNames, virtual.categories)
  }
}

const lists = (shortNames: readonly string[] = [], categories: readonly string[] = []): Pick<APIResource, 'shortNames' | 'categories'> =>
  ({ ...(shortNames.length > 0 && { shortNames }), ...(categories.length > 0 && { categories }) })
