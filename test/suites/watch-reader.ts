import type { Revision, StorageEvent, StorageWatch, WatchBatch } from '../../storage/interfaces.js'

/** How long a test waits for something that should happen at once before it fails with what did arrive. */
const patienceMs = 20_000

/**
 * Reads a watch for a test, and fails as soon as the watch breaks what every watch promises: revisions only rise, no event is
 * doubled, no batch steps back, and no event comes at or below a revision that an earlier batch declared complete.
 */
export class WatchReader {
  readonly watch: StorageWatch
  readonly events: StorageEvent[] = []
  /** The revision up to which the watch says that everything has been delivered. */
  revision: Revision
  /** How many batches carried no event. */
  emptyBatches = 0
  readonly #iterator: AsyncIterator<WatchBatch>

  constructor (watch: StorageWatch, afterRevision: Revision) {
    this.watch = watch
    this.revision = afterRevision
    this.#iterator = watch[Symbol.asyncIterator]()
  }

  /** Reads one batch; undefined at the end of the watch. Rejects with the watch's own error. */
  async next (): Promise<WatchBatch | undefined> {
    const { done, value } = await withPatience(this.#iterator.next(), () => `the watch delivered nothing more after ${describe(this.events)}`)
    if (done === true) return undefined
    const batch: WatchBatch = value
    let floor = this.revision
    for (const event of batch.events) {
      if (event.modRevision <= floor) throw new Error(`event ${event.type} ${event.key} at ${event.modRevision} came after revision ${floor} had been declared complete`)
      floor = event.modRevision
    }
    if (batch.revision < floor) throw new Error(`a batch declares revision ${batch.revision} after ${floor}`)
    if (batch.events.length === 0) this.emptyBatches++
    this.events.push(...batch.events)
    this.revision = batch.revision
    return batch
  }

  /** Reads until so many events have arrived in all, and answers them all. */
  async count (wanted: number): Promise<StorageEvent[]> {
    while (this.events.length < wanted) {
      if (await this.next() === undefined) throw new Error(`the watch ended with ${this.events.length} of ${wanted} events`)
    }
    return this.events
  }

  /** Asks for progress and reads until everything up to the revision has been delivered; answers all events so far. */
  async through (revision: Revision): Promise<StorageEvent[]> {
    while (this.revision < revision) {
      this.watch.requestProgress()
      if (await this.next() === undefined) throw new Error(`the watch ended at ${this.revision}, before ${revision}`)
    }
    return this.events
  }

  /** Reads until the watch ends cleanly; rejects with its error if it does not. */
  async end (): Promise<void> {
    while (await this.next() !== undefined);
  }
}

/** A promise's result, or an error that says what the test was waiting for. */
export async function withPatience<T> (promise: Promise<T>, waitingFor: () => string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => { reject(new Error(`after ${patienceMs} ms: ${waitingFor()}`)) }, patienceMs)
  })
  try {
    return await Promise.race([promise, limit])
  } finally {
    clearTimeout(timer)
  }
}

function describe (events: readonly StorageEvent[]): string {
  const last = events.at(-1)
  return last === undefined ? 'no event at all' : `${events.length} events, the last one ${last.type} ${last.key} at ${last.modRevision}`
}
