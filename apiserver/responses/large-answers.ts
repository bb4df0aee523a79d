/** From so many objects on an answer counts as large. */
const largeFrom = 100

/**
 * Large answers are put together one in a turn of the event loop. Requests that waited for the same thing (what etcd's revision is) go on in
 * one turn; the bodies of all of them, megabytes each, would be made before the first is encrypted and sent, and would have left the
 * processor's caches by then. Others are also served in between. No more wait than there are requests in flight.
 */
export class LargeAnswers {
  readonly #waiting: (() => void)[] = []
  #taken = false

  /** How many wait for their turn. */
  get waiting (): number { return this.#waiting.length }

  /** @returns when an answer of so many objects may be put together; undefined is at once */
  turn (objects: number): Promise<void> | undefined {
    if (objects < largeFrom) return undefined
    if (this.#taken) return new Promise(resolve => { this.#waiting.push(resolve) })
    this.#take()
    return undefined
  }

  #take (): void {
    this.#taken = true
    setImmediate(() => {
      const next = this.#waiting.shift()
      if (next === undefined) { this.#taken = false; return }
      this.#take()
      next()
    })
  }
}
