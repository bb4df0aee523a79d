import type { Group, GroupVersion } from './group-version.js'
import { apiResources, type APIResource } from './resource-list.js'

interface ResponseKind { group: string; version: string; kind: string }
interface SubresourceDiscovery { subresource: string; responseKind: ResponseKind; verbs: readonly string[] }
interface ResourceDiscovery {
  resource: string
  responseKind: ResponseKind
  scope: 'Namespaced' | 'Cluster'
  singularResource: string
  verbs: readonly string[]
  shortNames?: readonly string[]
  categories?: readonly string[]
  subresources?: SubresourceDiscovery[]
}

/** Media type parameters of the aggregated list: without them clients take the body for the plain list. */
export const aggregatedParameters = ';g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'

/**
 * All groups in one document, `apidiscovery.k8s.io/v2` APIGroupDiscoveryList, members in Go's order.
 * Source: KEP-3352 (aggregated discovery).
 */
export function aggregatedDiscovery (groups: readonly Group[]): object {
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: 'apidiscovery.k8s.io/v2',
    metadata: {},
    items: groups.map(group => ({
      metadata: { name: group.name },
      versions: group.versions.map(version => ({ version: version.version, resources: resourcesOf(version), freshness: 'Current' }))
    }))
  }
}

function resourcesOf (groupVersion: GroupVersion): ResourceDiscovery[] {
  const parents = new Map<string, ResourceDiscovery>()
  // Pushed to, never copied: a metrics group has a subresource for each of its metrics.
  const children = new Map<string, SubresourceDiscovery[]>()
  for (const entry of apiResources(groupVersion)) {
    const [name, subresource] = splitOnce(entry.name)
    const responseKind = { group: entry.group ?? groupVersion.group, version: entry.version ?? groupVersion.version, kind: entry.kind }
    if (subresource === undefined) {
      parents.set(name, resourceOf(name, entry, responseKind))
      continue
    }
    if (!parents.has(name)) parents.set(name, orphanParent(name, entry))
    const known = children.get(name)
    const child = { subresource, responseKind, verbs: entry.verbs }
    if (known === undefined) children.set(name, [child])
    else known.push(child)
  }
  return [...parents.values()].sort((a, b) => a.resource < b.resource ? -1 : 1).map(parent => {
    const subresources = children.get(parent.resource)
    return subresources === undefined ? parent : { ...parent, subresources }
  })
}

const resourceOf = (name: string, entry: APIResource, responseKind: ResponseKind): ResourceDiscovery => ({
  resource: name,
  responseKind,
  scope: entry.namespaced ? 'Namespaced' : 'Cluster',
  singularResource: entry.singularName,
  verbs: entry.verbs,
  ...(entry.shortNames && { shortNames: entry.shortNames }),
  ...(entry.categories && { categories: entry.categories })
})

/** A parent that is not listed itself: without verbs and kind, so that clients see its subresources only. */
const orphanParent = (name: string, entry: APIResource): ResourceDiscovery =>
  ({ resource: name, responseKind: { group: '', version: '', kind: '' }, scope: entry.namespaced ? 'Namespaced' : 'Cluster', singularResource: '', verbs: [] })

function splitOnce (name: string): [string, string | undefined] {
  const slash = name.indexOf('/')
  return slash < 0 ? [name, undefined] : [name.slice(0, slash), name.slice(slash + 1)]
}
