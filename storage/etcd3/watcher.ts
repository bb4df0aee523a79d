import type { IWatchResponse } from 'etcd3'
import { StorageError, isStorageError } from '../errors.js'
import type { Revision, StorageEvent, StorageWatch, WatchBatch } from '../interfaces.js'
import { newClosed, type EtcdClient, type WatchStream } from './client.js'
import { describeFailure } from './errors.js'
import { isProgressKey, prefixRange, rangeWithProgressKey, startsWith } from './keys.js'
import { hasReliableProgress, type Progress } from './progress.js'
import { WatchQueue } from './watch-queue.js'

const shortestReconnectMs = 50
const longestReconnectMs = 1_000
/** A progress request that etcd dropped (it does so while the watch catches up) is made again after so long, then after twice that, … */
const shortestNudgeMs = 20
const longestNudgeMs = 500

export interface EtcdWatchOptions {
  readonly client: EtcdClient
  readonly progress: Progress
  readonly prefix: string
  readonly afterRevision: Revision
  /** Called once, when the watch has ended for whatever reason. */
  readonly onEnd: (watch: EtcdWatch) => void
}

/**
 * One watch of a prefix. It has a gRPC stream of its own (all streams share one connection), which makes two things simple that are hard
 * on a shared stream:
 * - Progress: a manual notification speaks for all watches of a stream, may come from before a watch was created, and is withheld while any
 *   of them catches up. Alone on its stream, after `created`, it speaks for this watch only.
 * - A slow consumer: the stream is paused and HTTP/2 flow control holds the server back, which then reads the rest from history. In
 *   between wait at most the batches of the queue, 16 replies of at most 1,000 revisions in grpc-js, and the flow control window.
 *
 * When the stream breaks, another is opened after the last delivered event (never after a header's revision, which may be ahead of
 * the events), for as long as it takes: readers who need to know call `health` or `currentRevision`. It ends with `Compacted` if the
 * history was forgotten in between, and with `Unavailable` if etcd refuses the watch. Servers before 3.4.34 and 3.5.15 lose a
 * delete on a watch that resumes exactly at a compacted revision (etcd issue 18089); nothing can be done about that here.
 */
export class EtcdWatch implements StorageWatch {
  readonly #options: EtcdWatchOptions
  readonly #prefix: Buffer
  readonly #queue: WatchQueue
  /** Everything up to here is in the queue or beyond. */
  #position: Revision
  #stream: WatchStream | undefined
  /** Set once the server has acknowledged the watch on the present stream. */
  #nudge: (() => void) | undefined
  /** Counts the requests for progress, and those that are answered. */
  #asked = 0
  #served = 0
  #proving = false
  #wake: (() => void) | undefined

  constructor (options: EtcdWatchOptions) {
    this.#options = options
    this.#prefix = Buffer.from(options.prefix)
    this.#position = options.afterRevision
    this.#queue = new WatchQueue(flow => { this.#stream?.[flow === 'stop' ? 'pause' : 'resume']() })
    this.#follow().catch((error: unknown) => { this.#break(error) })
  }

  [Symbol.asyncIterator] (): AsyncIterator<WatchBatch, undefined> {
    return {
      next: async () => await this.#queue.next(),
      return: async () => {
        this.close()
        return { done: true, value: undefined }
      }
    }
  }

  /** See `StorageWatch`. A watch from a revision in the future answers with that revision. */
  requestProgress (): void {
    if (this.#queue.ended) return
    this.#asked++
    if (!this.#proving) this.#prove().catch((error: unknown) => { this.#break(error) })
  }

  close (): void {
    const ended = this.#queue.ended
    this.#queue.close()
    if (!ended) this.#release()
  }

  #fail (error: StorageError): void {
    if (this.#queue.ended) return
    this.#queue.fail(error)
    this.#release()
  }

  /** For what should not happen: the consumer hears of it, the process lives. */
  #break (error: unknown): void {
    this.#fail(new StorageError('Unavailable', `the watch of ${this.#options.prefix} broke: ${String(error)}`, { cause: error }))
  }

  #release (): void {
    this.#drop()
    this.#wake?.()
    this.#options.onEnd(this)
  }

