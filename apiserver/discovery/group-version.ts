import type { Resource, ResourceVersion } from '../../registry/generic/resource.js'
import { compareVersions } from '../../registry/generic/version-order.js'
import type { VirtualGroupVersion, VirtualResource } from './virtual-resource.js'

/** A resource in one of its served versions. */
export interface ServedResource { readonly resource: Resource; readonly version: ResourceVersion }

/** One served group version with everything in it, sorted by resource name. */
export interface GroupVersion {
  readonly group: string
  readonly version: string
  /** `group/version`, and `v1` in the core group. */
  readonly name: string
  readonly resources: readonly ServedResource[]
  readonly virtual: readonly VirtualResource[]
}

/** A group with its versions, the preferred one first. */
export interface Group { readonly name: string; readonly versions: readonly GroupVersion[] }

/**
 * Sorts resources of whatever origin into their groups and served versions: groups by name, versions by Kubernetes' preference,
 * resources by plural. A group without a served version is not served at all.
 */
export function groupsOf (resources: readonly Resource[], virtual: readonly VirtualGroupVersion[] = []): Group[] {
  const groups = new Map<string, Map<string, { resources: ServedResource[]; virtual: VirtualResource[] }>>()
  const entry = (group: string, version: string): { resources: ServedResource[]; virtual: VirtualResource[] } => {
    const versions = groups.get(group) ?? new Map<string, { resources: ServedResource[]; virtual: VirtualResource[] }>()
    groups.set(group, versions)
    const found = versions.get(version) ?? { resources: [], virtual: [] }
    versions.set(version, found)
    return found
  }
  for (const resource of resources) {
    for (const version of resource.versions) {
      if (version.served) entry(resource.group, version.name).resources.push({ resource, version })
    }
  }
  for (const source of virtual) {
    const into = entry(source.group, source.version)
    into.virtual = into.virtual.concat(source.resources())
  }

  return [...groups.keys()].sort().map(group => ({
    name: group,
    versions: [...groups.get(group) ?? []].sort(([a], [b]) => compareVersions(b, a)).map(([version, content]) => ({
      group,
      version,
      name: group === '' ? version : `${group}/${version}`,
      resources: content.resources.sort((a, b) => a.resource.names.plural < b.resource.names.plural ? -1 : 1),
      virtual: content.virtual
    }))
  }))
}
