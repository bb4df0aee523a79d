import t from 'tap'
import fc from 'fast-check'
import { Ajv } from 'ajv'
import { fieldErrorText } from '../meta/field-error.js'
import type { JsonObject, JsonValue } from '../codec/value.js'
import { CompiledSchema } from './compiled-schema.js'
import type { StructuralSchema } from './structural-schema.js'

/**
 * ajv as a second opinion on the verdict. Left out is what kube-apiserver takes differently from JSON schema on purpose or by accident:
 * formats, a nullable node's junctors and enum (null passes them), floats in enums and multiples, fractional bounds of integers.
 */
const names = ['a', 'b', 'c'] as const
const small = fc.integer({ min: 0, max: 3 })
// Most rules are left out most of the time, so that many values are valid.
const record = <T> (model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<Partial<T>> => fc.tuple(fc.record(model), fc.subarray(Object.keys(model) as (keyof T)[], { maxLength: Math.min(2, Object.keys(model).length) })).map(([all, keys]) => Object.fromEntries(keys.map(k => [k, all[k]])) as Partial<T>)

const rules: { [type: string]: fc.Arbitrary<StructuralSchema> } = {
  string: record({ minLength: small, maxLength: small, pattern: fc.constantFrom('^a', 'b$', '[0-9]', '^.{2}$'), enum: fc.subarray(['', 'a', 'ab', '😀'], { minLength: 1 }) }),
  integer: record({ minimum: small, maximum: small, exclusiveMinimum: fc.boolean(), multipleOf: fc.constantFrom(1, 2, 3), enum: fc.subarray([0, 1, 2, 5], { minLength: 1 }) }),
  number: record({ minimum: small, maximum: small, exclusiveMaximum: fc.boolean() }),
  boolean: fc.constant({}),
  array: record({ minItems: small, maxItems: small }),
  object: record({ minProperties: small, maxProperties: small, required: fc.subarray([...names]) })
}
const anyRules: fc.Arbitrary<StructuralSchema> = fc.oneof(...Object.values(rules), record({ properties: fc.dictionary(fc.constantFrom(...names), fc.oneof(...Object.values(rules)), { maxKeys: 2 }) }) as fc.Arbitrary<StructuralSchema>)
const junctors: fc.Arbitrary<StructuralSchema> = record({ anyOf: fc.array(anyRules, { minLength: 1, maxLength: 2 }), oneOf: fc.array(anyRules, { minLength: 1, maxLength: 3 }), allOf: fc.array(anyRules, { minLength: 1, maxLength: 2 }), not: anyRules })

const schemas: (depth: number) => fc.Arbitrary<StructuralSchema> = fc.memo(depth => {
  const leaf = (type: 'string' | 'integer' | 'number' | 'boolean'): fc.Arbitrary<StructuralSchema> => fc.tuple(fc.option(rules[type]!, { freq: 1 }), fc.option(junctors, { freq: 1 })).map(([r, j]) => ({ type, ...r, ...j }))
  const leaves: fc.Arbitrary<StructuralSchema>[] = [
    leaf('string'), leaf('integer'), leaf('number'), leaf('boolean'),
    fc.constantFrom<StructuralSchema>({ type: 'string', nullable: true, minLength: 2 }, { type: 'integer', nullable: true, minimum: 2 }, { 'x-kubernetes-int-or-string': true, pattern: '^[0-9]+%$' })
  ]
  if (depth <= 1) return fc.oneof(...leaves)
  const below = schemas(depth - 1)
  const array = fc.tuple(rules['array']!, below, fc.option(junctors, { freq: 1 })).map(([r, items, j]): StructuralSchema => ({ type: 'array', items, ...r, ...j }))
  const struct = fc.tuple(rules['object']!, fc.dictionary(fc.constantFrom(...names), below, { maxKeys: 3 }), fc.option(junctors, { freq: 1 })).map(([r, properties, j]): StructuralSchema => ({ type: 'object', properties: { ...properties }, ...r, ...j }))
  const map = fc.tuple(rules['object']!, fc.oneof(below, fc.boolean())).map(([r, additionalProperties]): StructuralSchema => ({ type: 'object', ...r, additionalProperties }))
  return fc.oneof(...leaves, array, struct, struct, map)
})

const scalar = fc.oneof(fc.constantFrom('', 'a', 'ab', '😀', 'a1', '50%'), fc.integer({ min: -1, max: 6 }), fc.constantFrom(0.5, 1.5, -0.25), fc.boolean(), fc.constant(null))
const anyValue = fc.letrec<{ value: JsonValue }>(tie => ({
  value: fc.oneof({ depthSize: 'small', withCrossShrink: true }, scalar, fc.array(tie('value'), { maxLength: 3 }), fc.dictionary(fc.constantFrom(...names), tie('value'), { maxKeys: 3 }).map(d => ({ ...d })))
})).value

/** A value that has a chance to be valid. */
function valueOf (s: StructuralSchema): fc.Arbitrary<JsonValue> {
  const likely = ((): fc.Arbitrary<JsonValue> => {
    switch (s.type) {
      case 'object': return fc.record(Object.fromEntries(Object.entries(s.properties ?? (typeof s.additionalProperties === 'object' ? { a: s.additionalProperties, b: s.additionalProperties } : {})).map(([k, p]) => [k, valueOf(p)])), { requiredKeys: [] }).map(r => ({ ...r }) as JsonObject)
      case 'array': return fc.array(valueOf(s.items ?? {}), { maxLength: 3 })
      case 'string': return fc.constantFrom('', 'a', 'ab', '😀', 'a1')
      case 'integer': return fc.integer({ min: 0, max: 4 })
      default: return anyValue
    }
  })()
  return fc.oneof({ weight: 12, arbitrary: likely }, { weight: 1, arbitrary: anyValue })
}

/** The same demands in JSON schema draft 7. */
function toJsonSchema (s: StructuralSchema): object {
  const { nullable, 'x-kubernetes-int-or-string': intOrString, exclusiveMinimum, exclusiveMaximum, minimum, maximum, properties, items, additionalProperties, ...rest } = s
  const each = (list: readonly StructuralSchema[] | undefined): object[] | undefined => list?.map(toJsonSchema)
  const type = intOrString === true ? ['integer', 'string'] : s.type
  return {
    ...rest,
    ...(type !== undefined && { type: nullable === true ? [type, 'null'].flat() : type }),
    ...(minimum !== undefined && { [exclusiveMinimum === true ? 'exclusiveMinimum' : 'minimum']: minimum }),
    ...(maximum !== undefined && { [exclusiveMaximum === true ? 'exclusiveMaximum' : 'maximum']: maximum }),
    ...(properties && { properties: Object.fromEntries(Object.entries(properties).map(([k, p]) => [k, toJsonSchema(p)])) }),
    ...(items && { items: toJsonSchema(items) }),
    ...(additionalProperties !== undefined && { additionalProperties: typeof additionalProperties === 'object' ? toJsonSchema(additionalProperties) : additionalProperties }),
    ...(s.anyOf && { anyOf: each(s.anyOf) }), ...(s.oneOf && { oneOf: each(s.oneOf) }), ...(s.allOf && { allOf: each(s.allOf) }), ...(s.not && { not: toJsonSchema(s.not) })
  }
}

t.test('the verdict on a value is ajv\'s', async t => {
  let valid = 0
  let invalid = 0
  const cases = schemas(3).chain(schema => fc.tuple(fc.constant(schema), valueOf(schema)))
  fc.assert(fc.property(cases, ([schema, value]) => {
    const ajv = new Ajv({ strict: false, unicodeRegExp: true, validateSchema: false })
    const verdict = ajv.compile({ type: 'object', properties: { v: toJsonSchema(schema) } })({ v: value })
    const errors = new CompiledSchema({ type: 'object', properties: { v: schema } }).validate({ v: value })
    if (verdict) valid++
    else invalid++
    return (errors.length === 0) === verdict
  }), { numRuns: 1000 })
  t.ok(valid > 150, `${valid} valid`)
  t.ok(invalid > 150, `${invalid} invalid`)
})

const text = (schema: StructuralSchema, value: JsonValue): string[] => new CompiledSchema({ type: 'object', properties: { v: schema } }).validate({ v: value }).map(fieldErrorText)

t.test('errors have kube-apiserver\'s texts, and its oddities', async t => {
  const table: readonly (readonly [name: string, schema: StructuralSchema, value: JsonValue, errors: string[]])[] = [
    ['wrong type', { type: 'integer' }, 'x', ['v: Invalid value: "string": v in body must be of type integer: "string"']],
    ['wrong type with a format', { type: 'integer', format: 'int32' }, true, ['v: Invalid value: "": v in body must be of type int32: ""']],
    ['out of a format\'s range', { type: 'integer', format: 'int32' }, 2147483648, ['<nil>: Invalid value: "": Checked value must be of type integer with format int32 in v']],
    ['int or string', { 'x-kubernetes-int-or-string': true }, 1.5, ['v: Invalid value: "number": v in body must be of type integer,string: "number"']],
    ['null', { type: 'string' }, null, ['v: Invalid value: "null": v in body must be of type string: "null"']],
    ['enum', { type: 'string', enum: ['a', 'b'] }, 'c', ['v: Unsupported value: "c": supported values: "a", "b"']],
    ['too long', { type: 'string', maxLength: 1 }, '😀😀', ['v: Too long: may not be more than 1 byte']],
    ['bounds of a float', { type: 'number', maximum: 1000000 }, 12345678.25, ['v: Invalid value: 1.234567825e+07: v in body should be less than or equal to 1e+06']],
    ['a fractional bound of an integer', { type: 'integer', maximum: 2.5 }, 3000000, ['<nil>: Invalid value: "": Maximum boundary value must be of type integer (default format) in v', 'v: Invalid value: 3e+06: v in body should be less than or equal to 2.5']],
    ['many items', { type: 'array', maxItems: 1, items: { type: 'string' } }, ['a', 'b'], ['v: Too many: 2: must have at most 1 item']],
    ['few properties', { type: 'object', minProperties: 1 }, {}, ['v: Invalid value: 0: v in body should have at least 1 properties']],
    ['a format', { type: 'string', format: 'ipv4' }, 'x', ['v: Invalid value: "x": v in body must be of type ipv4: "x"']],
    ['a list where a string with a format belongs', { type: 'string', format: 'ipv4' }, [], []],
    ['an unknown format', { type: 'string', format: 'postcode' }, 'x', []],
    ['a float in an enum of integers is cut', { type: 'number', enum: [1] }, 1.5, []],
    ['nearly an integer', { type: 'integer' }, 1.00000000001, ['<nil>: Invalid value: "": Checked value must be of type integer (default format) in v']],
    ['oneOf', { type: 'integer', oneOf: [{ minimum: 0 }, { maximum: 9 }] }, 5, ['<nil>: Invalid value: "": "v" must validate one and only one schema (oneOf). Found 2 valid alternatives']],
    ['anyOf reports the best alternative', { type: 'object', properties: { a: { type: 'string' } }, anyOf: [{ required: ['x', 'y'] }, { required: ['x'], properties: { a: { minLength: 1 } } }] }, { a: 'a' },
      ['<nil>: Invalid value: "": "v" must validate at least one schema (anyOf)', 'v.x: Required value']],
    ['an error that two rules find is reported once', { type: 'object', required: ['a'], allOf: [{ required: ['a'] }] }, {}, ['v.a: Required value', '<nil>: Invalid value: "": "v" must validate all the schemas (allOf). None validated']]
  ]
  for (const [name, schema, value, errors] of table) t.same(text(schema, value), errors, name)
})

t.test('a pattern that backtracking engines choke on is quick', async t => {
  t.equal(text({ type: 'string', pattern: '^(a+)+$' }, 'a'.repeat(5000) + 'b').length, 1)
})
