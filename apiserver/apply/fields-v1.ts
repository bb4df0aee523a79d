import { isObject, type JsonObject, type JsonValue } from '../../registry/codec/value.js'
import { FieldSet, type FieldNode } from './field-set.js'
import { parseElement, type PathElement } from './path-element.js'

/**
 * Reads a FieldsV1 document: an object of path elements; `{}` below one is a field without fields below it, `"."` says that the
 * field itself belongs to the set too. Unknown kinds of elements are dropped, null counts as `{}`.
 * Source: KEP-555; structured-merge-diff, `fieldpath/serialize.go`.
 * @throws SyntaxError when a key is no path element or a value no object
 */
export function parseFieldsV1 (json: JsonValue): FieldSet { return read(json, { exact: true }).set }

/** Writes a set as FieldsV1. */
export function printFieldsV1 (set: FieldSet): JsonObject {
  return write(set, {})
}

/** What stands below a field without fields below it; one for all, so never to be changed. */
const nothing: JsonObject = Object.freeze({}) as JsonObject

function write (set: FieldSet, out: JsonObject): JsonObject {
  for (const { element, owned, children } of set.nodes) {
    out[element] = children === undefined ? nothing : write(children, owned ? { '.': nothing } : {})
  }
  return out
}

/**
 * Remembers which document is which set, by identity, so that the entries of managers that a write does not touch are neither read nor
 * written again. Documents that went through it must not be changed in place.
 */
export class FieldsV1Cache {
  readonly #sets = new WeakMap<JsonObject, FieldSet>()
  readonly #documents = new WeakMap<FieldSet, JsonObject>()

  /** @throws SyntaxError as parseFieldsV1 */
  parse (json: JsonObject): FieldSet {
    const known = this.#sets.get(json)
    if (known !== undefined) return known
    const state = { exact: true }
    const { set } = read(json, state)
    this.#sets.set(json, set)
    if (state.exact && !set.isEmpty) this.#documents.set(set, json)
    return set
  }

  print (set: FieldSet): JsonObject {
    let json = this.#documents.get(set)
    if (json === undefined) {
      json = printFieldsV1(set)
      if (set.isEmpty) return json
      this.#documents.set(set, json)
      this.#sets.set(json, set)
    }
    return json
  }
}

/** `exact` turns false when printing the set would not give the same document. */
function read (json: JsonValue, state: { exact: boolean }): { set: FieldSet; owned: boolean } {
  if (json === null) {
    state.exact = false
    return { set: FieldSet.empty, owned: true }
  }
  if (!isObject(json)) throw new SyntaxError('expect { or n in fieldsV1')
  const nodes: FieldNode[] = []
  let places: Map<PathElement, number> | undefined
  let owned = false
  for (const key in json) {
    if (key === '.') {
      owned = true
      continue
    }
    const element = parseElement(key)
    const below = element === undefined ? undefined : read(json[key]!, state)
    if (element !== key) state.exact = false
    if (element === undefined || below === undefined) continue
    const node = { element, owned: below.owned, children: below.set.isEmpty ? undefined : below.set }
    // One element may have several spellings, once there is one that is not canonical.
    if (!state.exact) places ??= new Map(nodes.map((n, place) => [n.element, place]))
    const place = places?.get(element)
    if (place !== undefined) nodes[place] = FieldSet.ofNodes([nodes[place]!]).union(FieldSet.ofNodes([node])).nodes[0]!
    else {
      places?.set(element, nodes.length)
      nodes.push(node)
    }
  }
  if (nodes.length === 0) {
    if (owned) state.exact = false
    return { set: FieldSet.empty, owned: true }
  }
  return { set: FieldSet.ofUnsorted(nodes), owned }
}
