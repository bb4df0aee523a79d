import t from 'tap'
import { fieldErrorText } from '../meta/field-error.js'
import type { JsonValue } from '../codec/value.js'
import { checkStructural } from './structural-check.js'

const check = (schema: JsonValue): string[] => checkStructural(schema, 'schema').map(fieldErrorText)
const under = (spec: JsonValue): JsonValue => ({ type: 'object', properties: { spec } })

t.test('structural schemas pass', async t => {
  const schemas: JsonValue[] = [
    { type: 'object' },
    { type: 'object', properties: { metadata: { type: 'object', properties: { name: { type: 'string', maxLength: 5 } } }, kind: { type: 'string' } } },
    under({ 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }], pattern: 'x' }),
    under({ 'x-kubernetes-int-or-string': true, allOf: [{ anyOf: [{ type: 'integer' }, { type: 'string' }] }, { pattern: 'x' }] }),
    under({ 'x-kubernetes-preserve-unknown-fields': true }),
    under({ type: 'object', 'x-kubernetes-embedded-resource': true, 'x-kubernetes-preserve-unknown-fields': true, default: { apiVersion: 'v1', kind: 'Pod' } }),
    under({ type: 'array', 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['a'], items: { type: 'object', required: ['a'], properties: { a: { type: 'string' } } } }),
    under({ type: 'object', additionalProperties: { type: 'string' }, default: { a: 'b' } }),
    under({ type: 'object', properties: { a: { type: 'string' } }, oneOf: [{ required: ['a'] }, { properties: { a: { minLength: 1 } } }] })
  ]
  for (const schema of schemas) t.same(check(schema), [], JSON.stringify(schema))
})

const refused: readonly (readonly [name: string, schema: JsonValue, errors: string[]])[] = [
  ['no type at the root', {}, ['schema.type: Required value: must not be empty at the root']],
  ['another type at the root', { type: 'string' }, ['schema.type: Invalid value: "string": must be object at the root']],
  ['no type of a field', under({}), ['schema.properties[spec].type: Required value: must not be empty for specified object fields']],
  ['no type of items', under({ type: 'array', items: {} }), ['schema.properties[spec].items.type: Required value: must not be empty for specified array items']],
  ['a list without items', under({ type: 'array' }), ['schema.properties[spec].items: Required value: must be specified']],
  ['no schema at all', 'x', ['schema: Invalid value: "x": must be a schema']],
  ['an unknown type', under({ type: 'file' }), ['schema.properties[spec].type: Invalid value: "file": must be one of array, boolean, integer, number, object, string']],
  ['the type null', under({ type: 'null' }), ['schema.properties[spec].type: Invalid value: "null": type cannot be set to null, use nullable as an alternative']],
  ['CEL rules', under({ type: 'object', 'x-kubernetes-validations': [{ rule: 'true' }] }), ['schema.properties[spec].x-kubernetes-validations: Forbidden: validation rules in CEL are not supported']],
  ['a reference', under({ $ref: '#/x' }), ['schema.properties[spec].$ref: Forbidden: $ref is not supported']],
  ['an unknown keyword', under({ type: 'string', minimumLength: 1 }), ['schema.properties[spec].minimumLength: Forbidden: is not a field of a schema']],
  ['a keyword of the wrong type', under({ type: 'string', minLength: '1' }), ['schema.properties[spec].minLength: Invalid value: "1": must be an integer']],
  ['a type below a junctor', under({ type: 'string', anyOf: [{ type: 'string' }] }), ['schema.properties[spec].anyOf[0].type: Forbidden: must be empty to be structural']],
  ['a rule about an undeclared field', { type: 'object', not: { properties: { a: { minLength: 1 } } } }, ['schema.properties[a]: Required value: because it is defined in schema.not.properties[a]']],
  ['a pattern that is none', under({ type: 'string', pattern: '(' }), ['schema.properties[spec].pattern: Invalid value: "(": must be a valid regular expression, but isn\'t: error parsing regexp: missing closing ): `(`']],
  ['unique items', under({ type: 'array', uniqueItems: true, items: { type: 'string' } }), ['schema.properties[spec].uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic']],
  ['properties beside additional ones', under({ type: 'object', properties: { a: { type: 'string' } }, additionalProperties: { type: 'string' } }), ['schema.properties[spec].additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive']],
  ['restricted metadata', { type: 'object', properties: { metadata: { type: 'object', properties: { labels: { type: 'object' } } } } }, ['schema.properties[metadata]: Forbidden: must not specify anything other than name and generateName, but metadata is implicitly specified']],
  ['a map key without default', under({ type: 'array', 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['a'], items: { type: 'object', properties: { a: { type: 'string' } } } }), ['schema.properties[spec].items.properties[a].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property']],
  ['a map without keys', under({ type: 'array', 'x-kubernetes-list-type': 'map', items: { type: 'object' } }), ['schema.properties[spec].x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map']],
  ['a default of the wrong type', under({ type: 'integer', default: 'x' }), ['schema.properties[spec].default: Invalid value: "string":  in body must be of type integer: "string"']],
  ['a default with unknown fields', under({ type: 'object', default: { a: 1 } }), ['schema.properties[spec].default: Invalid value: {"a":1}: must not have unknown fields']],
  ['an embedded resource without type', under({ 'x-kubernetes-embedded-resource': true, 'x-kubernetes-preserve-unknown-fields': true }), ['schema.properties[spec].type: Required value: must be object if x-kubernetes-embedded-resource is true']]
]

t.test('what is not structural is refused with its path', async t => {
  for (const [name, schema, errors] of refused) t.same(check(schema), errors, name)
})

t.test('every error is reported at once', async t => {
  t.same(checkStructural({ type: 'object', properties: { b: {}, a: { type: 'array' } } }, 's').map(e => e.field), ['s.properties[a].items', 's.properties[b].type'])
})
