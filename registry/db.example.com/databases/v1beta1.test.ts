import fc from 'fast-check'
import t from 'tap'
import { cloneJson } from '../../codec/json-clone.js'
import { equalJson } from '../../codec/json-equal.js'
import { parseJson } from '../../codec/json-parse.js'
import { printJson } from '../../codec/json-print.js'
import { isObject, type JsonObject, type JsonValue } from '../../codec/value.js'
import { fromStorageVersion, toStorageVersion } from '../../generic/conversion.js'
import { asJson, asObject, type KubeObject } from '../../meta/object-meta.js'
import { databases } from './resource.js'
import { annotation } from './v1beta1.js'

const [v1, v1beta1] = ['v1', 'v1beta1'].map(name => databases.versions.find(v => v.name === name)!) as [typeof databases.storageVersion, typeof databases.storageVersion]
const copy = (object: KubeObject): KubeObject => asObject(cloneJson(asJson(object)))
const stored = (object: KubeObject): KubeObject => toStorageVersion(databases, v1beta1, copy(object))
const shown = (object: KubeObject): KubeObject => fromStorageVersion(v1beta1, copy(object))
const old = (spec: object, more: object = {}): KubeObject => ({ apiVersion: 'db.example.com/v1beta1', kind: 'Database', metadata: { name: 'd' }, spec, ...more })
const current = (spec: object, more: object = {}): KubeObject => ({ apiVersion: 'db.example.com/v1', kind: 'Database', metadata: { name: 'd' }, spec, ...more })

/** Members that neither version knows. */
const extras = fc.dictionary(fc.constantFrom('tier', 'notes', 'x-y', 'constructor', 'toString'), fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<JsonValue>, { maxKeys: 2, noNullPrototype: true })
const withExtras = <T extends object>(known: fc.Arbitrary<T>): fc.Arbitrary<T> => fc.tuple(known, extras).map(([k, e]) => ({ ...e, ...k }))
const optional = { requiredKeys: [] }
const size = fc.integer({ min: 1, max: 999 }).map(n => `${n}Gi`)
const engine = fc.constantFrom('mysql', 'postgresql', 'mongodb')
const schedule = fc.constantFrom('@daily', '0 3 * * *')

/** One of two spellings, or both, in which case the older is a member that means nothing. */
const spelled = (older: fc.Arbitrary<object>, newer: fc.Arbitrary<object>): fc.Arbitrary<object> => fc.oneof(older, newer, fc.tuple(older, newer).map(([o, n]) => ({ ...o, ...n })))
const merged = (...parts: fc.Arbitrary<object>[]): fc.Arbitrary<object> => fc.tuple(...parts).map(all => all.reduce((into, part) => mergeObjects(into, part), {}))
const mergeObjects = (a: object, b: object): object => Object.fromEntries([...new Set([...Object.keys(a), ...Object.keys(b)])].map(key => {
  const [x, y] = [(a as JsonObject)[key], (b as JsonObject)[key]]
  return [key, x !== undefined && y !== undefined && isObject(x) && isObject(y) ? mergeObjects(x, y) : y ?? x]
}))

const spec = withExtras(merged(
  fc.record({ version: fc.constant('8.0.36') }),
  fc.record({ replicas: fc.integer({ min: 0, max: 100 }), monitoring: withExtras(fc.record({ enabled: fc.boolean(), metrics: fc.uniqueArray(fc.constantFrom('cpu', 'memory')) }, optional)) }, optional),
  spelled(fc.record({ engine }), fc.record({ type: engine })),
  spelled(fc.record({ size }), fc.record({ storage: withExtras(fc.record({ size })) })),
  fc.oneof(fc.constant({}), fc.record({ storageClass: fc.string() }), fc.record({ storage: fc.record({ storageClass: fc.string() }) })),
  fc.oneof(fc.constant({}), fc.record({ backupSchedule: schedule }), fc.record({ backup: withExtras(fc.record({ enabled: fc.boolean(), schedule, retention: fc.integer({ min: 1, max: 365 }) }, optional)) }))
))
const condition = withExtras(fc.record({ type: fc.string({ maxLength: 3 }), status: fc.constantFrom('True', 'False') }))
const status = withExtras(fc.record({ phase: fc.constantFrom('Running', 'Failed'), conditions: fc.uniqueArray(condition, { maxLength: 3, selector: c => c.type }) }, optional))
const database = fc.record({ spec, status: fc.option(status, { nil: undefined }) }).map(o => asObject(parseJson(JSON.stringify(old(o.spec, o.status && { status: o.status }))).value))

/** The members of `part` that `whole` does not have, or has differently. */
function missing (part: JsonValue, whole: JsonValue | undefined, path = ''): string[] {
  if (isObject(part) && whole !== undefined && isObject(whole)) return Object.entries(part).flatMap(([key, value]) => missing(value, Object.hasOwn(whole, key) ? whole[key] : undefined, `${path}.${key}`))
  return whole !== undefined && equalJson(part, whole) ? [] : [`${path}: ${printJson(part)} became ${whole === undefined ? 'nothing' : printJson(whole)}`]
}

t.test('whatever v1beta1 says is given back to v1beta1', t => {
  fc.assert(fc.property(database, object => { t.strictSame(missing(asJson(object), asJson(shown(stored(object)))), []) }), { numRuns: 500 })
  t.end()
})

