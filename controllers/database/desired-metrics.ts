import { parseQuantity, plainNumber } from '../../registry/meta/quantity.js'
import { apiVersionOf } from '../../registry/meta/object-meta.js'
import type { CustomMetric } from '../../registry/metrics.example.com/custommetrics/types.js'
import type { DesiredChild } from '../children/apply-child.js'
import type { PersistentVolumeClaim } from '../children/types.js'
import type { DatabaseAdapter, DatabaseModel, MetricName } from './model.js'
import type { DatabaseNames } from './names.js'

/** How long a value counts; before half of it is over it is written again. */
export const metricTtlSeconds = 300

/** What an exporter beside the server tells. */
export const exporterMetrics: ReadonlySet<MetricName> = new Set(['connections', 'queries'])

export const wantsExporter = ({ metrics = [] }: DatabaseModel): boolean => metrics.some(m => exporterMetrics.has(m))

export interface MetricInputs {
  readonly adapter: Pick<DatabaseAdapter, 'group' | 'version'>
  readonly names: DatabaseNames
  readonly model: DatabaseModel
  readonly readyReplicas: number
  /** That hold data. */
  readonly claims: readonly PersistentVolumeClaim[]
}

export interface MetricValue { readonly object: string; readonly metric: string; readonly value: string }

/** What the operator knows itself: how many instances are ready and, if `disk` is asked for, how much storage they have. */
export function metricValues ({ names, model, readyReplicas, claims }: MetricInputs): MetricValue[] {
  if (model.metrics === undefined) return []
  const capacity = claims.reduce((sum, claim) => sum + bytesOf(claim.status?.capacity?.['storage']), 0n)
  return [
    { object: `${names.base}-ready-replicas`, metric: 'database_ready_replicas', value: String(readyReplicas) },
    ...(model.metrics.includes('disk') && capacity > 0n ? [{ object: `${names.base}-storage-bytes`, metric: 'database_storage_bytes', value: String(capacity) }] : [])
  ]
}

/** The CustomMetric of a value: the present one's time, as long as it says the same and has not grown old. */
export function desiredMetric ({ adapter, names, model }: MetricInputs, { object, metric, value }: MetricValue, present: CustomMetric | undefined, now: Date): DesiredChild<CustomMetric> {
  const writtenMs = Date.parse(present?.timestamp ?? '')
  const current = present !== undefined && String(present.value) === value && now.getTime() - writtenMs < metricTtlSeconds * 500
  return {
    metadata: { name: object, labels: names.labels(model.engine, 'metrics'), annotations: { ...names.annotations } },
    metric: { name: metric },
    describedObject: { apiVersion: apiVersionOf(adapter), kind: 'Database', name: names.database },
    value,
    timestamp: current && present.timestamp !== undefined ? present.timestamp : now.toISOString().replace(/\.\d+Z$/, 'Z'),
    ttlSeconds: metricTtlSeconds
  }
}

function bytesOf (text: string | undefined): bigint {
  const quantity = parseQuantity(text ?? '')
  return quantity === undefined || quantity.scale < 0 ? 0n : BigInt(plainNumber(quantity))
}
