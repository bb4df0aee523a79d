import type { Revision } from '../interfaces.js'

export interface HistoryOptions {
  readonly limit: number
  readonly minimum: number
  readonly maxAgeMs: number
}

const SMALLEST_CAPACITY = 128

function emptySlots<E> (capacity: number): (E | undefined)[] {
  return Array.from({ length: capacity }, () => undefined)
}

/**
 * The most recent changes, oldest first, in a ring that grows and shrinks by powers of two. A change is kept while it is younger than
 * `maxAgeMs` or among the last `minimum`, but never more than `limit` of them: under a very high rate of writes the reach is
 * shorter than the age. Old changes go when a new one comes and whenever `trim` is called.
 *
 * Changes are addressed by sequence numbers that never repeat, so that a reader notices when what it wanted has gone.
 */
export class History<E extends { readonly revision: Revision }> {
  readonly #options: HistoryOptions
  #slots: (E | undefined)[] = emptySlots<E>(SMALLEST_CAPACITY)
  #times: Float64Array = new Float64Array(SMALLEST_CAPACITY)
  #first = 0
  #end = 0
  #floor: Revision

  /** @param floor the revision after which nothing has been missed */
  constructor (floor: Revision, options: HistoryOptions) {
    this.#floor = floor
    this.#options = options
  }

  /** The oldest revision whose following changes are all here. */
  get floor (): Revision {
    return this.#floor
  }

  /** The sequence number of the oldest change kept. */
  get first (): number {
    return this.#first
  }

  /** The sequence number that the next change will get. */
  get end (): number {
    return this.#end
  }

  get size (): number {
    return this.#end - this.#first
  }

  get capacity (): number {
    return this.#slots.length
  }

  /** The change with this number; undefined if it has been forgotten or has not come yet. */
  at (sequence: number): E | undefined {
    if (sequence < this.#first || sequence >= this.#end) return undefined
    return this.#slots[sequence & (this.#slots.length - 1)]
  }

  append (change: E, now: number): void {
    if (this.size >= this.#options.limit) this.#forgetFirst()
    this.trim(now)
    if (this.size === this.#slots.length) this.#resize(this.#slots.length * 2)
    const slot = this.#end & (this.#slots.length - 1)
    this.#slots[slot] = change
    this.#times[slot] = now
    this.#end++
  }

  /** Forgets what is too old. */
  trim (now: number): void {
    const tooOld = now - this.#options.maxAgeMs
    while (this.size > this.#options.minimum && (this.#times[this.#first & (this.#slots.length - 1)] as number) < tooOld) this.#forgetFirst()
    while (this.#slots.length > SMALLEST_CAPACITY && this.size < this.#slots.length / 4) this.#resize(this.#slots.length / 2)
  }

  /** The number of the first change with a greater revision; `end` if there is none. Meaningful from `floor` on. */
  sequenceAfter (revision: Revision): number {
    let low = this.#first
    let high = this.#end
    while (low < high) {
      const middle = Math.floor((low + high) / 2)
      if ((this.at(middle) as E).revision > revision) high = middle
      else low = middle + 1
    }
    return low
  }

  #forgetFirst (): void {
    const slot = this.#first & (this.#slots.length - 1)
    this.#floor = (this.#slots[slot] as E).revision
    this.#slots[slot] = undefined
    this.#first++
  }

  #resize (capacity: number): void {
    const slots = emptySlots<E>(capacity)
    const times = new Float64Array(capacity)
    for (let i = this.#first; i < this.#end; i++) {
      slots[i & (capacity - 1)] = this.#slots[i & (this.#slots.length - 1)]
      times[i & (capacity - 1)] = this.#times[i & (this.#times.length - 1)] as number
    }
    this.#slots = slots
    this.#times = times
  }
}
