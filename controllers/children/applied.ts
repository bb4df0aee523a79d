import { equalJson } from '../../registry/codec/json-equal.js'
import type { JsonValue } from '../../registry/codec/value.js'
import { compareQuantities, parseQuantity } from '../../registry/meta/quantity.js'
import type { KubeObject } from '../../registry/meta/object-meta.js'

/** Metadata that identify an object; field managers do not own them. */
const identity: ReadonlySet<string> = new Set(['name', 'namespace', 'uid', 'resourceVersion'])
/** Maps whose values are quantities, which a server prints in its own way. */
const quantityMaps: ReadonlySet<string> = new Set(['limits', 'requests', 'hard', 'capacity'])

export interface AppliedOptions {
  readonly fieldManager: string
  readonly subresource?: string | undefined
}

/**
 * Whether a server-side apply of `desired` would change nothing about `live`, which a server returned: the manager owns exactly the fields of
 * `desired`, and they have its values. What others own and what the server filled in does not matter. False when in doubt.
 */
export function isApplied (desired: KubeObject, live: KubeObject, { fieldManager, subresource = '' }: AppliedOptions): boolean {
  const entry = live.metadata.managedFields?.find(e => e.manager === fieldManager && e.operation === 'Apply' && (e.subresource ?? '') === subresource)
  if (entry?.fieldsV1 === undefined || entry.apiVersion !== desired.apiVersion) return false
  const fields = applicableFields(desired)
  return owns(entry.fieldsV1, fields) && contains(live as unknown as JsonValue, fields)
}

/** What a manager can own of an object. */
function applicableFields (object: KubeObject): JsonValue {
  const { metadata, ...rest } = object
  const own = Object.fromEntries(Object.entries(metadata).filter(([name, v]) => !identity.has(name) && v !== undefined))
  const fields = Object.entries({ ...rest, ...(Object.keys(own).length > 0 && { metadata: own }) }).filter(([name]) => name !== 'apiVersion' && name !== 'kind')
  return Object.fromEntries(fields) as JsonValue
}

/** Whether a set of fields (FieldsV1) is the one of a value. A set that ends above the value's leaves stands for an atomic map or list. */
function owns (fields: JsonValue | undefined, value: JsonValue): boolean {
  if (!isMap(fields)) return false
  const names = Object.keys(fields).filter(name => name !== '.')
  if (names.length === 0) return true
  if (Array.isArray(value)) return names.length === value.length && names.every(name => {
    const item = itemNamed(name, value)
    return item !== undefined && owns(fields[name], item)
  })
  if (!isMap(value)) return false
  const members = Object.entries(value).filter(([, v]) => v !== undefined)
  return members.length === names.length && members.every(([name, v]) => owns(fields[`f:${name}`], v))
}

/** The item that a path element of FieldsV1 names: `k:{"name":"a"}`, `v:"a"` or `i:0`. */
function itemNamed (element: string, items: readonly JsonValue[]): JsonValue | undefined {
  const [kind, text] = [element.slice(0, 2), element.slice(2)]
  if (kind === 'i:') return items[Number(text)]
  const wanted = JSON.parse(text) as JsonValue
  if (kind === 'v:') return items.find(item => equalJson(item, wanted))
  // A key that we left to its default is in the name, but not in the item.
  return items.find(item => isMap(item) && isMap(wanted) && Object.entries(wanted).every(([key, v]) => item[key] === undefined || equalJson(item[key], v as JsonValue)))
}

/** Whether a live value says everything that a desired one says. Of lists of objects each item must be there, wherever it is. */
function contains (live: JsonValue | undefined, desired: JsonValue, parent = ''): boolean {
  if (live === undefined) return isEmpty(desired)
  if (Array.isArray(desired)) {
    if (!Array.isArray(live)) return false
    if (parent === 'finalizers') return desired.every(item => live.includes(item))
    return desired.every(item => isMap(item)) ? desired.every(item => live.some(l => contains(l, item))) : equalJson(live, desired)
  }
  if (isMap(desired)) return isMap(live) && Object.entries(desired).every(([name, v]) => v === undefined || contains(live[name], v, quantityMaps.has(parent) ? 'quantity' : name))
  return equalJson(live, desired) || (parent === 'quantity' && sameQuantity(live, desired))
}

function sameQuantity (a: JsonValue, b: JsonValue): boolean {
  const [x, y] = [parseQuantity(String(a)), parseQuantity(String(b))]
  return x !== undefined && y !== undefined && compareQuantities(x, y) === 0
}

/** What Go's JSON leaves out. Not false and 0, which are pointers' values where they matter. */
const isEmpty = (v: JsonValue): boolean => v === null || v === '' || (typeof v === 'object' && Object.keys(v).length === 0)
const isMap = (v: JsonValue | undefined): v is Record<string, JsonValue> => typeof v === 'object' && v !== null && !Array.isArray(v)
