/** What can be wrong with a mapping, as the types of its conditions. */
export const problemTypes = ['Conflicting', 'LabelMissing', 'InvalidName', 'InvalidValue', 'TooManySeries', 'CounterReset', 'WindowTruncated', 'SamplesRefused'] as const
export type ProblemType = typeof problemTypes[number]

export interface Problem { readonly type: ProblemType; readonly message: string }

/** A problem counts as present so long after it was seen last. */
export const presentMs = 5 * 60_000

/** The latest problem of each type. */
export class MappingProblems {
  readonly #seen = new Map<ProblemType, { message: string; atMs: number }>()

  /** @param message made only when it is a while since the last one, for problems come with every sample */
  report (type: ProblemType, nowMs: number, message: () => string): void {
    const known = this.#seen.get(type)
    if (known === undefined || nowMs - known.atMs > presentMs) this.#seen.set(type, { message: message(), atMs: nowMs })
    else known.atMs = nowMs
  }

  /** Those that are present, and those that were. */
  * states (nowMs: number): Iterable<{ type: ProblemType; present: boolean; message: string }> {
    for (const type of problemTypes) {
      const seen = this.#seen.get(type)
      if (seen !== undefined) yield { type, present: nowMs - seen.atMs <= presentMs, message: seen.message }
    }
  }
}
