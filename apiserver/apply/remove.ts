import { isObject, setMember, type JsonObject, type JsonValue } from '../../registry/codec/value.js'
import { FieldSet, type FieldNode } from './field-set.js'
import { knownItemElement } from './list-items.js'
import { elementOfKey, typeOfKey, type FieldType } from './schema-type.js'
import { shapeOf } from './typed-value.js'

/**
 * A value without the fields of a set; what lies below a removed field goes with it. Something from which everything was removed this
 * way becomes null, and so does an atomic value of which a part should go. Does not modify the value.
 * Source: structured-merge-diff, `typed/remove.go`.
 */
export function removeFields (type: FieldType, value: JsonValue, fields: FieldSet): JsonValue {
  if (fields.isEmpty) return value
  switch (shapeOf(type, value)) {
    case 'scalar': return value
    case 'map': {
      const map = type.map!
      if (!isObject(value) || map.atomic) return null
      const out: JsonObject = {}
      let left = 0
      for (const key in value) {
        const node = fields.node(elementOfKey(map, key))
        if (node?.owned === true) continue
        setMember(out, key, node?.children === undefined ? value[key]! : removeFields(typeOfKey(map, key)!, value[key]!, node.children))
        left++
      }
      return left === 0 ? null : out
    }
    default: {
      const list = type.list!
      if (!Array.isArray(value) || !list.associative) return null
      const out: JsonValue[] = []
      for (const item of value) {
        const node = fields.node(knownItemElement(list, item))
        if (node?.owned === true) continue
        out.push(node?.children === undefined ? item : removeFields(list.element, item, node.children))
      }
      return out.length === 0 ? null : out
    }
  }
}

/**
 * A set that also has the declared fields above its fields. Sets of what was applied leave structs out, so that nobody owns a struct
 * only because of a field in it; when fields are taken away the structs they leave empty have to go too.
 * Source: structured-merge-diff, `Set.EnsureNamedFieldsAreMembers`.
 */
export function withStructs (fields: FieldSet, type: FieldType | undefined): FieldSet {
  let out: FieldNode[] | undefined
  fields.nodes.forEach((node, i) => {
    if (node.children === undefined) return
    const children = withStructs(node.children, typeBelow(type, node.element))
    const owned = node.owned || (node.element[0] === 'f' && type?.map?.declared(node.element.slice(2)) !== undefined)
    if (owned === node.owned && children === node.children) return
    out ??= [...fields.nodes]
    out[i] = { element: node.element, owned, children }
  })
  return out === undefined ? fields : FieldSet.ofNodes(out)
}

function typeBelow (type: FieldType | undefined, element: string): FieldType | undefined {
  if (type === undefined) return undefined
  if (element[0] === 'f') return type.map && typeOfKey(type.map, element.slice(2))
  return element[0] === 'k' ? type.list?.element : undefined
}
