import { StorageError } from '../errors.js'
import type { Revision, Storage } from '../interfaces.js'
import { aborted, waitWithin } from './deadline.js'
import type { WaitLimits } from './deadline.js'
import { Freshness } from './freshness.js'
import type { CacherClock } from './interfaces.js'
import type { Reflector } from './reflector.js'
import { RevisionReader } from './revision-reader.js'

export interface ReadBarrierOptions {
  readonly storage: Storage
  readonly clock: CacherClock
  readonly timeoutMs: number
  readonly reflector: Pick<Reflector, 'away' | 'relist' | 'requestProgress' | 'retryNow'>
  /** What the cache reflects; undefined until it has been filled. */
  readonly revision: () => Revision | undefined
}

/** Holds reads back until the cache is as fresh as they want it. */
export class ReadBarrier {
  readonly #options: ReadBarrierOptions
  readonly #revisions: RevisionReader
  readonly #freshness: Freshness
  readonly #filled: Promise<void>
  #announceFilled: () => void = () => {}
  #failFilled: (error: StorageError) => void = () => {}
  #closed: StorageError | undefined

  constructor (options: ReadBarrierOptions) {
    this.#options = options
    const { storage, clock, timeoutMs, reflector, revision } = options
    this.#filled = new Promise((resolve, reject) => {
      this.#announceFilled = resolve
      this.#failFilled = reject
    })
    this.#filled.catch(() => {})
    this.#freshness = new Freshness(clock, () => reflector.requestProgress())
    this.#revisions = new RevisionReader({ storage, clock, timeoutMs, known: () => revision() ?? 0n, onAnswer: (now, known) => this.#checkAnswer(now, known) })
  }

  /** How many reads are waiting for the cache. */
  get size (): number {
    return this.#freshness.size
  }

  /** The cache has been filled (again) or has reached the revision. */
  advance (revision: Revision): void {
    this.#announceFilled()
    this.#freshness.advance(revision)
  }

  /** A new watch of the storage begins. */
  watching (): void {
    this.#freshness.askAgain()
  }

  /** Rejects all reads, those waiting and those to come. */
  close (error: StorageError): void {
    this.#closed = error
    this.#failFilled(error)
    this.#freshness.rejectAll(error)
  }

  /** Waits for the cache to be filled, for as long as it takes. */
  async filled (signal?: AbortSignal): Promise<void> {
    await waitWithin(this.#filled, { clock: this.#options.clock, timeoutMs: undefined, signal })
  }

  /** See `Cacher.waitFresh`. */
  async wait (want: 'any' | 'consistent' | Revision, signal?: AbortSignal): Promise<Revision> {
    if (signal?.aborted === true) throw aborted(signal)
    if (this.#closed !== undefined) throw this.#closed
    const { clock, timeoutMs } = this.#options
    let revision = this.#options.revision()
    // Nothing to wait for: an engine in this process says how far it is, and the cache is there.
    if (want === 'consistent' && revision !== undefined && this.#options.storage.knownRevision?.() === revision) return revision
    const until = clock.now() + timeoutMs
    const within = (timedOut: () => StorageError): WaitLimits => ({ clock, timeoutMs: Math.max(0, until - clock.now()), timedOut, signal })

    if (revision === undefined) {
      await waitWithin(this.#filled, within(() => new StorageError('Unavailable', 'the cache has not been filled yet')))
      revision = this.#revision()
    }
    if (want === 'any' || (want !== 'consistent' && want <= revision)) return revision
    let target: Revision
    if (want === 'consistent') {
      target = await waitWithin(this.#revisions.read(), within(() => new StorageError('Unavailable', `the storage did not tell its revision within ${timeoutMs} ms`)))
    } else {
      target = want
    }
    revision = this.#revision()
    if (revision >= target) return revision
    if (this.#closed !== undefined) throw this.#closed
    await this.#freshness.wait(target, want === 'consistent', within(() => this.#notReached(target)))
    return this.#revision()
  }

  #revision (): Revision {
    return this.#options.revision() as Revision
  }

  #checkAnswer (revision: Revision, known: Revision): void {
    if (revision >= known) {
      this.#options.reflector.retryNow()
      return
    }
    // Restored from a backup: what the cache shows never happened.
    this.#options.reflector.relist()
    throw new StorageError('Unavailable', `the storage is at revision ${revision}, behind revision ${known} seen before; the cache is being filled anew`)
  }

  #notReached (target: Revision): StorageError {
    const revision = this.#revision()
    if (this.#options.reflector.away) return new StorageError('Unavailable', `the storage is away; the cache is at revision ${revision}, not yet at ${target}`, { revision })
    return new StorageError('FutureRevision', `revision ${target} has not been reached, the current one is ${revision}`, { revision })
  }
}
