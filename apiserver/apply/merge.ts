import { equalJson } from '../../registry/codec/json-equal.js'
import { isObject, setMember, type JsonObject, type JsonValue } from '../../registry/codec/value.js'
import { knownItemElement } from './list-items.js'
import type { PathElement } from './path-element.js'
import { typeOfKey, type FieldType, type ListType, type MapType } from './schema-type.js'
import { shapeOf } from './typed-value.js'

/**
 * The live value with a configuration laid over it: maps and map lists merge, sets unite, everything else is replaced. Both must fit the
 * type, and the configuration must not have duplicates. What stays as it was is the live value itself, not a copy, and so is the result
 * when nothing changes; neither operand is modified.
 * Source: structured-merge-diff, `typed/merge.go`.
 */
export function mergeValues (type: FieldType, live: JsonValue | undefined, config: JsonValue | undefined): JsonValue | undefined {
  if (config === undefined) return live
  if (live === undefined) return config
  switch (shapeOf(type, config)) {
    case 'map': return type.map!.atomic ? replace(live, config) : mergeMaps(type.map!, live, config)
    case 'list': return !type.list!.associative ? replace(live, config) : mergeLists(type.list!, live, config)
    default: return replace(live, config)
  }
}

const replace = (live: JsonValue, config: JsonValue): JsonValue => equalJson(live, config) ? live : config

function isEmpty (map: JsonObject): boolean {
  for (const _ in map) return false
  return true
}

function mergeMaps (map: MapType, live: JsonValue, config: JsonValue): JsonValue {
  // Empty or null on both sides: keeps the difference between the two.
  const fresh = !isObject(config) || isEmpty(config)
  if (!isObject(live) || isEmpty(live)) return fresh ? replace(live, config) : config
  if (fresh) return live
  let out: JsonObject | undefined
  for (const key in config) {
    const before = Object.hasOwn(live, key) ? live[key] : undefined
    const after = mergeValues(typeOfKey(map, key)!, before, config[key]!)
    if (after === before || after === undefined) continue
    out ??= { ...live }
    setMember(out, key, after)
  }
  return out ?? live
}

/** The items of a list by element; a duplicate one stands for nothing that could be merged with. */
function itemsOf (list: ListType, items: readonly JsonValue[]): { order: PathElement[]; byElement: Map<PathElement, JsonValue> } {
  const byElement = new Map<PathElement, JsonValue>()
  const order = items.map(item => {
    const element = knownItemElement(list, item)
    byElement.set(element, byElement.has(element) ? null : item)
    return element
  })
  return { order, byElement }
}

/**
 * Two cursors: live-only items keep their places, items that both have follow the configuration's order, its new items come where they
 * stand in it.
 */
function mergeLists (list: ListType, live: JsonValue, config: JsonValue): JsonValue {
  if (!Array.isArray(config) || config.length === 0) return Array.isArray(live) && live.length > 0 ? live : replace(live, config)
  if (!Array.isArray(live) || live.length === 0) return config
  const left = itemsOf(list, live)
  const right = itemsOf(list, config)
  const shared = right.order.filter(e => left.byElement.has(e))
  let nextShared = 0
  const merged = new Set<PathElement>()
  const out: JsonValue[] = []
  const take = (element: PathElement): void => {
    merged.add(element)
    out.push(mergeValues(list.element, left.byElement.get(element), right.byElement.get(element))!)
  }
  for (let l = 0, r = 0; l < left.order.length || r < right.order.length;) {
    const mine = left.order[l]
    if (mine !== undefined && r < right.order.length) {
      if (mine === right.order[r]) {
        take(mine)
        l++
        r++
        nextShared++
        continue
      }
      if (right.byElement.has(mine) && nextShared < shared.length && shared[nextShared] !== mine) {
        l++ // in both, but not the one whose turn it is
        continue
      }
    }
    if (mine !== undefined) {
      if (!right.byElement.has(mine)) {
        out.push(live[l]!)
        l++
        continue
      }
      if (merged.has(mine)) l++
    }
    const its = right.order[r]
    if (its !== undefined) {
      take(its)
      r++
      if (shared[nextShared] === its) nextShared++
    }
  }
  return out.length === live.length && out.every((item, i) => item === live[i]) ? live : out
}
