import type { Condition } from '../../meta/condition.js'
import type { KubeObject } from '../../meta/object-meta.js'

/** What series that are written to this namespace become. */
export interface MetricMapping extends KubeObject {
  spec: MetricMappingSpec
  status?: MetricMappingStatus
}

export type MatchOperator = '=' | '!=' | '=~' | '!~'

/** Latest is the newest value of a series, the others are taken over its window. */
export type MappingFunction = 'Latest' | 'Rate' | 'Increase' | 'Sum' | 'Avg' | 'Max'

export interface SeriesMatcher {
  label: string
  operator?: MatchOperator
  value?: string
}

export interface MetricMappingSpec {
  /** Which series: the name, and what else must hold. */
  series: { name?: string; matchers?: SeriesMatcher[] }
  /** `${label}` stands for a label's value. */
  metric: { name: string }
  /** Absent: an external metric. */
  describedObject?: { apiVersion?: string; kind: string; nameLabel: string }
  /** Labels that the metric keeps; series that differ in others fall together. */
  labels?: string[]
  function?: MappingFunction
  /** Default 120; not for Latest. */
  windowSeconds?: number
  /** Default: the server's. */
  ttlSeconds?: number
}

export interface MetricMappingStatus {
  observedGeneration?: number
  /** Series that are held in memory. */
  matchedSeries?: number
  /** Metrics that they make. */
  metrics?: number
  /** RFC 3339. */
  lastSampleTime?: string
  conditions?: Condition[]
}
