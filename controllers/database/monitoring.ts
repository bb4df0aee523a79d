import { applyChild } from '../children/apply-child.js'
import type { Problem } from '../children/problem.js'
import { pruneChildren } from '../children/prune-children.js'
import type { WantedCondition } from '../children/status.js'
import { desiredMetric, exporterMetrics, metricTtlSeconds, metricValues, type MetricInputs } from './desired-metrics.js'
import { engines } from './engines/engines.js'
import type { DatabaseModel } from './model.js'
import { fieldManager } from './names.js'
import type { Work } from './work.js'

/** Publishes what the operator knows, and withdraws what is not wanted any more. @returns what is in the way */
export async function publishMetrics ({ kinds, names, object, signal }: Work, inputs: MetricInputs, now: Date): Promise<Problem | undefined> {
  const values = metricValues(inputs)
  let problem: Problem | undefined
  for (const value of values) {
    const present = kinds.customMetrics.informer.lister.get({ namespace: names.namespace, name: value.object })
    const result = await applyChild(kinds.customMetrics, object, desiredMetric(inputs, value, present, now), { fieldManager, signal })
    if ('problem' in result) problem ??= result.problem
  }
  await pruneChildren(kinds.customMetrics, object, values.map(v => v.object), { signal })
  return problem
}

/** When values have to be written again though they have not changed. */
export const refreshMs = ({ metrics }: DatabaseModel): number | undefined => metrics === undefined ? undefined : metricTtlSeconds * 500

/** What to tell of metrics: which are published here, and whose the others are. */
export function monitoringCondition ({ metrics, engine }: DatabaseModel, problem: Problem | undefined): Omit<WantedCondition, 'type'> {
  if (metrics === undefined) return { status: 'False', reason: 'Disabled', message: 'spec.monitoring.enabled is not true' }
  if (problem !== undefined) return { status: 'False', ...problem }
  const published = ['database_ready_replicas', ...(metrics.includes('disk') ? ['database_storage_bytes'] : [])]
  const exported = metrics.filter(m => exporterMetrics.has(m))
  const usage = metrics.filter(m => m === 'cpu' || m === 'memory')
  return {
    status: 'True',
    reason: 'Publishing',
    message: [
      `published: ${published.join(', ')}`,
      ...(exported.length > 0 ? [`for a collector, from the exporter at port ${engines[engine].exporter.port} of the pods: ${exported.join(', ')}`] : []),
      ...(usage.length > 0 ? [`from metrics.k8s.io, by the selector: ${usage.join(', ')}`] : [])
    ].join('; ')
  }
}
