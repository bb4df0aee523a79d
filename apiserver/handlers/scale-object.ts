import type { ManagedFieldsEntry, KubeObject } from '../../registry/meta/object-meta.js'
import { isObject, type JsonObject } from '../../registry/codec/value.js'
import type { ScaleSubresource } from '../../registry/generic/resource-definition.js'
import { nestedInt64, nestedString } from '../../registry/generic/type-validation.js'
import { newBadRequest, newInternalError, type StatusError } from '../../registry/meta/status-error.js'

/** `autoscaling/v1` Scale, in the order in which Go writes its members. */
export interface Scale {
  kind: 'Scale'
  apiVersion: 'autoscaling/v1'
  metadata: { name?: string; namespace?: string; uid?: string; resourceVersion?: string; creationTimestamp?: string | null; managedFields?: ManagedFieldsEntry[] }
  spec: { replicas?: number }
  status: { replicas: number; selector?: string }
}

export const scaleKind = { group: 'autoscaling', version: 'v1', kind: 'Scale' } as const

/** What the replica count of an object without one is taken for, so that a write always changes it (int32's smallest). */
export const unsetReplicas = -2147483648

/** The scale of an object, and whether it has a replica count. @throws StatusError 500 when the paths hold something else */
export function scaleOf (object: KubeObject, paths: ScaleSubresource): { scale: Scale; found: boolean } {
  const replicas = value(nestedInt64(object, paths.specReplicasPath))
  const status = value(nestedInt64(object, paths.statusReplicasPath))
  const selector = paths.labelSelectorPath === undefined ? '' : value(nestedString(object, paths.labelSelectorPath)).value
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata
  return {
    found: replicas.found,
    scale: {
      kind: 'Scale',
      apiVersion: 'autoscaling/v1',
      metadata: { ...(name && { name }), ...(namespace && { namespace }), ...(uid && { uid }), ...(resourceVersion && { resourceVersion }), ...(creationTimestamp && { creationTimestamp }) },
      spec: { ...(replicas.value !== 0 && { replicas: int32(replicas.value) }) },
      status: { replicas: int32(status.value), ...(selector && { selector }) }
    }
  }
}

/** Writes a replica count at a path of dots and names, making what is missing on the way. @throws StatusError 400 */
export function setReplicas (object: KubeObject, path: string, replicas: number): void {
  const keys = path.replace(/^\./, '').split('.')
  let at = object as unknown as JsonObject
  for (const key of keys.slice(0, -1)) {
    const next = at[key] ?? {}
    if (!isObject(next)) throw newBadRequest(`value cannot be set because .${keys.slice(0, -1).join('.')} is not a map[string]interface{}`)
    at[key] = next
    at = next
  }
  at[keys.at(-1)!] = replicas
}

function value<T> (nested: { readonly value: T; readonly found: boolean } | { readonly error: string }): { value: T; found: boolean } {
  if ('error' in nested) throw accessorError(nested.error)
  return nested
}

const accessorError = (text: string): StatusError => newInternalError(text)
const int32 = (n: number | bigint): number => Number(BigInt.asIntN(32, BigInt(n)))
