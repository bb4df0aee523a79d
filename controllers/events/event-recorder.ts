import type { KubeObject } from '../../registry/meta/object-meta.js'
import { ConnectionError, isAlreadyExists, isNotFound } from '../client/errors.js'
import type { ResourceClient } from '../client/interfaces.js'
import type { RestClient } from '../client/rest-client.js'
import { sleep, systemClock, type Clock } from '../clock.js'
import { microTime } from '../leader-election/lease-lock.js'
import { silentLogger, type Logger } from '../logger.js'
import { TokenBucket } from '../token-bucket.js'

/** What happened, in the words of `events.k8s.io/v1`. Never a secret: everybody who may read events reads this. */
export interface EventDescription {
  readonly type: 'Normal' | 'Warning'
  /** Why, in one CamelCase word: `FailedCreate`. */
  readonly reason: string
  /** What was done, in one CamelCase word: `CreateStatefulSet`. */
  readonly action: string
  /** For people; what is beyond 1 kB is cut. */
  readonly note: string
  readonly related?: KubeObject
}

interface ObjectReference { apiVersion?: string; kind?: string; namespace?: string; name?: string; uid?: string; resourceVersion?: string }

/** `events.k8s.io/v1` Event. */
export interface Event extends KubeObject {
  eventTime: string
  reportingController: string
  reportingInstance: string
  action: string
  reason: string
  type: 'Normal' | 'Warning'
  note: string
  regarding: ObjectReference
  related?: ObjectReference
  series?: { count: number; lastObservedTime: string }
}

export interface EventRecorderOptions {
  readonly client: RestClient
  /** The component: `example.com/database-operator`. */
  readonly reportingController: string
  /** The process: its pod, as a rule. */
  readonly reportingInstance: string
  /** New events of one object at once, and then one in `secondsPerEvent`. Default 25 and 300, client-go's spam filter. */
  readonly burst?: number
  readonly secondsPerEvent?: number
  readonly log?: Logger
  readonly clock?: Clock
}

interface Recorded { readonly event: Event; lastMs: number; writtenMs: number }

/** More are dropped: an event is worth less than what it would hold up. */
const maxQueued = 1000
const maxObjects = 4096
const maxTries = 12
const retryMs = 10_000
const finishMs = 6 * 60_000
const refreshMs = 30 * 60_000
/** For what is still queued when the recorder is stopped. */
const flushMs = 2_000
const maxNoteBytes = 1024

/**
 * Records events as client-go's `tools/events` does: what is said again within six minutes becomes a series, of which the second is written
 * at once and the count later, when the series is over or every half hour. `event` never waits and never fails.
 */
export class EventRecorder {
  readonly #client: ResourceClient<Event>
  readonly #options: EventRecorderOptions
  readonly #clock: Clock
  readonly #log: Logger
  readonly #recorded = new Map<string, Recorded>()
  readonly #buckets = new Map<string, TokenBucket>()
  #queue: Recorded[] = []
  #wake: () => void = () => undefined
  #made = 0

  constructor (options: EventRecorderOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#log = options.log ?? silentLogger
    this.#client = options.client.resource<Event>({ group: 'events.k8s.io', version: 'v1', resource: 'events' })
  }

