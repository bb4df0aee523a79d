import { child, forbidden, index, invalid, mapKey, required, type FieldError } from '../meta/field-error.js'
import { isObject, type JsonObject, type JsonValue } from '../codec/value.js'
import { cloneJson } from '../codec/json-clone.js'
import { equalJson } from '../codec/json-equal.js'
import { coerceEmbedded, validateEmbedded } from './embedded-resource.js'
import { fieldErrors, Findings } from './findings.js'
import { pruneUnknown } from './pruning.js'
import { isKnownKeyword, keywordProblem } from './schema-keywords.js'
import { compilePattern, SchemaNode } from './schema-node.js'
import type { StructuralSchema } from './structural-schema.js'
import { validateValue } from './validate.js'

/**
 * What keeps a manifest's schema from being a structural schema that we serve. Kubernetes' rules (KEP-1693) with its texts; in addition
 * CEL rules and keywords that we do not know are refused rather than ignored.
 * @param path where the schema stands, e.g. `spec.versions[0].schema.openAPIV3Schema`
 * @returns errors sorted by path; none means that the value is a StructuralSchema
 * Source: `apiextensions-apiserver/pkg/apiserver/schema/validation.go`, `pkg/apis/apiextensions/validation/validation.go`.
 */
export function checkStructural (schema: JsonValue | StructuralSchema, path: string): FieldError[] {
  const errors: FieldError[] = []
  const value = schema as JsonValue
  checkKeywords(value, path, errors)
  // With wrong types inside, the rest would only add noise.
  if (errors.length === 0 && isObject(value)) {
    checkNode(value, path, { level: 'root' }, errors)
    checkCompleteness(value, value, path, path, errors)
    if (errors.length === 0) checkDefaults(value, path, errors)
  }
  return errors.sort((a, b) => a.field < b.field ? -1 : a.field > b.field ? 1 : 0)
}

const junctors = ['allOf', 'anyOf', 'oneOf'] as const
const emptyRequired = (text: string): string => `must not be empty ${text}`

/** Every keyword is known and has a value of its type, here and below. */
function checkKeywords (schema: JsonValue, path: string, errors: FieldError[]): void {
  if (!isObject(schema)) {
    errors.push(invalid(path, schema, 'must be a schema'))
    return
  }
  for (const key of Object.keys(schema)) {
    const problem = keywordProblem(key, schema[key]!)
    if (!isKnownKeyword(key)) errors.push(forbidden(child(path, key), problem!))
    else if (problem !== undefined) errors.push(invalid(child(path, key), schema[key]!, problem))
  }
  eachSubschema(schema, path, (sub, at) => checkKeywords(sub, at, errors))
}

/** Calls back with every schema that stands in this one. */
function eachSubschema (schema: JsonObject, path: string, visit: (sub: JsonValue, at: string) => void): void {
  const { properties, items, additionalProperties, not } = schema
  if (isObject(properties)) for (const key of Object.keys(properties)) visit(properties[key]!, mapKey(child(path, 'properties'), key))
  if (isObject(items)) visit(items, child(path, 'items'))
  if (isObject(additionalProperties)) visit(additionalProperties, child(path, 'additionalProperties'))
  if (isObject(not)) visit(not, child(path, 'not'))
  for (const name of junctors) {
    const list = schema[name]
    if (Array.isArray(list)) list.forEach((sub, i) => visit(sub, index(child(path, name), i)))
  }
}

interface Place {
  readonly level: 'root' | 'item' | 'field'
  /** Inside the metadata of the object or of an embedded one. */
  readonly insideMeta?: boolean
  /** Why there may be no default here. */
  readonly noDefault?: string
}

