import { setImmediate as nextTurn } from 'node:timers/promises'
import { StorageError } from '../errors.js'
import type { Revision, StorageEvent, StorageWatch, WatchBatch } from '../interfaces.js'

/** What a watch needs of its store. */
export interface WatchSource {
  /** The newest durable revision. */
  readonly revision: Revision
  /** History before this revision is gone. */
  readonly compactRevision: Revision
  /**
   * Some events of the prefix after a revision, and the revision up to which that is all of them; at least one revision further,
   * except if there is nothing further. `fromHistory` says that it took reading.
   */
  eventsAfter (revision: Revision, prefix: string): { events: StorageEvent[], revision: Revision, fromHistory: boolean }
  /** The watch ends. */
  removed (watch: EmbeddedWatch): void
}

/**
 * A watch is a position in the log and nothing else: history and live events come from the same place, in the same way, so there is no
 * seam between them, and a consumer that does not read costs no memory. If it stays away for longer than history is kept, it is told
 * `Compacted`; while it waits for events its position follows the store.
 */
export class EmbeddedWatch implements StorageWatch {
  readonly #source: WatchSource
  readonly #prefix: string
  #position: Revision
  /** A batch must say that it has come this far, even if there is no event. */
  #progressWanted: Revision | undefined
  /** Whether the turn of the event loop is over in which progress was asked for; requests are answered once a turn. */
  #progressDue = false
  #failure: StorageError | undefined
  #closed = false
  #ready: WatchBatch | undefined
  #wake: (() => void) | undefined

  constructor (source: WatchSource, prefix: string, afterRevision: Revision) {
    this.#source = source
    this.#prefix = prefix
    this.#position = afterRevision
    this.#checkHistory()
  }

  requestProgress (): void {
    const isFirst = this.#progressWanted === undefined
    this.#progressWanted = this.#source.revision
    if (isFirst) {
      setImmediate(() => {
        this.#progressDue = this.#progressWanted !== undefined
        this.advance()
      })
    }
  }

  close (): void {
    if (this.#closed) return
    this.#closed = true
    this.#source.removed(this)
    this.#wakeUp()
  }

  /** The store has new events, or progress is wanted. Wakes the consumer if there is something for it. */
  advance (): void {
    if (this.#wake === undefined) return
    const polled = this.#poll()
    // If one step was not enough, the iteration takes the next ones.
    this.#ready = polled?.batch
    if (polled !== undefined || this.#failure !== undefined) this.#wakeUp()
  }

  async * [Symbol.asyncIterator] (): AsyncGenerator<WatchBatch, void, undefined> {
    try {
      while (!this.#closed) {
        const batch = this.#ready
        this.#ready = undefined
        if (batch !== undefined) {
          yield batch
          continue
        }
        const polled = this.#poll()
        if (this.#failure !== undefined) throw this.#failure
        if (polled === undefined) await new Promise<void>(resolve => { this.#wake = resolve })
        else {
          // Reading history leaves others a turn after every step, however fast the consumer is.
          if (polled.batch === undefined || polled.fromHistory) await nextTurn()
          this.#ready = polled.batch
        }
      }
    } finally {
      this.close()
    }
  }

  /** One step ahead; undefined if there is nothing to do, no batch if there was no event in this step. */
  #poll (): { batch: WatchBatch | undefined, fromHistory: boolean } | undefined {
    const { revision: newest } = this.#source
    if (newest < this.#position) return undefined
    let events: StorageEvent[] = []
    let fromHistory = false
    if (newest > this.#position) {
      try {
        const step = this.#source.eventsAfter(this.#position, this.#prefix)
        if (step.fromHistory) this.#checkHistory()
        if (this.#failure !== undefined) return undefined
        events = step.events
        fromHistory = step.fromHistory
        this.#position = step.revision
      } catch (cause) {
        this.#failure = cause instanceof StorageError ? cause : new StorageError('Unavailable', `a watch of ${this.#prefix} cannot read the log at revision ${this.#position}`, { cause })
        return undefined
      }
    }
    const hasReached = this.#progressWanted !== undefined && this.#position >= this.#progressWanted
    const batch = events.length > 0 || (hasReached && this.#progressDue) ? { events, revision: this.#position } : undefined
    if (batch !== undefined && hasReached) {
      this.#progressWanted = undefined
      this.#progressDue = false
    }
    return batch !== undefined || newest > this.#position ? { batch, fromHistory } : undefined
  }

  /** Every event from the compacted revision on is still there, so a watch after the revision before it can start, as in etcd. */
  #checkHistory (): void {
    const { compactRevision } = this.#source
    if (this.#position + 1n < compactRevision) {
      this.#failure = new StorageError('Compacted', `a watch of ${this.#prefix} needs the changes after revision ${this.#position}, and history before ${compactRevision} is gone`, { revision: compactRevision })
    }
  }

  #wakeUp (): void {
    const wake = this.#wake
    this.#wake = undefined
    wake?.()
  }
}
