import { equalJson } from '../../registry/codec/json-equal.js'
import { isObject, type JsonObject } from '../../registry/codec/value.js'
import { asJson, type KubeObject, type ManagedFieldsEntry } from '../../registry/meta/object-meta.js'

/** Whether two managedFields are equal, entry by entry, when times do not count. */
export function equalIgnoringTimestamps (a: readonly ManagedFieldsEntry[], b: readonly ManagedFieldsEntry[]): boolean {
  return a.length === b.length && a.every((entry, i) => {
    const { time: _a, ...mine } = entry
    const { time: _b, ...its } = b[i]!
    return equalJson(mine as unknown as JsonObject, its as unknown as JsonObject)
  })
}

/**
 * New times in managedFields alone are no reason to write: gives an object that differs from the stored one in nothing else the stored
 * times. Modifies the object's metadata. To be called after mutating admission, before the two are compared for whether to write.
 * Source: apiserver, `handlers/fieldmanager/equality.go`.
 */
export function settleManagedFields (object: KubeObject, stored: KubeObject): void {
  const fresh = object.metadata.managedFields
  const old = stored.metadata.managedFields
  if (fresh === undefined || old === undefined || fresh === old || fresh.length === 0 || fresh.length !== old.length) return
  if (fresh.every((entry, i) => entry.time === old[i]!.time)) return
  if (!equalIgnoringTimestamps(old, fresh) || !equalWithoutManagedFields(asJson(object), asJson(stored))) return
  object.metadata.managedFields = fresh.map((entry, i) => {
    const { time: _, ...rest } = entry
    const { time } = old[i]!
    return time === undefined ? rest : { ...rest, time }
  })
}

/** Whether two objects are equal but for their managedFields. */
export function equalWithoutManagedFields (a: JsonObject, b: JsonObject): boolean {
  return equalJson(withoutManagedFields(a), withoutManagedFields(b))
}

function withoutManagedFields (object: JsonObject): JsonObject {
  if (!isObject(object.metadata)) return object
  const { managedFields: _, ...metadata } = object.metadata
  return { ...object, metadata }
}
