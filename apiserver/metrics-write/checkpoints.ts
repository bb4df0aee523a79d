import type { Store } from '../../registry/generic/store/store.js'
import { isReason } from '../../registry/meta/status-error.js'
import type { ServedObject } from '../../registry/generic/served-object.js'
import type { LiveSamples } from '../metrics-api/live-samples.js'
import type { Sample } from '../metrics-api/sample.js'
import { checkpointObject, storedCheckpoint, type StoredCheckpoint } from './checkpoint-object.js'
import type { MappedMetric } from './mapped-metric.js'
import type { SeriesMemory } from './series-memory.js'

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

interface Write { readonly metric: MappedMetric; readonly sample: Sample; readonly sinceMs: number }

/** A checkpoint that nobody has refreshed is deleted so long after it expired. */
const expiredStayMs = 10 * 60_000

/**
 * Keeps the values of mapped metrics in the store, as CustomMetrics that the mapping controls: what a restart, other replicas and
 * `kubectl get cm8s` see. A value is written when it has changed, and when it would expire otherwise; at a bounded rate, those that waited
 * longest first. Checkpoints of mappings that are gone or have changed are not served any more, and deleted.
 */
export class Checkpoints {
  readonly #options: CheckpointsOptions
  readonly #stored = new Map<string, StoredCheckpoint>()
  /** When we wrote one last, by our clock. */
  readonly #writtenMs = new Map<string, number>()
  /** Stored ones that are to be deleted: they are hidden until they are gone. */
  readonly #obsolete = new Set<string>()

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
    this.#writtenMs.delete(metric.sampleKey)
    const stored = this.#stored.get(metric.sampleKey)
    if (stored === undefined) return
    // Our series have expired and what is stored has not: they go to another replica now, which keeps it.
    const fresh = stored.timestampMs + (stored.ttlMs ?? this.#options.ttlMs) >= this.#options.now()
    if (metric.expiredMs === undefined || !fresh) this.#hide(metric.sampleKey)
  }

  /** Writes and deletes what is due, to the bound. @throws nothing: what fails is due again in a later round */
  async round (): Promise<void> {
    const nowMs = this.#options.now()
    const { due, unwanted } = this.#due(nowMs)
    this.#findObsolete(nowMs)
    for (const key of unwanted) this.#hide(key)
    due.sort((a, b) => a.sinceMs === b.sinceMs ? 0 : b.sinceMs > a.sinceMs ? 1 : -1)
    const { writesPerRound } = this.#options
    // Half of a round at most while values wait: one mapping that goes does not let the values of others expire.
    const deletions = [...this.#obsolete].flatMap(key => this.#stored.get(key) ?? []).filter(c => !c.deleting).slice(0, Math.max(Math.ceil(writesPerRound / 2), writesPerRound - due.length))
    const work = [...deletions.map(checkpoint => () => this.#delete(checkpoint)), ...due.map(write => () => this.#write(write, nowMs))]
    await Promise.all(work.slice(0, writesPerRound).map(run => run()))
  }

  #due (nowMs: number): { due: Write[]; unwanted: string[] } {
    const { memory } = this.#options
    const due: Write[] = []
    const unwanted: string[] = []
    for (const state of memory.states()) {
      for (const metric of state.metrics.values()) {
        const { worth, sampleKey } = metric
        if (worth.kind === 'value' && memory.counts(metric)) {
          const sinceMs = nowMs - (this.#writtenMs.get(sampleKey) ?? -Infinity)
          if (metric.expiredMs === undefined && sinceMs >= this.#intervalMs(metric) && this.#isDue(metric, worth.sample)) due.push({ metric, sample: worth.sample, sinceMs })
          this.#obsolete.delete(sampleKey)
        } else if (worth.kind !== 'unknown' && (this.#stored.get(sampleKey)?.timestampMs ?? Infinity) <= newestMs(metric)) unwanted.push(sampleKey)
      }
    }
    return { due, unwanted }
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

  #findObsolete (nowMs: number): void {
    for (const [key, { namespace, mapping, timestampMs, ttlMs }] of this.#stored) {
      const current = this.#options.memory.state(namespace, mapping.name)?.mapping
      const changed = current === undefined || current.uid !== mapping.uid || mapping.generation < current.generation
      const expired = timestampMs + (ttlMs ?? this.#options.ttlMs) + expiredStayMs < nowMs
      // One that a metric in memory is about to replace is left to it.
      const replaced = this.#options.live.at(key)
      if ((changed || expired) && (replaced === undefined || replaced === 'hidden')) this.#hide(key)
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

  async #write ({ metric, sample }: Write, nowMs: number): Promise<void> {
    const { mapping, checkpointName, sampleKey } = metric
    const { store } = this.#options
    this.#writtenMs.set(sampleKey, nowMs)
    await this.#attempt(() => store.update(checkpointName, {
      version: store.resource.storageVersion, namespace: mapping.namespace, dryRun: false, warn: () => {}, subresource: '', allowCreate: true,
      transform: old => checkpointObject(metric, sample, old)
    }))
  }

  async #delete ({ namespace, name, uid }: StoredCheckpoint): Promise<void> {
    const { store } = this.#options
    await this.#attempt(() => store.delete(name, {
      version: store.resource.storageVersion, namespace, dryRun: false, warn: () => {}, deletion: { preconditions: { uid } }
    }))
  }

  async #attempt (write: () => Promise<unknown>): Promise<void> {
    try {
      await write()
    } catch (error) {
      // Another replica was faster, or somebody has an object of that name.
      if (!isReason(error, 'NotFound') && !isReason(error, 'Conflict')) this.#options.onError(error)
    }
  }
}

/** The time of the newest sample that it holds; what another replica stored later is not ours to judge. */
function newestMs ({ series }: MappedMetric): number {
  let newest = -Infinity
  for (const { lastMs } of series) newest = Math.max(newest, lastMs)
  return newest
}
