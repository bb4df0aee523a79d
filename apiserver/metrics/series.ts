import type { Histogram as PromHistogram, Registry } from 'prom-client'

/**
 * Counters and histograms for what happens with every request. prom-client validates and hashes the labels at each observation, which costs
 * more than reading an object from the cache does; here a series is looked up once and then held. It is written by prom-client like any other.
 */
interface SeriesOptions<L extends string> {
  readonly name: string
  readonly help: string
  readonly labelNames: readonly L[]
  readonly registers: readonly Registry[]
}

interface Value { readonly metricName?: string; readonly labels: Readonly<Record<string, string | number>>; readonly value: number }

/** Series by their label values; as many as there are combinations, which callers bound. */
abstract class SeriesSet<L extends string, S> {
  readonly name: string
  readonly help: string
  readonly #labelNames: readonly L[]
  readonly #series = new Map<string, { readonly labels: Readonly<Record<L, string>>; readonly series: S }>()

  constructor ({ name, help, labelNames, registers }: SeriesOptions<L>) {
    this.name = name
    this.help = help
    this.#labelNames = labelNames
    for (const registry of registers) registry.registerMetric(this as unknown as PromHistogram)
  }

  abstract readonly type: 'counter' | 'histogram'
  protected abstract make (): S
  protected abstract write (labels: Readonly<Record<L, string>>, series: S): Value[]

  /** The series of these label values. */
  of (labels: Readonly<Record<L, string>>): S {
    // The counters of every request have one label.
    const key = this.#labelNames.length === 1 ? labels[this.#labelNames[0]!] : this.#labelNames.map(name => labels[name]).join('\0')
    let found = this.#series.get(key)
    if (found === undefined) {
      const own = Object.fromEntries(this.#labelNames.map(name => [name, labels[name]])) as Record<L, string>
      this.#series.set(key, found = { labels: own, series: this.make() })
    }
    return found.series
  }

  /** What prom-client asks a metric for. */
  async get (): Promise<{ name: string; help: string; type: string; values: Value[]; aggregator: 'sum' }> {
    return { name: this.name, help: this.help, type: this.type, aggregator: 'sum', values: [...this.#series.values()].flatMap(({ labels, series }) => this.write(labels, series)) }
  }

  reset (): void { this.#series.clear() }
}

export class CounterSeries {
  value = 0
  inc (): void { this.value++ }
}

export class Counters<L extends string> extends SeriesSet<L, CounterSeries> {
  readonly type = 'counter'
  protected make (): CounterSeries { return new CounterSeries() }
  protected write (labels: Readonly<Record<L, string>>, series: CounterSeries): Value[] { return [{ labels, value: series.value }] }
}

export class HistogramSeries {
  readonly bounds: readonly number[]
  /** How many were observed in each bucket alone; the last is of those above every bound. */
  readonly counts: Float64Array
  sum = 0

  constructor (bounds: readonly number[]) {
    this.bounds = bounds
    this.counts = new Float64Array(bounds.length + 1)
  }

  observe (value: number): void {
    let bucket = 0
    while (bucket < this.bounds.length && value > this.bounds[bucket]!) bucket++
    this.counts[bucket]!++
    this.sum += value
  }
}

export class Histograms<L extends string> extends SeriesSet<L, HistogramSeries> {
  readonly type = 'histogram'
  readonly #bounds: readonly number[]

  constructor (options: SeriesOptions<L> & { readonly buckets: readonly number[] }) {
    super(options)
    this.#bounds = options.buckets
  }

  protected make (): HistogramSeries { return new HistogramSeries(this.#bounds) }

  protected write (labels: Readonly<Record<L, string>>, { counts, sum }: HistogramSeries): Value[] {
    let count = 0
    const buckets = [...this.#bounds, '+Inf'].map((le, i) => ({ metricName: `${this.name}_bucket`, labels: { le, ...labels }, value: count += counts[i]! }))
    return [...buckets, { metricName: `${this.name}_sum`, labels, value: sum }, { metricName: `${this.name}_count`, labels, value: count }]
  }
}
