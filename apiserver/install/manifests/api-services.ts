import type { Installation } from '../installation.js'
import { labels, names } from '../names.js'
import type { Manifest } from './manifest.js'

/**
 * Groups of the metrics APIs are found after others of the same kinds, and the newer version first, as the peers register them
 * (kubernetes-sigs/prometheus-adapter, kedacore/keda). All others have the priorities that kube-apiserver gives CustomResourceDefinitions, so
 * that versions sort by their names.
 */
const metricsPriorities: Readonly<Record<string, number>> = { v1beta2: 200, v1beta1: 100 }
const metricsGroups = new Set(['custom.metrics.k8s.io', 'external.metrics.k8s.io'])

/** One APIService for each group version. Without a caBundle of the user's, the server fills it in and keeps it right. */
export function apiServices ({ namespace, servicePort, serving, groups }: Installation): Manifest[] {
  const trust = serving.type === 'own' ? undefined : serving.trust
  return groups.flatMap(({ name: group, versions }) => versions.map(version => ({
    apiVersion: 'apiregistration.k8s.io/v1',
    kind: 'APIService',
    metadata: {
      name: `${version}.${group}`,
      labels: labels('apiserver'),
      ...(trust?.type === 'certManager' && { annotations: { 'cert-manager.io/inject-ca-from': trust.certificate } })
    },
    spec: {
      group,
      version,
      groupPriorityMinimum: metricsGroups.has(group) ? 100 : 1000,
      versionPriority: metricsGroups.has(group) ? metricsPriorities[version] ?? 100 : 100,
      service: { namespace, name: names.server, port: servicePort },
      ...(trust?.type === 'caBundle' && { caBundle: Buffer.from(trust.pem).toString('base64') })
    }
  })))
}
