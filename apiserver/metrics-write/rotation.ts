/** Goes through a collection that changes meanwhile, some items at a time: each call goes on where the one before ended. */
export class Rotation<T> {
  readonly #all: () => Iterable<T>
  #rest: Iterator<T> | undefined

  /** @param all iterates over what there is, also over what comes or goes while it does, as those of Map and Set do */
  constructor (all: () => Iterable<T>) { this.#all = all }

  /** The next items, to the limit or the end of the collection; the call after the end begins anew. */
  * next (limit: number): Iterable<T> {
    this.#rest ??= this.#all()[Symbol.iterator]()
    for (let i = 0; i < limit; i++) {
      const item = this.#rest.next()
      if (item.done === true) {
        this.#rest = undefined
        return
      }
      yield item.value
    }
  }
}
