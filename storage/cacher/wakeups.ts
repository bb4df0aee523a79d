/** Something to be called soon. */
export interface Wakeable {
  wake (): void
}

/**
 * Calls watchers back once the current turn of the event loop is over, all of them from one `setImmediate`: whatever arrives for a
 * watcher within a turn is one callback.
 */
export class Wakeups {
  readonly #onError: (error: unknown) => void
  #waiting: Wakeable[] = []

  constructor (onError: (error: unknown) => void) {
    this.#onError = onError
  }

  /** The caller takes care not to be added twice. */
  add (one: Wakeable): void {
    if (this.#waiting.push(one) === 1) setImmediate(() => this.#flush())
  }

  #flush (): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const one of waiting) {
      try {
        one.wake()
      } catch (error) {
        this.#onError(error)
      }
    }
  }
}
