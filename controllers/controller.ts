import { setMaxListeners } from 'node:events'
import { systemClock, type Clock } from './clock.js'
import { LeadershipLostError } from './leader-election/leadership-lost-error.js'
import { silentLogger, type Logger } from './logger.js'
import { keyOf, nameOfKey } from './object-key.js'
import { TerminalError, type Reconcile } from './reconciler.js'
import type { Source } from './sources.js'
import type { RateLimiter } from './workqueue/rate-limiters.js'
import { Workqueue, type WorkqueueMetrics, type WorkqueueReadings } from './workqueue/workqueue.js'

/** Where a controller's queue is measured; `ControllerMetrics` of metrics.ts is one. */
export interface QueueMetrics {
  workqueue (name: string): WorkqueueMetrics & { observe (queue: WorkqueueReadings): () => void }
}

export interface ControllerOptions {
  /** In logs and metrics. */
  readonly name: string
  /** What makes it reconcile; it runs their informers. */
  readonly sources: readonly Source[]
  readonly reconcile: Reconcile
  /** How many names at once; default 1. */
  readonly workers?: number
  /** How long reconciles under way may take to end when the controller is stopped, before their signal aborts. Default 10 s; none when the lease was lost. */
  readonly stopGraceMs?: number
  /** Made anew for every run. Default: client-go's. */
  readonly rateLimiter?: (clock: Clock) => RateLimiter<string>
  readonly metrics?: QueueMetrics
  readonly log?: Logger
  readonly clock?: Clock
}

/** Informers, a workqueue and workers that call `reconcile`. */
export class Controller {
  readonly #options: ControllerOptions
  readonly #clock: Clock
  readonly #log: Logger
  #queue: Workqueue<string> | undefined

  constructor (options: ControllerOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#log = options.log ?? silentLogger
  }

  get name (): string { return this.#options.name }

  /**
   * Runs until the signal aborts: fills the caches, then reconciles. Then it takes nothing new, waits for the reconciles under way, and
   * resolves. It can be run again; every object is then reconciled once more.
   */
  async run (signal: AbortSignal): Promise<void> {
    const { sources, workers = 1, rateLimiter, metrics, name } = this.#options
    // Every source waits for it; their number is no leak.
    setMaxListeners(0, signal)
    const clock = this.#clock
    const measured = metrics?.workqueue(name)
    const queue = this.#queue = new Workqueue<string>({ clock, ...(rateLimiter && { rateLimiter: rateLimiter(clock) }), ...(measured && { metrics: measured }) })
    const unobserve = measured?.observe(queue)
    const registrations = sources.map(s => s.subscribe(request => { queue.add(keyOf(request)) }))
    const informers = sources.map(async s => { await s.run(signal) })
    const work = new AbortController()
    let cancelGrace = (): void => undefined
    const stop = (): void => {
      queue.clear()
      queue.shutDown()
      if (signal.reason instanceof LeadershipLostError) work.abort(signal.reason)
      else cancelGrace = clock.setTimer(this.#options.stopGraceMs ?? 10_000, () => { work.abort(signal.reason) })
    }
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
    const synced = await Promise.all(sources.map(async s => await s.whenSynced(signal)))
    if (synced.every(Boolean)) {
      this.#log.info({ controller: name, workers }, 'the caches are filled; reconciling')
      await Promise.all(Array.from({ length: workers }, async () => { await this.#work(queue, work.signal) }))
    }
    cancelGrace()
    await Promise.all(informers)
    for (const registration of registrations) registration.remove()
    unobserve?.()
    this.#queue = undefined
    this.#log.info({ controller: name }, 'the controller has stopped')
  }

  /** Has an object reconciled, for what no informer sees. Ignored while the controller does not run. */
  enqueue (request: Parameters<Reconcile>[0]): void { this.#queue?.add(keyOf(request)) }

  async #work (queue: Workqueue<string>, signal: AbortSignal): Promise<void> {
    for (let key = await queue.get(); key !== undefined; key = await queue.get()) {
      try {
        await this.#reconcile(queue, key, signal)
      } finally {
        queue.done(key)
      }
    }
  }

  async #reconcile (queue: Workqueue<string>, key: string, signal: AbortSignal): Promise<void> {
    const request = nameOfKey(key)
    const fields = { controller: this.name, ...request }
    try {
      const result = await this.#options.reconcile(request, signal)
      if (result?.backoff === true) {
        queue.addRateLimited(key)
        return
      }
      // Only once: what comes back by time is no failure.
      queue.forget(key)
      if (result?.requeueAfterMs !== undefined) queue.addAfter(key, result.requeueAfterMs)
    } catch (error) {
      if (signal.aborted) return
      if (error instanceof TerminalError) {
        queue.forget(key)
        this.#log.error({ ...fields, err: error }, 'reconciling failed for good')
        return
      }
      queue.addRateLimited(key)
      this.#log.warn({ ...fields, err: error, failures: queue.numRequeues(key) }, 'reconciling failed and is tried again')
    }
  }
}
