import { cloneJson } from '../codec/json-clone.js'
import { setMember, type JsonValue } from '../codec/value.js'
import type { SchemaNode } from './schema-node.js'

/**
 * Fills in defaults: absent members, and nulls that are not allowed to be null. A default's own members are filled in too.
 * Source: `apiextensions-apiserver/pkg/apiserver/schema/defaulting/algorithm.go`.
 */
export function setDefaults (value: JsonValue, node: SchemaNode): void {
  if (typeof value !== 'object' || value === null) return
  if (Array.isArray(value)) {
    const { items } = node
    if (items === undefined) return
    for (let i = 0; i < value.length; i++) {
      if (value[i] === null && !items.nullable) value[i] = cloneJson(items.schema.default ?? null)
      setDefaults(value[i]!, items)
    }
    return
  }
  for (const { name, value: byDefault, nullable } of node.defaults) {
    if (!Object.hasOwn(value, name) || (value[name] === null && !nullable)) setMember(value, name, cloneJson(byDefault))
  }
  for (const key of Object.keys(value)) {
    const property = node.property(key)
    if (property !== undefined) {
      setDefaults(value[key]!, property)
      continue
    }
    const { additional } = node
    if (additional === undefined) continue
    if (value[key] === null && !additional.nullable) setMember(value, key, cloneJson(additional.schema.default ?? null))
    setDefaults(value[key]!, additional)
  }
}

/**
 * Removes members that are null where null is not allowed and no default stands in; validation would refuse them otherwise.
 * Source: `apiextensions-apiserver/pkg/apiserver/schema/defaulting/prunenulls.go`.
 */
export function pruneNulls (value: JsonValue, node: SchemaNode): void {
  if (typeof value !== 'object' || value === null) return
  if (Array.isArray(value)) {
    const { items } = node
    if (items !== undefined) for (let i = 0; i < value.length; i++) pruneNulls(value[i]!, items)
    return
  }
  for (const key of Object.keys(value)) {
    const field = node.field(key)
    if (field === undefined) continue
    const member = value[key]!
    if (member !== null) pruneNulls(member, field)
    else if (!field.nullable && !field.hasDefault) delete value[key]
  }
}
