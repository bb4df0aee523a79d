import { readFileSync } from 'node:fs'
import t from 'tap'
import { parseStored } from '../codec/stored.js'
import { printJson } from '../codec/json-print.js'
import { fieldErrorBody, type FieldError } from '../meta/field-error.js'
import type { JsonObject } from '../codec/value.js'
import { CompiledSchema } from './compiled-schema.js'
import type { StructuralSchema } from './structural-schema.js'

interface Cause { reason: string; message: string; field: string }
const fixture = <T> (name: string): T => parseStored(readFileSync(new URL(`testdata/${name}`, import.meta.url))) as T
const causes = (errors: readonly FieldError[]): Cause[] => sorted(errors.map(e => ({ reason: e.type, message: fieldErrorBody(e), field: e.field })))
// kube-apiserver walks maps in random order, so only the set of causes is compared.
const sorted = (list: readonly Cause[]): Cause[] => [...list].sort((a, b) => printJson({ ...a }) < printJson({ ...b }) ? -1 : 1)
const clone = (o: JsonObject): JsonObject => parseStored(Buffer.from(printJson(o))) as JsonObject

interface RecordedCreate { schema: string; spec: JsonObject; causes?: Cause[]; stored?: JsonObject }

t.test('creates are answered as kube-apiserver answered them', async t => {
  const { schemas, cases } = fixture<{ schemas: Record<string, StructuralSchema>; cases: RecordedCreate[] }>('recorded-creates.json')
  const compiled = new Map(Object.entries(schemas).map(([name, schema]) => [name, new CompiledSchema(schema)]))
  for (const { schema: name, spec, causes: wanted = [], stored } of cases) {
    const schema = compiled.get(name)!
    const [apiVersion, kind] = name.split(' ') as [string, string]
    const object: JsonObject = { apiVersion, kind, metadata: { name: 'a' }, ...(spec !== undefined && { spec }) }
    schema.prune(object)
    const { error } = schema.coerceEmbedded(object, { dropInvalid: false })
    t.equal(error, undefined)
    schema.applyDefaults(object)
    t.same(causes(schema.validate(object)), sorted(wanted), printJson(spec))
    if (stored !== undefined) t.equal(printJson(object['spec']), printJson(stored), `stored: ${printJson(stored)}`)
  }
})

interface UpstreamCase { schema: StructuralSchema; object: JsonObject; old?: JsonObject; status?: boolean; want: { unknown?: string[]; object: JsonObject; errors?: Cause[] } }

t.test('every feature gives what the upstream packages give', async t => {
  for (const { schema, object, old, status, want } of fixture<{ cases: UpstreamCase[] }>('upstream-cases.json').cases) {
    const compiled = new CompiledSchema(schema)
    const about = printJson({ schema: schema as JsonObject, object, ...(old && { old }) })
    const unknown = [...compiled.prune(object), ...compiled.coerceEmbedded(object, { dropInvalid: false }).unknown]
    t.same(unknown, want.unknown ?? [], about)
    compiled.applyDefaults(object)
    t.equal(printJson(object), printJson(want.object), about)
    if (old !== undefined) {
      compiled.prune(old)
      compiled.coerceEmbedded(old, { dropInvalid: true })
      compiled.applyDefaults(old)
    }
    const before = clone(object)
    const errors = old === undefined ? compiled.validate(object) : status === true ? compiled.validateStatusUpdate(object, old) : compiled.validateUpdate(object, old)
    t.same(causes(errors), sorted(want.errors ?? []), about)
    t.equal(printJson(object), printJson(before), 'validation changes nothing')
  }
})

const object = (spec: JsonObject): JsonObject => ({ apiVersion: 'example.com/v1', kind: 'Thing', metadata: { name: 'a' }, spec })
const compile = (spec: StructuralSchema, status?: StructuralSchema): CompiledSchema => new CompiledSchema({ type: 'object', properties: { spec, ...(status && { status }) } })

t.test('parts of a schema that no object reaches are never looked at', async t => {
  const untouched = Object.defineProperty({}, 'type', { get () { throw new Error('touched') }, enumerable: true }) as StructuralSchema
  const schema = compile({ type: 'object', properties: { used: { type: 'string', default: 'x' }, group: { type: 'object', properties: { deep: untouched } } } })
  const o = object({ group: {} })
  schema.prune(o)
  schema.applyDefaults(o)
  t.same(schema.validate(o), [])
  t.same(o['spec'], { group: {}, used: 'x' })
  t.throws(() => schema.validate(object({ group: { deep: 1 } })), /touched/)
})

