/** So long work goes on at most while requests wait. */
const sliceMs = 1

/**
 * Lets long work give way to requests: it goes on for a millisecond of a turn of the event loop, and then in the next one.
 *
 *     for (const item of many) {
 *       if (slice.over) await slice.next()
 *       …
 *     }
 */
export class TimeSlice {
  readonly #now: () => number
  #endMs: number

  /** @param now milliseconds */
  constructor (now: () => number = () => performance.now()) {
    this.#now = now
    this.#endMs = now() + sliceMs
  }

  get over (): boolean { return this.#now() >= this.#endMs }

  /** Resolves in the next turn of the event loop. */
  async next (): Promise<void> {
    await nextTurn()
    this.#endMs = this.#now() + sliceMs
  }
}

/**
 * Runs work that waits for others, a few pieces at once, each begun in a turn of its own lane. One that fails ends the lane it was in.
 * @param stop nothing is begun any more once it is aborted; what was begun is waited for
 */
export async function fewAtOnce (work: Iterable<() => Promise<void>>, atOnce: number, stop?: AbortSignal): Promise<void> {
  const pieces = work[Symbol.iterator]()
  const lane = async (): Promise<void> => {
    for (let piece = pieces.next(); piece.done !== true && stop?.aborted !== true; piece = pieces.next()) {
      await piece.value()
      await nextTurn()
    }
  }
  await Promise.all(Array.from({ length: atOnce }, lane))
}

const nextTurn = async (): Promise<void> => { await new Promise<void>(resolve => { setImmediate(resolve) }) }
