import type { JsonObject, JsonValue } from '../codec/value.js'

export interface GroupVersionKind { readonly group: string; readonly version: string; readonly kind: string }
export interface GroupVersionResource { readonly group: string; readonly version: string; readonly resource: string }

/** `group/version`, or the version alone in the core group. */
export const apiVersionOf = (gv: { readonly group: string; readonly version: string }): string => gv.group === '' ? gv.version : `${gv.group}/${gv.version}`
/** `mycompany.io/v2, Kind=Database`, as Go prints a GroupVersionKind. */
export const gvkText = (gvk: GroupVersionKind): string => `${apiVersionOf(gvk)}, Kind=${gvk.kind}`

export interface OwnerReference {
  apiVersion: string
  kind: string
  name: string
  uid: string
  controller?: boolean
  blockOwnerDeletion?: boolean
}

export interface ManagedFieldsEntry {
  manager?: string
  operation?: 'Apply' | 'Update'
  apiVersion?: string
  time?: string
  fieldsType?: 'FieldsV1'
  fieldsV1?: JsonObject
  subresource?: string
}

/** `metav1.ObjectMeta` as JSON; after decoding, every member has its right type. */
export interface ObjectMeta {
  name?: string
  generateName?: string
  namespace?: string
  selfLink?: string
  uid?: string
  resourceVersion?: string
  generation?: number
  creationTimestamp?: string | null
  deletionTimestamp?: string
  deletionGracePeriodSeconds?: number
  labels?: Record<string, string>
  annotations?: Record<string, string>
  ownerReferences?: OwnerReference[]
  finalizers?: string[]
  managedFields?: ManagedFieldsEntry[]
}

/** Any API object: its metadata is decoded and checked, the rest is what its schema says. */
export interface KubeObject {
  apiVersion: string
  kind: string
  metadata: ObjectMeta
  [field: string]: unknown
}

/** The same object seen as plain JSON, for schema walkers and codecs. */
export const asJson = (o: KubeObject): JsonObject => o as unknown as JsonObject
export const asObject = (v: JsonValue): KubeObject => v as unknown as KubeObject
