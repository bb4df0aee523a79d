import type { JsonObject, JsonValue } from '../../registry/codec/value.js'
import { printYaml } from '../../registry/codec/yaml.js'
import { bool, double, entries, field, int64, message, named, oneOf, repeated, string, type ProtobufField, type ProtobufType } from './protobuf.js'

/**
 * A Swagger 2.0 document as the protobuf message `openapi.v2.Document`, which kubectl reads to validate what OpenAPI v3 does not describe
 * (a `v1` List, for one). Covers what our documents hold: no forms, headers, files, examples or tags with documents of their own.
 * Source: github.com/google/gnostic-models, openapiv2/OpenAPIv2.proto.
 */
export const swaggerProtobuf = (swagger: JsonObject): Buffer => document.encode(swagger)

/** Any value, as YAML. */
const any: ProtobufType = { wire: 2, isDefault: () => false, encode: value => yamlOnly.encode({ yaml: printYaml(value) }) }
const yamlOnly = message(() => ({ yaml: field(2, string) }))

const extensions = (number: number) => (name: string): ProtobufField | undefined => name.startsWith('x-') ? field(number, named(any)) : undefined
const map = (number: number, type: ProtobufType): ProtobufField => ({ number, type: named(type), items: entries })
/** A message that holds nothing but such a map. */
const mapMessage = (type: ProtobufType): ProtobufType => ({ wire: 2, isDefault: () => false, encode: value => message(() => ({ all: map(1, type) })).encode({ all: value }) })
const listMessage = (type: ProtobufType): ProtobufType => ({ wire: 2, isDefault: () => false, encode: value => message(() => ({ all: repeated(1, type) })).encode({ all: Array.isArray(value) ? value : [value] }) })

const isReference = (value: JsonValue): boolean => (value as JsonObject)['$ref'] !== undefined
const reference = message(() => ({ $ref: field(1, string), description: field(2, string) }))

const schema: ProtobufType = message(() => ({
  $ref: field(1, string),
  format: field(2, string),
  title: field(3, string),
  description: field(4, string),
  default: field(5, any),
  multipleOf: field(6, double),
  maximum: field(7, double),
  exclusiveMaximum: field(8, bool),
  minimum: field(9, double),
  exclusiveMinimum: field(10, bool),
  maxLength: field(11, int64),
  minLength: field(12, int64),
  pattern: field(13, string),
  maxItems: field(14, int64),
  minItems: field(15, int64),
  uniqueItems: field(16, bool),
  maxProperties: field(17, int64),
  minProperties: field(18, int64),
  required: repeated(19, string),
  enum: repeated(20, any),
  additionalProperties: field(21, oneOf(value => typeof value === 'boolean' ? field(2, bool) : field(1, schema))),
  type: field(22, listMessage(string)),
  items: field(23, listMessage(schema)),
  allOf: repeated(24, schema),
  properties: field(25, mapMessage(schema)),
  readOnly: field(27, bool),
  example: field(30, any)
}), extensions(31))

const bodyParameter = message(() => ({
  description: field(1, string),
  name: field(2, string),
  in: field(3, string),
  required: field(4, bool),
  schema: field(5, schema)
}), extensions(6))

/** Those in the query have one field more than those in the path, so the numbers behind it differ. */
const parameterIn = (place: 'path' | 'query'): ProtobufType => {
  const more = place === 'query' ? 1 : 0
  return message(() => ({
    required: field(1, bool),
    in: field(2, string),
    description: field(3, string),
    name: field(4, string),
    ...(place === 'query' && { allowEmptyValue: field(5, bool) }),
    type: field(5 + more, string),
    format: field(6 + more, string),
    default: field(9 + more, any),
    uniqueItems: field(19 + more, bool),
    enum: repeated(20 + more, any)
  }), extensions(22 + more))
}
const pathParameter = parameterIn('path')
const queryParameter = parameterIn('query')

const nonBodyParameter = oneOf(value => (value as JsonObject)['in'] === 'path' ? field(4, pathParameter) : field(3, queryParameter))
const parameter = oneOf(value => (value as JsonObject)['in'] === 'body' ? field(1, bodyParameter) : field(2, nonBodyParameter))
const parametersItem = oneOf(value => isReference(value) ? field(2, reference) : field(1, parameter))

const response = message(() => ({ description: field(1, string), schema: field(2, oneOf(() => field(1, schema))) }), extensions(5))
const responseValue = oneOf(value => isReference(value) ? field(2, reference) : field(1, response))
const responses: ProtobufType = message(() => ({}), name => name.startsWith('x-') ? field(2, named(any)) : field(1, named(responseValue)))

const securityRequirement = mapMessage(listMessage(string))

const operation = message(() => ({
  tags: repeated(1, string),
  summary: field(2, string),
  description: field(3, string),
  operationId: field(5, string),
  produces: repeated(6, string),
  consumes: repeated(7, string),
  parameters: repeated(8, parametersItem),
  responses: field(9, responses),
  schemes: repeated(10, string),
  deprecated: field(11, bool),
  security: repeated(12, securityRequirement)
}), extensions(13))

const pathItem = message(() => ({
  get: field(2, operation),
  put: field(3, operation),
  post: field(4, operation),
  delete: field(5, operation),
  options: field(6, operation),
  head: field(7, operation),
  patch: field(8, operation),
  parameters: repeated(9, parametersItem)
}), extensions(10))

const apiKey = message(() => ({ type: field(1, string), name: field(2, string), in: field(3, string), description: field(4, string) }), extensions(5))

const document = message(() => ({
  swagger: field(1, string),
  info: field(2, message(() => ({ title: field(1, string), version: field(2, string), description: field(3, string) }), extensions(7))),
  host: field(3, string),
  basePath: field(4, string),
  schemes: repeated(5, string),
  consumes: repeated(6, string),
  produces: repeated(7, string),
  paths: field(8, message(() => ({}), name => name.startsWith('x-') ? field(1, named(any)) : field(2, named(pathItem)))),
  definitions: field(9, mapMessage(schema)),
  parameters: field(10, mapMessage(parameter)),
  responses: field(11, mapMessage(response)),
  security: repeated(12, securityRequirement),
  securityDefinitions: field(13, mapMessage(oneOf(() => field(2, apiKey))))
}), extensions(16))
