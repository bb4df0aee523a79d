import { compareUtf8, printJson } from '../../registry/codec/json-print.js'
import { isObject } from '../../registry/codec/value.js'
import { goQuote } from '../../registry/meta/go-format.js'
import type { ManagedFieldsEntry } from '../../registry/meta/object-meta.js'
import { ManagedFieldsError } from './errors.js'
import type { FieldSet } from './field-set.js'
import type { FieldsV1Cache } from './fields-v1.js'

/**
 * Who a manager is, apart from what it owns: for updates its name, apiVersion and subresource, for appliers its name and subresource.
 * The text sorts managers in conflicts and among updates of the same second, as kube-apiserver's does.
 */
export type ManagerId = string

export interface ManagerIdentity {
  readonly manager: string
  readonly operation: 'Apply' | 'Update'
  readonly apiVersion: string
  readonly subresource: string
}

/** What a manager owns, in the terms of one version of the kind. */
export interface VersionedSet {
  readonly set: FieldSet
  readonly apiVersion: string
  readonly applied: boolean
}

/** An object's managedFields, decoded. Times are RFC 3339 in UTC; a manager may have none, and a time may outlive its manager's fields. */
export interface Managed {
  readonly fields: Map<ManagerId, VersionedSet>
  readonly times: Map<ManagerId, string>
}

export const noManagers = (): Managed => ({ fields: new Map(), times: new Map() })

const member = (name: string, value: string): string => value === '' ? '' : `,"${name}":${printJson(value)}`

/** The id of a manager; an applier's does not depend on the version it applied with. */
export function managerId (m: ManagerIdentity): ManagerId {
  return '{' + (member('manager', m.manager) + member('operation', m.operation) + member('apiVersion', m.operation === 'Apply' ? '' : m.apiVersion) + member('subresource', m.subresource)).slice(1) + '}'
}

export function identityOf (id: ManagerId): ManagerIdentity {
  return { manager: '', operation: 'Update', apiVersion: '', subresource: '', ...JSON.parse(id) as Partial<ManagerIdentity> }
}

/**
 * Reads managedFields. Of entries with the same identity the last counts.
 * @throws ManagedFieldsError when an entry has no operation, apiVersion or fieldsType, or fields that are none
 */
export function decodeManagedFields (entries: readonly ManagedFieldsEntry[] | undefined, cache: FieldsV1Cache): Managed {
  const managed = noManagers()
  entries?.forEach((entry, i) => {
    if (entry.operation !== 'Apply' && entry.operation !== 'Update') throw new ManagedFieldsError('operation must be `Apply` or `Update`')
    const apiVersion = entry.apiVersion ?? ''
    if (apiVersion === '') throw new ManagedFieldsError('apiVersion must not be empty')
    if ((entry.fieldsType ?? '') as string === '') throw new ManagedFieldsError(`missing fieldsType in managed fields entry ${i}`)
    if (entry.fieldsType !== 'FieldsV1') throw new ManagedFieldsError(`invalid fieldsType ${goQuote(String(entry.fieldsType))} in managed fields entry ${i}`)
    const id = managerId({ manager: entry.manager ?? '', operation: entry.operation, apiVersion, subresource: entry.subresource ?? '' })
    managed.fields.set(id, { set: decodeFields(entry, i, cache), apiVersion, applied: entry.operation === 'Apply' })
    const time = utcTime(entry.time)
    if (time === undefined) managed.times.delete(id)
    else managed.times.set(id, time)
  })
  return managed
}

function decodeFields (entry: ManagedFieldsEntry, i: number, cache: FieldsV1Cache): FieldSet {
  try {
    return cache.parse(isObject(entry.fieldsV1) ? entry.fieldsV1 : {})
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    throw new ManagedFieldsError(`error decoding versioned set from managed fields entry ${i}: error decoding set: ${error.message}`, { cause: error })
  }
}

const canonicalTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/

/** A time as `metav1.Time` writes it: UTC, whole seconds; undefined when it is none. */
function utcTime (time: string | null | undefined): string | undefined {
  if (time === undefined || time === null || canonicalTime.test(time)) return time ?? undefined
  const ms = Date.parse(time)
  return Number.isNaN(ms) ? undefined : new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z')
}

const epoch = '1970-01-01T00:00:00Z'
const timeOf = (managed: Managed, id: ManagerId): string => managed.times.get(id) ?? epoch

/**
 * Writes managedFields: appliers first, then by time (none is the oldest), name, apiVersion and subresource; undefined when there are
 * no managers.
 */
export function encodeManagedFields (managed: Managed, cache: FieldsV1Cache): ManagedFieldsEntry[] | undefined {
  if (managed.fields.size === 0) return undefined
  const entries: ManagedFieldsEntry[] = []
  for (const [id, { set, apiVersion, applied }] of managed.fields) {
    const { manager, operation, subresource } = identityOf(id)
    const time = managed.times.get(id)
    entries.push({
      ...(manager !== '' && { manager }),
      operation: applied ? 'Apply' : operation,
      apiVersion,
      ...(time !== undefined && { time }),
      fieldsType: 'FieldsV1',
      fieldsV1: cache.print(set),
      ...(subresource !== '' && { subresource })
    })
  }
  return entries.length < 2 ? entries : entries.sort(compareEntries)
}

function compareEntries (a: ManagedFieldsEntry, b: ManagedFieldsEntry): number {
  return compareUtf8(a.operation ?? '', b.operation ?? '') || compareUtf8(a.time ?? epoch, b.time ?? epoch) || compareUtf8(a.manager ?? '', b.manager ?? '') ||
    compareUtf8(a.apiVersion ?? '', b.apiVersion ?? '') || compareUtf8(a.subresource ?? '', b.subresource ?? '')
}

/** Update entries that an object keeps. */
export const maxUpdateManagers = 10
const ancientChanges = 'ancient-changes'

/**
 * Merges the oldest Update entries, per apiVersion, into the manager `ancient-changes` until no more than ten are left. Modifies its
 * argument. Source: apimachinery, `managedfields/internal/capmanagers.go`.
 */
export function capUpdateManagers (managed: Managed): void {
  const updaters: ManagerId[] = []
  for (const [id, { applied }] of managed.fields) if (!applied) updaters.push(id)
  if (updaters.length <= maxUpdateManagers) return
  updaters.sort((a, b) => compareUtf8(timeOf(managed, a), timeOf(managed, b)) || compareUtf8(a, b))
  let left = updaters.length
  const firstOfVersion = new Map<string, ManagerId>()
  for (const id of updaters) {
    if (left <= maxUpdateManagers) return
    const { set, apiVersion, applied } = managed.fields.get(id)!
    const first = firstOfVersion.get(apiVersion)
    if (first === undefined) {
      firstOfVersion.set(apiVersion, id)
      continue
    }
    const bucket = managerId({ manager: ancientChanges, operation: 'Update', apiVersion, subresource: '' })
    let old = managed.fields.get(bucket)
    if (old === undefined) {
      old = managed.fields.get(first)!
      managed.fields.delete(first)
    }
    managed.fields.set(bucket, { set: set.union(old.set), apiVersion, applied })
    managed.fields.delete(id)
    left--
    const time = managed.times.get(id)
    if (time === undefined) managed.times.delete(bucket)
    else managed.times.set(bucket, time)
  }
}
