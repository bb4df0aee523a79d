import type { CustomMetric } from '../../registry/metrics.example.com/custommetrics/types.js'
import { canonicalQuantity, parseQuantity, type Quantity } from '../../registry/meta/quantity.js'
import { formatRfc3339, parseRfc3339 } from '../../registry/schema/rfc3339.js'
import { humanDuration } from '../../registry/schema/human-duration.js'
import type { DescribedKinds, DescribedResource } from './described-kinds.js'

/** One stored CustomMetric, as reads want it. */
export interface Sample {
  /** `namespace/name` of the CustomMetric. */
  readonly key: string
  readonly namespace: string
  readonly metric: string
  readonly labels: Readonly<Record<string, string>>
  /** The labels as one text: equal for samples of one series. */
  readonly labelsKey: string
  /** Absent: about something outside the cluster. */
  readonly described: { readonly kind: string; readonly name: string; readonly resource: DescribedResource } | undefined
  readonly value: Quantity
  /** The value as answers carry it. */
  readonly valueText: string
  readonly timestampMs: number
  readonly timestampText: string
  readonly windowSeconds: number | undefined
  /** Absent: the server's default. */
  readonly ttlMs: number | undefined
}

/** @returns undefined for an object whose value is no quantity, which only a store written by others can hold */
export function sampleOf (object: CustomMetric, kinds: DescribedKinds): Sample | undefined {
  const { metadata, metric, describedObject } = object
  const value = parseQuantity(String(object.value))
  if (value === undefined) return undefined
  const time = parseRfc3339(object.timestamp ?? metadata.creationTimestamp ?? '')
  const timestampMs = 'ms' in time ? time.ms : 0
  const labels = metric?.labels ?? {}
  return {
    key: `${metadata.namespace}/${metadata.name}`,
    namespace: metadata.namespace ?? '',
    metric: metric?.name ?? metadata.name ?? '',
    labels,
    labelsKey: JSON.stringify(Object.entries(labels).sort(([a], [b]) => a < b ? -1 : 1)),
    described: describedObject && { kind: describedObject.kind, name: describedObject.name, resource: kinds.of(describedObject.apiVersion, describedObject.kind) },
    value,
    valueText: canonicalQuantity(value),
    timestampMs,
    timestampText: formatRfc3339(timestampMs),
    windowSeconds: object.windowSeconds === undefined ? undefined : Number(object.windowSeconds),
    ttlMs: object.ttlSeconds === undefined ? undefined : Number(object.ttlSeconds) * 1000
  }
}

/** When samples stop to count. */
export interface FreshnessPolicy {
  /** Of samples that do not say it themselves. */
  readonly ttlMs: number
  /** A writer's clock may be ahead by so much. */
  readonly clockSkewMs: number
}

/** Until when a sample counts. */
export const expiryMs = (sample: Sample, policy: FreshnessPolicy): number => sample.timestampMs + (sample.ttlMs ?? policy.ttlMs)

/**
 * Why a sample is not served at a time; undefined: it is. Its age counts from its timestamp, so a clock that is ahead by less than the
 * bound makes it live longer by that, and one further ahead makes it worthless.
 */
export function staleness (sample: Sample, nowMs: number, policy: FreshnessPolicy): string | undefined {
  const aheadMs = sample.timestampMs - nowMs
  const expiredMs = nowMs - expiryMs(sample, policy)
  if (aheadMs > policy.clockSkewMs) return `its timestamp lies ${humanDuration(aheadMs)} ahead (more than ${humanDuration(policy.clockSkewMs)} of clock skew)`
  return expiredMs > 0 ? `expired ${humanDuration(expiredMs)} ago (ttl ${humanDuration(sample.ttlMs ?? policy.ttlMs)})` : undefined
}
