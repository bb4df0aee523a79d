import type { Store } from '../../registry/generic/store/store.js'
import { isReason } from '../../registry/meta/status-error.js'
import type { MetricMapping, MetricMappingStatus } from '../../registry/metrics.example.com/metricmappings/types.js'
import { mappingStatus, statusDifference } from './mapping-status.js'
import type { MappingState } from './mapping-state.js'
import { fewAtOnce, TimeSlice } from './time-slice.js'

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
/** So many of them are on their way at once. */
const writesAtOnce = 4
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

  /**
   * Gives way to requests all the time; rounds must not overlap.
   * @param stop once it is aborted nothing is begun any more. @throws nothing: a failed write is tried again in a later round
   */
  async round (states: Iterable<MappingState>, stop?: AbortSignal): Promise<void> {
    const slice = new TimeSlice()
    const nowMs = this.#options.now()
    const due: { key: string; state: MappingState }[] = []
    for (const state of states) {
      const key = keyOf(state)
      if (this.#isDue(key, state, nowMs)) due.push({ key, state })
      if (slice.over) await slice.next()
    }
    // Those that waited longest come first.
    due.sort((a, b) => (this.#writtenMs.get(a.key) ?? 0) - (this.#writtenMs.get(b.key) ?? 0))
    await fewAtOnce(due.slice(0, writesPerRound).map(({ key, state }) => async () => {
      if (!this.#mappings.has(key)) return
      this.#writtenMs.set(key, nowMs)
      await this.#write(state, nowMs)
    }), writesAtOnce, stop)
  }

  #isDue (key: string, state: MappingState, nowMs: number): boolean {
    const object = this.#mappings.get(key)
    const sinceMs = nowMs - (this.#writtenMs.get(key) ?? -Infinity)
    if (object === undefined || sinceMs < waitMs.conditions) return false
    const spokenFor = object.status?.observedGeneration === state.mapping.generation
    const { receivedMs, lastSampleMs = -Infinity } = state
    // Who has spoken says the end too, unless another replica has told of later samples.
    const lastWord = sinceMs < Infinity && !(Date.parse(object.status?.lastSampleTime ?? '') > lastSampleMs)
    const ours = receivedMs !== undefined && (nowMs - receivedMs <= receivedWithinMs || lastWord)
    if (spokenFor && !ours) return false
    const difference = statusDifference(mappingStatus(state, object.status, nowMs), object.status)
    return difference !== undefined && sinceMs >= waitMs[difference]
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

const keyOf = ({ mapping }: MappingState): string => `${mapping.namespace}/${mapping.name}`
