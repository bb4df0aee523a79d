import { duplicate, invalid, type FieldError } from '../meta/field-error.js'
import { printJson } from '../codec/json-print.js'
import { isObject, setMember, type JsonObject, type JsonValue } from '../codec/value.js'
import type { SchemaNode } from './schema-node.js'

/**
 * Checks that sets hold no item twice and maps no key twice. Of an item that occurs several times only the second is reported.
 * Source: `apiextensions-apiserver/pkg/apiserver/schema/listtype/validation.go`.
 */
export function validateListTypes (object: JsonObject, root: SchemaNode): FieldError[] {
  const errors: FieldError[] = []
  checkMembers(object, root, '', errors)
  return errors
}

function checkMembers (object: JsonObject, node: SchemaNode, path: string, errors: FieldError[]): void {
  const { additional } = node
  for (const key of Object.keys(object)) {
    const member = object[key]!
    if (member === null || typeof member !== 'object') continue
    if (additional !== undefined) check(member, additional, `${path}[${key}]`, errors)
    const property = node.property(key)
    if (property !== undefined) check(member, property, path === '' ? key : `${path}.${key}`, errors)
  }
}

function check (value: JsonValue[] | JsonObject, node: SchemaNode, path: string, errors: FieldError[]): void {
  if (!Array.isArray(value)) {
    checkMembers(value, node, path, errors)
    return
  }
  const listType = node.schema['x-kubernetes-list-type']
  if (listType === 'set') for (const i of secondOccurrences(value)) errors.push(duplicate(`${path}[${i}]`, value[i]!))
  else if (listType === 'map') checkMap(value, node.schema['x-kubernetes-list-map-keys'] ?? [], path, errors)
  const { items } = node
  if (items === undefined) return
  for (let i = 0; i < value.length; i++) {
    const item = value[i]!
    if (item !== null && typeof item === 'object') check(item, items, `${path}[${i}]`, errors)
  }
}

function checkMap (list: readonly JsonValue[], keyNames: readonly string[], path: string, errors: FieldError[]): void {
  const stray = list.findIndex(item => item !== null && !isObject(item))
  if (stray >= 0) {
    errors.push(invalid(`${path}[${stray}]`, list[stray]!, 'must be an object for an array of list-type map'))
    return
  }
  if (list.length < 2) return
  const keys = list.map(item => {
    const key: JsonObject = {}
    if (isObject(item)) for (const name of keyNames) if (Object.hasOwn(item, name)) setMember(key, name, item[name]!)
    return key
  })
  for (const i of secondOccurrences(keys)) errors.push(duplicate(`${path}[${i}]`, keys[i]!))
}

/** Indices at which a value occurs for the second time. */
function secondOccurrences (list: readonly JsonValue[]): number[] {
  if (list.length < 2) return []
  const times = new Map<JsonValue, number>()
  const found: number[] = []
  for (let i = 0; i < list.length; i++) {
    const value = list[i]!
    // Objects and lists are compared as JSON; the prefix keeps them apart from strings.
    const key = value !== null && typeof value === 'object' ? `\0${printJson(value)}` : value
    const n = times.get(key) ?? 0
    if (n === 1) found.push(i)
    times.set(key, n + 1)
  }
  return found
}
