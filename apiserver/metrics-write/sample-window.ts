/** So many samples of a series are kept at most; of more, the oldest are forgotten and the window covers a shorter time. */
export const maxWindowPoints = 256

/** What a counter did in a window. */
export interface Increase {
  readonly value: number
  /** From the first to the last sample. */
  readonly seconds: number
}

/**
 * The samples of one series that are not older than a window before the newest one. Memory grows with the samples, to a bound.
 * With a window of 0 it is the newest sample alone.
 */
export class SampleWindow {
  readonly #windowMs: number
  readonly #limit: number
  #times = new Float64Array(1)
  #values = new Float64Array(1)
  #first = 0
  #count = 0
  #truncated = false

  constructor (windowMs: number, limit = maxWindowPoints) {
    this.#windowMs = windowMs
    this.#limit = limit
  }

  get count (): number { return this.#count }
  get lastMs (): number | undefined { return this.#count === 0 ? undefined : this.#times[this.#at(this.#count - 1)] }
  get lastValue (): number | undefined { return this.#count === 0 ? undefined : this.#values[this.#at(this.#count - 1)] }
  /** Whether samples of the window had to be forgotten. */
  get truncated (): boolean { return this.#truncated }

  /** Adds a finite value, newer than all before. */
  push (timestampMs: number, value: number): void {
    while (this.#count > 0 && this.#times[this.#first]! <= timestampMs - this.#windowMs) this.#drop()
    if (this.#count === 0) this.#truncated = false
    if (this.#count === this.#limit) {
      this.#truncated = true
      this.#drop()
    }
    if (this.#count === this.#times.length) this.#grow()
    const at = this.#at(this.#count++)
    this.#times[at] = timestampMs
    this.#values[at] = value
  }

  /** The value at exactly that time, if it is remembered. */
  valueAt (timestampMs: number): number | undefined {
    for (let i = this.#count - 1; i >= 0; i--) {
      const at = this.#at(i)
      const time = this.#times[at]!
      if (time <= timestampMs) return time === timestampMs ? this.#values[at] : undefined
    }
    return undefined
  }

  sum (): number { return this.#reduce((sum, value) => sum + value, 0) }
  max (): number { return this.#reduce((max, value) => Math.max(max, value), -Infinity) }

  /**
   * By how much a counter rose: what fell was a reset, after which it began at zero. Between the samples, nothing is extrapolated.
   * @returns undefined with fewer than two samples. Source: Prometheus, rate() and increase().
   */
  increase (): Increase | undefined {
    if (this.#count < 2) return undefined
    let value = 0
    let before = this.#values[this.#first]!
    for (let i = 1; i < this.#count; i++) {
      const next = this.#values[this.#at(i)]!
      value += next < before ? next : next - before
      before = next
    }
    return { value, seconds: (this.lastMs! - this.#times[this.#first]!) / 1000 }
  }

  #reduce (add: (result: number, value: number) => number, start: number): number {
    let result = start
    for (let i = 0; i < this.#count; i++) result = add(result, this.#values[this.#at(i)]!)
    return result
  }

  #at (i: number): number { return (this.#first + i) % this.#times.length }

  #drop (): void {
    this.#first = this.#at(1)
    this.#count--
  }

  #grow (): void {
    const size = Math.min(this.#limit, this.#times.length * 2)
    const [times, values] = [new Float64Array(size), new Float64Array(size)]
    for (let i = 0; i < this.#count; i++) {
      times[i] = this.#times[this.#at(i)]!
      values[i] = this.#values[this.#at(i)]!
    }
    this.#times = times
    this.#values = values
    this.#first = 0
  }
}
