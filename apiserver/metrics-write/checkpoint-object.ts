import { newConflict } from '../../registry/meta/status-error.js'
import { isLabelValue } from '../../registry/meta/names.js'
import type { KubeObject } from '../../registry/meta/object-meta.js'
import type { CustomMetric } from '../../registry/metrics.example.com/custommetrics/types.js'
import { parseRfc3339 } from '../../registry/schema/rfc3339.js'
import type { ServedObject } from '../../registry/generic/served-object.js'
import type { Sample } from '../metrics-api/sample.js'
import type { MappedMetric } from './mapped-metric.js'

const apiVersion = 'metrics.example.com/v1alpha1'
/** For `kubectl get cm8s -l`. */
const mappingLabel = 'metrics.example.com/mapping'
/** Which generation of the mapping made the value. */
const generationAnnotation = 'metrics.example.com/mapping-generation'

/** What is known of a stored checkpoint: a CustomMetric that a MetricMapping controls. */
export interface StoredCheckpoint {
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly mapping: { readonly name: string; readonly uid: string; readonly generation: number }
  readonly valueText: string
  readonly timestampMs: number
  readonly ttlMs: number | undefined
  /** Deleted already; somebody's finalizer keeps it. */
  readonly deleting: boolean
}

const controller = (object: KubeObject): { name: string; uid: string } | undefined =>
  object.metadata.ownerReferences?.find(o => o.controller === true && o.apiVersion === apiVersion && o.kind === 'MetricMapping')

/** @returns undefined for a CustomMetric that is somebody else's */
export function storedCheckpoint (served: ServedObject): StoredCheckpoint | undefined {
  const object = served.storageObject() as CustomMetric
  const owner = controller(object)
  const generation = object.metadata.annotations?.[generationAnnotation]
  if (owner === undefined || generation === undefined) return undefined
  const time = parseRfc3339(object.timestamp ?? '')
  return {
    namespace: served.namespace, name: served.name, uid: served.uid,
    mapping: { name: owner.name, uid: owner.uid, generation: Number(generation) },
    valueText: String(object.value),
    timestampMs: 'ms' in time ? time.ms : 0,
    ttlMs: object.ttlSeconds === undefined ? undefined : Number(object.ttlSeconds) * 1000,
    deleting: object.metadata.deletionTimestamp !== undefined
  }
}

/**
 * The CustomMetric that keeps a metric's value, made anew or of the one there is.
 * @throws StatusError 409 if the one there is is not a checkpoint of this mapping
 */
export function checkpointObject (metric: MappedMetric, sample: Sample, old: KubeObject | undefined): KubeObject {
  const { mapping, identity, checkpointName } = metric
  if (old !== undefined && controller(old)?.name !== mapping.name) {
    throw newConflict({ group: 'metrics.example.com', resource: 'custommetrics' }, checkpointName, `it is not controlled by the MetricMapping ${mapping.name}`)
  }
  const { described } = mapping
  return {
    apiVersion, kind: 'CustomMetric',
    metadata: {
      ...old?.metadata, name: checkpointName, namespace: mapping.namespace,
      ...(isLabelValue(mapping.name).length === 0 && { labels: { ...old?.metadata.labels, [mappingLabel]: mapping.name } }),
      annotations: { ...old?.metadata.annotations, [generationAnnotation]: String(mapping.generation) },
      ownerReferences: [{ apiVersion, kind: 'MetricMapping', name: mapping.name, uid: mapping.uid, controller: true, blockOwnerDeletion: false }]
    },
    metric: { name: identity.metric, ...(identity.labelsKey !== '[]' && { labels: { ...identity.labels } }) },
    ...(described && { describedObject: { ...(described.apiVersion !== undefined && { apiVersion: described.apiVersion }), kind: described.kind, name: identity.object! } }),
    value: sample.valueText,
    timestamp: sample.timestampText,
    ...(mapping.windowSeconds !== undefined && { windowSeconds: mapping.windowSeconds }),
    ...(mapping.ttlSeconds !== undefined && { ttlSeconds: mapping.ttlSeconds })
  }
}
