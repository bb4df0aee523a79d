import { AggregatorRegistry, collectDefaultMetrics, Counter, Gauge, Registry } from 'prom-client'
import type { MetricReport, ReportedMetric } from './messages.js'

/** The metrics of one process, to be sent. */
export const reportOf = async (registry: Registry): Promise<MetricReport> => await registry.getMetricsAsJSON() as unknown as MetricReport

/**
 * The metrics of several processes as those of one server. Every metric says how (`aggregator`; sums, unless it is said). What a process
 * has counted stays in the sums when it ends, as it was told last: a counter that fell would be taken for one that began anew.
 */
export class MetricSums {
  readonly #own = new Registry()
  readonly #replaced: Counter
  #ended: MetricReport = []

  /** @param workers how many run */
  constructor (workers: () => number) {
    collectDefaultMetrics({ register: this.#own })
    const registers = [this.#own]
    void new Gauge({ name: 'annex_workers', help: 'Workers that take connections.', registers, collect () { this.set(workers()) } })
    this.#replaced = new Counter({ name: 'annex_worker_restarts_total', help: 'Workers that ended and were replaced.', registers })
  }

  /** A worker is gone that should not be; `last` is what it has said last. */
  ended (last: MetricReport): void {
    this.#replaced.inc()
    this.#ended = arrayOf(aggregate([this.#ended, last.filter(isCumulative)]))
  }

  /**
   * In Prometheus' text format, with what this process takes itself.
   * @param reports of the workers that run, asked at the moment of adding up: one that ends meanwhile counts once
   */
  async text (reports: () => readonly MetricReport[]): Promise<string> {
    const own = (await reportOf(this.#own)).filter(m => /^(process|annex)_/.test(m.name))
    const server = [...reports(), own].map(report => report.map(m => m.name === 'process_start_time_seconds' ? { ...m, aggregator: 'min' as const } : m))
    return await aggregate([...server, this.#ended]).metrics()
  }
}

/** Some gauges are counters of others, read when they are asked for. */
const isCumulative = ({ name, type }: ReportedMetric): boolean => type === 'counter' || type === 'histogram' || name.endsWith('_total')

const aggregate = (reports: readonly MetricReport[]): Registry => AggregatorRegistry.aggregate(reports as never) as Registry
const arrayOf = (registry: Registry): MetricReport => registry.getMetricsAsArray() as unknown as MetricReport
