import { sleep, systemClock, withTimeout, type Clock } from '../clock.js'
import { silentLogger, type Logger } from '../logger.js'
import { LeadershipLostError } from './leadership-lost-error.js'
import { microTime, type ElectionLock, type ElectionRecord } from './lease-lock.js'

export interface LeaderElectorOptions {
  readonly lock: ElectionLock
  /** Who we are: unique, or two lead at once. */
  readonly identity: string
  /** How long others wait, without seeing a renewal, before they take over. Default 15 s. */
  readonly leaseDurationMs?: number
  /** How long we try to renew before we stop leading. Default 10 s. */
  readonly renewDeadlineMs?: number
  /** Between two tries. Default 2 s. */
  readonly retryPeriodMs?: number
  /**
   * The work of the leader. Its signal aborts when it should end: with a {@link LeadershipLostError} at once, otherwise in good order, as the
   * lease is renewed until the promise settles and released only then. Leading ends, too, when it resolves by itself.
   */
  readonly lead: (signal: AbortSignal) => Promise<void>
  /** Another holder than before was seen; perhaps us. */
  readonly onNewLeader?: (identity: string) => void
  readonly metrics?: { leading (name: string, isLeader: boolean): void }
  readonly log?: Logger
  readonly clock?: Clock
  /** From 0 up to 1, for jitter. */
  readonly random?: () => number
}

/** client-go's: candidates come back after 1 to 2.2 periods. */
const jitterFactor = 1.2

/**
 * Elects one leader among candidates by the algorithm of client-go's `tools/leaderelection`, so that it can share a Lease with Go's. When a
 * lease expires is measured from when we saw it change, by our own clock; the times in it are never compared with ours.
 */
export class LeaderElector {
  readonly #options: LeaderElectorOptions
  readonly #clock: Clock
  readonly #log: Logger
  readonly #leaseDurationMs: number
  readonly #renewDeadlineMs: number
  readonly #retryPeriodMs: number
  #observed: ElectionRecord | undefined
  #observedAtMs = 0
  #reportedLeader = ''

  /** @throws RangeError if the three times do not leave room for a renewal */
  constructor (options: LeaderElectorOptions) {
    const { leaseDurationMs = 15_000, renewDeadlineMs = 10_000, retryPeriodMs = 2_000 } = options
    if (options.identity === '') throw new RangeError('an elector needs an identity')
    if (!(leaseDurationMs >= 1000)) throw new RangeError('leaseDurationMs must be at least 1000')
    if (!(leaseDurationMs > renewDeadlineMs)) throw new RangeError('leaseDurationMs must be greater than renewDeadlineMs')
    if (!(renewDeadlineMs > retryPeriodMs * jitterFactor)) throw new RangeError(`renewDeadlineMs must be greater than retryPeriodMs*${jitterFactor}`)
    if (!(retryPeriodMs > 0)) throw new RangeError('retryPeriodMs must be greater than 0')
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#log = options.log ?? silentLogger
    this.#leaseDurationMs = leaseDurationMs
    this.#renewDeadlineMs = renewDeadlineMs
    this.#retryPeriodMs = retryPeriodMs
  }

