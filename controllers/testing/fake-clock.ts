import type { Clock } from '../clock.js'

interface Timer { readonly atMs: number; readonly run: () => void }

/** A clock that stands still until a test moves it. */
export class FakeClock implements Clock {
  #nowMs = 0
  readonly #startMs: number
  #timers: Timer[] = []

  constructor (start = '2026-01-02T03:04:05.000Z') { this.#startMs = Date.parse(start) }

  /** Timers that have not run. */
  get timers (): number { return this.#timers.length }
  /** Milliseconds until the next timer runs. */
  get nextTimerMs (): number | undefined { return this.#timers.length === 0 ? undefined : Math.min(...this.#timers.map(t => t.atMs)) - this.#nowMs }

  monotonicMs (): number { return this.#nowMs }
  date (): Date { return new Date(this.#startMs + this.#nowMs) }

  setTimer (ms: number, run: () => void): () => void {
    const timer = { atMs: this.#nowMs + Math.max(ms, 0), run }
    this.#timers.push(timer)
    return () => { this.#timers = this.#timers.filter(t => t !== timer) }
  }

  /** Moves on, running what becomes due in its order, and lets promises settle after each. */
  async advance (ms: number): Promise<void> {
    const end = this.#nowMs + ms
    await settle()
    for (;;) {
      const next = this.#timers.filter(t => t.atMs <= end).reduce<Timer | undefined>((first, t) => first === undefined || t.atMs < first.atMs ? t : first, undefined)
      if (next === undefined) break
      this.#timers = this.#timers.filter(t => t !== next)
      this.#nowMs = Math.max(this.#nowMs, next.atMs)
      next.run()
      await settle()
    }
    this.#nowMs = end
    await settle()
  }

  /** Moves to the next timer and runs it. @throws Error if there is none */
  async advanceToNextTimer (): Promise<number> {
    await settle()
    const ms = this.nextTimerMs
    if (ms === undefined) throw new Error('nothing waits for the clock')
    await this.advance(ms)
    return ms
  }
}

/** Lets every promise settle that needs no timer and no I/O. */
export async function settle (): Promise<void> {
  for (let i = 0; i < 5; i++) await new Promise(resolve => { setImmediate(resolve) })
}
