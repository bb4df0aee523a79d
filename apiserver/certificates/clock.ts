/** Time, as certificates see it, so that tests can hold it. */
export interface Clock {
  /** Milliseconds since the epoch; may be set at any moment. */
  now (): number
  /** Milliseconds of a clock that cannot be set. */
  monotonic (): number
  /** Runs a function once, so many milliseconds from now. The returned function takes it back. */
  after (ms: number, run: () => void): () => void
}

/** The clock of this machine. */
export const systemClock: Clock = Object.freeze({
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after: (ms: number, run: () => void) => {
    const timer = setTimeout(run, ms).unref()
    return () => { clearTimeout(timer) }
  }
})
