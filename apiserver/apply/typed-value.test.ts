import t from 'tap'
import type { JsonObject, JsonValue } from '../../registry/codec/value.js'
import type { StructuralSchema } from '../../registry/schema/structural-schema.js'
import { compareValues } from './compare.js'
import { TypedError } from './errors.js'
import type { FieldSet } from './field-set.js'
import { parseFieldsV1, printFieldsV1 } from './fields-v1.js'
import { mergeValues } from './merge.js'
import { formatPath } from './path-element.js'
import { reconcileFields } from './reconcile.js'
import { removeFields, withStructs } from './remove.js'
import { SchemaTypes, type FieldType } from './schema-type.js'
import { checkType, fieldsOf } from './typed-value.js'

// What clients cannot reach in one step through a server: stored duplicates, schemas that changed, single operations.

const item: StructuralSchema = { type: 'object', properties: { id: { type: 'integer' }, kind: { type: 'string', default: 'a' }, value: { type: 'string' } } }
const schema: StructuralSchema = {
  type: 'object',
  properties: {
    set: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } },
    list: { type: 'array', 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['id', 'kind'], items: item },
    atomic: { type: 'array', items: item },
    struct: { type: 'object', properties: { a: { type: 'string' }, b: { type: 'object', properties: { c: { type: 'integer' } } } } },
    map: { type: 'object', additionalProperties: { type: 'string' } },
    free: { 'x-kubernetes-preserve-unknown-fields': true }
  }
}
const type: FieldType = new SchemaTypes().object(schema)
const paths = (set: FieldSet): string[] => set.paths().map(formatPath)
const compared = (before: JsonValue, after: JsonValue): Record<string, string[]> => {
  const { added, modified, removed } = compareValues(type, before, after)
  return { added: paths(added), modified: paths(modified), removed: paths(removed) }
}

t.test('stored duplicates are tolerated, applied ones are not', async t => {
  const live = { set: ['a', 'a', 'b'], list: [{ id: 1, value: 'x' }, { id: 1, kind: 'a', value: 'y' }, { id: 2 }] }
  t.doesNotThrow(() => checkType(type, live, { allowDuplicates: true }))
  t.throws(() => checkType(type, live, { allowDuplicates: false }), new TypedError([
    { path: '.set', message: 'duplicate entries for key [="a"]' }, { path: '.list', message: 'duplicate entries for key [id=1,kind="a"]' }]))
  t.strictSame(paths(fieldsOf(type, live)), ['.list[id=1,kind="a"]', '.list[id=2,kind="a"]', '.list[id=2,kind="a"].id', '.set[="a"]', '.set[="b"]'], 'a duplicate is owned as a whole')
  t.strictSame(mergeValues(type, live, { set: ['c'] }), { ...live, set: ['a', 'a', 'b', 'c'] }, 'live-only duplicates stay')
  t.strictSame(mergeValues(type, live, { list: [{ id: 1, value: 'z' }] }), { ...live, list: [{ id: 1, value: 'z' }, { id: 2 }] }, 'an applied item takes the place of its duplicates')
})

t.test('comparing with duplicates', async t => {
  const one = { list: [{ id: 1, value: 'x' }] }
  const two = { list: [{ id: 1, value: 'x' }, { id: 1, value: 'y' }] }
  t.strictSame(compared(two, two), { added: [], modified: [], removed: [] })
  t.strictSame(compared(two, { list: [...two.list].reverse() }), { added: [], modified: ['.list[id=1,kind="a"]'], removed: [] })
  t.strictSame(compared(one, two), { added: ['.list[id=1,kind="a"]'], modified: [], removed: ['.list[id=1,kind="a"]', '.list[id=1,kind="a"].id', '.list[id=1,kind="a"].value'] })
  t.strictSame(compared(two, one), { added: ['.list[id=1,kind="a"]', '.list[id=1,kind="a"].id', '.list[id=1,kind="a"].value'], modified: [], removed: ['.list[id=1,kind="a"]'] })
})

