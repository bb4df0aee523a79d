import { Counter, Gauge, type Registry } from 'prom-client'
import type { MappingState } from './mapping-state.js'
import type { SeriesMemory } from './series-memory.js'
import type { WriteResult } from './write-result.js'

/** So many mappings have numbers of their own on `/metrics`, the largest first; the others are one, called `other`. */
const namedMappings = 500

/** What `/metrics` says of writing. Labels are bounded: by the protocols, the reasons, and the number of mappings above. */
export class WriteMetrics {
  readonly #bytes: Counter<'resource'>
  readonly #samples: Counter<'resource'>
  readonly #refused: Counter<'resource' | 'reason'>

  constructor (registry: Registry, memory: SeriesMemory) {
    const registers = [registry]
    this.#bytes = new Counter({ name: 'annex_metrics_write_bytes_total', help: 'Bytes of bodies received, as they came.', labelNames: ['resource'], registers })
    this.#samples = new Counter({ name: 'annex_metrics_write_samples_total', help: 'Samples accepted, those that no mapping asks for included.', labelNames: ['resource'], registers })
    this.#refused = new Counter({ name: 'annex_metrics_write_refused_samples_total', help: 'Samples refused, by reason.', labelNames: ['resource', 'reason'], registers })
    void new Gauge({ name: 'annex_metrics_write_series', help: 'Series held in memory.', registers, collect () { this.set(memory.size) } })
    const perMapping = (name: string, help: string, labelNames: readonly string[], read: (state: MappingState) => Iterable<[Record<string, string>, number]>): void => {
      void new Gauge<string>({
        name, help, labelNames: ['namespace', 'mapping', ...labelNames], registers,
        collect () {
          this.reset()
          const states = [...memory.states()].sort((a, b) => b.series.size - a.series.size)
          states.forEach((state, i) => {
            const of = i < namedMappings ? { namespace: state.mapping.namespace, mapping: state.mapping.name } : { namespace: '', mapping: 'other' }
            for (const [labels, value] of read(state)) this.inc({ ...of, ...labels }, value)
          })
        }
      })
    }
    perMapping('annex_metrics_mapping_series', 'Series that a MetricMapping holds in memory.', [], state => [[{}, state.series.size]])
    perMapping('annex_metrics_mapping_metrics', 'Metrics that a MetricMapping makes.', [], state => [[{}, state.metrics.size]])
    perMapping('annex_metrics_mapping_samples_total', 'Samples that a MetricMapping took since it was read or changed.', [], state => [[{}, state.accepted]])
    perMapping('annex_metrics_mapping_refused_samples_total', 'Samples that a MetricMapping refused since it was read or changed.', ['reason'], state => [...state.refused].map(([reason, count]) => [{ reason }, count]))
  }

  /** A body has arrived. */
  received (resource: string, bytes: number): void { this.#bytes.inc({ resource }, bytes) }

  /** A request has been written. */
  observe (resource: string, results: readonly WriteResult[]): void {
    for (const result of results) {
      this.#samples.inc({ resource }, result.accepted)
      for (const { reason, count } of result.refused) this.#refused.inc({ resource, reason }, count)
    }
  }
}
