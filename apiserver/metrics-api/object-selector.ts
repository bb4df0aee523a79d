import type { LabelSelector } from '../../registry/meta/label-selector.js'
import type { Store } from '../../registry/generic/store/store.js'
import { groupResourceOf, type DescribedResource } from './described-kinds.js'

/** Whether an object is there and selected. The namespace is empty for kinds that are in none. */
export type ObjectMatcher = (namespace: string, name: string) => boolean

/**
 * Who knows the objects that metrics are about. A source that learns them on demand (an informer of a cluster) may answer later; the
 * matcher that it answers does no I/O.
 */
export interface ObjectSelector {
  /** @returns undefined where this source does not know the kind: then every object with a sample counts as there and selected */
  matcher: (resource: DescribedResource, selector: LabelSelector | undefined) => ObjectMatcher | undefined | Promise<ObjectMatcher | undefined>
}

/** Knows the objects stored in this very server. */
export class StoredObjectSelector implements ObjectSelector {
  readonly #stores: ReadonlyMap<string, Store>
  readonly #prefix: string

  /** @param prefix that of the stores, without a trailing slash */
  constructor (stores: readonly Store[], prefix: string) {
    this.#stores = new Map(stores.map(s => [groupResourceOf(s.resource.groupResource), s]))
    this.#prefix = prefix
  }

  matcher (resource: DescribedResource, selector: LabelSelector | undefined): ObjectMatcher | undefined {
    const store = this.#stores.get(groupResourceOf(resource))
    if (store === undefined) return undefined
    const prefix = `${this.#prefix}/${resource.group}/${resource.resource}/`
    return (namespace, name) => {
      const item = store.cacher.get(prefix + (namespace === '' ? name : `${namespace}/${name}`))
      return item !== undefined && (selector === undefined || selector.matches(item.value.labels))
    }
  }
}
