import type { JsonObject } from '../../registry/codec/value.js'
import type { KubeObject } from '../../registry/meta/object-meta.js'
import type { UserInfo } from '../authentication/interfaces.js'

/** What is done to an object (`admission.k8s.io/v1` Operation); nothing is asked for reads. */
export type Operation = 'CREATE' | 'UPDATE' | 'DELETE'

/** All that admission may know about a write (k8s.io/apiserver `admission.Attributes`). */
export interface AdmissionAttributes {
  readonly operation: Operation
  readonly resource: { readonly group: string; readonly version: string; readonly resource: string }
  /** Of `object`: for `/scale` that of the Scale. */
  readonly kind: { readonly group: string; readonly version: string; readonly kind: string }
  /** Empty for the resource itself. */
  readonly subresource: string
  /** Empty for cluster-scoped resources. */
  readonly namespace: string
  /** Empty for a create without a name, and for every object that a deletecollection reaches. */
  readonly name: string
  /** In the request's version; absent for a deletion. `admit` may change it in place, `validate` may not. */
  readonly object: KubeObject | undefined
  /** What was there before; absent for a create. Nobody may change it. */
  readonly oldObject: KubeObject | undefined
  /** CreateOptions, UpdateOptions, PatchOptions or DeleteOptions, with kind and apiVersion. */
  readonly options: JsonObject
  readonly dryRun: boolean
  readonly user: UserInfo
  /** Adds a Warning header. */
  readonly warn: (text: string) => void
  /** Adds an annotation to the audit event. */
  readonly annotate: (key: string, value: string) => void
  readonly signal: AbortSignal
}

/**
 * One rule about writes. `admit` runs before the object is validated, one plug-in after the other, and again when a lost race makes the
 * write begin anew; `validate` runs when it will not change any more. Both refuse by throwing a StatusError; anything else is a 500.
 */
export interface AdmissionPlugin {
  readonly name: string
  /** Default: all. */
  readonly operations?: readonly Operation[]
  /** Whether `admit` may change the object; one that only refuses spares the others a check. Default: true. */
  readonly mutates?: boolean
  /** Default: all. */
  readonly resource?: { readonly group: string; readonly resource: string }
  admit?: (attributes: AdmissionAttributes) => Promise<void>
  validate?: (attributes: AdmissionAttributes) => Promise<void>
}
