interface Timer {
  readonly at: number
  readonly run: () => void
}

/** A clock that moves when told: timers run in the order of their times, each at its own time. */
export class FakeClock {
  #now = 0
  readonly #timers = new Set<Timer>()

  now (): number {
    return this.#now
  }

  after (ms: number, run: () => void): () => void {
    const timer = { at: this.#now + ms, run }
    this.#timers.add(timer)
    return () => {
      this.#timers.delete(timer)
    }
  }

  /** How many timers are waiting. */
  get pending (): number {
    return this.#timers.size
  }

  /** Moves on, and gives the event loop a turn after every timer so that what it set off takes place in order. */
  async advance (ms: number): Promise<void> {
    const until = this.#now + ms
    for (;;) {
      let next: Timer | undefined
      for (const timer of this.#timers) if (timer.at <= until && (next === undefined || timer.at < next.at)) next = timer
      if (next === undefined) break
      this.#timers.delete(next)
      this.#now = next.at
      next.run()
      await turn()
    }
    this.#now = until
    await turn()
  }
}

/** Resolves when what was ready to run has run. */
export async function turn (turns = 5): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve))
}
