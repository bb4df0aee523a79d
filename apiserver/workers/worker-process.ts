import { fork, type ChildProcess } from 'node:child_process'
import type { Socket } from 'node:net'
import { deferred, type Deferred } from './deferred.js'
import type { FromPrimary, FromWorker, MetricReport } from './messages.js'
import type { Taker } from './shared-port.js'

export interface WorkerEnd { readonly code: number | null; readonly signal: NodeJS.Signals | null }

/** What workers ask the primary for. Failures are told to the worker. */
export interface WorkerServices {
  /** @returns the port */
  readonly listen: () => Promise<number>
  /** It takes connections from now on. */
  readonly accepting: (worker: WorkerProcess) => void
  readonly scrape: () => Promise<string>
  readonly audit: (lines: readonly string[]) => Promise<void>
}

export interface WorkerCommand { readonly file: string; readonly args: readonly string[] }

/** One worker, as its primary sees it. */
export class WorkerProcess implements Taker {
  readonly #child: ChildProcess
  readonly #services: WorkerServices
  readonly #handed = new Map<number, Deferred<boolean>>()
  readonly #reports = new Map<number, Deferred<MetricReport>>()
  readonly #ready = deferred<true>()
  #lastId = 0
  /** What it has said last about itself. */
  lastReport: MetricReport = []
  accepting = false
  draining = false
  /** When it was ready, by performance.now(). */
  readyAt: number | undefined
  readonly ended: Promise<WorkerEnd>

  constructor ({ file, args }: WorkerCommand, services: WorkerServices) {
    this.#services = services
    // Its output is ours; that the line breaks tells it that the primary is gone.
    this.#child = fork(file, args, { stdio: ['inherit', 'inherit', 'inherit', 'ipc'], serialization: 'advanced' })
    this.ended = new Promise(resolve => {
      this.#child.once('error', () => { if (this.#child.pid === undefined) resolve({ code: 1, signal: null }) })
      this.#child.once('exit', (code, signal) => { resolve({ code, signal }) })
    })
    this.#child.on('message', message => { void this.#receive(message as FromWorker) })
    void this.ended.then(() => { this.#gone() })
  }

  get pid (): number | undefined { return this.#child.pid }

  /** Resolves with true when it serves, with its end if it does not come to that. */
  get ready (): Promise<true | WorkerEnd> { return Promise.race([this.#ready.promise, this.ended]) }

  async hand (socket: Socket): Promise<boolean> {
    const id = ++this.#lastId
    const answer = deferred<boolean>()
    this.#handed.set(id, answer)
    this.#send({ type: 'connection', id }, socket)
    return await answer.promise
  }

  /** Its metrics; those it has said last if it does not answer in time. */
  async report (timeoutMs: number): Promise<MetricReport> {
    const id = ++this.#lastId
    const answer = deferred<MetricReport>()
    this.#reports.set(id, answer)
    this.#send({ type: 'report', id })
    const timer = setTimeout(() => { answer.resolve(this.lastReport) }, timeoutMs)
    const report = await answer.promise
    clearTimeout(timer)
    this.#reports.delete(id)
    return this.lastReport = report
  }

  /** Asks it to end gracefully. */
  shutdown (): void { this.#send({ type: 'shutdown' }) }

  kill (): void { this.#child.kill('SIGKILL') }

  async #receive (message: FromWorker): Promise<void> {
    switch (message.type) {
      case 'accept': {
        const answer = await this.#services.listen().then((port): FromPrimary => ({ type: 'listening', port }), (error: unknown): FromPrimary => ({ type: 'listenFailed', message: textOf(error) }))
        this.#send(answer)
        if (answer.type === 'listenFailed' || !this.#child.connected) return
        this.accepting = true
        this.#services.accepting(this)
        return
      }
      case 'ready':
        this.readyAt = performance.now()
        this.#ready.resolve(true)
        return
      case 'draining': this.draining = true; return
      case 'refuse': this.accepting = false; return
      case 'connection': this.#answered(message.id, message.taken); return
      case 'report': this.#reports.get(message.id)?.resolve(message.metrics); return
      case 'scrape': await this.#answer(message.id, this.#services.scrape()); return
      case 'audit': await this.#answer(message.id, this.#services.audit(message.lines).then(() => ''))
    }
  }

  #answered (id: number, taken: boolean): void {
    this.#handed.get(id)?.resolve(taken)
    this.#handed.delete(id)
  }

  async #answer (id: number, work: Promise<string>): Promise<void> {
    this.#send(await work.then((text): FromPrimary => ({ type: 'done', id, text }), (error: unknown): FromPrimary => ({ type: 'done', id, error: textOf(error) })))
  }

  /** What it was asked and has not answered, it never will. */
  #gone (): void {
    this.accepting = false
    for (const id of this.#handed.keys()) this.#answered(id, false)
    for (const report of this.#reports.values()) report.resolve(this.lastReport)
  }

  #send (message: FromPrimary, socket?: Socket): void {
    if (!this.#child.connected) return
    // Its end is what tells that a message did not arrive.
    this.#child.send(message, socket, { keepOpen: true }, () => {})
  }
}

const textOf = (error: unknown): string => error instanceof Error ? error.message : String(error)
