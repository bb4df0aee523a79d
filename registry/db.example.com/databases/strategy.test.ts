import fc from 'fast-check'
import t from 'tap'
import type { StrategyContext } from '../../generic/resource-definition.js'
import { fieldErrorText } from '../../meta/field-error.js'
import { databaseStrategy } from './strategy.js'
import type { Database } from './types.js'

const context: StrategyContext = { subresource: '', version: 'v1', now: new Date() }
const database = (type: Database['spec']['type'], size: string): Database =>
  ({ apiVersion: 'db.example.com/v1', kind: 'Database', metadata: { name: 'd' }, spec: { type, version: '8.0.36', storage: { size } } })
const update = (after: Database, before: Database): string[] => (databaseStrategy.validateUpdate?.(after, before, context) ?? []).map(fieldErrorText)

t.test('the type is immutable', async t => {
  t.same(update(database('mysql', '1Gi'), database('mysql', '1Gi')), [])
  t.same(update(database('mongodb', '1Gi'), database('mysql', '1Gi')), ['spec.type: Invalid value: "mongodb": field is immutable'])
})

t.test('storage never shrinks, whatever the unit', async t => {
  for (const [before, after] of [['10Gi', '10Gi'], ['10Gi', '11Gi'], ['1024Mi', '1Gi'], ['1G', '1Gi'], ['999M', '1G'], ['1Ti', '2T']] as const) t.same(update(database('mysql', after), database('mysql', before)), [], `${before} to ${after}`)
  for (const [before, after] of [['10Gi', '9Gi'], ['1Gi', '1G'], ['1G', '999M'], ['2T', '1Ti'], ['1Ki', '1K'], ['1Gi', '1023Mi']] as const) {
    t.same(update(database('mysql', after), database('mysql', before)), [`spec.storage.size: Forbidden: storage never shrinks: ${after} is less than ${before}`], `${before} to ${after}`)
  }
})

t.test('of two different sizes exactly one change is allowed', t => {
  const bytes = { K: 10n ** 3n, Ki: 2n ** 10n, M: 10n ** 6n, Mi: 2n ** 20n, G: 10n ** 9n, Gi: 2n ** 30n, T: 10n ** 12n, Ti: 2n ** 40n }
  const size = fc.record({ number: fc.bigInt({ min: 0n, max: 10n ** 6n }), unit: fc.constantFrom(...Object.keys(bytes) as (keyof typeof bytes)[]) })
  fc.assert(fc.property(size, size, (a, b) => {
    const [inBytes, before] = [a.number * bytes[a.unit], b.number * bytes[b.unit]]
    return (update(database('mysql', `${a.number}${a.unit}`), database('mysql', `${b.number}${b.unit}`)).length > 0) === inBytes < before
  }))
  t.end()
})