  /** The last holder seen; empty if there is none. */
  get leader (): string { return this.#observed?.holderIdentity ?? '' }
  get isLeader (): boolean { return this.leader === this.#options.identity }

  /**
   * Waits for the lease, leads, and gives it back. Resolves when leading has ended: `stopped` by the signal or by `lead` itself, or `lost`,
   * after which the process had better end. @throws what `lead` throws
   */
  async run (signal: AbortSignal): Promise<'stopped' | 'lost'> {
    const { lock, lead, identity, metrics } = this.#options
    metrics?.leading(lock.name, false)
    if (!await this.#acquire(signal)) return 'stopped'
    this.#log.info({ lease: lock.name, identity }, 'became leader')
    metrics?.leading(lock.name, true)

    const leading = new AbortController()
    const onAbort = (): void => { leading.abort(signal.reason) }
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    const ended = new AbortController()
    const work = (async () => { await lead(leading.signal) })().finally(() => { ended.abort() })
    work.catch(() => undefined) // awaited below
    let lost = false
    try {
      lost = !await this.#renewUntil(ended.signal)
      if (lost) {
        this.#log.error({ lease: lock.name, identity }, 'the lease was lost')
        metrics?.leading(lock.name, false)
        leading.abort(new LeadershipLostError(`the lease ${lock.name} could not be renewed in time`))
      }
      await work
    } finally {
      signal.removeEventListener('abort', onAbort)
      metrics?.leading(lock.name, false)
      if (!lost) await this.#release()
    }
    return lost ? 'lost' : 'stopped'
  }

  /** A health check: throws if we should have stopped leading long ago and have not, which only a blocked process does not. */
  checkHealth ({ toleranceMs }: { readonly toleranceMs: number }): void {
    if (this.isLeader && this.#clock.monotonicMs() - this.#observedAtMs > this.#leaseDurationMs + toleranceMs) throw new Error(`failed election to renew leadership on lease ${this.#options.lock.name}`)
  }

  async #acquire (signal: AbortSignal): Promise<boolean> {
    const random = this.#options.random ?? Math.random
    while (!signal.aborted) {
      if (await this.#tryAcquireOrRenew(this.#clock.monotonicMs() + this.#renewDeadlineMs)) return true
      await sleep(this.#clock, this.#retryPeriodMs * (1 + random() * jitterFactor), signal)
    }
    return false
  }

  /** Renews every period until the signal aborts. Resolves to false if the deadline passes without a success. */
  async #renewUntil (ended: AbortSignal): Promise<boolean> {
    while (await sleep(this.#clock, this.#retryPeriodMs, ended)) {
      // From the last success on: what we told others of our lease is no younger.
      const deadlineMs = this.#observedAtMs + Math.min(this.#renewDeadlineMs + this.#retryPeriodMs, this.#leaseDurationMs)
      while (!await this.#tryAcquireOrRenew(deadlineMs)) {
        if (this.#clock.monotonicMs() >= deadlineMs) return false
        await sleep(this.#clock, Math.min(this.#retryPeriodMs, deadlineMs - this.#clock.monotonicMs()), ended)
        if (ended.aborted) return true
        if (this.#clock.monotonicMs() >= deadlineMs) return false
      }
    }
    return true
  }

  async #tryAcquireOrRenew (deadlineMs: number): Promise<boolean> {
    const attempt = withTimeout(this.#clock, Math.max(0, deadlineMs - this.#clock.monotonicMs()), undefined, () => new Error('the deadline of the renewal passed'))
    try {
      return await this.#attempt(attempt.signal)
    } catch (error) {
      this.#log.warn({ lease: this.#options.lock.name, err: error }, 'the lease could not be read or written')
      return false
    } finally {
      attempt.release()
      this.#report()
    }
  }

  async #attempt (signal: AbortSignal): Promise<boolean> {
    const { lock, identity } = this.#options
    const startMs = this.#clock.monotonicMs()
    const now = microTime(this.#clock.date())
    const record: ElectionRecord = { holderIdentity: identity, leaseDurationSeconds: Math.floor(this.#leaseDurationMs / 1000), acquireTime: now, renewTime: now, leaderTransitions: 0 }
    const renewed = (old: ElectionRecord): ElectionRecord => ({ ...record, acquireTime: old.acquireTime, leaderTransitions: old.leaderTransitions })

    // As long as nobody interferes, a leader needs no read.
    if (this.#observed !== undefined && this.isLeader && this.#isValid()) {
      const mine = renewed(this.#observed)
      const written = await lock.update(mine, signal).then(() => true, () => false)
      if (written) return this.#observe(mine, startMs)
      signal.throwIfAborted()
    }
    const found = await lock.get(signal)
    if (found === undefined) {
      await lock.create(record, signal)
      return this.#observe(record, startMs)
    }
    if (this.#observed === undefined || !sameRecord(this.#observed, found)) this.#observe(found, this.#clock.monotonicMs())
    if (found.holderIdentity !== '' && !this.isLeader && this.#isValid()) return false
    const next = this.isLeader ? renewed(found) : { ...record, leaderTransitions: found.leaderTransitions + 1 }
    await lock.update(next, signal)
    return this.#observe(next, startMs)
  }

  /** Lets the next leader begin at once. A failure only makes it wait for the lease to expire. */
  async #release (): Promise<void> {
    const { lock, identity } = this.#options
    const limit = withTimeout(this.#clock, this.#renewDeadlineMs, undefined, () => new Error('the deadline of the release passed'))
    try {
      const found = await lock.get(limit.signal)
      // client-go asks only what it saw last; it may be another's by now.
      if (found?.holderIdentity !== identity) return
      const now = microTime(this.#clock.date())
      const released = { holderIdentity: '', leaseDurationSeconds: 1, acquireTime: now, renewTime: now, leaderTransitions: found.leaderTransitions }
      await lock.update(released, limit.signal)
      this.#observe(released, this.#clock.monotonicMs())
      this.#log.info({ lease: lock.name, identity }, 'released the lease')
    } catch (error) {
      this.#log.warn({ lease: lock.name, err: error }, 'the lease could not be released')
    } finally {
      limit.release()
    }
  }

  #observe (record: ElectionRecord, atMs: number): true {
    this.#observed = record
    this.#observedAtMs = atMs
    return true
  }

  #isValid (): boolean {
    return this.#observed !== undefined && this.#observedAtMs + this.#observed.leaseDurationSeconds * 1000 > this.#clock.monotonicMs()
  }

  #report (): void {
    if (this.leader === this.#reportedLeader) return
    this.#reportedLeader = this.leader
    this.#options.onNewLeader?.(this.leader)
  }
}

const sameRecord = (a: ElectionRecord, b: ElectionRecord): boolean =>
  a.holderIdentity === b.holderIdentity && a.leaseDurationSeconds === b.leaseDurationSeconds && a.acquireTime === b.acquireTime && a.renewTime === b.renewTime && a.leaderTransitions === b.leaderTransitions
