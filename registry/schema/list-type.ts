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
  if (node.listType === 'set') for (const i of secondOccurrences(value)) errors.push(duplicate(`${path}[${i}]`, value[i]!))
  else if (node.listType === 'map') checkMap(value, node.listMapKeys, path, errors)
  const { items } = node
  if (items === undefined) return
  for (let i = 0; i < value.length; i++) {
    const item = value[i]!
    if (item !== null && typeof item === 'object') check(item, items, `${path}[${i}]`, errors)
  }
}

/** Whether this one list is a set or a map with something wrong: the quick question before validateListTypes is worth its walk. */
export function breaksListType (node: SchemaNode, list: readonly JsonValue[]): boolean {
  if (node.listType === 'set') return secondOccurrences(list).length > 0
  return node.listType === 'map' && (list.some(isStray) || secondOccurrences(mapKeysOf(list, node.listMapKeys)).length > 0)
}

function checkMap (list: readonly JsonValue[], keyNames: readonly string[], path: string, errors: FieldError[]): void {
  const stray = list.findIndex(isStray)
  if (stray >= 0) {
    errors.push(invalid(`${path}[${stray}]`, list[stray]!, 'must be an object for an array of list-type map'))
    return
  }
  for (const i of secondOccurrences(mapKeysOf(list, keyNames))) errors.push(duplicate(`${path}[${i}]`, keyObject(list[i]!, keyNames)))
}

const isStray = (item: JsonValue): boolean => item !== null && !isObject(item)

/** What identifies each item, as text. */
function mapKeysOf (list: readonly JsonValue[], names: readonly string[]): string[] {
  return list.length < 2 ? [] : list.map(item => {
    let text = ''
    for (const name of names) {
      const value = isObject(item) && Object.hasOwn(item, name) ? item[name]! : undefined
      text += typeof value === 'string' ? `${value.length}"${value}` : value === undefined ? '-' : `${printJson(value)},`
    }
    return text
  })
}

function keyObject (item: JsonValue, names: readonly string[]): JsonObject {
  const key: JsonObject = {}
  if (isObject(item)) for (const name of names) if (Object.hasOwn(item, name)) setMember(key, name, item[name]!)
  return key
}

/** Indices at which a value occurs for the second time. */
function secondOccurrences (list: readonly JsonValue[]): number[] {
  const found: number[] = []
  if (list.length < 2) return found
  const times = new Map<JsonValue, number>()
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