  /** Leaves the present stream, if any. */
  #drop (): void {
    const stream = this.#stream
    this.#stream = undefined
    this.#nudge = undefined
    if (stream === undefined) return
    // Ended first: the etcd client takes an error of a stream that is still writable for one of the connection, and closes that.
    stream.end()
    stream.cancel()
  }

  /** Keeps a stream open until the watch ends. */
  async #follow (): Promise<void> {
    const { client } = this.#options
    let pause = shortestReconnectMs
    while (!this.#queue.ended) {
      const before = this.#position
      try {
        await this.#followOnce()
      } catch (error) {
        if (isStorageError(error, 'Closed')) this.#queue.close()
      }
      if (this.#queue.ended) return
      pause = this.#position > before ? shortestReconnectMs : Math.min(longestReconnectMs, pause * 2)
      await client.sleep(pause * (0.5 + Math.random() / 2)).catch(() => { this.close() })
    }
  }

  /** Opens one stream and stays with it until it breaks. */
  async #followOnce (): Promise<void> {
    const { client, progress, prefix } = this.#options
    const { stream, version } = await client.openWatch()
    // Before anything else can throw: an error event that nobody listens to would end the process.
    const broken = new Promise<void>(resolve => {
      stream.on('error', (error: Error) => {
        const failure = describeFailure(error)
        if (failure.kind === 'refused' && this.#stream === stream) this.#fail(new StorageError('Unavailable', `etcd refused to watch ${prefix}: ${failure.details}`, { cause: error }))
        resolve()
      })
      stream.on('end', resolve)
    })
    const reliable = hasReliableProgress(version)
    const forget = reliable ? undefined : progress.add(prefix)
    const stopListening = client.onReload(() => { if (this.#stream === stream) this.#drop() })
    try {
      if (this.#queue.ended) {
        stream.end()
        stream.cancel()
        return
      }
      this.#stream = stream
      const acknowledge = (): void => {
        this.#nudge = reliable
          ? () => { stream.write({ progress_request: {} }) }
          // A failed write is made up for by the next nudge.
          : () => { progress.touch().catch(() => undefined) }
        this.#wake?.()
      }
      stream.on('data', reply => { if (this.#stream === stream) this.#receive(reply, acknowledge) })
      if (this.#queue.full) stream.pause()
      stream.write({ create_request: { ...(reliable ? prefixRange(prefix) : rangeWithProgressKey(prefix)), start_revision: (this.#position + 1n).toString(), progress_notify: true } })
      await broken
    } finally {
      stopListening()
      forget?.()
      if (this.#stream === stream) this.#drop()
    }
  }

  #receive (reply: IWatchResponse, acknowledge: () => void): void {
    const { prefix } = this.#options
    if (reply.canceled) {
      const compacted = BigInt(reply.compact_revision)
      if (compacted > 0n || reply.cancel_reason.includes('compacted')) {
        this.#fail(new StorageError('Compacted', 'etcdserver: mvcc: required revision has been compacted', { key: prefix, ...(compacted > 0n && { revision: compacted }) }))
      } else if (reply.created) {
        this.#fail(new StorageError('Unavailable', `etcd refused to watch ${prefix}: ${reply.cancel_reason}`))
      } else {
        this.#drop()
      }
      return
    }
    if (reply.created) {
      acknowledge()
      return
    }
    const events: StorageEvent[] = []
    let revision = this.#position
    for (const { type, kv } of reply.events) {
      const modRevision = BigInt(kv.mod_revision)
      if (modRevision <= this.#position) continue
      revision = modRevision
      if (!startsWith(kv.key, this.#prefix) || isProgressKey(kv.key)) continue
      const key = kv.key.toString()
      events.push(type === 'Put' ? { type: 'put', key, value: Buffer.from(kv.value), modRevision } : { type: 'delete', key, modRevision })
    }
    // Only a reply without events is a progress notification; with events the header may be ahead of them.
    if (reply.events.length === 0) revision = BigInt(reply.header.revision)
    if (revision <= this.#position) return
    this.#position = revision
    this.#queue.push({ events, revision })
    this.#wake?.()
  }

  /** Works off the progress requests: one proof counts for all that were made before it began. */
  async #prove (): Promise<void> {
    const { client, progress } = this.#options
    this.#proving = true
    try {
      while (this.#served < this.#asked && !this.#queue.ended) {
        const serving = this.#asked
        let target: Revision
        try {
          target = await progress.target()
        } catch {
          await client.sleep(longestNudgeMs)
          continue
        }
        if (target > this.#position) {
          await this.#reach(target)
        } else if ((this.#queue.waitingRevision ?? -1n) < target) {
          this.#queue.push({ events: [], revision: this.#position })
        }
        this.#served = serving
      }
    } catch (error) {
      if (!isStorageError(error, 'Closed')) throw error
    } finally {
      this.#proving = false
    }
  }

  /** Asks until the position is at the revision, which puts a batch into the queue. */
  async #reach (target: Revision): Promise<void> {
    let pause = shortestNudgeMs
    while (this.#position < target && !this.#queue.ended) {
      // While the consumer is behind, events come as soon as it reads on.
      if (!this.#queue.full) this.#nudge?.()
      const nudged = this.#nudge
      const until = Date.now() + pause
      // Replies wake this up; a new stream is asked at once.
      while (this.#position < target && !this.#queue.ended && this.#nudge === nudged && Date.now() < until) await this.#moved(until - Date.now())
      pause = Math.min(longestNudgeMs, pause * 2)
    }
  }

  async #moved (ms: number): Promise<void> {
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, ms)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    this.#wake = undefined
  }
}

/** A watch that fails with `Closed`, for a storage that was closed before. */
export function closedWatch (): StorageWatch {
  let failed = false
  return {
    requestProgress () {},
    close () { failed = true },
    [Symbol.asyncIterator]: () => ({
      next: async () => {
        if (failed) return { done: true, value: undefined }
        failed = true
        throw newClosed()
      }
    })
  }
}
