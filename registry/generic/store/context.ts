import type { Cacher } from '../../../storage/cacher/cacher.js'
import type { Revision, Storage, StoredValue } from '../../../storage/interfaces.js'
import { printJson } from '../../codec/json-print.js'
import { asJson, type KubeObject } from '../../meta/object-meta.js'
import type { Resource, ResourceVersion } from '../resource.js'
import { ServedObject } from '../served-object.js'

/** What the verbs of one Store share. */
export interface StoreContext {
  readonly resource: Resource
  readonly storage: Storage
  readonly cacher: Cacher<ServedObject>
  /** `/registry/<group>/<resource>/`. */
  readonly prefix: string
  readonly now: () => Date
}

/** What every write is told. */
export interface WriteOptions {
  /** The version of the request's URL: what objects are decoded from and answered in. */
  readonly version: ResourceVersion
  /** Empty for cluster-scoped resources. */
  readonly namespace: string
  /** Everything but the write itself. */
  readonly dryRun: boolean
  /** Takes the text of a Warning header. */
  readonly warn: (text: string) => void
  readonly signal?: AbortSignal | undefined
}

/** The key of one object. */
export const keyOf = (context: StoreContext, namespace: string, name: string): string =>
  context.resource.namespaced ? `${context.prefix}${namespace}/${name}` : context.prefix + name

/** The same without the store's own prefix, as some of upstream's messages name it. */
export function relativeKeyOf (context: StoreContext, namespace: string, name: string): string {
  const { group, names } = context.resource
  return keyOf(context, namespace, name).slice(context.prefix.length - `/${group}/${names.plural}/`.length)
}

/** The prefix of a namespace's objects, or of all objects. */
export const scopeOf = (context: StoreContext, namespace: string): string =>
  context.resource.namespaced && namespace !== '' ? `${context.prefix}${namespace}/` : context.prefix

/** `2006-01-02T15:04:05Z`: metav1.Time has whole seconds. */
export const timestamp = (date: Date): string => date.toISOString().slice(0, 19) + 'Z'

/** The bytes of a storage-version object as they are stored: without resourceVersion, for that is the store's to say. */
export function encodeForStorage (object: KubeObject): Buffer {
  const { resourceVersion: _, ...metadata } = object.metadata
  return Buffer.from(printJson(asJson({ ...object, metadata })))
}

/** An object together with the bytes that the store holds of it. */
export interface Stored { readonly object: ServedObject; readonly bytes: Buffer }

export const storedOf = (context: StoreContext, value: StoredValue | undefined): Stored | undefined =>
  value && { object: ServedObject.fromStored(context.resource, value.value, value.modRevision), bytes: value.value }

/** Reads one object from the store itself, past the cache. */
export async function readStored (context: StoreContext, key: string, signal: AbortSignal | undefined): Promise<Stored | undefined> {
  return storedOf(context, (await context.storage.get(key, { signal })).value)
}

/** An object that was not written: its bytes carry the given resourceVersion, or none for a dry run of a create. */
export function unwritten (context: StoreContext, object: KubeObject, revision: Revision | undefined, storedAsIs = false): ServedObject {
  return storedAsIs ? ServedObject.fromStored(context.resource, encodeForStorage(object), revision) : ServedObject.of(context.resource, object, revision)
}
