import { nameLabel } from '../../registry/metrics.example.com/metricmappings/label-matcher.js'
import { LabelBudget, labelsInAll, tooManyLabels } from './label-budget.js'
import { MessageError } from './message-error.js'
import type { OtlpAttribute, OtlpData, OtlpDataPoint, OtlpMetric, OtlpRequest } from './otlp-messages.js'
import { integer, type WireInteger } from './wire-number.js'
import type { WrittenSeries } from './written-series.js'

/** What one data point becomes: a series of a number, several of a histogram or summary; or nothing, with what is wrong with it. */
export type OtlpPoint = { readonly series: readonly WrittenSeries[] } | { readonly refused: string }

const delta = 1
/** The flag of a point that says that there is no value any more. */
const noRecordedValue = 1

/**
 * The series of a request, point by point, made when they are asked for. Names and attributes stay as OTLP has them; attributes of the resource are labels too, those
 * of the point win. Histograms and summaries become series as Prometheus names them: `_count`, `_sum`, `_bucket` by `le`, and by `quantile`.
 * @throws MessageError for what JSON may hold and the message may not, and for more labels than a request may have
 */
export function * otlpSeries (request: OtlpRequest): Iterable<OtlpPoint> {
  const budget = new LabelBudget(labelsInAll)
  for (const { resource, scopeMetrics } of list(request.resourceMetrics, 'resourceMetrics')) {
    const shared = labelsOf(resource?.attributes)
    for (const { scope, metrics } of list(scopeMetrics, 'scopeMetrics')) {
      const base = new Map(shared)
      if (scope?.name) base.set('otel.scope.name', String(scope.name))
      if (scope?.version) base.set('otel.scope.version', String(scope.version))
      for (const metric of list(metrics, 'metrics')) yield * seriesOfMetric(metric, base, budget)
    }
  }
}

function * seriesOfMetric (metric: OtlpMetric, base: ReadonlyMap<string, string>, budget: LabelBudget): Iterable<OtlpPoint> {
  const { name } = metric
  if (typeof name !== 'string' || name === '') throw new MessageError('a metric has no name')
  const parts: readonly (readonly [OtlpData | null | undefined, (point: OtlpDataPoint) => Iterable<Part>])[] = [
    [metric.gauge, numberParts], [metric.sum, numberParts], [metric.histogram, histogramParts],
    [metric.exponentialHistogram, countAndSum], [metric.summary, summaryParts]
  ]
  for (const [data, partsOf] of parts) {
    if (data === undefined || data === null) continue
    const isDelta = Number(data.aggregationTemporality ?? 0) === delta
    for (const point of list(data.dataPoints, 'dataPoints')) {
      const labels = new Map([...base, ...labelsOf(point.attributes)])
      const problem = tooManyLabels(labels)
      if (problem !== undefined) {
        yield { refused: `${name}: ${problem}` }
        continue
      }
      const made = [...partsOf(point)]
      budget.take(labels, made.length)
      const timestampMs = nanosToMs(point.timeUnixNano)
      const stale = (Number(point.flags ?? 0) & noRecordedValue) !== 0
      yield {
        series: made.map(({ suffix, label, value }) => {
          const own = new Map(labels).set(nameLabel, name + suffix)
          if (label !== undefined) own.set(label[0], label[1])
          return { labels: own, points: [{ timestampMs, value: stale ? NaN : value, stale }], delta: isDelta }
        })
      }
    }
  }
}

interface Part { readonly suffix: string; readonly label?: readonly [string, string]; readonly value: number }

function * numberParts (point: OtlpDataPoint): Iterable<Part> {
  yield { suffix: '', value: Object.hasOwn(point, 'asInt') ? checked(point.asInt) : Object.hasOwn(point, 'asDouble') ? double(point.asDouble) : NaN }
}

function * countAndSum (point: OtlpDataPoint): Iterable<Part> {
  yield { suffix: '_count', value: checked(point.count) }
  if (Object.hasOwn(point, 'sum')) yield { suffix: '_sum', value: double(point.sum) }
}

function * histogramParts (point: OtlpDataPoint): Iterable<Part> {
  yield * countAndSum(point)
  let below = 0
  const counts = list(point.bucketCounts, 'bucketCounts')
  for (const [i, bound] of list(point.explicitBounds, 'explicitBounds').entries()) {
    below += checked(counts[i])
    yield { suffix: '_bucket', label: ['le', String(double(bound))], value: below }
  }
  if (counts.length > 0) yield { suffix: '_bucket', label: ['le', '+Inf'], value: checked(point.count) }
}

function * summaryParts (point: OtlpDataPoint): Iterable<Part> {
  yield * countAndSum(point)
  for (const { quantile, value } of list(point.quantileValues, 'quantileValues')) yield { suffix: '', label: ['quantile', String(double(quantile))], value: double(value) }
}

/** Values that are no text, number or truth are left out, as are empty ones. */
function labelsOf (attributes: OtlpAttribute[] | undefined): Map<string, string> {
  const labels = new Map<string, string>()
  for (const { key, value } of list(attributes, 'attributes')) {
    if (typeof key !== 'string' || key === '' || value === undefined || value === null) continue
    const text = Object.hasOwn(value, 'stringValue') ? String(value.stringValue)
      : Object.hasOwn(value, 'boolValue') ? String(value.boolValue)
        : Object.hasOwn(value, 'intValue') ? String(checked(value.intValue))
          : Object.hasOwn(value, 'doubleValue') ? String(double(value.doubleValue)) : ''
    if (text !== '') labels.set(key, text)
  }
  return labels
}

function list<T extends object | string | number> (value: readonly T[] | null | undefined, what: string): readonly T[] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value) || value.some(v => v === null || v === undefined)) throw new MessageError(`${what} is no list`)
  return value
}

function checked (value: WireInteger | null | undefined): number {
  try {
    return integer(value)
  } catch (error) {
    throw error instanceof RangeError ? new MessageError(error.message, { cause: error }) : error
  }
}

/** JSON writes what is no number as a text. */
function double (value: number | string | null | undefined): number {
  if (typeof value === 'number') return value
  if (value === undefined || value === null) return 0
  const number = Number(value)
  if (value === 'NaN' || (typeof value === 'string' && value.trim() !== '' && !Number.isNaN(number))) return number
  throw new MessageError(`${JSON.stringify(value).slice(0, 40)} is no number`)
}

const nanosToMs = (nanos: WireInteger | undefined): number => Math.floor(checked(nanos) / 1e6)
