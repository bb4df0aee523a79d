/**
 * A set of what soon goes again, such as requests under way. A JavaScript Set makes itself a new table every few additions and removals, and
 * each old table points to the next one: once a table has got old, all later ones, with what they held, wait for a full garbage
 * collection, and every request is copied by the minor ones until then. Here a place is used again and nothing points forward.
 */
export class Slots<T extends object> implements Iterable<T> {
  readonly #items: (T | undefined)[] = []
  readonly #free: number[] = []

  get size (): number { return this.#items.length - this.#free.length }

  /** @returns the place of the item, by which it is removed */
  add (item: T): number {
    const slot = this.#free.pop() ?? this.#items.length
    this.#items[slot] = item
    return slot
  }

  /** To be called once for an item: the place is given to another. */
  remove (slot: number): void {
    this.#items[slot] = undefined
    this.#free.push(slot)
  }

  /** What is there now; what is added meanwhile may be among it. */
  * [Symbol.iterator] (): Iterator<T> {
    for (const item of this.#items) if (item !== undefined) yield item
  }
}
