import type { Cacher } from '../../../storage/cacher/cacher.js'
import type { Revision, Storage } from '../../../storage/interfaces.js'
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

/** Reads one object from the store itself, past the cache. */
export async function readStored (context: StoreContext, key: string, signal: AbortSignal | undefined): Promise<ServedObject | undefined> {
  const { value } = await context.storage.get(key, { signal })
  return value === undefined ? undefined : ServedObject.fromStored(context.resource, value.value, value.modRevision)
}

/** An object that was not written: its bytes carry the given resourceVersion, or none for a dry run of a create. */
export function unwritten (context: StoreContext, object: KubeObject, revision: Revision | undefined): ServedObject {
  return ServedObject.of(context.resource, object, revision)
}
