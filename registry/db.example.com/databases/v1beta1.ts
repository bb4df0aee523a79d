import { cloneJson } from '../../codec/json-clone.js'
import { equalJson } from '../../codec/json-equal.js'
import { parseJson } from '../../codec/json-parse.js'
import { printJson } from '../../codec/json-print.js'
import { getMember, isObject, setMember, type JsonObject, type JsonValue } from '../../codec/value.js'
import { asJson, type KubeObject } from '../../meta/object-meta.js'
import { CompiledSchema } from '../../schema/compiled-schema.js'
import type { VersionConversion } from '../../generic/resource-definition.js'
import { databaseV1Schema } from './schema.js'

/** Where the storage version keeps what only v1beta1 can say. */
export const annotation = 'db.example.com/v1beta1-fields'

/** v1beta1's older spellings, and the v1 path that each means. */
const spellings: Readonly<Record<string, readonly string[]>> = {
  engine: ['type'],
  size: ['storage', 'size'],
  storageClass: ['storage', 'storageClass'],
  backupSchedule: ['backup', 'schedule']
}

/** `spelled`: older spellings that the writer used; `extra`: fields that v1 does not have; `lists`: lists whose items have such fields. */
interface Kept { spelled?: string[]; extra?: JsonObject; lists?: { path: string[]; value: JsonValue }[] }

const schema = new CompiledSchema(databaseV1Schema)

export const v1beta1Conversion: VersionConversion = {
  toStorage (object) {
    const kept: Kept = {}
    const spec = object['spec']
    if (isObject(spec)) translate(spec, kept)
    const parts: JsonObject = { ...(isObject(spec) && { spec }), ...(isObject(object['status']) && { status: object['status'] }) }
    const whole = cloneJson(parts) as JsonObject
    schema.prune(parts)
    collectExtra(whole, parts, [], kept)
    schema.applyDefaults(asJson(object))
    remember(object, kept)
    return object
  },

  fromStorage (object) {
    const kept = recall(object)
    for (const list of kept.lists ?? []) restoreList(object, list)
    if (kept.extra !== undefined) restoreExtra(asJson(object), kept.extra)
    const spec = object['spec']
    if (isObject(spec)) for (const spelling of kept.spelled ?? []) spell(spec, spelling)
    return object
  }
}

/** Older spellings become v1 fields, unless the v1 field is there too: then the old one is an unknown field. */
function translate (spec: JsonObject, kept: Kept): void {
  for (const [old, path] of Object.entries(spellings)) {
    if (!Object.hasOwn(spec, old) || at(spec, path) !== undefined) continue
    if (!makeRoom(spec, path)) continue
    set(spec, path, spec[old]!)
    delete spec[old]
    if (old === 'backupSchedule' && at(spec, ['backup', 'enabled']) === undefined) set(spec, ['backup', 'enabled'], true)
    ;(kept.spelled ??= []).push(old)
  }
}

/** A v1 field under its older spelling again. */
function spell (spec: JsonObject, old: string): void {
  const path = spellings[old]
  const value = path === undefined ? undefined : at(spec, path)
  if (path === undefined || value === undefined) return
  spec[old] = value
  const holder = at(spec, path.slice(0, -1)) as JsonObject
  delete holder[path.at(-1)!]
  // The older spelling said all that there was to say of its group, apart from v1's defaults.
  if (path.length === 2 && Object.entries(holder).every(([k, v]) => isDefault(path[0]!, k, v))) delete spec[path[0]!]
}

const isDefault = (group: string, key: string, value: JsonValue): boolean => group === 'backup' && ((key === 'enabled' && value === true) || (key === 'retention' && value === 7))

/** What pruning took away: whole members into `extra`, lists with unknown fields in their items as they were. */
function collectExtra (whole: JsonObject, pruned: JsonObject, path: string[], kept: Kept): void {
  for (const [key, value] of Object.entries(whole)) {
    const now = getMember(pruned, key)
    if (now === undefined) set(kept.extra ??= {}, [...path, key], value)
    else if (isObject(value) && isObject(now)) collectExtra(value, now, [...path, key], kept)
    else if (Array.isArray(value) && !equalJson(value, now)) (kept.lists ??= []).push({ path: [...path, key], value })
  }
}

function restoreExtra (target: JsonObject, extra: JsonObject): void {
  for (const [key, value] of Object.entries(extra)) {
    const now = getMember(target, key)
    if (now !== undefined && isObject(now) && isObject(value)) restoreExtra(now, value)
    else if (now === undefined) setMember(target, key, cloneJson(value))
  }
}

/** A list is given back as it was written, if v1 has not changed what it knows of it. */
function restoreList (object: KubeObject, { path, value }: { path: string[]; value: JsonValue }): void {
  const now = at(asJson(object), path)
  const probe: JsonObject = {}
  set(probe, path, cloneJson(value))
  schema.prune(probe)
  if (now !== undefined && equalJson(at(probe, path) ?? null, now)) set(asJson(object), path, cloneJson(value))
}

function remember (object: KubeObject, kept: Kept): void {
  const annotations = object.metadata.annotations
  if (Object.keys(kept).length > 0) (object.metadata.annotations ??= {})[annotation] = printJson(kept as unknown as JsonObject)
  else if (annotations !== undefined) {
    delete annotations[annotation]
    if (Object.keys(annotations).length === 0) delete object.metadata.annotations
  }
}

/** Takes the annotation off: a reader of v1beta1 gets the fields instead. One that somebody spoilt is left where it is. */
function recall (object: KubeObject): Kept {
  const annotations = object.metadata.annotations
  const text = annotations?.[annotation]
  if (annotations === undefined || text === undefined) return {}
  let kept: unknown
  try { kept = parseJson(Buffer.from(text)).value } catch { return {} }
  if (!isObject(kept)) return {}
  const { spelled, extra, lists } = kept
  delete annotations[annotation]
  if (Object.keys(annotations).length === 0) delete object.metadata.annotations
  return {
    ...(Array.isArray(spelled) && { spelled: spelled.filter(s => typeof s === 'string') }),
    // Nothing but these was ever put there: metadata is not for an annotation to say.
    ...(isObject(extra) && { extra: Object.fromEntries(Object.entries(extra).filter(([part]) => part === 'spec' || part === 'status')) }),
    ...(Array.isArray(lists) && { lists: lists.filter(l => isObject(l) && Array.isArray(l['path'])) as unknown as { path: string[]; value: JsonValue }[] })
  }
}

function at (object: JsonObject, path: readonly string[]): JsonValue | undefined {
  let value: JsonValue | undefined = object
  for (const key of path) value = isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined
  return value
}

/** Whether a path can be written without replacing what is no object. */
function makeRoom (object: JsonObject, path: readonly string[]): boolean {
  return path.slice(0, -1).every((_, i) => { const v = at(object, path.slice(0, i + 1)); return v === undefined || isObject(v) })
}

function set (object: JsonObject, path: readonly string[], value: JsonValue): void {
  let target = object
  for (const key of path.slice(0, -1)) {
    const next = getMember(target, key)
    if (next !== undefined && isObject(next)) target = next
    else setMember(target, key, target = {})
  }
  setMember(target, path.at(-1)!, value)
}