/** The rules for one node of the structure, and all below it. */
function checkNode (s: JsonObject, path: string, place: Place, errors: FieldError[]): void {
  const { type, properties = {}, additionalProperties, items } = s as JsonObject & { properties?: JsonObject }
  const embedded = s['x-kubernetes-embedded-resource'] === true
  const preserving = s['x-kubernetes-preserve-unknown-fields'] === true
  const intOrString = s['x-kubernetes-int-or-string'] === true
  const at = (name: string): string => child(path, name)

  if (type === 'array' && items === undefined) errors.push(required(at('items'), 'must be specified'))
  if (intOrString && preserving) errors.push(invalid(at('x-kubernetes-preserve-unknown-fields'), true, 'must be false if x-kubernetes-int-or-string is true'))
  if (intOrString && embedded) errors.push(invalid(at('x-kubernetes-embedded-resource'), true, 'must be false if x-kubernetes-int-or-string is true'))
  if (embedded && type !== 'object') {
    const text = 'must be object if x-kubernetes-embedded-resource is true'
    errors.push(type === undefined ? required(at('type'), text) : invalid(at('type'), type, text))
  } else if (type === undefined && !intOrString && !preserving) {
    errors.push(required(at('type'), emptyRequired({ root: 'at the root', item: 'for specified array items', field: 'for specified object fields' }[place.level])))
  }
  if (additionalProperties !== undefined) {
    if (place.level === 'root') errors.push(forbidden(at('additionalProperties'), 'must not be used at the root'))
    if (embedded) errors.push(forbidden(at('additionalProperties'), 'must not be used if x-kubernetes-embedded-resource is set'))
    if (Object.keys(properties).length > 0 && additionalProperties !== true) errors.push(forbidden(at('additionalProperties'), 'additionalProperties and properties are mutual exclusive'))
  }
  if (place.level === 'root') {
    if (type !== undefined && type !== 'object') errors.push(invalid(at('type'), type, 'must be object at the root'))
    if (s['nullable'] === true) errors.push(forbidden(at('nullable'), 'nullable cannot be true at the root'))
  }
  if (embedded && place.insideMeta === true) errors.push(forbidden(at('x-kubernetes-embedded-resource'), 'must not be used inside of resource meta'))
  if (embedded && !preserving && Object.keys(properties).length === 0) {
    errors.push(required(at('properties'), 'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields'))
  }
  if (s['default'] !== undefined && place.noDefault !== undefined) errors.push(forbidden(at('default'), `must not be set ${place.noDefault}`))
  checkMetaProperties(properties, path, { root: place.level === 'root', embedded }, errors)
  checkListType(s, path, errors)
  checkMapType(s, path, errors)
  checkRules(s, path, { skipAnyOf: isIntOrString(s['anyOf']) && intOrString, skipFirstAllOf: intOrString && isIntOrString((s['allOf'] as JsonObject[] | undefined)?.[0]?.['anyOf']) }, errors)

  if (isObject(items)) checkNode(items, at('items'), { ...place, level: 'item' }, errors)
  if (isObject(additionalProperties)) {
    const below = place.insideMeta === true ? { noDefault: 'inside additionalProperties applying to object metadata' } : {}
    checkNode(additionalProperties, at('additionalProperties'), { ...place, ...below, level: 'field' }, errors)
  }
  for (const key of Object.keys(properties)) {
    const meta = (place.level === 'root' || embedded) && isMeta(key)
    const below = meta ? { insideMeta: true, ...(place.level === 'root' && { noDefault: `in top-level ${key}` }) } : {}
    checkNode(properties[key] as JsonObject, mapKey(at('properties'), key), { ...place, ...below, level: 'field' }, errors)
  }
}

const isMeta = (key: string): boolean => key === 'metadata' || key === 'apiVersion' || key === 'kind'

/** apiVersion, kind and metadata have a type of their own; of the object's metadata only the name may be restricted. */
function checkMetaProperties (properties: JsonObject, path: string, where: { root: boolean; embedded: boolean }, errors: FieldError[]): void {
  if (!where.root && !where.embedded) return
  for (const [key, type] of [['kind', 'string'], ['apiVersion', 'string'], ['metadata', 'object']] as const) {
    const property = Object.hasOwn(properties, key) ? properties[key] as JsonObject : undefined
    if (property !== undefined && property['type'] !== type) errors.push(invalid(child(mapKey(child(path, 'properties'), key), 'type'), property['type'] ?? '', `must be ${type}`))
  }
  const metadata = Object.hasOwn(properties, 'metadata') ? properties['metadata'] as JsonObject : undefined
  if (!where.root || metadata === undefined) return
  const names = Object.keys((metadata['properties'] ?? {}) as JsonObject)
  const others = Object.keys(metadata).filter(k => !['type', 'properties', 'default'].includes(k))
  if (others.length > 0 || names.some(n => n !== 'name' && n !== 'generateName')) {
    errors.push(forbidden(mapKey(child(path, 'properties'), 'metadata'), 'must not specify anything other than name and generateName, but metadata is implicitly specified'))
  }
}

function checkMapType (s: JsonObject, path: string, errors: FieldError[]): void {
  if (s['x-kubernetes-map-type'] !== undefined) checkTypeIs(s, 'object', 'x-kubernetes-map-type', path, errors)
}

function checkTypeIs (s: JsonObject, type: string, keyword: string, path: string, errors: FieldError[]): void {
  const text = `must be ${type} if ${keyword} is specified`
  if (s['type'] === undefined) errors.push(required(child(path, 'type'), text))
  else if (s['type'] !== type) errors.push(invalid(child(path, 'type'), s['type']!, text))
}

