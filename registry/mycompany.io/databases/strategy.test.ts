import t from 'tap'
import type { StrategyContext } from '../../generic/resource-definition.js'
import { fieldErrorText, type FieldError } from '../../meta/field-error.js'
import { databaseStrategy } from './strategy.js'
import type { Database, Engine } from './types.js'

const context: StrategyContext = { subresource: '', version: 'v2', now: new Date() }
const database = (spec: Partial<Database['spec']> & { engine?: Engine } = {}, metadata: Partial<Database['metadata']> = {}): Database =>
  ({ apiVersion: 'mycompany.io/v2', kind: 'Database', metadata: { name: 'd', ...metadata }, spec: { engine: 'postgresql', version: '16', ...spec } })
const production = { labels: { environment: 'production' } }
const texts = (errors: FieldError[] | undefined): string[] => (errors ?? []).map(fieldErrorText)

t.test('versions are known per engine; a minor counts where its major or minor is listed', async t => {
  const cases: readonly (readonly [Engine, readonly string[], readonly string[], string])[] = [
    ['postgresql', ['14', '15', '16', '17', '15.2', '17.0.1'], ['13', '9', '150', '1', '15x', '.15', ''], '"14", "15", "16", "17"'],
    ['mysql', ['8.0', '8.1', '8.4', '8.0.36', '8.4.1'], ['8', '8.2', '8.40', '5.7'], '"8.0", "8.1", "8.4"'],
    ['mongodb', ['6.0', '7.0', '8.0', '7.0.12'], ['6', '6.1', '7', '5.0'], '"6.0", "7.0", "8.0"']
  ]
  for (const [engine, good, bad, supported] of cases) {
    for (const version of good) t.same(texts(databaseStrategy.validate?.(database({ engine, version }), context)), [], `${engine} ${version}`)
    for (const version of bad) t.same(texts(databaseStrategy.validate?.(database({ engine, version }), context)), [`spec.version: Unsupported value: ${JSON.stringify(version)}: supported values: ${supported}`], `${engine} ${version}`)
  }
})

t.test('the engine is immutable, a version is looked at when it changes', async t => {
  const update = (spec: object, before: object): string[] => texts(databaseStrategy.validateUpdate?.(database(spec), database(before), context))
  t.same(update({}, {}), [])
  t.same(update({ version: '17', replicas: 3 }, {}), [])
  t.same(update({ engine: 'mysql', version: '8.4' }, {}), ['spec.engine: Invalid value: "mysql": field is immutable'])
  t.same(update({ version: '9' }, {}), ['spec.version: Unsupported value: "9": supported values: "14", "15", "16", "17"'])
  t.same(update({ version: '9', replicas: 2 }, { version: '9' }), [], 'an object from before the list was made stays writable')
})

t.test('fewer than three replicas in production are worth a warning', async t => {
  const warning = (replicas: number): string => `spec.replicas: ${replicas} is fewer than the 3 replicas recommended for environment=production`
  for (const [replicas, metadata, expected] of [
    [1, production, [warning(1)]], [2, production, [warning(2)]], [3, production, []], [undefined, production, [warning(1)]], [1, {}, []], [1, { labels: { environment: 'test' } }, []]
  ] as const) {
    const object = database(replicas === undefined ? {} : { replicas }, metadata)
    t.same(databaseStrategy.warningsOnCreate?.(object, context), expected)
    t.same(databaseStrategy.warningsOnUpdate?.(object, database(), context), expected)
    t.same(databaseStrategy.warningsOnUpdate?.(object, database(), { ...context, subresource: 'status' }), [], 'a status says nothing about replicas')
  }
})

t.test('a production Database is deleted only with a confirmation', async t => {
  const refused = ['metadata.annotations[confirm-delete]: Forbidden: a Database labelled environment=production is deleted only with the annotation confirm-delete: "yes"']
  for (const [metadata, expected] of [
    [{}, []], [production, refused], [{ ...production, annotations: { 'confirm-delete': 'no' } }, refused], [{ ...production, annotations: { 'confirm-delete': 'yes' } }, []]
  ] as const) t.same(texts(databaseStrategy.validateDelete?.(database({}, metadata), context)), expected)
})
