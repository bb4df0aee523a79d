import { cloneJson } from '../codec/json-clone.js'
import { setMember, type JsonObject, type JsonValue } from '../codec/value.js'
import type { SchemaNode } from './schema-node.js'

/**
 * Fills in defaults: absent members, and nulls that are not allowed to be null. A default's own members are filled in too.
 * @param options.pruneNulls removes members that are null where null is not allowed and no default stands in (not within defaults)
 * Source: `apiextensions-apiserver/pkg/apiserver/schema/defaulting/{algorithm,prunenulls}.go`.
 */
export function setDefaults (value: JsonValue, node: SchemaNode, options: { pruneNulls: boolean }): void {
  if (typeof value !== 'object' || value === null) return
  if (Array.isArray(value)) {
    const { items } = node
    if (items !== undefined) setItemDefaults(value, items, options)
    return
  }
  for (const key of Object.keys(value)) {
    const field = node.property(key) ?? node.additional
    if (field === undefined) continue
    const member = value[key]!
    if (typeof member !== 'object') continue
    if (member !== null) setDefaults(member, field, options)
    else if (field.nullable) continue
    else if (field.hasDefault) setDefault(value, key, field)
    else if (options.pruneNulls) delete value[key]
  }
  for (const name of node.defaultNames) {
    if (!Object.hasOwn(value, name)) setDefault(value, name, node.property(name)!)
  }
}

function setItemDefaults (list: JsonValue[], items: SchemaNode, options: { pruneNulls: boolean }): void {
  for (let i = 0; i < list.length; i++) {
    if (list[i] === null && !items.nullable && items.hasDefault) {
      list[i] = cloneJson(items.schema.default!)
      setDefaults(list[i]!, items, withinDefault)
    } else {
      setDefaults(list[i]!, items, options)
    }
  }
}

function setDefault (object: JsonObject, key: string, field: SchemaNode): void {
  const value = cloneJson(field.schema.default!)
  setMember(object, key, value)
  setDefaults(value, field, withinDefault)
}

const withinDefault = { pruneNulls: false }
