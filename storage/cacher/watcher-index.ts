import type { BufferedCacheWatcher } from './buffered-cache-watcher.js'

/**
 * The watchers by what they watch, so that a change is offered only to those whose scope it is in: the watchers of the key, and those of
 * each of its prefixes that ends in '/', from the cacher's own prefix on.
 */
export class WatcherIndex<T> {
  readonly #prefix: string
  readonly #ofPrefix = new Map<string, Set<BufferedCacheWatcher<T>>>()
  readonly #ofKey = new Map<string, Set<BufferedCacheWatcher<T>>>()
  #size = 0

  constructor (prefix: string) {
    this.#prefix = prefix
  }

  get size (): number {
    return this.#size
  }

  add (watcher: BufferedCacheWatcher<T>): void {
    const map = this.#mapFor(watcher)
    const watchers = map.get(watcher.filter.scope)
    if (watchers === undefined) map.set(watcher.filter.scope, new Set([watcher]))
    else watchers.add(watcher)
    this.#size++
  }

  delete (watcher: BufferedCacheWatcher<T>): void {
    const map = this.#mapFor(watcher)
    const watchers = map.get(watcher.filter.scope)
    if (watchers === undefined || !watchers.delete(watcher)) return
    if (watchers.size === 0) map.delete(watcher.filter.scope)
    this.#size--
  }

  /** Calls back for every watcher whose scope the key is in. Watchers may be removed meanwhile. */
  forEachOf (key: string, visit: (watcher: BufferedCacheWatcher<T>) => void): void {
    if (this.#ofPrefix.size > 0) {
      for (let slash = this.#prefix.length - 1; slash !== -1; slash = key.indexOf('/', slash + 1)) {
        this.#ofPrefix.get(key.slice(0, slash + 1))?.forEach(visit)
      }
    }
    if (this.#ofKey.size > 0) this.#ofKey.get(key)?.forEach(visit)
  }

  all (): BufferedCacheWatcher<T>[] {
    return [...this.#ofPrefix.values(), ...this.#ofKey.values()].flatMap((watchers) => [...watchers])
  }

  #mapFor (watcher: BufferedCacheWatcher<T>): Map<string, Set<BufferedCacheWatcher<T>>> {
    return watcher.filter.exactKey ? this.#ofKey : this.#ofPrefix
  }
}
