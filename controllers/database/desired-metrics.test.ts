import t from 'tap'
import type { CustomMetric } from '../../registry/metrics.example.com/custommetrics/types.js'
import { desiredMetric, metricValues, wantsExporter, type MetricInputs } from './desired-metrics.js'
import { monitoringCondition } from './monitoring.js'
import { claim, model, names } from './testing.js'

const inputs = (more: Partial<MetricInputs> = {}): MetricInputs => ({ adapter: { group: 'db.example.com', version: 'v1' }, names: names(), model: model({ metrics: ['disk', 'cpu', 'queries'] }), readyReplicas: 2, claims: [claim('a'), claim('b', { capacity: '1G' })], ...more })

t.test('values that the operator knows', async t => {
  t.strictSame(metricValues(inputs()), [
    { object: 'orders-ready-replicas', metric: 'database_ready_replicas', value: '2' },
    { object: 'orders-storage-bytes', metric: 'database_storage_bytes', value: String(2 ** 30 + 1e9) }
  ])
  t.equal(metricValues(inputs({ model: model({ metrics: [] }) })).length, 1, 'storage only if it is asked for')
  t.equal(metricValues(inputs({ claims: [claim('a', { phase: 'Pending' })] })).length, 1, 'and known')
  t.strictSame(metricValues(inputs({ model: model() })), [])
})

t.test('a metric is written again when it changes, and before it grows too old', async t => {
  const [value] = metricValues(inputs())
  const first = desiredMetric(inputs(), value!, undefined, new Date('2026-01-01T00:00:00.500Z'))
  t.match(first, { metric: { name: 'database_ready_replicas' }, describedObject: { apiVersion: 'db.example.com/v1', kind: 'Database', name: 'orders' }, value: '2', timestamp: '2026-01-01T00:00:00Z', ttlSeconds: 300 })
  const present = { ...first, apiVersion: 'metrics.example.com/v1alpha1', kind: 'CustomMetric' } as CustomMetric
  t.strictSame(desiredMetric(inputs(), value!, present, new Date('2026-01-01T00:02:29Z')), first, 'the same')
  t.match(desiredMetric(inputs(), value!, present, new Date('2026-01-01T00:02:31Z')), { timestamp: '2026-01-01T00:02:31Z' }, 'half of its time is over')
  t.match(desiredMetric(inputs(), { ...value!, value: '3' }, present, new Date('2026-01-01T00:00:10Z')), { value: '3', timestamp: '2026-01-01T00:00:10Z' }, 'changed')
})

t.test('who tells the others', async t => {
  t.equal(wantsExporter(model({ metrics: ['cpu', 'memory', 'disk'] })), false)
  t.equal(wantsExporter(model({ metrics: ['queries'] })), true)
  t.match(monitoringCondition(model({ metrics: ['cpu', 'queries'] }), undefined), { status: 'True', reason: 'Publishing', message: /ready_replicas; for a collector, from the exporter at port 9187 of the pods: queries; from metrics.k8s.io, by the selector: cpu$/ })
  t.match(monitoringCondition(model(), undefined), { status: 'False', reason: 'Disabled' })
  t.match(monitoringCondition(model({ metrics: [] }), { reason: 'NameTaken', message: 'x' }), { status: 'False', reason: 'NameTaken' })
})
