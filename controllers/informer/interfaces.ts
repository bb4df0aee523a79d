import type { KubeObject } from '../../registry/meta/object-meta.js'
import type { ListOptions, ObjectList, RequestContext, Watch, WatchOptions } from '../client/interfaces.js'

/** Where a reflector reads. A ResourceClient is one. */
export interface ListerWatcher<T> {
  listAll (options: ListOptions, context: RequestContext): Promise<ObjectList<T>>
  watch (options: WatchOptions, context: RequestContext): Promise<Watch<T>>
}

/** Where a reflector writes. Nothing here may throw. */
export interface ReflectorStore<T> {
  add (object: T): void
  update (object: T): void
  delete (object: T): void
  /** These are all the objects that there are now. */
  replace (objects: readonly T[]): void
}

/**
 * What a handler is told, in the order of the changes of each object. Methods run one at a time, must return soon, and must not change the
 * objects, which everybody shares. An exception is logged and stops nobody else.
 */
export interface ResourceEventHandler<T extends KubeObject> {
  /** `initial`: the object was there when the handler was added or the informer started. */
  onAdd? (object: T, context: { readonly initial: boolean }): void
  /** On a resync, old and new are the same object. */
  onUpdate? (old: T, object: T): void
  /** `finalStateUnknown`: the deletion itself was missed, so this is the last state seen and not the last there was. */
  onDelete? (object: T, context: { readonly finalStateUnknown: boolean }): void
}

/** Reads a cache. What it returns is shared: copy before you change it. */
export interface Lister<T extends KubeObject> {
  get (name: { readonly namespace?: string | undefined; readonly name: string }): T | undefined
  list (options?: { readonly namespace?: string; readonly labelSelector?: string }): T[]
  /** The objects for which an index function returned the value. @throws Error if there is no such index */
  byIndex (index: string, value: string): T[]
}

/** The values by which an index finds an object; none leaves it out. */
export type IndexFunction<T> = (object: T) => readonly string[]
