import { takes, type CompiledMapping } from './compiled-mapping.js'
import { identify, type MappedMetric, type MetricIdentity } from './mapped-metric.js'
import type { MappedSeries } from './mapped-series.js'
import { MappingProblems, type Problem } from './mapping-problems.js'
import type { RefusalReason } from './write-result.js'

/** What one mapping holds, and what it has seen. */
export class MappingState {
  readonly mapping: CompiledMapping
  readonly series = new Map<string, MappedSeries>()
  /** By the id of their identity. */
  readonly metrics = new Map<string, MappedMetric>()
  readonly problems = new MappingProblems()
  accepted = 0
  readonly refused = new Map<RefusalReason, number>()
  /** The time of the newest sample that was taken. */
  lastSampleMs: number | undefined
  /** When a sample came last, by our clock, be it one that could not be taken. */
  receivedMs: number | undefined

  constructor (mapping: CompiledMapping) { this.mapping = mapping }

  /** What a series becomes here; undefined: it is not taken. */
  route (labels: ReadonlyMap<string, string>): MetricIdentity | Problem | undefined {
    return takes(this.mapping, labels) ? identify(this.mapping, labels) : undefined
  }

  refuse (reason: RefusalReason): void { this.refused.set(reason, (this.refused.get(reason) ?? 0) + 1) }
}
