import type { WrittenSeries } from './written-series.js'

/** Why a sample is not taken. All of them are the sender's to correct: sending the sample again does not help. */
export type RefusalReason = 'malformed' | 'future' | 'outOfOrder' | 'duplicate' | 'tooManySeries' | 'unsupported'

export interface Refusal { readonly reason: RefusalReason; readonly count: number; /** The first of them. */ readonly example: string }

/** What became of the samples of one request. */
export class WriteResult {
  readonly #refused = new Map<RefusalReason, { count: number; example: string }>()
  /** Series of which a sample was refused. */
  readonly refusedSeries = new Set<WrittenSeries>()
  /** Samples that were taken over, and those that no mapping asks for. */
  accepted = 0

  refuse (reason: RefusalReason, example: () => string, count = 1): void {
    const known = this.#refused.get(reason)
    if (known === undefined) this.#refused.set(reason, { count, example: example() })
    else known.count += count
  }

  get refused (): Refusal[] { return [...this.#refused].map(([reason, r]) => ({ reason, ...r })) }
  get refusedCount (): number { return this.refused.reduce((sum, r) => sum + r.count, 0) }

  /** One line for the sender; undefined if all is well. */
  get message (): string | undefined {
    const { refused } = this
    if (refused.length === 0) return undefined
    return `${this.refusedCount} of ${this.accepted + this.refusedCount} samples are refused: ${refused.map(r => `${r.example}${r.count > 1 ? ` (and ${r.count - 1} more like it)` : ''}`).join('; ')}`
  }
}
