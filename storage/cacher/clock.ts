import type { CacherClock } from './interfaces.js'

/** The real time. Its timers do not keep the process alive. */
export const systemClock: CacherClock = {
  now: () => performance.now(),
  after (ms, run) {
    const timer = setTimeout(run, ms)
    timer.unref()
    return () => clearTimeout(timer)
  }
}
