import { nameLabel } from '../../registry/metrics.example.com/metricmappings/label-matcher.js'

/** One sample of a written series. */
export interface Point {
  readonly timestampMs: number
  /** NaN in a stale marker. */
  readonly value: number
  /** The series has ended: Prometheus' stale marker, OTLP's "no recorded value". */
  readonly stale?: boolean
}

/** A series as a request brings it, whatever the protocol. */
export interface WrittenSeries {
  /** By name; the series' own name is `__name__`. */
  readonly labels: ReadonlyMap<string, string>
  readonly points: readonly Point[]
  /** The values are increases since the point before (OTLP's delta temporality); they are added up to a counter. */
  readonly delta?: boolean
}

/** The name of a series, empty if it has none. */
export const nameOf = (labels: ReadonlyMap<string, string>): string => labels.get(nameLabel) ?? ''

/** One text for one set of labels, in whatever order they come. */
export function seriesKey (labels: ReadonlyMap<string, string>): string {
  let key = ''
  let before = ''
  for (const [name, value] of labels) {
    // Senders sort them; the others are the exception.
    if (name < before) return seriesKey(new Map([...labels].sort(([a], [b]) => a < b ? -1 : 1)))
    key += `${name.length} ${name}${value.length} ${value}`
    before = name
  }
  return key
}

/** `http_requests_total{code="200", pod="web-0"}`, cut to a length that fits into a message. */
export function seriesText (labels: ReadonlyMap<string, string>): string {
  const others = [...labels].filter(([name]) => name !== nameLabel).map(([name, value]) => `${name}=${JSON.stringify(value)}`)
  const text = `${nameOf(labels)}{${others.join(', ')}}`
  return text.length > 120 ? `${text.slice(0, 117)}...` : text
}
