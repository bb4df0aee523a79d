import type { Store } from '../../registry/generic/store/store.js'
import { isReason } from '../../registry/meta/status-error.js'
import type { ServedObject } from '../../registry/generic/served-object.js'
import type { LiveSamples } from '../metrics-api/live-samples.js'
import type { Sample } from '../metrics-api/sample.js'
import { checkpointObject, storedCheckpoint, type StoredCheckpoint } from './checkpoint-object.js'
import { LongestWaiting } from './longest-waiting.js'
import type { MappedMetric } from './mapped-metric.js'
import { Rotation } from './rotation.js'
import type { SeriesMemory } from './series-memory.js'
import { fewAtOnce, TimeSlice } from './time-slice.js'

export interface CheckpointsOptions {
  /** That of CustomMetrics. */
  readonly store: Pick<Store, 'resource' | 'update' | 'delete'>
  readonly memory: SeriesMemory
  readonly live: LiveSamples
  /** One metric is written so often at most. */
  readonly intervalMs: number
  /** Writes of a round, which is a second, of all metrics. */
  readonly writesPerRound: number
  /** How long samples count that do not say it. */
  readonly ttlMs: number
  readonly onError: (error: unknown) => void
  readonly now: () => number
}

/** A checkpoint that nobody has refreshed is deleted so long after it expired. */
const expiredStayMs = 10 * 60_000
/** So many metrics and as many stored checkpoints are looked at in a round; of more, the next round goes on with the rest. */
export const looksPerRound = 10_000
/** So many writes are on their way at once: what they cost comes in small pieces, between which requests are answered. */
export const writesAtOnce = 4

/**
 * Keeps the values of mapped metrics in the store, as CustomMetrics that the mapping controls: what a restart, other replicas and
 * `kubectl get cm8s` see. A value is written when it has changed, and when it would expire otherwise; at a bounded rate, those that waited
 * longest first. Checkpoints of mappings that are gone or have changed are not served any more, and deleted. A round gives way to requests
 * all the time; rounds must not overlap.
 */
export class Checkpoints {
  readonly #options: CheckpointsOptions
  readonly #stored = new Map<string, StoredCheckpoint>()
  /** When we wrote one last, by our clock. */
  readonly #writtenMs = new Map<MappedMetric, number>()
  /** Stored ones that are to be deleted: they are hidden until they are gone. */
  readonly #obsolete = new Set<string>()
  readonly #metricsInTurn = new Rotation(() => this.#metrics())
  readonly #storedInTurn = new Rotation(() => this.#stored)

