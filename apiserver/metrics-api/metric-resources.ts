import type { VirtualGroupVersion, VirtualResource } from '../discovery/virtual-resource.js'
import { groupResourceOf } from './described-kinds.js'
import type { MetricIndex } from './metric-index.js'
import { customMetricsGroup, externalMetricsGroup } from './metric-groups.js'

/**
 * What discovery says of the metrics groups: every metric that has a sample, and where there is none one placeholder, for clients take an
 * empty list for a failure. Its name is no other resource's, which `kubectl get` would no longer find. A resource name has one scope, its
 * kind's. External metrics are listed as clients ask for them, so that `kubectl get queuelength` finds its way.
 * @param index asked whenever discovery is rebuilt
 */
export function metricGroupVersions (index: () => MetricIndex | undefined): VirtualGroupVersion[] {
  const custom = (): VirtualResource[] => orPlaceholder('metricvalues', 'MetricValueList',
    (index()?.customNames() ?? []).map(({ resource, metric }) => listed(`${groupResourceOf(resource)}/${metric}`, resource.namespaced, 'MetricValueList')))
  const external = (): VirtualResource[] => orPlaceholder('externalmetricvalues', 'ExternalMetricValueList',
    (index()?.externalNames() ?? []).map(name => listed(name, true, 'ExternalMetricValueList')))
  return [
    { group: customMetricsGroup, version: 'v1beta2', resources: custom },
    { group: customMetricsGroup, version: 'v1beta1', resources: custom },
    { group: externalMetricsGroup, version: 'v1beta1', resources: external }
  ]
}

const listed = (name: string, namespaced: boolean, kind: string): VirtualResource => ({ name, singularName: '', namespaced, kind, verbs: ['get'] })

const orPlaceholder = (name: string, kind: string, resources: VirtualResource[]): VirtualResource[] => resources.length > 0 ? resources : [listed(name, true, kind)]
