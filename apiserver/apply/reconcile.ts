import { FieldSet, type FieldNode } from './field-set.js'
import type { PathElement } from './path-element.js'
import { typeOfKey, type FieldType, type ListType, type MapType } from './schema-type.js'

/**
 * Fits a set to a schema in which a granular map or list has become atomic since: who owned something in it now owns all of it.
 * Returns the same set when nothing changed.
 * Source: structured-merge-diff, `typed/reconcile_schema.go`.
 */
export function reconcileFields (fields: FieldSet, type: FieldType): FieldSet {
  return below(type, fields, false) ?? FieldSet.empty
}

const becameAtomic = Symbol('became atomic')

/** @param isLeaf whether the set has the value itself and nothing below it */
function below (type: FieldType, fields: FieldSet | undefined, isLeaf: boolean): FieldSet | undefined {
  const out = shape(type, fields, isLeaf)
  return out === becameAtomic ? fields : out
}

function shape (type: FieldType, fields: FieldSet | undefined, isLeaf: boolean): FieldSet | undefined | typeof becameAtomic {
  if (type.map !== undefined) return mapFields(type.map, fields, isLeaf)
  if (type.scalar !== undefined || type.list === undefined) return fields
  return listFields(type.list, fields, isLeaf)
}

function mapFields (map: MapType, fields: FieldSet | undefined, isLeaf: boolean): FieldSet | undefined | typeof becameAtomic {
  if (map.deduced) return fields
  if (!isLeaf && map.atomic) return fields !== undefined && !fields.isEmpty ? becameAtomic : fields
  return fields && eachNode(fields, element => typeOfKey(map, element[0] === 'f' ? element.slice(2) : ''))
}

function listFields (list: ListType, fields: FieldSet | undefined, isLeaf: boolean): FieldSet | undefined | typeof becameAtomic {
  if (!isLeaf && !list.associative) return becameAtomic
  return fields && eachNode(fields, () => list.element)
}

function eachNode (fields: FieldSet, typeAt: (element: PathElement) => FieldType | undefined): FieldSet {
  let out: FieldNode[] | undefined
  fields.nodes.forEach((node, i) => {
    const type = typeAt(node.element)
    if (type === undefined) return // not in the schema
    const children = shape(type, node.children, node.owned && node.children === undefined)
    if (children === node.children) return
    out ??= [...fields.nodes]
    out[i] = children === becameAtomic ? { element: node.element, owned: true, children: undefined } : { element: node.element, owned: node.owned, children }
  })
  return out === undefined ? fields : FieldSet.ofNodes(out)
}