t.test('comparing values', async t => {
  const table: Array<{ name: string; before: JsonValue; after: JsonValue; added?: string[]; modified?: string[]; removed?: string[] }> = [
    { name: 'a struct comes with all that is in it', before: {}, after: { struct: { a: 'x', b: { c: 1 } } }, added: ['.struct', '.struct.a', '.struct.b', '.struct.b.c'] },
    { name: 'an empty struct is a leaf', before: {}, after: { struct: {} }, added: ['.struct'] },
    { name: 'empty and null are different values', before: { map: {} }, after: { map: null }, modified: ['.map'] },
    { name: 'an emptied map loses its keys and stays', before: { map: { a: '1' } }, after: { map: {} }, removed: ['.map.a'] },
    { name: 'an atomic list is one value', before: { atomic: [{ id: 1 }] }, after: { atomic: [{ id: 1 }, { id: 2 }] }, modified: ['.atomic'] },
    { name: 'the order of a set does not count', before: { set: ['a', 'b'] }, after: { set: ['b', 'a'] } },
    { name: 'a default and its absence are different fields of one item', before: { list: [{ id: 1 }] }, after: { list: [{ id: 1, kind: 'a' }] }, added: ['.list[id=1,kind="a"].kind'] },
    { name: 'a map becomes a scalar', before: { free: { a: 1, b: 2 } }, after: { free: 5 }, modified: ['.free'], removed: ['.free.a', '.free.b'] },
    { name: 'a scalar becomes a map', before: { free: 5 }, after: { free: { a: 1 } }, modified: ['.free'], added: ['.free.a'] },
    { name: 'a list becomes a map', before: { free: [1] }, after: { free: { a: 1 } }, modified: ['.free'], added: ['.free.a'] },
    { name: 'numbers compare by value', before: { free: 9007199254740992n }, after: { free: 9007199254740992 } },
    { name: 'an int64 is compared with a float64 as one', before: { free: 9007199254740993n }, after: { free: 9007199254740992 } },
    { name: 'large integers are exact', before: { free: 9007199254740993n }, after: { free: 9007199254740992n }, modified: ['.free'] }
  ]
  for (const { name, before, after, added = [], modified = [], removed = [] } of table) t.strictSame(compared(before, after), { added, modified, removed }, name)
})

t.test('merging values', async t => {
  const table: Array<{ name: string; live: JsonObject; config: JsonObject; want: JsonObject }> = [
    { name: 'null leaves a full container', live: { map: { a: '1' }, set: ['a'] }, config: { map: null, set: null }, want: { map: { a: '1' }, set: ['a'] } },
    { name: 'null replaces an empty container', live: { map: {}, set: [] }, config: { map: null, set: null }, want: { map: null, set: null } },
    { name: 'null replaces a scalar and an atomic list', live: { struct: { a: 'x' }, atomic: [{ id: 1 }] }, config: { struct: { a: null }, atomic: null }, want: { struct: { a: null }, atomic: null } },
    { name: 'an item without the defaulted key is the same item', live: { list: [{ id: 1, kind: 'a', value: 'x' }] }, config: { list: [{ id: 1, value: 'y' }] }, want: { list: [{ id: 1, kind: 'a', value: 'y' }] } },
    { name: 'shared items take the order of the configuration', live: { set: ['1', '2', 'x', '3'] }, config: { set: ['3', 'n', '1'] }, want: { set: ['2', 'x', '3', 'n', '1'] } },
    { name: 'a key called __proto__', live: { map: { a: '1' } }, config: JSON.parse('{"map":{"__proto__":"2"}}') as JsonObject, want: JSON.parse('{"map":{"a":"1","__proto__":"2"}}') as JsonObject }
  ]
  for (const { name, live, config, want } of table) {
    const got = mergeValues(type, live, config)
    t.equal(JSON.stringify(got), JSON.stringify(want), name)
    t.equal(mergeValues(type, got, config), got, `${name}; merged again it is the same object`)
  }
})

