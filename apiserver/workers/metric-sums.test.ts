import { Registry } from 'prom-client'
import t from 'tap'
import { Counters, Histograms } from '../metrics/series.js'
import { MetricSums, reportOf } from './metric-sums.js'
import type { MetricReport, ReportedMetric } from './messages.js'

const gauge = (name: string, value: number, aggregator: ReportedMetric['aggregator'] = 'sum'): ReportedMetric => ({ name, help: name, type: 'gauge', aggregator, values: [{ labels: {}, value }] })

/** What a worker of ours says after so many requests. */
async function worker (requests: number): Promise<MetricReport> {
  const registry = new Registry()
  const counts = new Counters({ name: 'requests_total', help: 'r', labelNames: ['code'], registers: [registry] })
  const times = new Histograms({ name: 'seconds', help: 's', labelNames: ['verb'], buckets: [1], registers: [registry] })
  for (let i = 0; i < requests; i++) {
    counts.of({ code: '200' }).inc()
    times.of({ verb: 'GET' }).observe(i)
  }
  return [...await reportOf(registry), gauge('objects', 7, 'max'), gauge('under_way', requests), gauge('received_total', requests)]
}

const valuesOf = (text: string): Record<string, number> => Object.fromEntries(text.split('\n').filter(l => l !== '' && !l.startsWith('#') && !/^(process|nodejs)_/.test(l)).map(l => [l.slice(0, l.lastIndexOf(' ')), Number(l.slice(l.lastIndexOf(' ') + 1))]))

t.test('several processes as one', async t => {
  const sums = new MetricSums(() => 2)
  const reports = [await worker(2), await worker(3)]
  t.same(valuesOf(await sums.text(() => reports)), {
    'requests_total{code="200"}': 5,
    'seconds_bucket{le="1",verb="GET"}': 4, 'seconds_bucket{le="+Inf",verb="GET"}': 5, 'seconds_sum{verb="GET"}': 4, 'seconds_count{verb="GET"}': 5,
    objects: 7, under_way: 5, received_total: 5, annex_workers: 2, annex_worker_restarts_total: 0
  })
})

t.test('a counter does not fall when a worker is replaced, and a gauge does', async t => {
  const sums = new MetricSums(() => 1)
  const [first, second, third] = [await worker(2), await worker(3), await worker(1)]
  await sums.text(() => [first, second])
  sums.ended(first)
  const after = { objects: 7, under_way: 3, received_total: 5, 'requests_total{code="200"}': 5, 'seconds_count{verb="GET"}': 5, annex_worker_restarts_total: 1 }
  t.match(valuesOf(await sums.text(() => [second])), after)
  sums.ended(second)
  t.match(valuesOf(await sums.text(() => [third])), { 'requests_total{code="200"}': 6, under_way: 1, annex_worker_restarts_total: 2 })
})

