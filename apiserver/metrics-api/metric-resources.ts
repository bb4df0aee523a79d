import type { VirtualGroupVersion, VirtualResource } from '../discovery/virtual-resource.js'
import { groupResourceOf } from './described-kinds.js'
import type { MetricIndex } from './metric-index.js'
import { customMetricsGroup, externalMetricsGroup } from './metric-groups.js'

/**
 * What discovery says of the metrics groups: every metric that has a sample, and where there is none one placeholder, for clients take an
 * empty list for a failure. Its name is no other resource's, which `kubectl get` would no longer find. A resource name has one scope, its
 * kind's. External metrics are listed as clients ask for them, so that `kubectl get queuelength` finds its way.
 * @param index asked whenever discovery is rebuilt
 * @param others what other adapters have of a group; of a name or a scope that is known already ours counts
 */
export function metricGroupVersions (index: () => MetricIndex | undefined, others: (group: string) => readonly VirtualResource[] = () => []): VirtualGroupVersion[] {
  const custom = (): VirtualResource[] => orPlaceholder('metricvalues', 'MetricValueList',
    merged((index()?.customNames() ?? []).map(({ resource, metric }) => listed(`${groupResourceOf(resource)}/${metric}`, resource.namespaced, 'MetricValueList')), others(customMetricsGroup)))
  const external = (): VirtualResource[] => orPlaceholder('externalmetricvalues', 'ExternalMetricValueList',
    merged((index()?.externalNames() ?? []).map(name => listed(name, true, 'ExternalMetricValueList')), others(externalMetricsGroup)))
  return [
    { group: customMetricsGroup, version: 'v1beta2', resources: custom },
    { group: customMetricsGroup, version: 'v1beta1', resources: custom },
    { group: externalMetricsGroup, version: 'v1beta1', resources: external }
  ]
}

const listed = (name: string, namespaced: boolean, kind: string): VirtualResource => ({ name, singularName: '', namespaced, kind, verbs: ['get'] })

/** One scope a resource name: with two, kube-apiserver would drop the whole version. */
function merged (ours: VirtualResource[], others: readonly VirtualResource[]): VirtualResource[] {
  if (others.length === 0) return ours
  const names = new Set(ours.map(r => r.name))
  const scopes = new Map(ours.map(r => [parentOf(r.name), r.namespaced]))
  const further = others.filter(r => {
    const parent = parentOf(r.name)
    if (names.has(r.name) || (scopes.get(parent) ?? r.namespaced) !== r.namespaced) return false
    scopes.set(parent, r.namespaced)
    names.add(r.name)
    return true
  })
  return ours.concat(further)
}

const parentOf = (name: string): string => name.split('/', 1)[0]!

const orPlaceholder = (name: string, kind: string, resources: VirtualResource[]): VirtualResource[] => resources.length > 0 ? resources : [listed(name, true, kind)]
