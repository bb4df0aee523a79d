import type { Sample } from './sample.js'

/** Takes the samples that stand in front of stored ones. */
export interface LiveSamplesTarget {
  /** A key's live sample has changed; see `LiveSamples.at`. */
  liveChanged: (key: string) => void
}

/**
 * Samples that are in memory only, by the key of the CustomMetric that they stand in front of, whether that is stored or not, unless
 * it is newer. `hidden` says that a stored one is not to be served any more either. A sample may change without being replaced; `set`
 * tells of that as well.
 */
export class LiveSamples {
  readonly #samples = new Map<string, Sample | 'hidden'>()
  readonly #targets = new Set<LiveSamplesTarget>()

  get size (): number { return this.#samples.size }

  /** Undefined: what is stored counts. */
  at (key: string): Sample | 'hidden' | undefined { return this.#samples.get(key) }
  keys (): Iterable<string> { return this.#samples.keys() }

  set (key: string, sample: Sample | 'hidden'): void {
    this.#samples.set(key, sample)
    for (const target of this.#targets) target.liveChanged(key)
  }

  delete (key: string): void {
    if (!this.#samples.delete(key)) return
    for (const target of this.#targets) target.liveChanged(key)
  }

  /** Tells a target of every change, after telling it of what there is. */
  attach (target: LiveSamplesTarget): void {
    this.#targets.add(target)
    for (const key of this.#samples.keys()) target.liveChanged(key)
  }

  detach (target: LiveSamplesTarget): void { this.#targets.delete(target) }
}
