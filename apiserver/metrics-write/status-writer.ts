import type { Store } from '../../registry/generic/store/store.js'
import { isReason } from '../../registry/meta/status-error.js'
import type { MetricMapping, MetricMappingStatus } from '../../registry/metrics.example.com/metricmappings/types.js'
import { mappingStatus, statusDifference } from './mapping-status.js'
import type { MappingState } from './mapping-state.js'

export interface StatusWriterOptions {
  /** That of MetricMappings. */
  readonly store: Pick<Store, 'resource' | 'update'>
  readonly onError: (error: unknown) => void
  readonly now: () => number
}

/** What differs of one mapping is written so long after the last write of it, at the earliest. */
const waitMs = { conditions: 2_000, counts: 5_000, time: 30_000 }
/** In one round, of all mappings. */
const writesPerRound = 10
/** A replica that got no sample for so long leaves the status to those that do. */
const receivedWithinMs = 60_000

/**
 * Writes the status of mappings: of those that samples came for lately, so that of several replicas the one that knows speaks, and of
 * those that nobody has spoken about yet. Bounded in every round; what does not fit is written in the next.
 */
export class StatusWriter {
  readonly #options: StatusWriterOptions
  readonly #mappings = new Map<string, MetricMapping>()
  readonly #writtenMs = new Map<string, number>()

  constructor (options: StatusWriterOptions) { this.#options = options }

  /** All that were observed and not forgotten. */
  get mappings (): Iterable<MetricMapping> { return this.#mappings.values() }

  observe (mapping: MetricMapping): void { this.#mappings.set(`${mapping.metadata.namespace}/${mapping.metadata.name}`, mapping) }

  forget (namespace: string, name: string): void {
    this.#mappings.delete(`${namespace}/${name}`)
    this.#writtenMs.delete(`${namespace}/${name}`)
  }

  /** @throws nothing: a failed write is tried again in a later round */
  async round (states: Iterable<MappingState>): Promise<void> {
    const nowMs = this.#options.now()
    const due: { key: string; state: MappingState }[] = []
    for (const state of states) {
      const key = `${state.mapping.namespace}/${state.mapping.name}`
      const object = this.#mappings.get(key)
      const sinceMs = nowMs - (this.#writtenMs.get(key) ?? -Infinity)
      if (object === undefined || sinceMs < waitMs.conditions) continue
      const spokenFor = object.status?.observedGeneration === state.mapping.generation
      const { receivedMs, lastSampleMs = -Infinity } = state
      // Who has spoken says the end too, unless another replica has told of later samples.
      const lastWord = sinceMs < Infinity && !(Date.parse(object.status?.lastSampleTime ?? '') > lastSampleMs)
      const ours = receivedMs !== undefined && (nowMs - receivedMs <= receivedWithinMs || lastWord)
      if (spokenFor && !ours) continue
      const difference = statusDifference(mappingStatus(state, object.status, nowMs), object.status)
      if (difference !== undefined && sinceMs >= waitMs[difference]) due.push({ key, state })
    }
    // Those that waited longest come first.
    due.sort((a, b) => (this.#writtenMs.get(a.key) ?? 0) - (this.#writtenMs.get(b.key) ?? 0))
    await Promise.all(due.slice(0, writesPerRound).map(async ({ key, state }) => {
      this.#writtenMs.set(key, nowMs)
      await this.#write(state, nowMs)
    }))
  }

  async #write (state: MappingState, nowMs: number): Promise<void> {
    const { mapping } = state
    const { store, onError } = this.#options
    try {
      await store.update(mapping.name, {
        version: store.resource.storageVersion,
        namespace: mapping.namespace,
        dryRun: false,
        warn: () => {},
        subresource: 'status',
        uid: mapping.uid,
        transform: old => ({ ...old!, status: mappingStatus(state, old!['status'] as MetricMappingStatus | undefined, nowMs) })
      })
    } catch (error) {
      // It was deleted, or made anew, in this moment.
      if (!isReason(error, 'NotFound') && !isReason(error, 'Conflict')) onError(error)
    }
  }
}
