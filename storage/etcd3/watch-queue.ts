import type { StorageError } from '../errors.js'
import type { Revision, WatchBatch } from '../interfaces.js'

/** Reading stops when so many batches wait for the consumer, and goes on when few are left. */
const fullAt = 8
const roomyAt = 2

/** What stands between a stream and the consumer of a watch: batches, then an end. It tells the stream when to stop and go on. */
export class WatchQueue {
  readonly #batches: WatchBatch[] = []
  readonly #readers: Array<{ resolve: (result: IteratorResult<WatchBatch, undefined>) => void; reject: (error: StorageError) => void }> = []
  readonly #onFlow: (flow: 'stop' | 'go') => void
  #stopped = false
  #end: { error?: StorageError } | undefined

  /** @param onFlow called with `stop` when the queue is full and with `go` when it has room again */
  constructor (onFlow: (flow: 'stop' | 'go') => void) {
    this.#onFlow = onFlow
  }

  get ended (): boolean {
    return this.#end !== undefined
  }

  get full (): boolean {
    return this.#stopped
  }

  /** The revision of the newest batch that nobody has taken yet. */
  get waitingRevision (): Revision | undefined {
    return this.#batches.at(-1)?.revision
  }

  push (batch: WatchBatch): void {
    if (this.#end !== undefined) return
    const reader = this.#readers.shift()
    if (reader !== undefined) {
      reader.resolve({ done: false, value: batch })
      return
    }
    const last = this.#batches.at(-1)
    // Two progress notifications in a row say no more than the second.
    if (last?.events.length === 0 && batch.events.length === 0) this.#batches.pop()
    this.#batches.push(batch)
    if (!this.#stopped && this.#batches.length >= fullAt) {
      this.#stopped = true
      this.#onFlow('stop')
    }
  }

  /** Ends after the batches that are waiting, with an error for the first reader that comes to it. */
  fail (error: StorageError): void {
    if (this.#end !== undefined) return
    this.#end = { error }
    const reader = this.#readers.shift()
    if (reader !== undefined) {
      this.#end = {}
      reader.reject(error)
    }
    this.#finishReaders()
  }

  /** Ends at once: what is waiting is dropped. */
  close (): void {
    this.#batches.length = 0
    this.#end = {}
    this.#finishReaders()
  }

  async next (): Promise<IteratorResult<WatchBatch, undefined>> {
    const batch = this.#batches.shift()
    if (batch !== undefined) {
      if (this.#stopped && this.#batches.length <= roomyAt) {
        this.#stopped = false
        this.#onFlow('go')
      }
      return { done: false, value: batch }
    }
    if (this.#end !== undefined) {
      const { error } = this.#end
      this.#end = {}
      if (error !== undefined) throw error
      return { done: true, value: undefined }
    }
    return await new Promise((resolve, reject) => { this.#readers.push({ resolve, reject }) })
  }

  #finishReaders (): void {
    for (const reader of this.#readers.splice(0)) reader.resolve({ done: true, value: undefined })
  }
}