t.test('removing fields', async t => {
  const remove = (value: JsonValue, fields: JsonObject): JsonValue => removeFields(type, value, parseFieldsV1(fields))
  const value = { set: ['a', 'b'], list: [{ id: 1, value: 'x' }, { id: 2 }], struct: { a: 'x', b: { c: 1 } }, map: { k: 'v' }, atomic: [{ id: 1 }] }
  t.strictSame(remove(value, { 'f:set': { 'v:"a"': {} }, 'f:list': { 'k:{"id":1,"kind":"a"}': { 'f:value': {} } }, 'f:map': {} }), { set: ['b'], list: [{ id: 1 }, { id: 2 }], struct: value.struct, atomic: value.atomic })
  t.strictSame(remove({ set: ['a'], map: { k: 'v' } }, { 'f:set': { 'v:"a"': {} }, 'f:map': { 'f:k': {} } }), { set: null, map: null }, 'what was emptied is null')
  t.strictSame(printFieldsV1(withStructs(parseFieldsV1({ 'f:struct': { 'f:b': { 'f:c': {} } }, 'f:map': { 'f:k': {} }, 'f:list': { 'k:{"id":1,"kind":"a"}': { 'f:id': {} } } }), type)),
    { 'f:list': { '.': {}, 'k:{"id":1,"kind":"a"}': { 'f:id': {} } }, 'f:map': { '.': {}, 'f:k': {} }, 'f:struct': { '.': {}, 'f:b': { '.': {}, 'f:c': {} } } })
})

t.test('who owned a part of what became atomic owns the whole', async t => {
  const now = new SchemaTypes().object({
    type: 'object',
    properties: {
      ...schema.properties,
      set: { type: 'array', items: { type: 'string' } },
      struct: { ...schema.properties!['struct'], 'x-kubernetes-map-type': 'atomic' },
      list: { ...schema.properties!['list'], items: { ...item, 'x-kubernetes-map-type': 'atomic' } }
    }
  })
  const before = parseFieldsV1({ 'f:set': { 'v:"a"': {} }, 'f:struct': { 'f:a': {}, 'f:b': { '.': {}, 'f:c': {} } }, 'f:list': { 'k:{"id":1,"kind":"a"}': { '.': {}, 'f:id': {} } }, 'f:map': { 'f:k': {} }, 'f:free': { 'f:x': {} }, 'f:gone': { 'f:y': {} } })
  const after = reconcileFields(before, now)
  t.strictSame(printFieldsV1(after), { 'f:free': { 'f:x': {} }, 'f:gone': { 'f:y': {} }, 'f:list': { 'k:{"id":1,"kind":"a"}': {} }, 'f:map': { 'f:k': {} }, 'f:set': {}, 'f:struct': {} })
  t.equal(reconcileFields(after, now), after, 'once is enough')
  t.equal(reconcileFields(before, type), before, 'the same schema changes nothing')
})

// In time that grows with the square of the number these would take minutes.
t.test('very many problems, and very many fields of a set that is not canonical, take time that grows with their number', async t => {
  const many = 100_000
  const problemsOf = (value: JsonObject): number => {
    try {
      checkType(type, value, { allowDuplicates: false })
      return 0
    } catch (error) {
      if (error instanceof TypedError) return error.problems.length
      throw error
    }
  }
  t.equal(problemsOf({ map: Object.fromEntries(Array.from({ length: many }, (_, i) => [`k${i}`, i])) }), many)
  t.equal(problemsOf({ atomic: Array.from({ length: many }, () => 1) }), many)
  const fields = Object.fromEntries(Array.from({ length: many }, (_, i) => [`f:k${i}`, {}]))
  t.equal(parseFieldsV1({ 'f:x': null, ...fields }).paths().length, many + 1)
})
