import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import t from 'tap'
import { cloneJson } from '../../registry/codec/json-clone.js'
import { equalJson } from '../../registry/codec/json-equal.js'
import type { JsonObject, JsonValue } from '../../registry/codec/value.js'
import { asJson, asObject, type KubeObject } from '../../registry/meta/object-meta.js'
import type { StructuralSchema } from '../../registry/schema/structural-schema.js'
import { compareValues } from './compare.js'
import { ApplyConflict } from './conflict.js'
import { FieldManager } from './field-manager.js'
import { FieldSet } from './field-set.js'
import { FieldsV1Cache } from './fields-v1.js'
import { equalIgnoringTimestamps, settleManagedFields } from './managed-fields-times.js'
import { decodeManagedFields } from './managers.js'
import { mergeValues } from './merge.js'
import { formatPath, type Path } from './path-element.js'
import { SchemaTypes } from './schema-type.js'
import { fieldsOf } from './typed-value.js'
import { Updater } from './updater.js'
import { KindVersions } from './versions.js'

interface Crd { spec: { versions: Array<{ schema: { openAPIV3Schema: StructuralSchema } }> } }
const schema = (JSON.parse(readFileSync(new URL('testdata/crd.json', import.meta.url), 'utf8')) as Crd).spec.versions[0]!.schema.openAPIV3Schema
const apiVersion = 'apply.example.com/v1'
const versions = [{ apiVersion, schema }]
const convert = (): never => { throw new Error('one version only') }
const manager = new FieldManager({ group: 'apply.example.com', kind: 'Thing', apiVersion, versions, convert, subresource: '' })
const type = new SchemaTypes().object(schema)
const now = '2026-01-02T03:04:05Z'

const small = fc.integer({ min: 0, max: 2 })
const word = fc.constantFrom('a', 'b', 'c')
const deduced: fc.Arbitrary<JsonValue> = fc.letrec<{ v: JsonValue }>(tie => ({
  v: fc.oneof({ depthSize: 'small' }, small, word, fc.array(small, { maxLength: 2 }), fc.dictionary(word, tie('v'), { minKeys: 1, maxKeys: 2 }) as fc.Arbitrary<JsonObject>)
})).v
const members = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<JsonObject> => fc.record(model, { requiredKeys: [] }) as unknown as fc.Arbitrary<JsonObject>
const byName = (item: (name: string) => fc.Arbitrary<JsonObject>): fc.Arbitrary<JsonObject[]> =>
  fc.uniqueArray(word, { minLength: 1, maxLength: 3 }).chain(names => fc.tuple(...names.map(name => item(name).map(rest => ({ name, ...rest })))))
const some = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<JsonObject> => members(model).filter(o => Object.keys(o).length > 0)
const textMap = fc.dictionary(word, word, { minKeys: 1, maxKeys: 3 }) as fc.Arbitrary<JsonObject>

/** A spec with something of everything, but for nulls, empty maps, sets and map lists: laid over full ones those change nothing. */
const spec = some({
  replicas: small,
  text: word,
  flag: fc.boolean(),
  amount: fc.oneof(small, word),
  tags: fc.uniqueArray(word, { minLength: 1, maxLength: 3 }),
  steps: fc.array(members({ run: word }), { maxLength: 2 }),
  labels: textMap,
  color: some({ r: small, g: small }),
  box: some({ width: small, height: small, lid: some({ open: fc.boolean() }) }),
  boxes: fc.dictionary(word, some({ width: small, labels: textMap }), { minKeys: 1, maxKeys: 2 }) as fc.Arbitrary<JsonObject>,
  free: fc.dictionary(word, deduced, { minKeys: 1, maxKeys: 3 }) as fc.Arbitrary<JsonObject>,
  ports: fc.uniqueArray(members({ name: word }).chain(rest => fc.tuple(small, fc.constantFrom(undefined, 'TCP', 'UDP')).map(([port, protocol]): JsonObject => ({ port, ...(protocol && { protocol }), ...rest }))), { minLength: 1, maxLength: 3, selector: p => `${String(p.port)}/${String(p.protocol ?? 'TCP')}` }),
  containers: byName(() => members({ image: word, args: fc.array(word, { maxLength: 2 }), env: byName(() => members({ value: word })) }))
})

const config = (spec: JsonObject): JsonObject => ({ apiVersion, kind: 'Thing', metadata: { name: 'x' }, spec })
const stored = (object: KubeObject): KubeObject => ({ ...object, metadata: { ...object.metadata, uid: 'u' } })
const apply = (live: KubeObject | undefined, spec: JsonObject, by: string, force = true): KubeObject => {
  const after = manager.apply(live, config(spec), by, { force, now })
  return after === live ? after : stored(after)
}
const create = (spec: JsonObject): KubeObject => stored(manager.update(undefined, asObject(config(spec)), 'creator', now))
const setsOf = (object: KubeObject): Map<string, FieldSet> =>
  new Map([...decodeManagedFields(object.metadata.managedFields, new FieldsV1Cache()).fields].map(([id, { set }]) => [id, set]))
