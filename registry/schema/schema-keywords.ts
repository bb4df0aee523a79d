import { isObject, type JsonValue } from '../codec/value.js'

/**
 * The keywords of a structural schema and the types of their values.
 * Source: `apiextensions-apiserver/pkg/apis/apiextensions/v1/types_jsonschema.go`.
 */

type Check = (value: JsonValue) => string | undefined

const expect = (what: string, test: (value: JsonValue) => boolean): Check => value => test(value) ? undefined : `must be ${what}`
const text = expect('a string', v => typeof v === 'string')
const boolean = expect('true or false', v => typeof v === 'boolean')
const number = expect('a number', v => typeof v === 'number' || typeof v === 'bigint')
const count = expect('an integer', v => typeof v === 'bigint' || (typeof v === 'number' && Number.isSafeInteger(v)))
const strings = expect('a list of strings', v => Array.isArray(v) && v.every(x => typeof x === 'string'))
const schema = expect('a schema', isObject)
const schemas = expect('a list of schemas', v => Array.isArray(v) && v.every(isObject))
const oneOf = (...allowed: string[]): Check => expect(`one of ${allowed.join(', ')}`, v => typeof v === 'string' && allowed.includes(v))
const anything: Check = () => undefined

const keywords: Readonly<Record<string, Check>> = {
  description: text,
  type: v => v === 'null' ? 'type cannot be set to null, use nullable as an alternative' : oneOf('array', 'boolean', 'integer', 'number', 'object', 'string')(v),
  format: text,
  title: text,
  default: anything,
  example: anything,
  nullable: boolean,
  maximum: number,
  exclusiveMaximum: boolean,
  minimum: number,
  exclusiveMinimum: boolean,
  maxLength: count,
  minLength: count,
  pattern: text,
  maxItems: count,
  minItems: count,
  uniqueItems: boolean,
  multipleOf: number,
  enum: expect('a list', Array.isArray),
  maxProperties: count,
  minProperties: count,
  required: strings,
  items: v => Array.isArray(v) ? 'items must be a schema object and not an array' : schema(v),
  allOf: schemas,
  oneOf: schemas,
  anyOf: schemas,
  not: schema,
  properties: expect('an object of schemas', v => isObject(v)),
  additionalProperties: expect('a schema, true or false', v => isObject(v) || typeof v === 'boolean'),
  externalDocs: expect('an object', isObject),
  'x-kubernetes-preserve-unknown-fields': v => v === false ? 'must be true or undefined' : boolean(v),
  'x-kubernetes-embedded-resource': boolean,
  'x-kubernetes-int-or-string': boolean,
  'x-kubernetes-list-map-keys': strings,
  'x-kubernetes-list-type': oneOf('atomic', 'set', 'map'),
  'x-kubernetes-map-type': oneOf('atomic', 'granular')
}

/** Keywords of JSON schema that structural schemas do not have. */
const unsupported = new Set(['id', '$schema', '$ref', 'patternProperties', 'dependencies', 'additionalItems', 'definitions'])

export const isKnownKeyword = (key: string): boolean => Object.hasOwn(keywords, key)

/** What is wrong with a keyword of a schema, undefined if nothing is. */
export function keywordProblem (key: string, value: JsonValue): string | undefined {
  if (Object.hasOwn(keywords, key)) return keywords[key]!(value)
  if (key === 'x-kubernetes-validations') return 'validation rules in CEL are not supported'
  return unsupported.has(key) ? `${key} is not supported` : 'is not a field of a schema'
}
