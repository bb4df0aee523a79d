import type { ServedObject } from '../../registry/generic/served-object.js'
import { newNotAcceptable } from '../../registry/meta/status-error.js'
import type { OutputFormat } from '../negotiation/accept.js'
import { bodyMemory } from './body-memory.js'
import { metadataBytes, typedListMeta, type ListMeta, type Presentation } from './presentation.js'
import type { Answer } from './respond.js'
import { tableBytes } from './table.js'
import { encodeBytes, isPlainJson } from './write-object.js'

/** One object, whole or as the asked view. @throws StatusError 406 when the view is for lists */
export function presentObject (object: ServedObject, p: Presentation): Pick<Answer, 'contentType' | 'body'> {
  const view = p.format.view
  switch (view?.kind) {
    case undefined: return encodeBytes([object.bytes(p.version)], p.format)
    case 'PartialObjectMetadata': return encodeBytes([metadataBytes(object, view)], p.format)
    case 'Table': return encodeBytes(tableBytes([object], { resourceVersion: object.revision === 0n ? '' : object.revision.toString(), continueToken: '', remainingItemCount: undefined }, p), p.format)
    default: throw newNotAcceptable('you requested PartialObjectMetadataList, but the requested object is not a list (*unstructured.Unstructured)')
  }
}

/** A list, whole or as the asked view: bytes of the objects put together. @throws StatusError 406 when the view is for one object */
export function presentList (objects: readonly ServedObject[], meta: ListMeta, p: Presentation, listKind: string): Pick<Answer, 'contentType' | 'body'> {
  const view = p.format.view
  switch (view?.kind) {
    case undefined: return encodeList(objects, o => o.bytes(p.version), `"apiVersion":${JSON.stringify(p.version.apiVersion)},`, `,"kind":${JSON.stringify(listKind)},"metadata":${customListMeta(meta)}}`, p.format)
    case 'PartialObjectMetadataList':
      // Go's typed list has no items when it is empty, and writes that as null.
      if (objects.length === 0) return encodeBytes([Buffer.from(`{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/${view.version}","metadata":${typedListMeta(meta)},"items":null}`)], p.format)
      return encodeList(objects, o => metadataBytes(o, view), `"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/${view.version}","metadata":${typedListMeta(meta)},`, '}', p.format)
    case 'Table': return encodeBytes(tableBytes(objects, meta, p), p.format)
    default: throw newNotAcceptable('you requested PartialObjectMetadata, but the requested object is a list (*unstructured.UnstructuredList)')
  }
}

const comma = 0x2c

/** A list around the bytes of its items, put together in one go: a body that nobody copies again. */
function encodeList (objects: readonly ServedObject[], bytesOf: (object: ServedObject) => Buffer, before: string, after: string, format: OutputFormat): Pick<Answer, 'contentType' | 'body'> {
  const head = Buffer.from(`{${before}"items":[`)
  // The line's end that JSON has is there at once; other encodings are made of what is before it.
  const tail = Buffer.from(`]${after}\n`)
  const items: Buffer[] = []
  let length = head.length + Math.max(0, objects.length - 1) + tail.length
  for (const object of objects) {
    const bytes = bytesOf(object)
    items.push(bytes)
    length += bytes.length
  }
  const list = bodyMemory.take(length)
  list.set(head)
  let at = head.length
  for (let i = 0; i < items.length; i++) {
    if (i > 0) list[at++] = comma
    list.set(items[i]!, at)
    at += items[i]!.length
  }
  list.set(tail, at)
  return isPlainJson(format) ? { contentType: 'application/json', body: list } : encodeBytes([list.subarray(0, -1)], format)
}

/** A custom resource's list always names its continue token, empty or not. */
function customListMeta (meta: ListMeta): string {
  const remaining = meta.remainingItemCount === undefined ? '' : `"remainingItemCount":${meta.remainingItemCount},`
  return `{"continue":${JSON.stringify(meta.continueToken)},${remaining}"resourceVersion":"${meta.resourceVersion}"}`
}
