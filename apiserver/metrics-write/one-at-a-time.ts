/** Runs what it is given one after the other, first come, first served. */
export class OneAtATime {
  #last: Promise<unknown> = Promise.resolve()

  /** Resolves or rejects as the work does, which begins when all that came before has ended, well or badly. */
  async run<T> (work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work)
    this.#last = result.catch(() => {})
    return await result
  }
}