t.test('reading and writing back changes nothing that is stored', t => {
  fc.assert(fc.property(database, object => { t.strictSame(stored(shown(stored(object))), stored(object)) }), { numRuns: 500 })
  t.end()
})

t.test('what is stored is a valid v1 object that v1 would prune nothing of', t => {
  fc.assert(fc.property(database, object => {
    const converted = asJson(stored(object))
    t.same(v1.compiled.validate(converted), [])
    t.same(v1.compiled.prune(cloneJson(converted) as JsonObject), [])
  }))
  t.end()
})

t.test('the older spellings mean v1’s fields', async t => {
  const cases: readonly (readonly [string, object, object])[] = [
    ['engine', { engine: 'mysql' }, { type: 'mysql' }],
    ['size', { size: '1Gi' }, { storage: { size: '1Gi' } }],
    ['storageClass beside size', { size: '1Gi', storageClass: 'fast' }, { storage: { size: '1Gi', storageClass: 'fast' } }],
    ['backupSchedule, which also turns backups on', { backupSchedule: '@daily' }, { backup: { schedule: '@daily', enabled: true, retention: 7 } }],
    ['backupSchedule beside a decision about backups', { backupSchedule: '@daily', backup: { enabled: false } }, { backup: { schedule: '@daily', enabled: false, retention: 7 } }],
    ['v1’s own', { type: 'mysql', storage: { size: '1Gi' } }, { type: 'mysql', storage: { size: '1Gi' } }]
  ]
  for (const [name, given, meant] of cases) {
    const converted = stored(old(given))
    t.equal(converted.apiVersion, 'db.example.com/v1')
    t.strictSame(converted['spec'], { replicas: 1, ...meant }, name)
    t.strictSame(missing(asJson(old(given)), asJson(shown(converted))), [], name)
  }
})

t.test('what v1 cannot express is kept in an annotation that v1beta1 does not show', async t => {
  const object = old({ engine: 'mysql', version: '8.0.36', size: '1Gi', tier: 'gold', storage: { tuned: true } }, { status: { phase: 'Running', since: 'monday' } })
  const converted = stored(object)
  t.same(Object.keys(converted.metadata.annotations ?? {}), [annotation])
  t.match(JSON.parse(converted.metadata.annotations?.[annotation] ?? ''), { spelled: ['engine', 'size'], extra: { spec: { tier: 'gold', storage: { tuned: true } }, status: { since: 'monday' } } })
  const back = shown(converted)
  t.notOk(back.metadata.annotations, 'not even empty annotations')
  t.match(back, object)
})

t.test('an object that says nothing of its own has no annotation', async t => {
  t.notOk(stored(old({ type: 'mysql', version: '8.0.36', storage: { size: '1Gi' } })).metadata.annotations)
  const kept = old({ type: 'mysql' })
  kept.metadata.annotations = { [annotation]: '{"extra":{"spec":{"tier":"gold"}}}', mine: 'x' }
  t.strictSame(stored(kept).metadata.annotations, { mine: 'x' }, 'the annotation is the server’s')
})

t.test('what a v1 writer changes shows under the spelling of the v1beta1 writer', async t => {
  const converted = stored(old({ engine: 'mysql', version: '8.0.36', size: '1Gi', backupSchedule: '@daily' }))
  ;(converted['spec'] as { storage: { size: string } }).storage.size = '2Gi'
  ;(converted['spec'] as { backup: { retention: number } }).backup.retention = 30
  t.match(shown(converted)['spec'], { engine: 'mysql', size: '2Gi', backupSchedule: '@daily', backup: { retention: 30 } })
  delete (converted['spec'] as { backup?: object }).backup
  t.notOk('backupSchedule' in (shown(converted)['spec'] as object), 'what is gone is gone')
})

t.test('an annotation that somebody has spoilt breaks nothing', async t => {
  for (const text of ['', '{', 'null', '[]', '3', '{"extra":3,"spelled":"x","lists":{}}', '{"spelled":["nothing",7],"lists":[{"path":["spec","x"]},{"path":[3],"value":1},null]}', '{"extra":{"spec":[],"metadata":{"name":"other","deletionTimestamp":"2026-01-02T03:04:05Z"},"status":"x"}}']) {
    const object = current({ type: 'mysql', version: '8.0.36', replicas: 1, storage: { size: '1Gi' } })
    object.metadata.annotations = { [annotation]: text }
    t.match(shown(object), { apiVersion: 'db.example.com/v1beta1', metadata: { name: 'd' }, spec: { type: 'mysql', storage: { size: '1Gi' } } }, text)
    t.notOk(shown(object).metadata.deletionTimestamp)
  }
})

t.test('names that mean something in JavaScript are members like any other, and large numbers stay exact', async t => {
  const text = '{"apiVersion":"db.example.com/v1beta1","kind":"Database","metadata":{"name":"d"},"spec":{"type":"mysql","version":"8.0.36","storage":{"size":"1Gi"},"__proto__":{"a":1},"constructor":{"b":2},"monitoring":{"__proto__":"c"},"large":{"number":9007199254740993}}}'
  const object = parseJson(Buffer.from(text)).value as JsonObject
  const back = shown(stored(asObject(object)))
  t.same(missing(asJson(back), { ...object, spec: { ...(object['spec'] as JsonObject) } }).filter(m => !m.includes('replicas') && !m.includes('enabled')), [])
  t.same(missing(object, asJson(back)), [])
  t.equal(({} as { a?: number }).a, undefined)
})
