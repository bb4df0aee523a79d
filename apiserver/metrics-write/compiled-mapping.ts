import { labelMatcher, nameLabel, type LabelMatcher } from '../../registry/metrics.example.com/metricmappings/label-matcher.js'
import { nameTemplate, type NameTemplate } from '../../registry/metrics.example.com/metricmappings/name-template.js'
import type { MappingFunction, MetricMapping } from '../../registry/metrics.example.com/metricmappings/types.js'
import type { DescribedKinds, DescribedResource } from '../metrics-api/described-kinds.js'
import { nameOf } from './written-series.js'

const defaultWindowSeconds = 120

/** A MetricMapping, ready to be applied to series. */
export interface CompiledMapping {
  readonly namespace: string
  readonly name: string
  readonly uid: string
  readonly generation: number
  readonly createdMs: number
  /** The name of the series, where it is given exactly. */
  readonly seriesName: string | undefined
  readonly matchers: readonly LabelMatcher[]
  readonly metric: NameTemplate
  readonly described: { readonly kind: string; readonly apiVersion: string | undefined; readonly nameLabel: string; readonly resource: DescribedResource } | undefined
  /** Sorted. */
  readonly labels: readonly string[]
  readonly function: MappingFunction
  /** Undefined for Latest. */
  readonly windowSeconds: number | undefined
  /** Undefined: the server's. */
  readonly ttlSeconds: number | undefined
}

/** @throws Error for a spec that validation refuses, which only a store written by others can hold */
export function compileMapping (object: MetricMapping, kinds: DescribedKinds): CompiledMapping {
  const { metadata, spec } = object
  const { describedObject } = spec
  const matchers = (spec.series.matchers ?? []).map(m => labelMatcher(m.label, m.operator ?? '=', m.value ?? ''))
  const exact = spec.series.matchers?.find(m => m.label === nameLabel && (m.operator ?? '=') === '=')?.value
  const reduce = spec.function ?? 'Latest'
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name ?? '',
    uid: metadata.uid ?? '',
    generation: Number(metadata.generation ?? 0),
    createdMs: Date.parse(metadata.creationTimestamp ?? '') || 0,
    seriesName: spec.series.name ?? exact,
    matchers,
    metric: nameTemplate(spec.metric.name),
    described: describedObject && { kind: describedObject.kind, apiVersion: describedObject.apiVersion, nameLabel: describedObject.nameLabel, resource: kinds.of(describedObject.apiVersion, describedObject.kind) },
    labels: [...spec.labels ?? []].sort(),
    function: reduce,
    windowSeconds: reduce === 'Latest' ? undefined : Number(spec.windowSeconds ?? defaultWindowSeconds),
    ttlSeconds: spec.ttlSeconds === undefined ? undefined : Number(spec.ttlSeconds)
  }
}

/** Whether a mapping takes a series. */
export const takes = (mapping: CompiledMapping, labels: ReadonlyMap<string, string>): boolean =>
  (mapping.seriesName === undefined || mapping.seriesName === nameOf(labels)) && mapping.matchers.every(m => m.matches(labels.get(m.label) ?? ''))

/** Of mappings that make the same metric, the oldest one's counts. */
export const precedes = (a: CompiledMapping, b: CompiledMapping): boolean =>
  a.createdMs !== b.createdMs ? a.createdMs < b.createdMs : a.name < b.name