  /** Says that something happened to an object. */
  event (regarding: KubeObject, description: EventDescription): void {
    const event = this.#make(regarding, description)
    const identity = JSON.stringify([event.type, event.action, event.reason, { ...event.regarding, resourceVersion: undefined }, event.related])
    const nowMs = this.#clock.monotonicMs()
    const known = this.#recorded.get(identity)
    if (known !== undefined) {
      known.lastMs = nowMs
      const again = known.event.series !== undefined
      known.event.series = { count: (known.event.series?.count ?? 1) + 1, lastObservedTime: microTime(this.#clock.date()) }
      if (!again) this.#enqueue(known)
      return
    }
    if (!this.#bucketOf(event.regarding).tryTake()) return
    const recorded = { event, lastMs: nowMs, writtenMs: nowMs }
    this.#recorded.set(identity, recorded)
    this.#enqueue(recorded)
  }

  /** Writes what is recorded until the signal aborts, and then for two seconds at most what is left. */
  async run (signal: AbortSignal): Promise<void> {
    const tend = async (): Promise<void> => { while (await sleep(this.#clock, finishMs, signal)) this.#tend() }
    const write = async (): Promise<void> => {
      while (!signal.aborted) {
        const next = this.#queue.shift()
        if (next !== undefined) await this.#write(next, signal)
        else await this.#woken(signal)
      }
    }
    await Promise.all([tend(), write()])
    for (const untilMs = this.#clock.monotonicMs() + flushMs; this.#queue.length > 0;) {
      const leftMs = untilMs - this.#clock.monotonicMs()
      if (leftMs <= 0) break
      const limit = new AbortController()
      const cancel = this.#clock.setTimer(leftMs, () => { limit.abort() })
      await this.#write(this.#queue.shift()!, limit.signal)
      cancel()
    }
  }

  /** Ends series that are over and shows that others go on. */
  #tend (): void {
    const nowMs = this.#clock.monotonicMs()
    for (const [identity, recorded] of this.#recorded) {
      const over = nowMs - recorded.lastMs >= finishMs
      if (over) this.#recorded.delete(identity)
      if (recorded.event.series !== undefined && (over || nowMs - recorded.writtenMs >= refreshMs)) this.#enqueue(recorded)
    }
  }

  #enqueue (recorded: Recorded): void {
    if (this.#queue.length >= maxQueued) {
      this.#log.warn({ reason: recorded.event.reason, name: recorded.event.regarding.name }, 'too many events wait; dropped one')
      return
    }
    this.#queue.push(recorded)
    this.#wake()
  }

  async #woken (signal: AbortSignal): Promise<void> {
    await new Promise<void>(resolve => {
      const done = (): void => {
        signal.removeEventListener('abort', done)
        resolve()
      }
      this.#wake = done
      signal.addEventListener('abort', done, { once: true })
      if (signal.aborted || this.#queue.length > 0) done()
    })
  }

  async #write (recorded: Recorded, signal: AbortSignal): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        await this.#writeOnce(structuredClone(recorded.event), signal)
        recorded.writtenMs = this.#clock.monotonicMs()
        return
      } catch (error) {
        const retry = error instanceof ConnectionError || (isAlreadyExists(error) && recorded.event.series !== undefined)
        if (!retry || tries >= maxTries || signal.aborted) {
          if (!isAlreadyExists(error)) this.#log.warn({ err: error, reason: recorded.event.reason, name: recorded.event.regarding.name }, 'an event could not be written')
          return
        }
        await sleep(this.#clock, retryMs * (1 + Math.random() * 0.25), signal)
      }
    }
  }

  async #writeOnce (event: Event, signal: AbortSignal): Promise<void> {
    const { name = '', namespace } = event.metadata
    if (event.series !== undefined) {
      try {
        await this.#client.patch({ namespace, name }, { series: event.series }, { type: 'merge', signal })
        return
      } catch (error) {
        // Its time to live has passed.
        if (!isNotFound(error)) throw error
      }
    }
    await this.#client.create(event, { signal })
  }

  #make (object: KubeObject, { related, note, ...description }: EventDescription): Event {
    const regarding = referenceTo(object)
    const { reportingController, reportingInstance } = this.#options
    const now = this.#clock.date()
    // As Go: the name and the time in nanoseconds, which a counter replaces below the millisecond.
    const unique = (BigInt(now.getTime()) * 1_000_000n + BigInt(this.#made++ % 1_000_000)).toString(16)
    return {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name: `${(regarding.name ?? '').slice(0, 253 - unique.length - 1)}.${unique}`, namespace: regarding.namespace ?? 'default' },
      eventTime: microTime(now),
      reportingController,
      reportingInstance: reportingInstance.slice(0, 128),
      ...description,
      note: cut(note),
      regarding,
      ...(related !== undefined && { related: referenceTo(related) })
    }
  }

  #bucketOf ({ uid = '', namespace = '', name = '' }: ObjectReference): TokenBucket {
    const { burst = 25, secondsPerEvent = 300 } = this.#options
    const identity = `${namespace}/${name}/${uid}`
    const bucket = this.#buckets.get(identity) ?? new TokenBucket({ qps: 1 / secondsPerEvent, burst, clock: this.#clock })
    // The least recently used goes first.
    this.#buckets.delete(identity)
    this.#buckets.set(identity, bucket)
    if (this.#buckets.size > maxObjects) this.#buckets.delete(this.#buckets.keys().next().value!)
    return bucket
  }
}

function referenceTo ({ apiVersion, kind, metadata: { namespace, name, uid, resourceVersion } }: KubeObject): ObjectReference {
  return { apiVersion, kind, ...(namespace !== undefined && { namespace }), ...(name !== undefined && { name }), ...(uid !== undefined && { uid }), ...(resourceVersion !== undefined && { resourceVersion }) }
}

/** At most 1 kB, as the API allows, and no half character. */
function cut (note: string): string {
  const bytes = Buffer.from(note)
  return bytes.length <= maxNoteBytes ? note : new TextDecoder().decode(bytes.subarray(0, maxNoteBytes - 3), { stream: true }) + '...'
}
