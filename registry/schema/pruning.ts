import { compareUtf8 } from '../codec/json-print.js'
import type { JsonObject, JsonValue } from '../codec/value.js'
import type { SchemaNode } from './schema-node.js'

/**
 * Removes what the schema does not specify.
 * @param root the schema of a whole object; its apiVersion, kind and metadata are always kept
 * @returns the removed fields' paths, sorted: `spec.foo`, `spec.ports[0].foo`
 * Source: KEP-1693, `apiextensions-apiserver/pkg/apiserver/schema/pruning/algorithm.go`.
 */
export function pruneUnknown (object: JsonObject, root: SchemaNode): string[] {
  const removed: string[] = []
  pruneObject(object, root, { keepMeta: true }, '', removed)
  return removed.length < 2 ? removed : removed.sort(compareUtf8)
}

/** @param node undefined where nothing is specified: objects lose all their members then */
function prune (value: JsonValue, node: SchemaNode | undefined, path: string, removed: string[]): void {
  if (typeof value !== 'object' || value === null) return
  if (!Array.isArray(value)) {
    pruneObject(value, node, { keepMeta: node?.embeddedResource === true }, path, removed)
  } else if (node?.preserveUnknownFields === true) {
    preserveItems(value, node, path, removed)
  } else {
    const items = node?.items
    for (let i = 0; i < value.length; i++) prune(value[i]!, items, `${path}[${i}]`, removed)
  }
}

function pruneObject (object: JsonObject, node: SchemaNode | undefined, options: { keepMeta: boolean }, path: string, removed: string[]): void {
  for (const key of Object.keys(object)) {
    if (options.keepMeta && isMeta(key)) continue
    const property = node?.property(key)
    if (property !== undefined || node?.hasAdditional === true) {
      const member = object[key]!
      if (typeof member === 'object') prune(member, property ?? node!.additional, join(path, key), removed)
    } else if (node?.preserveUnknownFields !== true) {
      removed.push(join(path, key))
      delete object[key]
    }
  }
}

/** Below a list that keeps unknown fields, items keep theirs too, as long as it is lists all the way down. */
function preserveItems (list: readonly JsonValue[], node: SchemaNode, path: string, removed: string[]): void {
  const { items } = node
  if (items === undefined) return
  for (let i = 0; i < list.length; i++) {
    const item = list[i]!
    const at = `${path}[${i}]`
    if (Array.isArray(item)) preserveItems(item, items, at, removed)
    else if (item !== null && typeof item === 'object') preserveMembers(item, items, at, removed)
  }
}

function preserveMembers (object: JsonObject, node: SchemaNode, path: string, removed: string[]): void {
  for (const key of Object.keys(object)) {
    if (node.embeddedResource && isMeta(key)) continue
    const property = node.property(key)
    if (property !== undefined || node.hasAdditional) prune(object[key]!, property ?? node.additional, join(path, key), removed)
  }
}

const isMeta = (key: string): boolean => key === 'metadata' || key === 'apiVersion' || key === 'kind'
const join = (path: string, key: string): string => path === '' ? key : `${path}.${key}`
