import { builtInResources } from '../../registry/groups.js'
import type { Resource } from '../../registry/generic/resource.js'
import { groupsOf } from '../discovery/group-version.js'
import { metricGroupVersions } from '../metrics-api/metric-resources.js'

/** A resource as RBAC and discovery see it. */
export interface ServedResource {
  readonly name: string
  readonly verbs: readonly string[]
  /** Objects of it are stored, so the usual verbs apply. */
  readonly stored: boolean
  /** `status`, `scale`. */
  readonly subresources: readonly string[]
}

/** A group that is registered with the aggregator. */
export interface ServedGroup {
  readonly name: string
  /** The preferred one first. */
  readonly versions: readonly string[]
  /** Of all versions; empty where the names are only known at run time, as those of metrics. */
  readonly resources: readonly ServedResource[]
}

const storedVerbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch']

/**
 * What a server of this build serves: the one source for APIServices and for the roles of users.
 * @param crds resources of CustomResourceDefinition files; a built-in resource of the same name is served instead of theirs
 */
export function servedGroups (crds: readonly Resource[] = [], excluded: readonly string[] = []): ServedGroup[] {
  const known = new Set(builtInResources.map(nameOf))
  const resources = [...builtInResources, ...crds.filter(r => !known.has(nameOf(r)))]
  return groupsOf(resources, metricGroupVersions(() => undefined)).filter(g => !excluded.includes(g.name)).map(({ name, versions }) => {
    const stored = new Map<string, Set<string>>()
    const virtual = new Map<string, readonly string[]>()
    for (const version of versions) {
      for (const { resource, version: { subresources } } of version.resources) {
        const known = stored.get(resource.names.plural) ?? new Set<string>()
        stored.set(resource.names.plural, known)
        for (const subresource of Object.keys(subresources)) known.add(subresource)
      }
      for (const resource of version.virtual) virtual.set(resource.name, resource.verbs)
    }
    return {
      name,
      versions: versions.map(v => v.version),
      resources: stored.size === 0
        ? []
        : [
            ...[...stored].map(([resource, subresources]) => ({ name: resource, verbs: storedVerbs, stored: true, subresources: [...subresources].sort() })),
            ...[...virtual].map(([resource, verbs]) => ({ name: resource, verbs, stored: false, subresources: [] }))
          ]
    }
  })
}

const nameOf = (resource: Resource): string => `${resource.names.plural}.${resource.group}`
