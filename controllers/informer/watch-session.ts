import { ConnectionError } from '../client/errors.js'
import type { Watch, WatchEvent } from '../client/interfaces.js'
import type { Clock } from '../clock.js'

/** `closed`: by the server or the network. `idle`: by us, because nothing came, or the server did not keep its time. */
export type WatchEnd = 'closed' | 'idle' | 'stopped'

export interface WatchSessionOptions {
  readonly signal: AbortSignal
  /** What the server was asked for. */
  readonly timeoutSeconds: number
  readonly idleMs: number
}

/** A server that ends a watch later than it was asked to does not hear us. */
const graceMs = 10_000

/**
 * An open watch that cannot hang: it ends when no event came for a time, and when the server should have ended it. Without HTTP/2's pings,
 * this is what finds a peer that vanished.
 */
export class WatchSession<T> {
  readonly #clock: Clock
  readonly #abort: AbortController
  readonly #signal: AbortSignal
  readonly #onAbort: () => void
  #watch: Watch<T> | undefined
  #events: AsyncIterator<WatchEvent<T>, void, undefined> | undefined
  #idleMs: number
  #lastEventMs: number
  #cancelIdle: () => void = () => undefined
  #cancelDeadline: () => void
  #idle = false

  private constructor (clock: Clock, { signal, timeoutSeconds, idleMs }: WatchSessionOptions) {
    this.#clock = clock
    this.#signal = signal
    this.#abort = new AbortController()
    this.#onAbort = () => { this.close() }
    signal.addEventListener('abort', this.#onAbort, { once: true })
    this.#idleMs = idleMs
    this.#lastEventMs = clock.monotonicMs()
    this.#cancelDeadline = clock.setTimer(timeoutSeconds * 1000 + graceMs, () => { this.#giveUp() })
    this.#watchIdleness()
  }

  /** Opens a watch under these rules. @throws what opening throws, and ConnectionError when it takes too long */
  static async open<T> (clock: Clock, open: (signal: AbortSignal) => Promise<Watch<T>>, options: WatchSessionOptions): Promise<WatchSession<T>> {
    const session = new WatchSession<T>(clock, options)
    try {
      session.#watch = await open(session.#abort.signal)
      session.#events = session.#watch[Symbol.asyncIterator]()
    } catch (error) {
      session.close()
      if (session.#idle) throw new ConnectionError('the watch was not answered', { code: 'ETIMEDOUT', cause: error })
      throw error
    }
    // It may have been closed while it was opened.
    if (session.#abort.signal.aborted) session.#watch.close()
    return session
  }

  get idle (): boolean { return this.#idle }
  set idleMs (ms: number) {
    this.#idleMs = ms
    this.#watchIdleness()
  }

  /** Hands over events until the handler returns false, or the watch ends. @throws StatusError for an ERROR event */
  async read (handle: (event: WatchEvent<T>) => boolean): Promise<WatchEnd> {
    for (;;) {
      const next = await this.#events!.next()
      if (this.#signal.aborted) return 'stopped'
      if (next.done === true) return this.#idle ? 'idle' : 'closed'
      this.#lastEventMs = this.#clock.monotonicMs()
      if (!handle(next.value)) return 'stopped'
    }
  }

  close (): void {
    this.#signal.removeEventListener('abort', this.#onAbort)
    this.#cancelIdle()
    this.#cancelDeadline()
    this.#abort.abort()
    this.#watch?.close()
  }

  #giveUp (): void {
    this.#idle = true
    this.close()
  }

  /** One timer, set anew when it runs, costs less than one for each event. */
  #watchIdleness (): void {
    this.#cancelIdle()
    if (this.#abort.signal.aborted) return
    const leftMs = this.#lastEventMs + this.#idleMs - this.#clock.monotonicMs()
    if (leftMs <= 0) this.#giveUp()
    else this.#cancelIdle = this.#clock.setTimer(leftMs, () => { this.#watchIdleness() })
  }
}
