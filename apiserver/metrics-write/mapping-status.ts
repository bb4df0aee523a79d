import type { Condition } from '../../registry/meta/condition.js'
import type { MetricMapping, MetricMappingStatus } from '../../registry/metrics.example.com/metricmappings/types.js'
import { formatRfc3339 } from '../../registry/schema/rfc3339.js'
import { presentMs } from './mapping-problems.js'
import type { MappingState } from './mapping-state.js'

type Observed = Pick<Condition, 'type' | 'status' | 'reason' | 'message'>

/** The status of a mapping as this replica sees it now; what has not changed is kept of the one before. */
export function mappingStatus (state: MappingState, before: MetricMappingStatus | undefined, nowMs: number): MetricMappingStatus {
  const { mapping, lastSampleMs } = state
  const now = formatRfc3339(nowMs)
  const observed = [readiness(state), ...[...state.problems.states(nowMs)].map((p): Observed =>
    ({ type: p.type, status: p.present ? 'True' : 'False', reason: p.present ? 'Seen' : 'NotSeenLately', message: p.message }))]
  const seen = new Set(observed.map(o => o.type))
  // What was wrong with an earlier generation says nothing about this one.
  const kept = before?.observedGeneration === mapping.generation ? (before.conditions ?? []).filter(c => !seen.has(c.type)).map(c => faded(c, now, nowMs)) : []
  const conditions = [...observed.map((o): Condition => {
    const known = before?.conditions?.find(c => c.type === o.type)
    return { ...o, observedGeneration: mapping.generation, lastTransitionTime: known?.status === o.status && known.lastTransitionTime !== undefined ? known.lastTransitionTime : now }
  }), ...kept]
  const lastSampleTime = lastSampleMs === undefined ? before?.lastSampleTime : formatRfc3339(lastSampleMs)
  return {
    observedGeneration: mapping.generation,
    matchedSeries: state.series.size,
    metrics: state.metrics.size,
    ...(lastSampleTime !== undefined && { lastSampleTime }),
    conditions
  }
}

/** What another process saw is not true for ever either. */
const faded = (condition: Condition, now: string, nowMs: number): Condition =>
  condition.status === 'True' && nowMs - Date.parse(condition.lastTransitionTime ?? '') > presentMs ? { ...condition, status: 'False', reason: 'NotSeenLately', lastTransitionTime: now } : condition

function readiness (state: MappingState): Observed {
  const type = 'Ready'
  if (servesAny(state)) return { type, status: 'True', reason: 'Serving', message: 'series match and make metrics' }
  if (state.series.size > 0) return { type, status: 'False', reason: 'NoValue', message: 'series match, but make no value yet; a rate needs two samples of a series within the window' }
  if (state.lastSampleMs === undefined) return { type, status: 'False', reason: 'NoSeries', message: 'no series has matched yet' }
  return { type, status: 'False', reason: 'Expired', message: 'all series that matched have ended or expired' }
}

function servesAny ({ metrics }: MappingState): boolean {
  for (const { series, worth } of metrics.values()) if (series.size > 0 && worth.kind === 'value') return true
  return false
}

/** The most important part in which they differ: how soon it is written depends on it. */
export function statusDifference (status: MetricMappingStatus, before: MetricMapping['status']): 'conditions' | 'counts' | 'time' | undefined {
  const text = (s: MetricMappingStatus | undefined): string => JSON.stringify([s?.observedGeneration, (s?.conditions ?? []).map(c => [c.type, c.status, c.reason]).sort()])
  if (text(status) !== text(before)) return 'conditions'
  if (status.matchedSeries !== Number(before?.matchedSeries ?? -1) || status.metrics !== Number(before?.metrics ?? -1)) return 'counts'
  return status.lastSampleTime === before?.lastSampleTime ? undefined : 'time'
}
