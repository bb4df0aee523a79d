import type { JsonObject, JsonValue } from '../codec/value.js'
import { decodeObjectMeta } from '../schema/object-meta-decoding.js'

const strings = new Set(['name', 'generateName', 'namespace', 'uid', 'resourceVersion'])
const times = new Set(['creationTimestamp', 'deletionTimestamp'])
const lists = new Set(['finalizers', 'ownerReferences', 'managedFields'])
const maps = new Set(['labels', 'annotations'])
const time = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$/

/**
 * Metadata of a stored object as readers see it. An apply stores what its configuration says, empty lists and malformed members too;
 * reading drops them, as kube-apiserver does. Nearly all metadata is fine already and returned as it is.
 */
export function readableMeta (metadata: JsonValue | undefined): JsonObject {
  if (typeof metadata === 'object' && metadata !== null && !Array.isArray(metadata) && Object.keys(metadata).every(k => isFine(k, metadata[k]!))) return metadata
  const decoded = decodeObjectMeta(metadata ?? {}, { dropMalformed: true })
  return 'error' in decoded ? {} : decoded.meta
}

function isFine (key: string, value: JsonValue): boolean {
  if (strings.has(key)) return typeof value === 'string' && value !== ''
  if (key === 'generation' || key === 'deletionGracePeriodSeconds') return typeof value === 'number' && Number.isSafeInteger(value)
  if (times.has(key)) return typeof value === 'string' && time.test(value)
  if (lists.has(key)) return Array.isArray(value) && value.length > 0 && (key === 'managedFields' || value.every(v => key === 'finalizers' ? typeof v === 'string' : isReference(v)))
  if (!maps.has(key) || typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const members = Object.values(value)
  return members.length > 0 && members.every(v => typeof v === 'string')
}

const isReference = (v: JsonValue): boolean =>
  typeof v === 'object' && v !== null && !Array.isArray(v) && ['apiVersion', 'kind', 'name', 'uid'].every(k => typeof v[k] === 'string') &&
  Object.keys(v).every(k => ['apiVersion', 'kind', 'name', 'uid'].includes(k) || ((k === 'controller' || k === 'blockOwnerDeletion') && typeof v[k] === 'boolean'))
