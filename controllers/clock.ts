/** Time, as everything in this folder sees it, so that tests can hold it. */
export interface Clock {
  /** Milliseconds of a clock that never goes back: for durations and expiry. */
  monotonicMs (): number
  /** The time of day: for what is written into objects. */
  date (): Date
  /** Runs a function once, so many milliseconds from now. The returned function takes it back. */
  setTimer (ms: number, run: () => void): () => void
}

/** Node's timers run at once when they are asked for more. */
const longestTimerMs = 2 ** 31 - 1

/** The clock of this machine. */
export const systemClock: Clock = Object.freeze({
  monotonicMs: () => performance.now(),
  date: () => new Date(),
  setTimer: (ms: number, run: () => void) => {
    const timer = setTimeout(run, Math.min(Math.max(ms, 0), longestTimerMs))
    return () => { clearTimeout(timer) }
  }
})

/** Waits. Resolves to true when the time has passed, to false as soon as the signal aborts. */
export async function sleep (clock: Clock, ms: number, signal?: AbortSignal): Promise<boolean> {
  if (signal?.aborted === true) return false
  return await new Promise(resolve => {
    const onAbort = (): void => {
      cancel()
      resolve(false)
    }
    const cancel = clock.setTimer(ms, () => {
      signal?.removeEventListener('abort', onAbort)
      resolve(true)
    })
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}

/** A signal that aborts with the given one, or when the time is over; `release` must be called when neither matters any more. */
export function withTimeout (clock: Clock, ms: number, signal: AbortSignal | undefined, reason: () => Error): { readonly signal: AbortSignal; release (): void } {
  const controller = new AbortController()
  const onAbort = (): void => { controller.abort(signal?.reason) }
  if (signal?.aborted === true) onAbort()
  signal?.addEventListener('abort', onAbort, { once: true })
  const cancel = Number.isFinite(ms) ? clock.setTimer(ms, () => { controller.abort(reason()) }) : () => undefined
  return {
    signal: controller.signal,
    release: () => {
      cancel()
      signal?.removeEventListener('abort', onAbort)
    }
  }
}
