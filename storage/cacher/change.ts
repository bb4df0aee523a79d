import type { Revision } from '../interfaces.js'
import type { CacheItem, CacheWatchEvent } from './interfaces.js'

type ItemEvent<T> = Extract<CacheWatchEvent<T>, { item: unknown }>

/** One change of one key, with the content before it, shared by all watchers. */
export class Change<T> {
  readonly key: string
  readonly revision: Revision
  readonly #item: CacheItem<T> | undefined
  readonly #previous: CacheItem<T> | undefined
  readonly #withRevision: (value: T, revision: Revision) => T
  #added: ItemEvent<T> | undefined
  #modified: ItemEvent<T> | undefined
  #deleted: ItemEvent<T> | undefined

  /** At least one of `item` (the content after) and `previous` (before) must be given. */
  constructor (key: string, revision: Revision, content: { item: CacheItem<T> | undefined; previous: CacheItem<T> | undefined }, withRevision: (value: T, revision: Revision) => T) {
    this.key = key
    this.revision = revision
    this.#item = content.item
    this.#previous = content.previous
    this.#withRevision = withRevision
  }

  /**
   * What a watcher is told who sees only matching values; undefined means nothing. A value that begins to match is ADDED, one that
   * ceases to is DELETED with its old content under the new revision, as in kube-apiserver's cache watcher.
   */
  eventFor (matches: ((value: T) => boolean) | undefined): ItemEvent<T> | undefined {
    const item = this.#item
    const previous = this.#previous
    const now = item !== undefined && (matches === undefined || matches(item.value))
    const before = previous !== undefined && (matches === undefined || matches(previous.value))
    if (now) {
      if (before) return this.#modified ??= { type: 'MODIFIED', item }
      return this.#added ??= { type: 'ADDED', item }
    }
    if (!before) return undefined
    return this.#deleted ??= {
      type: 'DELETED',
      item: { key: this.key, revision: this.revision, value: this.#withRevision(previous.value, this.revision) }
    }
  }
}
