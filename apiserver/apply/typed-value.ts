import { isObject, type JsonValue } from '../../registry/codec/value.js'
import { TypedError, type TypeProblem } from './errors.js'
import { FieldSet, type FieldNode } from './field-set.js'
import { goType, wrapped, wrappedSyntax } from './go-value-format.js'
import { itemElement, knownItemElement } from './list-items.js'
import { fieldElement, formatElement, indexElement, type PathElement } from './path-element.js'
import { typeOfKey, type FieldType, type ListType, type MapType, type ScalarKind } from './schema-type.js'

/** Which part of a type applies to a value. What fits none (null fits all) is treated as the first that the type has. */
export function shapeOf (type: FieldType, value: JsonValue | undefined): 'map' | 'scalar' | 'list' {
  if (value !== null && value !== undefined) {
    if (typeof value !== 'object') { if (type.scalar !== undefined) return 'scalar' }
    else if (Array.isArray(value)) { if (type.list !== undefined) return 'list' }
    else if (type.map !== undefined) return 'map'
  }
  return type.map !== undefined ? 'map' : type.scalar !== undefined ? 'scalar' : 'list'
}

/**
 * Checks that a value fits its type. Values of every depth are checked, inside atomic ones too.
 * @param allowDuplicates whether several items of a set or map list may be the same, as stored objects of older schemas have it
 * @throws TypedError naming every place that does not fit
 */
export function checkType (type: FieldType, value: JsonValue, { allowDuplicates }: { allowDuplicates: boolean }): void {
  const problems = check(type, value, allowDuplicates)
  if (problems !== undefined) throw new TypedError(problems)
}

type Problems = TypeProblem[] | undefined

const problem = (message: string): TypeProblem[] => [{ path: '', message }]
const below = (element: PathElement, problems: TypeProblem[]): TypeProblem[] => problems.map(p => ({ path: formatElement(element) + p.path, message: p.message }))

/** The first array grows: there may be a problem in each of very many places. */
function join (all: Problems, more: TypeProblem[]): TypeProblem[] {
  if (all === undefined) return more
  for (const p of more) all.push(p)
  return all
}

function check (type: FieldType, value: JsonValue, allowDuplicates: boolean): Problems {
  if (value === null) return undefined
  switch (shapeOf(type, value)) {
    case 'map': return isObject(value) ? checkMap(type.map!, value, allowDuplicates) : problem(`expected map, got ${wrapped(value)}`)
    case 'list': return Array.isArray(value) ? checkList(type.list!, value, allowDuplicates) : problem(`expected list, got ${wrapped(value)}`)
    default: return checkScalar(type.scalar!, value)
  }
}

function checkScalar (kind: ScalarKind, value: JsonValue): Problems {
  switch (kind) {
    case 'numeric': return typeof value === 'number' || typeof value === 'bigint' ? undefined : problem(`expected numeric (int or float), got ${goType(value)}`)
    case 'string': return typeof value === 'string' ? undefined : problem(`expected string, got ${wrappedSyntax(value)}`)
    case 'boolean': return typeof value === 'boolean' ? undefined : problem(`expected boolean, got ${wrapped(value)}`)
    default: return typeof value === 'object' ? problem(`expected any scalar, got ${wrapped(value)}`) : undefined
  }
}

function checkMap (map: MapType, value: { [key: string]: JsonValue }, allowDuplicates: boolean): Problems {
  let problems: Problems
  for (const name in value) {
    const type = typeOfKey(map, name)
    if (type === undefined) return join(problems, below(fieldElement(name), problem('field not declared in schema')))
    const found = check(type, value[name]!, allowDuplicates)
    if (found !== undefined) problems = join(problems, below(fieldElement(name), found))
  }
  return problems
}

function checkList (list: ListType, value: JsonValue[], allowDuplicates: boolean): Problems {
  let problems: Problems
  const seen = new Set<PathElement>()
  for (let i = 0; i < value.length; i++) {
    const item = value[i]!
    let element: PathElement | undefined
    if (list.associative) {
      const is = itemElement(list, item)
      if (typeof is !== 'string') return join(problems, problem(`element ${i}: ${is.problem}`))
      if (!allowDuplicates && seen.has(is)) problems = join(problems, problem(`duplicate entries for key ${formatElement(is)}`))
      seen.add(is)
      element = is
    }
    const found = check(list.element, item, allowDuplicates)
    if (found !== undefined) problems = join(problems, below(element ?? indexElement(i), found))
  }
  return problems
}

/**
 * The fields that somebody who wrote this value owns: scalars, atomic values, items of sets and map lists, keys of maps, empty maps and
 * nulls; of structs only what is in them. An empty set or map list owns nothing.
 */
export function fieldsOf (type: FieldType, value: JsonValue): FieldSet {
  return collect(type, value)?.below ?? FieldSet.empty
}

/** What a value contributes: whether it is itself a leaf, and the fields below it. */
interface Fields { readonly leaf: boolean; readonly below: FieldSet | undefined }
const leaf: Fields = { leaf: true, below: undefined }

function collect (type: FieldType, value: JsonValue): Fields | undefined {
  switch (shapeOf(type, value)) {
    case 'scalar': return leaf
    case 'map': return type.map!.atomic ? leaf : isObject(value) ? collectMap(type.map!, value) : undefined
    default: return !type.list!.associative ? leaf : Array.isArray(value) ? collectList(type.list!, value) : undefined
  }
}

function collectMap (map: MapType, value: { [key: string]: JsonValue }): Fields | undefined {
  const nodes: FieldNode[] = []
  for (const name in value) {
    const child = value[name]!
    const declared = map.declared(name)
    const type = declared?.type ?? map.others
    if (type === undefined) continue
    const fields = collect(type, child)
    const owned = fields?.leaf === true || declared === undefined || child === null || isEmptyMap(child)
    if (owned || fields?.below !== undefined) nodes.push({ element: declared?.element ?? fieldElement(name), owned, children: fields?.below })
  }
  return nodes.length === 0 ? undefined : { leaf: false, below: FieldSet.ofUnsorted(nodes) }
}

function isEmptyMap (value: JsonValue): boolean {
  if (!isObject(value)) return false
  for (const _ in value) return false
  return true
}

function collectList (list: ListType, value: JsonValue[]): Fields | undefined {
  const items = new Map<PathElement, JsonValue | undefined>() // undefined: several items are the same, owned as a whole
  for (const item of value) {
    const element = knownItemElement(list, item)
    items.set(element, items.has(element) ? undefined : item)
  }
  if (items.size === 0) return undefined
  const nodes: FieldNode[] = []
  for (const [element, item] of items) nodes.push({ element, owned: true, children: item === undefined ? undefined : collect(list.element, item)?.below })
  return { leaf: false, below: FieldSet.ofUnsorted(nodes) }
}
