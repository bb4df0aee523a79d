import { printJson } from '../../registry/codec/json-print.js'
import { isObject, type JsonValue } from '../../registry/codec/value.js'
import { goQuote } from '../../registry/meta/go-format.js'
import { valueElement, type PathElement } from './path-element.js'
import type { ListType } from './schema-type.js'

/** An item of a set or map list that has no identity; says why. */
export interface NoElement { readonly problem: string }

/**
 * What identifies an item of an associative list: the values of its keys, where an absent key counts as its default (`protocol: TCP`)
 * and is left out without one, or in a set the value itself.
 * Source: structured-merge-diff, `typed/helpers.go`.
 */
export function itemElement (list: ListType, item: JsonValue): PathElement | NoElement {
  return list.keys.length > 0 ? keyedItem(list, item) : setItem(item)
}

/** The element of an item that validation has let pass. */
export function knownItemElement (list: ListType, item: JsonValue): PathElement {
  const element = itemElement(list, item)
  if (typeof element !== 'string') throw new TypeError(element.problem)
  return element
}

function keyedItem (list: ListType, item: JsonValue): PathElement | NoElement {
  if (item === null) return { problem: 'associative list with keys may not have a null element' }
  if (!isObject(item)) return { problem: 'associative list with keys may not have non-map elements' }
  let text = 'k:{'
  let found = false
  for (const key of list.keyTexts) {
    const own = Object.hasOwn(item, key.name)
    const value = own ? item[key.name] : list.element.map?.declared(key.name)?.default
    if (value === undefined || (value === null && !own)) continue
    text += (found ? ',' : '') + key.text + printJson(value)
    found = true
  }
  return found
    ? text + '}'
    : { problem: `associative list with keys has an element that omits all key fields [${list.keys.map(goQuote).join(' ')}] (and doesn't have default values for any key fields)` }
}

function setItem (item: JsonValue): PathElement | NoElement {
  if (item === null) return { problem: "associative list without keys has an element that's an explicit null" }
  if (Array.isArray(item)) return { problem: 'not supported: associative list with lists as elements' }
  if (typeof item === 'object') return { problem: "associative list without keys has an element that's a map type" }
  return valueElement(item)
}