const bare = (object: KubeObject): JsonValue => {
  const { managedFields: _, ...metadata } = object.metadata
  return { ...asJson(object), metadata: metadata as unknown as JsonObject }
}
const holds = <T>(t: { pass: () => unknown }, property: fc.IRawProperty<T>): void => {
  fc.assert(property, { numRuns: 250 })
  t.pass()
}

t.test('applying the same again changes nothing, and says so by returning the live object', async t => {
  holds(t, fc.property(fc.option(spec), spec, (before, mine) => {
    const live = apply(before === null ? undefined : create(before), mine, 'one')
    return apply(live, mine, 'one') === live
  }))
})

t.test('two appliers of different fields may come in either order', async t => {
  holds(t, fc.property(spec, spec, fc.func(fc.boolean()), (before, both, isFirst) => {
    const names = Object.keys(both)
    const part = (first: boolean): JsonObject => Object.fromEntries(names.filter(name => isFirst(name) === first).map(name => [name, both[name]!]))
    const live = create(before)
    const a = apply(apply(live, part(true), 'one'), part(false), 'two')
    const b = apply(apply(live, part(false), 'two'), part(true), 'one')
    return equalJson(bare(a), bare(b)) && equalIgnoringTimestamps(a.metadata.managedFields ?? [], b.metadata.managedFields ?? [])
  }))
})

t.test('what a manager stops sending goes exactly when nobody else owns it', async t => {
  holds(t, fc.property(spec, spec, spec, (first, others, second) => {
    const live = apply(apply(undefined, first, 'one'), others, 'two')
    const had = [...setsOf(live)].find(([id]) => id.includes('"one"'))?.[1] ?? FieldSet.empty
    const after = apply(live, second, 'one')
    const left = fieldsOf(type, asJson(after))
    const owners = [...setsOf(after).values()]
    const owned = (path: Path): boolean => owners.some(set => nodeAt(set, path))
    return had.paths().every(path => nodeAt(left, path) === owned(path))
  }))
})

t.test('a first apply loses nothing of the live object but what it replaces', async t => {
  holds(t, fc.property(spec, spec, (before, mine) => {
    const live = create(before)
    const after = apply(live, mine, 'one')
    const { removed } = compareValues(type, bare(live), bare(after))
    return removed.recursiveDifference(fieldsOf(type, config(mine))).isEmpty
  }))
})

t.test('an apply leaves everything that it sent in the object, owned by its manager', async t => {
  holds(t, fc.property(spec, spec, spec, (before, first, mine) => {
    const after = apply(apply(create(before), first, 'one'), mine, 'one')
    const sent = fieldsOf(type, { spec: mine })
    const owned = [...setsOf(after)].find(([id]) => id.includes('"one"'))?.[1] ?? FieldSet.empty
    const { modified, added } = compareValues(type, bare(after), mergeValues(type, bare(after), config(mine))!)
    return owned.equals(sent) && modified.isEmpty && added.isEmpty
  }))
})

t.test('after force, the loser conflicts about exactly what it lost', async t => {
  holds(t, fc.property(spec, spec, (mine, its) => {
    const first = apply(undefined, mine, 'one')
    const forced = apply(first, its, 'two')
    const lost = fieldsOf(type, { spec: mine }).difference([...setsOf(forced)].find(([id]) => id.includes('"one"'))?.[1] ?? FieldSet.empty)
    try {
      const again = apply(forced, mine, 'one', false)
      // Sets and map lists take the order of whoever applied last.
      const { added, modified, removed } = compareValues(type, bare(forced), bare(again))
      return lost.isEmpty && added.isEmpty && modified.isEmpty && removed.isEmpty
    } catch (error) {
      return error instanceof ApplyConflict && error.conflicts.length > 0 && error.conflicts.every(c => c.manager.includes('"two"')) && !lost.isEmpty
    }
  }))
})

t.test('an update owns what it changed, and nobody owns what is gone', async t => {
  holds(t, fc.property(spec, spec, spec, (before, mine, next) => {
    const live = apply(create(before), mine, 'one')
    const after = stored(manager.update(live, { ...asObject(config(next)), metadata: live.metadata }, 'editor', now))
    const present = fieldsOf(type, { spec: next })
    const { modified, added } = compareValues(type, bare(live), bare(after))
    const sets = setsOf(after)
    const editor = [...sets].find(([id]) => id.includes('"editor"'))?.[1] ?? FieldSet.empty
    return editor.equals(modified.union(added)) && [...sets.values()].every(set => set.leaves().paths().every(path => nodeAt(present, path)))
  }))
})

