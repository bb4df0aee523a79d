import fc from 'fast-check'
import t from 'tap'
import { cloneJson } from '../../codec/json-clone.js'
import { fromStorageVersion, toStorageVersion } from '../../generic/conversion.js'
import { asJson, type KubeObject } from '../../meta/object-meta.js'
import { databases } from './resource.js'
import type { Database, DatabaseSpec, DatabaseStatus } from './types.js'

const [v2, v1] = ['v2', 'v1'].map(name => databases.versions.find(v => v.name === name)!) as [typeof databases.storageVersion, typeof databases.storageVersion]
const copy = <T extends KubeObject>(object: T): T => cloneJson(asJson(object)) as unknown as T
const stored = (object: Database, live?: Database): Database => toStorageVersion(databases, v1, copy(object), live && copy(live)) as Database
const shown = (object: Database): Database => fromStorageVersion(v1, copy(object)) as Database

const optional = { requiredKeys: [] }
const condition = fc.record({ type: fc.string({ maxLength: 5 }), status: fc.constantFrom('True' as const, 'False' as const, 'Unknown' as const), lastTransitionTime: fc.constant('2026-01-02T03:04:05Z'), reason: fc.constant('Because'), message: fc.string() })
const spec: fc.Arbitrary<DatabaseSpec> = fc.record({
  engine: fc.constantFrom('postgresql' as const, 'mysql' as const, 'mongodb' as const),
  version: fc.string({ minLength: 1 }),
  replicas: fc.integer({ min: 1, max: 10 }),
  storage: fc.record({ size: fc.integer({ min: 0, max: 1e6 }).map(n => `${n}Gi`), storageClass: fc.string() }, optional)
}, { requiredKeys: ['engine', 'version'] }) as fc.Arbitrary<DatabaseSpec>
const status = fc.record({ phase: fc.string(), ready: fc.boolean(), replicas: fc.nat(), selector: fc.string(), observedGeneration: fc.nat(), conditions: fc.array(condition, { maxLength: 3 }) }, optional) as fc.Arbitrary<DatabaseStatus>
const configuration = fc.dictionary(fc.string(), fc.string(), { maxKeys: 4, noNullPrototype: true })

const database = (apiVersion: string, specOf: fc.Arbitrary<DatabaseSpec>): fc.Arbitrary<Database> => fc.record({
  apiVersion: fc.constant(apiVersion),
  kind: fc.constant('Database'),
  metadata: fc.record({ name: fc.constant('d'), labels: fc.dictionary(fc.string(), fc.string(), { minKeys: 1, maxKeys: 2, noNullPrototype: true }) }, { requiredKeys: ['name'] }),
  spec: specOf,
  status
}, { requiredKeys: ['apiVersion', 'kind', 'metadata', 'spec'] }).map(generated => {
  const object = JSON.parse(JSON.stringify(generated)) as Database
  // An object is defaulted before it is converted.
  v1.compiled.applyDefaults(asJson(object))
  return object
})
const v1Database = database('mycompany.io/v1', spec)
const v2Database = database('mycompany.io/v2', fc.tuple(spec, fc.option(configuration, { nil: undefined })).map(([s, c]) => ({ ...s, ...(c && { configuration: c }) })))

t.test('whatever v1 says comes back from storage', t => {
  fc.assert(fc.property(v1Database, object => { t.strictSame(shown(stored(object)), object) }), { numRuns: 200 })
  t.end()
})

t.test('what is stored is valid in v2 if it was in v1', t => {
  fc.assert(fc.property(v1Database, object => {
    const converted = stored(object)
    return converted.apiVersion === 'mycompany.io/v2' && v2.compiled.validate(asJson(converted)).length === v1.compiled.validate(asJson(object)).length
  }))
  t.end()
})

t.test('a write through v1 changes what v1 can say, and never the configuration', t => {
  fc.assert(fc.property(v2Database, v1Database, (live, wanted) => {
    t.strictSame(stored(wanted, live), {
      ...wanted, apiVersion: 'mycompany.io/v2', spec: { ...wanted.spec, ...(live.spec.configuration && { configuration: live.spec.configuration }) }
    })
    t.strictSame(stored(shown(live), live), live, 'reading and writing back is no change')
  }))
  t.end()
})

t.test('v1 neither shows a configuration nor takes one', t => {
  fc.assert(fc.property(v2Database, live => !('configuration' in shown(live).spec)))
  fc.assert(fc.property(v1Database, v2Database, configuration, (wanted, live, smuggled) => {
    const body = { ...wanted, spec: { ...wanted.spec, configuration: smuggled } }
    t.notOk('configuration' in stored(body).spec)
    t.strictSame(stored(body, live).spec.configuration, live.spec.configuration)
  }))
  t.end()
})
