import { Socket } from 'node:net'
import type { Registry } from 'prom-client'
import type { ConnectionSource } from '../http/listener.js'
import { deferred, type Deferred } from './deferred.js'
import type { FromPrimary, FromWorker } from './messages.js'
import { reportOf } from './metric-sums.js'

/** The part of `process` that a worker needs. */
export interface Channel {
  send (message: FromWorker, callback: (error: Error | null) => void): unknown
  on (event: 'message', listener: (message: FromPrimary, handle: unknown) => void): unknown
  on (event: 'disconnect', listener: () => void): unknown
  disconnect (): void
  readonly connected: boolean
}

/** The primary is not there any more, or was not told. */
export class PrimaryGone extends Error { override readonly name = 'PrimaryGone' }

/** A worker's end of the line to the primary that started it: connections come from there, and what all workers share is asked there. */
export class PrimaryLink implements ConnectionSource {
  readonly #channel: Channel
  readonly #pending = new Map<number, Deferred<string>>()
  readonly #end = deferred<undefined>()
  #listening: Deferred<number> | undefined
  #take: ((socket: Socket) => void) | undefined
  #registry: Registry | undefined
  #lastId = 0
  #draining = false

  constructor (channel: Channel) {
    this.#channel = channel
    channel.on('message', (message, handle) => { this.#receive(message, handle) })
    channel.on('disconnect', () => { this.#gone() })
  }

  /** Resolves when this worker is to end: the primary says so, or is gone. */
  get ended (): Promise<unknown> { return this.#end.promise }

  /** Ends this worker alone. */
  end (): void { this.#end.resolve(undefined) }

  /** @returns the port that connections come through @throws Error if the primary cannot listen on it, or is gone */
  async begin (take: (socket: Socket) => void): Promise<number> {
    if (!this.#channel.connected) throw gone()
    this.#listening = deferred()
    this.#take = take
    this.#send({ type: 'accept' })
    return this.#listening.promise
  }

  /** No connection is taken from now on; one that is on its way goes to another worker. */
  stop (): void {
    this.#take = undefined
    this.#send({ type: 'refuse' })
  }

  ready (): void { this.#send({ type: 'ready' }) }

  draining (): void {
    if (this.#draining) return
    this.#draining = true
    this.#send({ type: 'draining' })
  }

  /** What is summed up when somebody asks any worker for metrics. */
  report (registry: Registry): void { this.#registry = registry }

  /** The metrics of all workers, as text. @throws PrimaryGone */
  scrape (): Promise<string> { return this.#ask(id => ({ type: 'scrape', id })) }

  /** Writes whole lines to the audit log of all workers. @throws PrimaryGone, or Error with what the file system said */
  async audit (lines: readonly string[]): Promise<void> { await this.#ask(id => ({ type: 'audit', id, lines })) }

  /** Nothing keeps this process from its end any more. */
  close (): void { if (this.#channel.connected) this.#channel.disconnect() }

  #receive (message: FromPrimary, handle: unknown): void {
    switch (message.type) {
      case 'listening': this.#listening?.resolve(message.port); return
      case 'listenFailed': this.#listening?.reject(new Error(message.message)); return
      case 'connection': this.#connection(message.id, handle); return
      case 'report': void this.#sendReport(message.id); return
      case 'shutdown': this.end(); return
      case 'done': {
        const pending = this.#pending.get(message.id)
        this.#pending.delete(message.id)
        if (message.error === undefined) pending?.resolve(message.text ?? '')
        else pending?.reject(new Error(message.error))
      }
    }
  }

  #connection (id: number, handle: unknown): void {
    const take = this.#take
    // The primary keeps its own hold of the socket until it has been told.
    if (take !== undefined && handle instanceof Socket) take(handle)
    else if (handle instanceof Socket) handle.destroy()
    this.#send({ type: 'connection', id, taken: take !== undefined })
  }

  async #sendReport (id: number): Promise<void> {
    if (this.#registry !== undefined) this.#send({ type: 'report', id, metrics: await reportOf(this.#registry) })
  }

  #ask (message: (id: number) => FromWorker): Promise<string> {
    if (!this.#channel.connected) return Promise.reject(gone())
    const id = ++this.#lastId
    const answer = deferred<string>()
    this.#pending.set(id, answer)
    this.#send(message(id))
    return answer.promise
  }

  #send (message: FromWorker): void {
    if (this.#channel.connected) this.#channel.send(message, () => {}) // a line that breaks is reported by `disconnect`
  }

  #gone (): void {
    this.#listening?.reject(gone())
    for (const { reject } of this.#pending.values()) reject(gone())
    this.#pending.clear()
    this.end()
  }
}

const gone = (): PrimaryGone => new PrimaryGone('the primary process is gone')
