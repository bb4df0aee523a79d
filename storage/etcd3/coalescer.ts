/**
 * Runs one piece of work for many callers: a caller gets the result of a run that began after its call. At most one run is under way and
 * one is waiting, however many call.
 */
export class Coalescer<T> {
  readonly #work: () => Promise<T>
  #running: Promise<unknown> | undefined
  #next: Promise<T> | undefined

  constructor (work: () => Promise<T>) {
    this.#work = work
  }

  run (): Promise<T> {
    // A run that is only scheduled has not begun: callers of the same tick share it.
    this.#next ??= this.#begin(this.#running)
    return this.#next
  }

  async #begin (previous: Promise<unknown> | undefined): Promise<T> {
    await previous?.catch(() => undefined)
    await undefined
    const running = this.#work()
    this.#running = running
    this.#next = undefined
    return await running
  }
}
