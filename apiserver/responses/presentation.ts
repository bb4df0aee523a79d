import { printJson } from '../../registry/codec/json-print.js'
import { asJson } from '../../registry/meta/object-meta.js'
import type { ResourceVersion } from '../../registry/generic/resource.js'
import type { ServedObject } from '../../registry/generic/served-object.js'
import type { OutputFormat, OutputView } from '../negotiation/accept.js'

/** Whether a Table's row carries its object, the object's metadata (default) or nothing. */
export interface TableOptions { readonly includeObject: 'None' | 'Metadata' | 'Object' }

/** How objects of one request are shown: version, encoding, view and Table options. */
export interface Presentation {
  readonly version: ResourceVersion
  readonly format: OutputFormat
  readonly table: TableOptions | undefined
  readonly now: Date
}

export interface ListMeta { readonly resourceVersion: string; readonly continueToken: string; readonly remainingItemCount: number | undefined }

/** Written out: a name that is put together anew for every object of a list costs more than what is found by it. */
const metadataViews = { v1: 'metadata:v1', v1beta1: 'metadata:v1beta1' } as const

/** The JSON of an object's metadata alone, made once per object. */
export function metadataBytes (object: ServedObject, view: OutputView): Buffer {
  return object.view(metadataViews[view.version], () => {
    const { metadata } = object.storageObject()
    return `{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/${view.version}","metadata":${printJson(asJson(metadata as never))}}`
  })
}

/** `metav1.ListMeta`: absent members are left out. */
export function typedListMeta (meta: ListMeta): string {
  return JSON.stringify({
    ...(meta.resourceVersion && { resourceVersion: meta.resourceVersion }),
    ...(meta.continueToken && { continue: meta.continueToken }),
    ...(meta.remainingItemCount !== undefined && { remainingItemCount: meta.remainingItemCount })
  })
}
