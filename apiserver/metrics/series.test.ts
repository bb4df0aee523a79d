import { Counter, Histogram, Registry } from 'prom-client'
import t from 'tap'
import { Counters, Histograms } from './series.js'

t.test('series are written as prom-client writes its own', async t => {
  const [theirs, ours] = [new Registry(), new Registry()]
  const described = { name: 'requests_total', help: 'Requests.', labelNames: ['verb', 'code'] as const }
  const timed = { name: 'duration_seconds', help: 'Time.', labelNames: ['verb'] as const, buckets: [0.005, 0.1, 1] }
  const counter = new Counter({ ...described, registers: [theirs] })
  const histogram = new Histogram({ ...timed, registers: [theirs] })
  const counters = new Counters({ ...described, registers: [ours] })
  const histograms = new Histograms({ ...timed, registers: [ours] })
  t.equal(await ours.metrics(), (await theirs.metrics()), 'before anything has happened')
  for (const labels of [{ verb: 'GET', code: '200' }, { verb: 'LIST', code: '200' }, { verb: 'GET', code: '404' }, { verb: 'GET', code: '200' }, { verb: '"\n\\', code: '' }]) {
    counter.inc(labels)
    counters.of(labels).inc()
  }
  for (const [verb, seconds] of [['GET', 0.001], ['GET', 0.005], ['GET', 0.0051], ['LIST', 1], ['LIST', 70], ['GET', 0]] as const) {
    histogram.observe({ verb }, seconds)
    histograms.of({ verb }).observe(seconds)
  }
  t.equal(await ours.metrics(), await theirs.metrics())
})

t.test('a series is found by its labels, whatever their order', async t => {
  const counters = new Counters({ name: 'n', help: 'h', labelNames: ['a', 'b'], registers: [] })
  t.equal(counters.of({ a: '1', b: '2' }), counters.of({ b: '2', a: '1' }))
  t.not(counters.of({ a: '1', b: '2' }), counters.of({ a: '2', b: '1' }))
  t.not(counters.of({ a: '1', b: '' }), counters.of({ a: '', b: '1' }))
})
