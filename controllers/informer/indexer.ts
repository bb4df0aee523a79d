import { parseLabelSelector } from '../../registry/meta/label-selector.js'
import type { KubeObject } from '../../registry/meta/object-meta.js'
import type { ObjectName } from '../client/interfaces.js'
import { keyOf, keyOfObject } from '../object-key.js'
import type { IndexFunction, Lister } from './interfaces.js'

interface Index<T> {
  readonly valuesOf: IndexFunction<T>
  readonly keysByValue: Map<string, Set<string>>
}

/** Objects by key, and by what index functions say of them. */
export class Indexer<T extends KubeObject> implements Lister<T> {
  readonly #objects = new Map<string, T>()
  readonly #indexes = new Map<string, Index<T>>()
  readonly #byNamespace: Index<T> = { valuesOf: o => [o.metadata.namespace ?? ''], keysByValue: new Map() }

  constructor (indexers: Readonly<Record<string, IndexFunction<T>>> = {}) {
    this.addIndexers(indexers)
  }

  /** Adds indexes; what is stored already is indexed at once. @throws Error if a name is taken */
  addIndexers (indexers: Readonly<Record<string, IndexFunction<T>>>): void {
    for (const [name, valuesOf] of Object.entries(indexers)) {
      if (this.#indexes.has(name)) throw new Error(`there is already an index ${name}`)
      const index = { valuesOf, keysByValue: new Map<string, Set<string>>() }
      for (const [key, object] of this.#objects) enter(index, key, object)
      this.#indexes.set(name, index)
    }
  }

  get size (): number { return this.#objects.size }
  keys (): string[] { return [...this.#objects.keys()] }
  getByKey (key: string): T | undefined { return this.#objects.get(key) }
  get (name: ObjectName): T | undefined { return this.#objects.get(keyOf(name)) }

  list ({ namespace, labelSelector }: { readonly namespace?: string; readonly labelSelector?: string } = {}): T[] {
    const objects = namespace === undefined ? [...this.#objects.values()] : this.#find(this.#byNamespace, namespace)
    if (labelSelector === undefined || labelSelector === '') return objects
    const selector = parseLabelSelector(labelSelector)
    return objects.filter(o => selector.matches(o.metadata.labels))
  }

  byIndex (name: string, value: string): T[] {
    const index = this.#indexes.get(name)
    if (index === undefined) throw new Error(`there is no index ${name}`)
    return this.#find(index, value)
  }

  /** The values of an index that have an object. */
  indexValues (name: string): string[] { return [...this.#indexes.get(name)?.keysByValue.keys() ?? []] }

  /** Stores an object. Returns the one that it replaces. */
  set (object: T): T | undefined {
    const key = keyOfObject(object)
    const old = this.#remove(key)
    this.#objects.set(key, object)
    for (const index of this.#all()) enter(index, key, object)
    return old
  }

  /** Removes an object. Returns what was stored. */
  delete (object: T): T | undefined { return this.#remove(keyOfObject(object)) }

  #remove (key: string): T | undefined {
    const old = this.#objects.get(key)
    if (old === undefined) return undefined
    this.#objects.delete(key)
    for (const index of this.#all()) {
      for (const value of index.valuesOf(old)) {
        const keys = index.keysByValue.get(value)
        keys?.delete(key)
        if (keys?.size === 0) index.keysByValue.delete(value)
      }
    }
    return old
  }

  #find (index: Index<T>, value: string): T[] {
    return [...index.keysByValue.get(value) ?? []].map(key => this.#objects.get(key)!)
  }

  #all (): Index<T>[] { return [this.#byNamespace, ...this.#indexes.values()] }
}

function enter<T> (index: Index<T>, key: string, object: T): void {
  for (const value of index.valuesOf(object)) {
    const keys = index.keysByValue.get(value)
    if (keys === undefined) index.keysByValue.set(value, new Set([key]))
    else keys.add(key)
  }
}
