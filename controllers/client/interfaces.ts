import type { GroupVersionResource, KubeObject } from '../../registry/meta/object-meta.js'

/** Which object: its name, and its namespace unless it is cluster-scoped. */
export interface ObjectName { readonly namespace?: string | undefined; readonly name: string }

/** A whole list or a page of one; items have their kind and apiVersion, which servers leave out of lists of built-in kinds. */
export interface ObjectList<T> {
  readonly items: T[]
  readonly resourceVersion: string
  /** Where the next page starts. */
  readonly continueToken?: string | undefined
  /** Whether the server answered in pages; only of `listAll`. */
  readonly paginated?: boolean
}

export type WatchEventType = 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'
/** The object of a BOOKMARK has only its kind and metadata.resourceVersion, and perhaps annotations. */
export interface WatchEvent<T> { readonly type: WatchEventType; readonly object: T }

/** An open watch. The iteration ends when the server ends it, the connection breaks, or the signal aborts. @throws StatusError for an ERROR event */
export interface Watch<T> extends AsyncIterable<WatchEvent<T>> {
  close (): void
}

export interface SelectOptions {
  readonly namespace?: string | undefined
  readonly labelSelector?: string | undefined
  readonly fieldSelector?: string | undefined
}

export interface ListOptions extends SelectOptions {
  readonly resourceVersion?: string | undefined
  readonly resourceVersionMatch?: 'Exact' | 'NotOlderThan' | undefined
  /** The size of a page; 0 for everything at once. */
  readonly limit?: number | undefined
  readonly continueToken?: string | undefined
}

export interface WatchOptions extends SelectOptions {
  readonly resourceVersion?: string | undefined
  readonly resourceVersionMatch?: 'NotOlderThan' | undefined
  readonly allowWatchBookmarks?: boolean | undefined
  readonly sendInitialEvents?: boolean | undefined
  /** When the server should end the watch. */
  readonly timeoutSeconds?: number | undefined
}

export interface RequestContext { readonly signal?: AbortSignal | undefined }

export interface WriteOptions extends RequestContext {
  readonly fieldManager?: string | undefined
  readonly dryRun?: boolean | undefined
  /** `status`, `scale`, … */
  readonly subresource?: string | undefined
}

export interface PatchOptions extends WriteOptions {
  readonly type: 'json' | 'merge' | 'strategic-merge'
}

export interface ApplyOptions extends WriteOptions {
  readonly fieldManager: string
  /** Takes over fields of other managers instead of failing with a conflict. */
  readonly force?: boolean | undefined
}

export interface DeleteOptions extends RequestContext {
  readonly propagationPolicy?: 'Background' | 'Foreground' | 'Orphan' | undefined
  readonly gracePeriodSeconds?: number | undefined
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string } | undefined
  readonly dryRun?: boolean | undefined
}

/** The verbs of one resource. Every method throws StatusError when the server refuses and ConnectionError when there is no answer. */
export interface ResourceClient<T extends KubeObject> {
  readonly gvr: GroupVersionResource
  get (name: ObjectName, options?: RequestContext): Promise<T>
  /** One page, of 500 objects unless the options say otherwise. */
  list (options?: ListOptions, context?: RequestContext): Promise<ObjectList<T>>
  /** All pages, consistent: from the beginning again, in one piece, if a continue token expires meanwhile. */
  listAll (options?: ListOptions, context?: RequestContext): Promise<ObjectList<T>>
  /** Resolves when the server has begun the stream. */
  watch (options?: WatchOptions, context?: RequestContext): Promise<Watch<T>>
  create (object: T, options?: WriteOptions): Promise<T>
  /** With the object's resourceVersion, a conflict if it has changed since. */
  update (object: T, options?: WriteOptions): Promise<T>
  patch (name: ObjectName, patch: unknown, options: PatchOptions): Promise<T>
  /** Server-side apply of exactly the fields of the object. */
  apply (object: Partial<T> & KubeObject, options: ApplyOptions): Promise<T>
  /** What the server answers is the object or a Status. */
  delete (name: ObjectName, options?: DeleteOptions): Promise<void>
}