function checkListType (s: JsonObject, path: string, errors: FieldError[]): void {
  const listType = s['x-kubernetes-list-type']
  const keys = (s['x-kubernetes-list-map-keys'] ?? []) as string[]
  const items = s['items'] as JsonObject | undefined
  const at = (name: string): string => child(path, name)
  if (keys.length > 0 && listType === undefined) errors.push(required(at('x-kubernetes-list-type'), 'must be map if x-kubernetes-list-map-keys is non-empty'))
  else if (keys.length > 0 && listType !== 'map') errors.push(invalid(at('x-kubernetes-list-type'), listType!, 'must be map if x-kubernetes-list-map-keys is non-empty'))
  if (listType === undefined) return
  checkTypeIs(s, 'array', 'x-kubernetes-list-type', path, errors)
  if (listType === 'atomic' || items === undefined) return
  if (items['nullable'] === true) errors.push(forbidden(at('items.nullable'), `cannot be nullable when x-kubernetes-list-type is ${listType as string}`))
  if (listType === 'set') {
    const atomic = 'must be atomic as item of a list with x-kubernetes-list-type=set'
    const [itemListType, itemMapType] = [items['x-kubernetes-list-type'], items['x-kubernetes-map-type']]
    if (items['type'] === 'array' && itemListType !== undefined && itemListType !== 'atomic') errors.push(invalid(at('items.x-kubernetes-list-type'), itemListType, atomic))
    if (items['type'] === 'object' && itemMapType !== 'atomic') errors.push(invalid(at('items.x-kubernetes-map-type'), itemMapType ?? null, atomic))
    return
  }
  if (keys.length === 0) errors.push(required(at('x-kubernetes-list-map-keys'), 'must not be empty if x-kubernetes-list-type is map'))
  if (new Set(keys).size < keys.length) errors.push(invalid(at('x-kubernetes-list-map-keys'), keys, 'must not contain duplicate entries'))
  if (items['type'] !== 'object') {
    errors.push(invalid(at('items.type'), items['type'] ?? '', "must be object if parent array's x-kubernetes-list-type is map"))
    return
  }
  checkMapKeys(keys, items, path, errors)
}

/** Map keys are scalars that are always there. */
function checkMapKeys (keys: readonly string[], items: JsonObject, path: string, errors: FieldError[]): void {
  const properties = (items['properties'] ?? {}) as JsonObject
  const always = (items['required'] ?? []) as string[]
  for (const key of keys) {
    if (!Object.hasOwn(properties, key)) {
      errors.push(invalid(child(path, 'x-kubernetes-list-map-keys'), [...keys], 'entries must all be names of item properties'))
      continue
    }
    const property = properties[key] as JsonObject
    const at = (name: string): string => child(mapKey(child(path, 'items.properties'), key), name)
    if (property['type'] === 'array' || property['type'] === 'object') errors.push(invalid(at('type'), property['type'], "must be a scalar type if parent array's x-kubernetes-list-type is map"))
    if (!always.includes(key) && (property['default'] ?? null) === null) errors.push(required(at('default'), 'this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property'))
    if (property['nullable'] === true) errors.push(forbidden(at('nullable'), 'this property is in x-kubernetes-list-map-keys, so it cannot be nullable'))
  }
}

const isIntOrString = (anyOf: JsonValue | undefined): boolean => anyOf !== undefined && equalJson(anyOf, [{ type: 'integer' }, { type: 'string' }])

interface Skips { readonly skipAnyOf: boolean; readonly skipFirstAllOf: boolean }

/** What a node demands of values: the pattern and, below junctors, nothing but such demands. */
function checkRules (s: JsonObject, path: string, skips: Skips, errors: FieldError[]): void {
  const pattern = s['pattern']
  const compiled = typeof pattern === 'string' && pattern !== '' ? compilePattern(pattern) : undefined
  if (compiled !== undefined && 'error' in compiled) errors.push(invalid(child(path, 'pattern'), pattern!, `must be a valid regular expression, but isn't: ${compiled.error}`))
  if (s['uniqueItems'] === true) errors.push(forbidden(child(path, 'uniqueItems'), 'uniqueItems cannot be set to true since the runtime complexity becomes quadratic'))
  for (const name of junctors) {
    if (name === 'anyOf' && skips.skipAnyOf) continue
    const list = (s[name] ?? []) as JsonObject[]
    list.forEach((sub, i) => checkNested(sub, index(child(path, name), i), { skipAnyOf: name === 'allOf' && i === 0 && skips.skipFirstAllOf, skipFirstAllOf: false }, errors))
  }
  if (isObject(s['not'])) checkNested(s['not'], child(path, 'not'), noSkips, errors)
}