  constructor (options: CheckpointsOptions) { this.#options = options }

  /** A CustomMetric is there, or has changed. */
  observe (object: ServedObject): void {
    const checkpoint = storedCheckpoint(object)
    const key = `${object.namespace}/${object.name}`
    if (checkpoint === undefined) this.#forget(key)
    else this.#stored.set(key, checkpoint)
  }

  /** A CustomMetric is gone. */
  deleted (namespace: string, name: string): void { this.#forget(`${namespace}/${name}`) }

  /** A metric is no more: what is stored of it does not count from now on. */
  metricRemoved (metric: MappedMetric): void {
    this.#writtenMs.delete(metric)
    const stored = this.#stored.get(metric.sampleKey)
    if (stored === undefined) return
    // Our series have expired and what is stored has not: they go to another replica now, which keeps it.
    const fresh = stored.timestampMs + (stored.ttlMs ?? this.#options.ttlMs) >= this.#options.now()
    if (metric.expiredMs === undefined || !fresh) this.#hide(metric.sampleKey)
  }

  /**
   * Writes and deletes what is due, to the bound.
   * @param stop once it is aborted nothing is begun any more. @throws nothing: what fails is due again in a later round
   */
  async round (stop?: AbortSignal): Promise<void> {
    const { writesPerRound } = this.#options
    const nowMs = this.#options.now()
    const slice = new TimeSlice()
    const due = await this.#due(nowMs, slice)
    await this.#findObsolete(nowMs, slice)
    // Half of a round at most while values wait: one mapping that goes does not let the values of others expire.
    const deletions = await this.#deletions(Math.max(Math.ceil(writesPerRound / 2), writesPerRound - due.length), slice)
    const work = [...deletions.map(key => () => this.#delete(key)), ...due.map(metric => () => this.#write(metric, nowMs))]
    await fewAtOnce(work.slice(0, writesPerRound), writesAtOnce, stop)
  }

  * #metrics (): Iterable<MappedMetric> { for (const state of this.#options.memory.states()) yield * state.metrics.values() }

  /** The metrics to write, and what is stored of metrics that have no value is hidden. */
  async #due (nowMs: number, slice: TimeSlice): Promise<MappedMetric[]> {
    const due = new LongestWaiting<MappedMetric>(this.#options.writesPerRound)
    for (const metric of this.#metricsInTurn.next(looksPerRound)) {
      const { sampleKey } = metric
      if (this.#hasValue(metric)) {
        const sinceMs = nowMs - (this.#writtenMs.get(metric) ?? -Infinity)
        if (metric.expiredMs === undefined && sinceMs >= this.#intervalMs(metric) && due.wants(sinceMs) && this.#isDue(metric, metric.worth.sample)) due.offer(metric, sinceMs)
        this.#obsolete.delete(sampleKey)
      } else if (metric.worth.kind !== 'unknown' && (this.#stored.get(sampleKey)?.timestampMs ?? Infinity) <= newestMs(metric)) this.#hide(sampleKey)
      if (slice.over) await slice.next()
    }
    return due.items
  }

  #hasValue (metric: MappedMetric): metric is MappedMetric & { readonly worth: { readonly kind: 'value'; readonly sample: Sample } } {
    return metric.worth.kind === 'value' && this.#options.memory.counts(metric)
  }

  /** Keys of what is to be deleted. */
  async #deletions (limit: number, slice: TimeSlice): Promise<string[]> {
    const found: string[] = []
    for (const key of this.#obsolete) {
      if (found.length === limit) break
      if (this.#stored.get(key)?.deleting === false) found.push(key)
      if (slice.over) await slice.next()
    }
    return found
  }

  /** A third of the ttl at most, for a value that others read must not expire between two writes. */
  #intervalMs ({ mapping }: MappedMetric): number {
    const ttlMs = mapping.ttlSeconds === undefined ? this.#options.ttlMs : mapping.ttlSeconds * 1000
    return Math.min(this.#options.intervalMs, ttlMs / 3)
  }

  #isDue (metric: MappedMetric, sample: Sample): boolean {
    const stored = this.#stored.get(metric.sampleKey)
    if (stored === undefined || stored.mapping.uid !== metric.mapping.uid || stored.mapping.generation < metric.mapping.generation) return true
    // Another replica has written a newer one.
    if (stored.timestampMs > sample.timestampMs || stored.mapping.generation > metric.mapping.generation) return false
    const ttlMs = sample.ttlMs ?? this.#options.ttlMs
    return stored.valueText !== sample.valueText || sample.timestampMs - stored.timestampMs >= ttlMs / 2
  }

  async #findObsolete (nowMs: number, slice: TimeSlice): Promise<void> {
    for (const [key, { namespace, mapping, timestampMs, ttlMs }] of this.#storedInTurn.next(looksPerRound)) {
      const current = this.#options.memory.state(namespace, mapping.name)?.mapping
      const changed = current === undefined || current.uid !== mapping.uid || mapping.generation < current.generation
      const expired = timestampMs + (ttlMs ?? this.#options.ttlMs) + expiredStayMs < nowMs
      // One that a metric in memory is about to replace is left to it.
      const replaced = this.#options.live.at(key)
      if ((changed || expired) && (replaced === undefined || replaced === 'hidden')) this.#hide(key)
      if (slice.over) await slice.next()
    }
  }

  #hide (key: string): void {
    this.#obsolete.add(key)
    this.#options.live.set(key, 'hidden')
  }

  #forget (key: string): void {
    this.#stored.delete(key)
    if (this.#obsolete.delete(key) && this.#options.live.at(key) === 'hidden') this.#options.live.delete(key)
  }

  async #write (metric: MappedMetric, nowMs: number): Promise<void> {
    // Requests were answered since it was found to be due.
    if (!this.#options.memory.holds(metric) || !this.#hasValue(metric)) return
    const { mapping, checkpointName, sampleKey, worth: { sample } } = metric
    const { store } = this.#options
    this.#writtenMs.set(metric, nowMs)
    const written = await this.#attempt(() => store.update(checkpointName, {
      version: store.resource.storageVersion, namespace: mapping.namespace, dryRun: false, warn: () => {}, subresource: '', allowCreate: true,
      transform: old => checkpointObject(metric, sample, old)
    }))
    // It went while it was written.
    if (written && !this.#options.memory.holds(metric) && this.#options.live.at(sampleKey) === undefined) this.#hide(sampleKey)
  }

  async #delete (key: string): Promise<void> {
    const stored = this.#stored.get(key)
    if (stored === undefined || !this.#obsolete.has(key)) return
    const { namespace, name, uid } = stored
    const { store } = this.#options
    await this.#attempt(() => store.delete(name, {
      version: store.resource.storageVersion, namespace, dryRun: false, warn: () => {}, deletion: { preconditions: { uid } }
    }))
  }

  async #attempt (write: () => Promise<unknown>): Promise<boolean> {
    try {
      await write()
      return true
    } catch (error) {
      // Another replica was faster, or somebody has an object of that name.
      if (!isReason(error, 'NotFound') && !isReason(error, 'Conflict')) this.#options.onError(error)
      return false
    }
  }
}

/** The time of the newest sample that it holds; what another replica stored later is not ours to judge. */
function newestMs ({ series }: MappedMetric): number {
  let newest = -Infinity
  for (const { lastMs } of series) newest = Math.max(newest, lastMs)
  return newest
}
