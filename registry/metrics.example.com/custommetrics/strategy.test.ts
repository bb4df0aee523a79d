import fc from 'fast-check'
import t from 'tap'
import type { StrategyContext } from '../../generic/resource-definition.js'
import { fieldErrorText } from '../../meta/field-error.js'
import { customMetricStrategy } from './strategy.js'
import type { CustomMetric } from './types.js'

const now = '2026-05-06T07:08:09Z'
const earlier = '2026-05-06T07:00:00Z'
const context: StrategyContext = { subresource: '', version: 'v1alpha1', now: new Date(now) }
const metric = (value: CustomMetric['value'], timestamp?: string): CustomMetric =>
  ({ apiVersion: 'metrics.example.com/v1alpha1', kind: 'CustomMetric', metadata: { name: 'm' }, value, ...(timestamp !== undefined && { timestamp }) })

t.test('a create without a timestamp is stamped', async t => {
  const created = metric('1')
  customMetricStrategy.prepareForCreate?.(created, context)
  t.equal(created.timestamp, now)
  const dated = metric('1', earlier)
  customMetricStrategy.prepareForCreate?.(dated, context)
  t.equal(dated.timestamp, earlier)
})

t.test('a write that changes the value but not the time was measured now', async t => {
  const cases: readonly (readonly [string, CustomMetric, CustomMetric, string | undefined])[] = [
    ['another value, the same time', metric('2', earlier), metric('1', earlier), now],
    ['another value, another time', metric('2', '2026-05-06T07:05:00Z'), metric('1', earlier), '2026-05-06T07:05:00Z'],
    ['another value, no time', metric('2'), metric('1', earlier), now],
    ['the same value, the same time', metric('1', earlier), metric('1', earlier), earlier],
    ['the same value, no time', metric('1'), metric('1', earlier), earlier],
    ['the same value, another time', metric('1', '2026-05-06T07:05:00Z'), metric('1', earlier), '2026-05-06T07:05:00Z'],
    ['a number for a string', metric(1, earlier), metric('1', earlier), now]
  ]
  for (const [name, object, before, expected] of cases) {
    customMetricStrategy.prepareForUpdate?.(object, before, context)
    t.equal(object.timestamp, expected, name)
  }
})

const problems = (value: CustomMetric['value']): string[] => [
  ...customMetricStrategy.validate?.(metric(value), context) ?? [],
  ...customMetricStrategy.validateUpdate?.(metric(value), metric('1'), context) ?? []
].map(fieldErrorText)

t.test('a value that an autoscaler would wrap is refused', async t => {
  const beyond = 'must be within ±2^63/1000 (about 9.2e15), for autoscalers compute in thousandths in 64 bits'
  for (const value of ['0', '-1', '1250m', '0.5', '9223372036854775807m', '9223372036854775.807', '-9223372036854775808m', '9P', '8Pi', '9.2e15', 42, 9_007_199_254_740_991n]) t.same(problems(value), [], String(value))
  for (const value of ['9223372036854775808m', '9223372036854775.808', '-9223372036854775809m', '10P', '1E', '1Ei', '1e16', '-1e400', 9_223_372_036_854_776n]) {
    const [first, second, ...rest] = problems(value)
    t.match(first, `value: Invalid value: `, String(value))
    t.ok(first?.endsWith(beyond), `${first}`)
    t.same([second, rest], [first, []], 'on update too')
  }
})

t.test('exactly the integers of 64 bits in thousandths are accepted', t => {
  const limit = 2n ** 63n
  fc.assert(fc.property(fc.oneof(fc.bigInt({ min: -limit - 1000n, max: -limit + 1000n }), fc.bigInt({ min: limit - 1000n, max: limit + 1000n }), fc.bigInt({ min: -limit * 2n, max: limit * 2n })), thousandths =>
    (problems(`${thousandths}m`).length === 0) === (thousandths >= -limit && thousandths < limit)))
  t.end()
})
