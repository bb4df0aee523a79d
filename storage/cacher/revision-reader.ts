import { StorageError } from '../errors.js'
import type { Revision, Storage } from '../interfaces.js'
import { waitWithin } from './deadline.js'
import type { CacherClock } from './interfaces.js'

export interface RevisionReaderOptions {
  readonly storage: Storage
  readonly clock: CacherClock
  readonly timeoutMs: number
  /** The revision that was known before the call began. */
  readonly known: () => Revision
  /** The storage answered. `known` is what `known()` gave when the call began: an answer below it means lost history. */
  readonly onAnswer: (revision: Revision, known: Revision) => void
}

/**
 * Linearizable reads of the storage's revision, shared: a read joins the call that has not begun yet, never one under way, since that
 * one may have looked before a write which the reader already knows of. There is at most one call under way and one to come.
 */
export class RevisionReader {
  readonly #options: RevisionReaderOptions
  #underWay: Promise<Revision> | undefined
  #next: Promise<Revision> | undefined
  /** Of the call under way; another one's once it was used. An AbortSignal is not for throwing away: V8 makes a hidden class of each. */
  #abort = new AbortController()

  constructor (options: RevisionReaderOptions) {
    this.#options = options
  }

  /**
   * A revision that includes everything acknowledged before this call.
   * @throws StorageError as `currentRevision` does; Unavailable if it does not answer in time
   */
  read (): Promise<Revision> {
    if (this.#next === undefined) {
      this.#next = this.#callAfter(this.#underWay)
      // Readers may leave before it settles.
      this.#next.catch(() => {})
    }
    return this.#next
  }

  async #callAfter (previous: Promise<Revision> | undefined): Promise<Revision> {
    // Even with nothing to wait for the call begins in a microtask, so that the reads of one turn share it.
    await previous?.catch(() => {})
    this.#next = undefined
    const call = this.#call()
    this.#underWay = call
    try {
      return await call
    } finally {
      if (this.#underWay === call) this.#underWay = undefined
    }
  }

  async #call (): Promise<Revision> {
    const { storage, clock, timeoutMs, known, onAnswer } = this.#options
    const before = known()
    const abort = this.#abort
    const timedOut = (): StorageError => {
      abort.abort()
      this.#abort = new AbortController()
      return new StorageError('Unavailable', `the storage did not tell its revision within ${timeoutMs} ms`)
    }
    const revision = await waitWithin(storage.currentRevision({ signal: abort.signal }), { clock, timeoutMs, timedOut })
    onAnswer(revision, before)
    return revision
  }
}
