import type { LabelSelector } from '../../registry/meta/label-selector.js'
import type { Store } from '../../registry/generic/store/store.js'
import { groupResourceOf, type DescribedResource } from './described-kinds.js'

/** Whether an object is there and selected. The namespace is empty for kinds that are in none. */
export type ObjectMatcher = (namespace: string, name: string) => boolean

/** The objects of a kind cannot be told: not yet (`pending`), or not before somebody changes something (`refused`). */
export class ObjectsUnknown extends Error {
  override readonly name = 'ObjectsUnknown'
  readonly when: 'pending' | 'refused'

  constructor (message: string, when: 'pending' | 'refused') {
    super(message)
    this.when = when
  }
}

/**
 * Who knows the objects that metrics are about. A source that learns them on demand (an informer of a cluster) may answer later; the
 * matcher that it answers does no I/O.
 */
export interface ObjectSelector {
  /**
   * @returns undefined where this source does not know the kind: then every object with a sample counts as there and selected
   * @throws ObjectsUnknown
   */
  matcher: (resource: DescribedResource, selector: LabelSelector | undefined) => ObjectMatcher | undefined | Promise<ObjectMatcher | undefined>
  /** Told which resources still have metrics when that has changed; the objects of others need not be known any more. */
  retain?: (described: (groupResource: string) => boolean) => void
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

/** Asks one source for the kinds that it knows, and another one for the rest. */
export const firstKnown = (first: ObjectSelector, second: ObjectSelector): ObjectSelector => ({
  matcher: async (resource, selector) => await first.matcher(resource, selector) ?? second.matcher(resource, selector),
  retain: described => {
    first.retain?.(described)
    second.retain?.(described)
  }
})