t.test('pruning names what it removes, sorted by path, and keeps the object\'s own metadata', async t => {
  const schema = compile({
    type: 'object',
    properties: {
      ports: { type: 'array', items: { type: 'object', properties: { port: { type: 'integer' } } } },
      free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true, properties: { known: { type: 'object', properties: {} } } },
      labels: { type: 'object', additionalProperties: { type: 'object', properties: {} } }
    }
  })
  const o = { ...object({ zeta: 1, ports: [{ port: 1 }, { port: 2, foo: 3 }], free: { any: { x: 1 }, known: { x: 1 } }, labels: { a: { b: 1 } }, metadata: {} }), extra: 1 }
  t.same(schema.prune(o), ['extra', 'spec.free.known.x', 'spec.labels.a.b', 'spec.metadata', 'spec.ports[1].foo', 'spec.zeta'])
  t.same(o, object({ ports: [{ port: 1 }, { port: 2 }], free: { any: { x: 1 }, known: {} }, labels: { a: {} } }))
})

t.test('members that JavaScript objects inherit are not taken for fields', async t => {
  const schema = compile({ type: 'object', required: ['toString'], properties: { constructor: { type: 'string', default: 'x' } } as unknown as Record<string, StructuralSchema> })
  const o = object(JSON.parse('{"__proto__": {"a": 1}, "hasOwnProperty": 1}') as JsonObject)
  t.same(schema.prune(o), ['spec.__proto__', 'spec.hasOwnProperty'])
  schema.applyDefaults(o)
  t.equal(printJson(o['spec']), '{"constructor":"x"}')
  t.same(causes(schema.validate(o)), [{ reason: 'FieldValueRequired', message: 'Required value', field: 'spec.toString' }])
})

t.test('a null that is not allowed is removed or replaced by the default', async t => {
  const schema = compile({ type: 'object', properties: { gone: { type: 'string' }, byDefault: { type: 'string', default: 'd' }, kept: { type: 'string', nullable: true, default: 'd' }, list: { type: 'array', items: { type: 'string', default: 'i' } } } })
  const o = object({ gone: null, byDefault: null, kept: null, list: [null, 'x'] })
  schema.applyDefaults(o)
  t.same(o['spec'], { byDefault: 'd', kept: null, list: ['i', 'x'] })
})

t.test('defaults alone leave a null that has none, for validation to find', async t => {
  const schema = compile({ type: 'object', properties: { gone: { type: 'string' }, byDefault: { type: 'string', default: 'd' } } })
  const o = object({ gone: null, byDefault: null })
  schema.setDefaults(o)
  t.same(o['spec'], { gone: null, byDefault: 'd' })
})

t.test('a default is copied for every object', async t => {
  const schema = compile({ type: 'object', properties: { nested: { type: 'object', default: {}, properties: { list: { type: 'array', items: { type: 'integer' }, default: [1] } } } } })
  const [a, b] = [object({}), object({})]
  schema.applyDefaults(a)
  schema.applyDefaults(b);
  ((a['spec'] as JsonObject)['nested'] as { list: number[] }).list.push(2)
  t.same(b['spec'], { nested: { list: [1] } })
})

