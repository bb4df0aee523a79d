import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { ApiserverConfig } from '../options/apiserver-options.js'
import { AuditWriter } from './audit-writer.js'
import { deferred } from './deferred.js'
import { MetricSums } from './metric-sums.js'
import { SharedPort } from './shared-port.js'
import { WorkerProcess, type WorkerCommand, type WorkerEnd, type WorkerServices } from './worker-process.js'

export interface PrimaryOptions {
  readonly config: ApiserverConfig
  /** What starts a worker. */
  readonly command: WorkerCommand
  readonly log: Logger
  /** Called once, when all workers serve. */
  readonly announce: (port: number) => void
}

/** The wait before a worker is replaced: none the first time, then from the first to the last, twice as long each time. */
const [firstWaitMs, longestWaitMs] = [500, 30_000]
/** A worker that served for so long begins with no wait again. */
const settledMs = 60_000
/** How long a worker may take for its metrics. */
const reportMs = 2_000
/** How long a worker may take to end beyond the delay and the timeout that it was given. */
const endMs = 15_000

/**
 * The process of `--workers`: starts workers that are whole servers on one etcd, gives them the connections of one port, replaces those
 * that end, adds up their metrics, writes their audit log, and ends them. It reads no request and holds no object.
 */
export class Primary {
  readonly #options: PrimaryOptions
  readonly #workers = new Set<WorkerProcess>()
  readonly #port = new SharedPort()
  readonly #sums = new MetricSums(() => this.#serving)
  readonly #audit: AuditWriter | undefined
  readonly #services: WorkerServices
  readonly #stop = new AbortController()
  #scraping: Promise<string> | undefined
  #announced = false
  #exitCode = 0

  constructor (options: PrimaryOptions) {
    this.#options = options
    this.#audit = options.config.audit && new AuditWriter(options.config.audit)
    this.#services = {
      listen: () => this.#listen(),
      accepting: worker => { this.#port.add(worker) },
      scrape: () => this.#scraping ??= this.#scrape().finally(() => { this.#scraping = undefined }),
      audit: async lines => { await this.#audit?.append(lines) }
    }
  }

  /**
   * Runs until `stop`. @returns the exit code: 0 after an orderly end, that of a worker that does not start while no other one serves
   * @throws Error if the audit log cannot be opened
   */
  async run (): Promise<number> {
    const { config, announce } = this.#options
    await this.#audit?.open()
    // The first one finds what is wrong, takes the port and makes the files: the others need not do it at the same time.
    const places = [this.#keep()]
    await places[0]!.begun
    if (!this.#stopped) places.push(...Array.from({ length: config.workers - 1 }, () => this.#keep()))
    await Promise.all(places.map(p => p.begun))
    if (!this.#stopped) announce(await this.#listen())
    this.#announced = true
    await Promise.all(places.map(p => p.over))
    this.#port.close()
    await this.#audit?.close()
    return this.#exitCode
  }

  /** Ends all workers as each would end alone; a second call, at once. */
  stop (): void {
    if (this.#stopped) {
      this.#exitCode = 1
      this.#kill()
      return
    }
    this.#stop.abort()
    for (const worker of this.#workers) worker.shutdown()
    const { delayMs, timeoutMs } = this.#options.config.shutdown
    setTimeout(() => {
      this.#options.log.error({ workers: this.#workers.size }, 'workers have not ended in time and are killed')
      this.#kill()
    }, delayMs + timeoutMs + endMs).unref()
  }

  get #stopped (): boolean { return this.#stop.signal.aborted }
  get #serving (): number { return [...this.#workers].filter(w => w.accepting).length }

  /** Keeps one worker running. `begun` resolves when the first one serves, `over` when there is none any more. */
  #keep (): { begun: Promise<unknown>; over: Promise<void> } {
    const begun = deferred<undefined>()
    const over = this.#replace(() => { begun.resolve(undefined) }).finally(() => { begun.resolve(undefined) })
    return { begun: begun.promise, over }
  }

  async #replace (onReady: () => void): Promise<void> {
    for (let failures = 0; !this.#stopped;) {
      const worker = new WorkerProcess(this.#options.command, this.#services)
      this.#workers.add(worker)
      const ready = await worker.ready
      if (ready === true) {
        this.#options.log.info({ worker: worker.pid }, 'a worker serves')
        onReady()
      }
      const end = await worker.ended
      this.#workers.delete(worker)
      this.#port.remove(worker)
      if (this.#stopped) {
        if (end.code !== 0) this.#exitCode = 1
        return
      }
      if (ready !== true && (!this.#announced || this.#serving === 0)) return this.#fail(end)
      if (worker.readyAt !== undefined && performance.now() - worker.readyAt >= settledMs) failures = 0
      this.#sums.ended(worker.lastReport)
      const waitMs = failures === 0 ? 0 : Math.min(firstWaitMs * 2 ** (failures - 1), longestWaitMs)
      failures++
      this.#options.log.error({ worker: worker.pid, ...end, waitMs }, 'a worker has ended and is replaced')
      await delay(waitMs, undefined, { signal: this.#stop.signal }).catch(() => {})
    }
  }

  /** Nobody serves, and it would not be different next time. The worker has said why, unless it was killed. */
  #fail (end: WorkerEnd): void {
    if (end.signal !== null) this.#options.log.error({ ...end }, 'a worker was killed before it served')
    this.stop()
    this.#exitCode = end.code === null || end.code === 0 ? 1 : end.code
  }

  #kill (): void { for (const worker of this.#workers) worker.kill() }

  #listen (): Promise<number> {
    const { bindAddress, securePort } = this.#options.config.serving
    return this.#port.listen({ bindAddress, port: securePort })
  }

  async #scrape (): Promise<string> {
    await Promise.all([...this.#workers].filter(w => w.accepting).map(w => w.report(reportMs)))
    return await this.#sums.text(() => [...this.#workers].map(w => w.lastReport))
  }
}
