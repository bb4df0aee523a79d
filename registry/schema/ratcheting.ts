import { equalJson } from '../codec/json-equal.js'
import { isObject, type JsonObject, type JsonValue } from '../codec/value.js'
import { isInt64 } from './number-rules.js'
import type { SchemaNode } from './schema-node.js'

/**
 * A value beside the one it replaces, walked along the schema: members of objects correspond by key, items of lists of type map by their
 * map keys, all else as a whole. What stands where the schema declares nothing corresponds to nothing.
 * Source: KEP-4008 (CRD ratcheting), `apiserver/pkg/cel/common/{equality,maplist}.go`.
 */
export class CorrelatedObject {
  readonly #node: SchemaNode
  readonly #value: JsonValue
  readonly #old: JsonValue
  #children: Map<string | number, CorrelatedObject> | undefined
  #oldItems: Map<string, JsonObject> | undefined
  #unchanged: boolean | undefined

  constructor (node: SchemaNode, value: JsonValue, old: JsonValue) {
    this.#node = node
    this.#value = value
    this.#old = old
  }

  /** The member of both objects; undefined if one lacks it or the schema does not declare it. */
  key (name: string): CorrelatedObject | undefined {
    const known = this.#children?.get(name)
    if (known !== undefined) return known
    if (!isObject(this.#value) || !isObject(this.#old) || !Object.hasOwn(this.#value, name) || !Object.hasOwn(this.#old, name)) return undefined
    const node = this.#node.field(name)
    return node && this.#keep(name, new CorrelatedObject(node, this.#value[name]!, this.#old[name]!))
  }

  /** The item of the new list with the item of the old one that has the same map keys. */
  index (i: number): CorrelatedObject | undefined {
    const known = this.#children?.get(i)
    if (known !== undefined) return known
    const { items } = this.#node
    if (items === undefined || !this.#isMapList() || !Array.isArray(this.#value) || !Array.isArray(this.#old)) return undefined
    const item = this.#value[i]
    const key = item === undefined ? undefined : this.#keyOf(item)
    if (key === undefined) return undefined
    const old = this.#itemsByKey(this.#old).get(key)
    return old && this.#keep(i, new CorrelatedObject(items, item!, old))
  }

  /** Whether the new value means what the old one meant. */
  isUnchanged (): boolean {
    return this.#unchanged ??= this.#compare()
  }

  #compare (): boolean {
    const [value, old] = [this.#value, this.#old]
    if (Array.isArray(value)) {
      if (!Array.isArray(old) || value.length !== old.length) return false
      if (!this.#isMapList()) return equalJson(value, old)
      return value.every((_, i) => this.index(i)?.isUnchanged() === true)
    }
    if (isObject(value)) {
      if (!isObject(old)) return false
      const keys = Object.keys(value)
      return keys.length === Object.keys(old).length && keys.every(k => this.key(k)?.isUnchanged() === true)
    }
    // An int64 and a double differ, whatever their values.
    return typeof value === typeof old && equalJson(value, old)
  }

  #keep (key: string | number, child: CorrelatedObject): CorrelatedObject {
    (this.#children ??= new Map()).set(key, child)
    return child
  }

  #isMapList (): boolean {
    return this.#node.listType === 'map'
  }

  #itemsByKey (list: readonly JsonValue[]): Map<string, JsonObject> {
    if (this.#oldItems !== undefined) return this.#oldItems
    const items = this.#oldItems = new Map<string, JsonObject>()
    for (const item of list) {
      const key = this.#keyOf(item)
      if (key !== undefined && !items.has(key)) items.set(key, item as JsonObject)
    }
    return items
  }

  /** The map keys' values as text; undefined if one is absent or no scalar. */
  #keyOf (item: JsonValue): string | undefined {
    const names = this.#node.listMapKeys
    if (!isObject(item) || names.length === 0) return undefined
    let text = ''
    for (const name of names) {
      const value = Object.hasOwn(item, name) ? item[name]! : null
      if (typeof value === 'object') return undefined
      text += `\0${typeof value === 'string' ? JSON.stringify(value) : `${typeof value === 'boolean' || isInt64(value) ? '' : 'float '}${value}`}`
    }
    return text
  }
}