t.test('an update tolerates wrong values that it does not change', async t => {
  const item: StructuralSchema = { type: 'object', required: ['name'], properties: { name: { type: 'string' }, size: { type: 'integer', maximum: 5 } } }
  const schema = compile({ type: 'object', properties: { color: { type: 'string', enum: ['red'] }, note: { type: 'string' }, items: { type: 'array', 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'], items: item }, plain: { type: 'array', items: item } } })
  const old = object({ color: 'blue', items: [{ name: 'a', size: 9 }], plain: [{ name: 'a', size: 9 }] })
  const fields = (spec: JsonObject): string[] => schema.validateUpdate(object(spec), old).map(e => e.field)
  t.same(fields({ color: 'blue', note: 'new', items: [{ name: 'b', size: 1 }, { name: 'a', size: 9 }], plain: [{ name: 'a', size: 9 }] }), [], 'map items are found by key')
  t.same(fields({ color: 'green' }), ['spec.color'])
  t.same(fields({ items: [{ name: 'c', size: 9 }] }), ['spec.items[0].size'])
  t.same(fields({ plain: [{ name: 'a', size: 9 }, { name: 'b' }] }), ['spec.plain[0].size'], 'other lists are compared as a whole')
  const numbers = compile({ type: 'object', properties: { big: { type: 'integer', format: 'int64' } } })
  t.equal(numbers.validateUpdate(object({ big: -(2 ** 63) }), object({ big: -(2n ** 63n) })).length > 0, true, 'a double is not the int64 of the same value')
  t.same(schema.validate(old).map(e => e.field).sort(), ['spec.color', 'spec.items[0].size', 'spec.plain[0].size'])
})

t.test('sets and maps that were wrong before may stay wrong', async t => {
  const schema = compile({ type: 'object', properties: { tags: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } } } })
  t.same(causes(schema.validate(object({ tags: ['a', 'b', 'a', 'a'] }))), [{ reason: 'FieldValueDuplicate', message: 'Duplicate value: "a"', field: 'spec.tags[2]' }])
  t.same(schema.validateUpdate(object({ tags: ['b', 'b'] }), object({ tags: ['a', 'a'] })), [])
  t.equal(schema.validateUpdate(object({ tags: ['b', 'b'] }), object({ tags: ['a'] })).length, 1)
})

t.test('a status update looks at the status as a document of its own', async t => {
  const schema = compile({ type: 'object', properties: { size: { type: 'integer' } } }, { type: 'object', required: ['phase'], properties: { phase: { type: 'string' } } })
  t.same(causes(schema.validateStatusUpdate({ ...object({ size: 'x' }), status: { phase: 1 } }, object({}))), [{ reason: 'FieldValueTypeInvalid', message: 'Invalid value: "integer": phase in body must be of type string: "integer"', field: 'status.phase' }])
  t.same(causes(schema.validateStatusUpdate({ ...object({}), status: {} }, object({}))), [{ reason: 'FieldValueRequired', message: 'Required value', field: 'status.phase' }])
  t.same(schema.validateStatusUpdate(object({ size: 'x' }), object({})), [])
})

t.test('integers beyond 2^53 are compared exactly', async t => {
  const schema = compile({ type: 'object', properties: { n: { type: 'integer', format: 'int64', multipleOf: 3, minimum: 9007199254740992 } } })
  t.same(schema.validate(object({ n: 9007199254740993n })), [])
  t.same(causes(schema.validate(object({ n: 9007199254740994n }))), [{ reason: 'FieldValueInvalid', message: 'Invalid value: 9007199254740994: spec.n in body should be a multiple of 3', field: 'spec.n' }])
})

t.test('of an object that calls itself something else, embedded resources, sets and maps are checked all the same', async t => {
  const schema = compile({ type: 'object', required: ['size'], properties: { template: { type: 'object', 'x-kubernetes-embedded-resource': true }, tags: { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } } } })
  const wrong = { spec: { template: { kind: 'Thing' }, tags: ['a', 'a'] } }
  const fields = (options: { old: JsonObject | undefined; subresource: string }): string[] => schema.validateStructure(wrong, options).map(e => `${e.field}: ${e.type}`)
  const template = 'spec.template.apiVersion: FieldValueRequired'
  const tags = 'spec.tags[1]: FieldValueDuplicate'
  t.same(fields({ old: undefined, subresource: '' }), [template, tags])
  t.same(fields({ old: { spec: {} }, subresource: 'status' }), [tags])
  t.same(fields({ old: wrong, subresource: '' }), [template], 'sets that were wrong before may stay so')
})

t.test('embedded resources are decoded and validated as objects are', async t => {
  const schema = compile({ type: 'object', properties: { template: { type: 'object', 'x-kubernetes-embedded-resource': true, 'x-kubernetes-preserve-unknown-fields': true } } })
  const o = object({ template: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'x', bogus: 1, labels: null, creationTimestamp: '2024-01-02T03:04:05.6+01:00' }, spec: {} } })
  t.same(schema.coerceEmbedded(o, { dropInvalid: false }), { unknown: ['spec.template.metadata.bogus'] })
  t.same(o['spec'], { template: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'x', creationTimestamp: '2024-01-02T02:04:05Z' }, spec: {} } })
  t.same(schema.validate(o), [])

  const bad = object({ template: { apiVersion: 'a/b/c', kind: 'Po d', metadata: { name: 'x/y', namespace: 'N' } } })
  t.same(schema.validate(bad).map(e => e.field), ['spec.template.apiVersion', 'spec.template.kind', 'spec.template.metadata.name', 'spec.template.metadata.namespace'])
  t.same(schema.validate(object({ template: {} })).map(e => e.field), ['spec.template.apiVersion', 'spec.template.kind'])

  const malformed = (): JsonObject => object({ template: { kind: 1, metadata: { name: 'x', labels: { a: 1 } } } })
  const { error } = schema.coerceEmbedded(malformed(), { dropInvalid: false })
  t.equal(error && fieldErrorBody(error), 'Invalid value: 1: must be a string')
  const dropped = malformed()
  t.same(schema.coerceEmbedded(dropped, { dropInvalid: true }), { unknown: [] })
  t.same(dropped['spec'], { template: { metadata: { name: 'x' } } })
})
