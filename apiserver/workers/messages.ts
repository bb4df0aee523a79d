/** One metric with all of its series, as prom-client hands it over (its types say an enum where there is text). */
export interface ReportedMetric {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram' | 'summary'
  /** What several processes' values make. */
  readonly aggregator: 'omit' | 'sum' | 'first' | 'min' | 'max' | 'average'
  readonly values: readonly { readonly metricName?: string; readonly labels: Readonly<Record<string, string | number>>; readonly value: number }[]
}

/** All metrics of one process. */
export type MetricReport = readonly ReportedMetric[]

/** What a worker says to the primary. */
export type FromWorker =
  /** It is built: connections may come. Answered with `listening` or `listenFailed`. */
  | { readonly type: 'accept' }
  /** Its caches are filled, or the store is not there. */
  | { readonly type: 'ready' }
  /** It has begun to end: connections should go to others. */
  | { readonly type: 'draining' }
  /** It takes no connection any more. */
  | { readonly type: 'refuse' }
  /** What became of a connection that was handed over. */
  | { readonly type: 'connection'; readonly id: number; readonly taken: boolean }
  /** Its own metrics, asked for with `report`. */
  | { readonly type: 'report'; readonly id: number; readonly metrics: MetricReport }
  /** Somebody wants the metrics of all workers. Answered with `done`. */
  | { readonly type: 'scrape'; readonly id: number }
  /** Whole lines for the audit log. Answered with `done` when they are written. */
  | { readonly type: 'audit'; readonly id: number; readonly lines: readonly string[] }

/** What the primary says to a worker. */
export type FromPrimary =
  | { readonly type: 'listening'; readonly port: number }
  | { readonly type: 'listenFailed'; readonly message: string }
  /** Comes with the socket; without it if the client has left meanwhile. */
  | { readonly type: 'connection'; readonly id: number }
  | { readonly type: 'report'; readonly id: number }
  | { readonly type: 'done'; readonly id: number; readonly text?: string; readonly error?: string }
  | { readonly type: 'shutdown' }