const noSkips: Skips = { skipAnyOf: false, skipFirstAllOf: false }
const structureOnly = new Map([
  ['type', 'must be empty to be structural'], ['additionalProperties', 'must be undefined to be structural'], ['default', 'must be undefined to be structural'],
  ['title', 'must be empty to be structural'], ['description', 'must be empty to be structural'], ['nullable', 'must be false to be structural'],
  ['x-kubernetes-preserve-unknown-fields', 'must be false to be structural'], ['x-kubernetes-embedded-resource', 'must be false to be structural'],
  ['x-kubernetes-int-or-string', 'must be false to be structural'], ['x-kubernetes-list-map-keys', 'must be empty to be structural'],
  ['x-kubernetes-list-type', 'must be undefined to be structural'], ['x-kubernetes-map-type', 'must be undefined to be structural']
])

function checkNested (s: JsonObject, path: string, skips: Skips, errors: FieldError[]): void {
  for (const [keyword, text] of structureOnly) {
    const value = s[keyword]
    if (value !== undefined && value !== false && value !== '' && value !== null) errors.push(forbidden(child(path, keyword), text))
  }
  checkRules(s, path, skips, errors)
  const properties = (s['properties'] ?? {}) as JsonObject
  if (Object.hasOwn(properties, 'metadata')) errors.push(forbidden(mapKey(child(path, 'properties'), 'metadata'), 'must not be specified in a nested context'))
  for (const key of Object.keys(properties)) checkNested(properties[key] as JsonObject, mapKey(child(path, 'properties'), key), noSkips, errors)
  if (isObject(s['items'])) checkNested(s['items'], child(path, 'items'), noSkips, errors)
}

/** Whatever a junctor speaks about is declared in the structure. */
function checkCompleteness (rules: JsonObject, structure: JsonObject, path: string, rulesPath: string, errors: FieldError[]): void {
  const nested = [
    ...junctors.flatMap(name => ((rules[name] ?? []) as JsonObject[]).map((sub, i) => [sub, index(child(rulesPath, name), i)] as const)),
    ...(isObject(rules['not']) ? [[rules['not'], child(rulesPath, 'not')] as const] : [])
  ]
  for (const [sub, at] of nested) checkDeclared(sub, structure, path, at, errors)
}

function checkDeclared (rules: JsonObject, structure: JsonObject, path: string, rulesPath: string, errors: FieldError[]): void {
  checkCompleteness(rules, structure, path, rulesPath, errors)
  if (isObject(rules['items'])) {
    if (isObject(structure['items'])) checkDeclared(rules['items'], structure['items'], child(path, 'items'), child(rulesPath, 'items'), errors)
    else errors.push(required(child(path, 'items'), `because it is defined in ${child(rulesPath, 'items')}`))
  }
  const declared = (structure['properties'] ?? {}) as JsonObject
  const properties = (rules['properties'] ?? {}) as JsonObject
  for (const key of Object.keys(properties)) {
    const [at, rulesAt] = [mapKey(child(path, 'properties'), key), mapKey(child(rulesPath, 'properties'), key)]
    if (Object.hasOwn(declared, key)) checkDeclared(properties[key] as JsonObject, declared[key] as JsonObject, at, rulesAt, errors)
    else errors.push(required(at, `because it is defined in ${rulesAt}`))
  }
}

/** A default has only specified fields and is valid. */
function checkDefaults (s: JsonObject, path: string, errors: FieldError[]): void {
  const value = s['default'] ?? null
  if (value !== null) {
    errors.push(...defaultErrors(value, s, child(path, 'default')))
  }
  const { properties, items } = s
  if (isObject(items)) checkDefaults(items, child(path, 'items'), errors)
  if (isObject(properties)) for (const key of Object.keys(properties)) checkDefaults(properties[key] as JsonObject, mapKey(child(path, 'properties'), key), errors)
}

function defaultErrors (value: JsonValue, s: JsonObject, path: string): FieldError[] {
  const node = new SchemaNode({ type: 'object', properties: { default: s as StructuralSchema } })
  const holder: JsonObject = { default: cloneJson(value) }
  const under = (e: FieldError): FieldError => ({ ...e, field: path + e.field.slice('default'.length) })
  if (pruneUnknown(holder, node).length > 0) return [invalid(path, value, 'must not have unknown fields')]
  const { error } = coerceEmbedded(holder, node, { dropInvalid: false })
  const embedded = error === undefined ? validateEmbedded(holder, node) : [error]
  if (embedded.length > 0) return embedded.map(under)
  const findings = new Findings()
  validateValue(node.property('default')!, value, '', findings)
  return fieldErrors(findings, path)
}
