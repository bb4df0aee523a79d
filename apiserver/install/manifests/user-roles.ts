import type { Installation } from '../installation.js'
import { labels, names } from '../names.js'
import type { ServedGroup } from '../served-groups.js'
import type { Manifest, PolicyRule } from './manifest.js'

const reading = ['get', 'list', 'watch']
const scaling = ['get', 'patch', 'update']

/**
 * ClusterRoles that Kubernetes adds to its own `view`, `edit` and `admin`, so that whoever may work in a namespace may do the same with our
 * kinds. Status belongs to controllers: users read it. Source: Kubernetes documentation, "User-facing roles" and "Aggregated ClusterRoles".
 */
export function userRoles ({ groups }: Installation): Manifest[] {
  return [
    aggregated('view', ['view', 'edit', 'admin'], groups.flatMap(viewing)),
    aggregated('edit', ['edit', 'admin'], groups.flatMap(editing))
  ]
}

function aggregated (name: string, into: readonly string[], rules: readonly PolicyRule[]): Manifest {
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name: `${names.prefix}:aggregate-to-${name}`, labels: { ...labels(), ...Object.fromEntries(into.map(role => [`rbac.authorization.k8s.io/aggregate-to-${role}`, 'true'])) } },
    rules
  }
}

function viewing ({ name, resources }: ServedGroup): PolicyRule[] {
  // Metrics: custom ones are read with get, external ones with list (k8s.io/metrics clients).
  if (resources.length === 0) return [{ apiGroups: [name], resources: ['*'], verbs: ['get', 'list'] }]
  return rule(name, resources.filter(r => r.stored).flatMap(r => [r.name, ...r.subresources.map(s => `${r.name}/${s}`)]), reading)
}

function editing ({ name, resources }: ServedGroup): PolicyRule[] {
  const stored = resources.filter(r => r.stored)
  return [
    ...rule(name, stored.map(r => r.name), stored[0]?.verbs ?? []),
    ...rule(name, stored.filter(r => r.subresources.includes('scale')).map(r => `${r.name}/scale`), scaling),
    ...resources.filter(r => !r.stored).flatMap(r => rule(name, [r.name], r.verbs))
  ]
}

const rule = (group: string, resources: readonly string[], verbs: readonly string[]): PolicyRule[] =>
  resources.length === 0 ? [] : [{ apiGroups: [group], resources, verbs }]
