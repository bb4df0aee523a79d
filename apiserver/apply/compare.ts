import { equalJson } from '../../registry/codec/json-equal.js'
import { isObject, type JsonValue } from '../../registry/codec/value.js'
import { FieldSet, FieldSetBuilder } from './field-set.js'
import { knownItemElement } from './list-items.js'
import type { PathElement } from './path-element.js'
import { elementOfKey, typeOfKey, type FieldType, type ListType, type MapType } from './schema-type.js'
import { shapeOf } from './typed-value.js'

/** How one value differs from another: added and removed things with all that is in them, and leaves with another value. */
export interface Comparison {
  readonly added: FieldSet
  readonly modified: FieldSet
  readonly removed: FieldSet
}

/**
 * Compares two values that fit the type.
 * Source: structured-merge-diff, `typed/compare.go`.
 */
export function compareValues (type: FieldType, before: JsonValue, after: JsonValue): Comparison {
  if (before === after) return sameValues
  const walker = new Walker()
  walker.compare(type, before, after)
  return { added: walker.added.build(), modified: walker.modified.build(), removed: walker.removed.build() }
}

export const sameValues: Comparison = { added: FieldSet.empty, modified: FieldSet.empty, removed: FieldSet.empty }

type Maybe = JsonValue | undefined

class Walker {
  readonly added = new FieldSetBuilder()
  readonly modified = new FieldSetBuilder()
  readonly removed = new FieldSetBuilder()
  readonly #path: PathElement[] = []

  compare (type: FieldType, before: Maybe, after: Maybe): void {
    if (before === after) return
    const now = shapeOf(type, after)
    const was = shapeOf(type, before)
    let isLeaf = false
    if (after === undefined || (before !== undefined && was !== now)) isLeaf = this.#as(was, type, before, after)
    if (after !== undefined) isLeaf = this.#as(now, type, before, after)
    if (isLeaf) return
    if (before === undefined) this.added.insert(this.#path)
    else if (after === undefined) this.removed.insert(this.#path)
  }

  /** @returns whether the two were compared as wholes */
  #as (shape: 'map' | 'scalar' | 'list', type: FieldType, before: Maybe, after: Maybe): boolean {
    switch (shape) {
      case 'map': return this.#maps(type.map!, before, after)
      case 'list': return this.#lists(type.list!, before, after)
      default: return this.#leaf(before, after)
    }
  }

  #leaf (before: Maybe, after: Maybe): true {
    if (before === undefined) this.added.insert(this.#path)
    else if (after === undefined) this.removed.insert(this.#path)
    else if (!equalJson(before, after, isSameNumber)) this.modified.insert(this.#path)
    return true
  }

  #below (element: PathElement, type: FieldType, before: Maybe, after: Maybe): void {
    this.#path.push(element)
    this.compare(type, before, after)
    this.#path.pop()
  }

  #maps (map: MapType, before: Maybe, after: Maybe): boolean {
    const left = isObject(before) ? before : {}
    const right = isObject(after) ? after : {}
    let empty = true
    for (const _ in left) { empty = false; break }
    if (empty) for (const _ in right) { empty = false; break }
    // Empty and null on both sides differ as values, not by what is in them.
    if (map.atomic || empty) return this.#leaf(before, after)
    for (const key in left) {
      const mine = left[key]!
      const its = Object.hasOwn(right, key) ? right[key] : undefined
      if (mine !== its) this.#below(elementOfKey(map, key), typeOfKey(map, key)!, mine, its)
    }
    for (const key in right) if (!Object.hasOwn(left, key)) this.#below(elementOfKey(map, key), typeOfKey(map, key)!, undefined, right[key])
    return false
  }

  #lists (list: ListType, before: Maybe, after: Maybe): boolean {
    const left = Array.isArray(before) ? before : []
    const right = Array.isArray(after) ? after : []
    if (!list.associative || (left.length === 0 && right.length === 0)) return this.#leaf(before, after)
    const mine = grouped(list, left)
    const its = grouped(list, right)
    for (const [element, items] of mine) this.#items(list, element, items, its.get(element) ?? [])
    for (const [element, items] of its) if (!mine.has(element)) this.#items(list, element, [], items)
    return false
  }

  #items (list: ListType, element: PathElement, before: JsonValue[], after: JsonValue[]): void {
    if (before.length <= 1 && after.length <= 1) {
      this.#below(element, list.element, before[0], after[0])
      return
    }
    this.#path.push(element)
    if (before.length > 1 && after.length > 1) {
      // Duplicates are one indivisible value.
      if (!equalJson(before, after, isSameNumber)) this.modified.insert(this.#path)
    } else if (before.length > 1) {
      if (after.length > 0) this.compare(list.element, undefined, after[0])
      this.removed.insert(this.#path)
    } else {
      if (before.length > 0) this.compare(list.element, before[0], undefined)
      this.added.insert(this.#path)
    }
    this.#path.pop()
  }
}

function grouped (list: ListType, items: readonly JsonValue[]): Map<PathElement, JsonValue[]> {
  const groups = new Map<PathElement, JsonValue[]>()
  for (const item of items) {
    const element = knownItemElement(list, item)
    const group = groups.get(element)
    if (group === undefined) groups.set(element, [item])
    else group.push(item)
  }
  return groups
}

/**
 * An int64 beside a float64 is the same when it is that float64 (structured-merge-diff, `value/value.go`). What is read as a bigint is an
 * int64 that no double is sure to hold, and a number as large as that was written as a float64.
 */
const isSameNumber = (a: number | bigint, b: number | bigint): boolean => typeof a !== typeof b && Number(a) === Number(b)