t.test('no method modifies what it is given', async t => {
  holds(t, fc.property(spec, spec, (before, mine) => {
    const live = create(before)
    const given = config(mine)
    const [liveText, givenText] = [JSON.stringify(live), JSON.stringify(given)]
    const after = manager.apply(live, given, 'one', { force: true, now })
    manager.update(live, asObject(given), 'two', now)
    const spoiled = cloneJson(asJson(after)).spec as JsonObject
    spoiled.text = 'spoiled'
    return JSON.stringify(live) === liveText && JSON.stringify(given) === givenText
  }))
})

t.test('leaving out the prune when everything is still sent changes nothing', async t => {
  const kind = new KindVersions(versions, convert)
  const updater = new Updater(kind, new Map())
  holds(t, fc.property(spec, spec, spec, fc.func(fc.boolean()), (before, mine, more, isKept) => {
    const live = kind.typed(config(before), apiVersion, { allowDuplicates: true })
    const merged = { ...live, value: mergeValues(type, live.value, mergeValues(type, config(more), config(mine))) as JsonObject }
    const own = { set: fieldsOf(type, mergeValues(type, config(more), config(mine))!), apiVersion, applied: true }
    const last = { ...own, set: FieldSet.of(...own.set.paths().filter(path => isKept(formatPath(path)) || path.length < 4)) }
    const ancestors = last.set.paths().flatMap(path => path.map((_, i) => path.slice(0, i + 1))).filter(path => own.set.has(path))
    const whole = { ...last, set: last.set.union(FieldSet.of(...ancestors)) }
    return equalJson(updater.pruneAll(merged, new Map([['one', own]]), apiVersion, whole).value, merged.value)
  }))
})

t.test('an int64 and a float64 are the same when the int64 is that float64', async t => {
  const changes = (a: JsonValue, b: JsonValue): boolean => !compareValues(type, { spec: { free: { list: [a] } } }, { spec: { free: { list: [b] } } }).modified.isEmpty
  t.notOk(changes(9223372036854775807n, 2 ** 63), 'beyond int64 a number was read as a float64')
  t.notOk(changes(1, 1.0))
  t.ok(changes(9223372036854775807n, 9223372036854775806n), 'two int64 differ exactly')
  t.notOk(changes(9007199254740993n, 2 ** 53), 'within int64 too: as an integer it would have been a bigint')
  t.ok(changes(9223372036854775807n, 2 ** 64))
})

t.test('times alone are no change', async t => {
  const live = apply(undefined, { replicas: 1, text: 'a' }, 'one')
  const later = (spec: JsonObject): KubeObject => {
    const copy = cloneJson(asJson(live)) as unknown as KubeObject
    copy.metadata.managedFields![0]!.time = '2026-01-02T03:04:09Z'
    return { ...copy, spec }
  }
  const same = later({ replicas: 1, text: 'a' })
  settleManagedFields(same, live)
  t.strictSame(same, live, 'an object that differs in nothing else gets the stored times')
  const other = later({ replicas: 2, text: 'a' })
  settleManagedFields(other, live)
  t.equal(other.metadata.managedFields![0]!.time, '2026-01-02T03:04:09Z', 'a changed object keeps its own')
})

t.test('managedFields after admission are checked', async t => {
  t.doesNotThrow(() => manager.validate(apply(undefined, { text: 'a' }, 'one').metadata.managedFields))
  t.throws(() => manager.validate([{ manager: 'm' }]), { message: 'operation must be `Apply` or `Update`' })
  t.throws(() => manager.validate([{ operation: 'Apply' }]), { message: 'apiVersion must not be empty' })
  t.throws(() => manager.validate([{ operation: 'Apply', apiVersion }]), { message: 'missing fieldsType in managed fields entry 0' })
  t.throws(() => manager.validate([{ operation: 'Apply', apiVersion, fieldsType: 'V2' as 'FieldsV1' }]), { message: 'invalid fieldsType "V2" in managed fields entry 0' })
  t.throws(() => manager.validate([{ operation: 'Apply', apiVersion, fieldsType: 'FieldsV1', fieldsV1: { x: {} } }]), { message: /error decoding set/ })
})

/** Whether a set has the field or something below it. */
function nodeAt (set: FieldSet, path: Path): boolean {
  let at: FieldSet | undefined = set
  for (const element of path.slice(0, -1)) at = at?.node(element)?.children
  return at?.node(path.at(-1)!) !== undefined
}
