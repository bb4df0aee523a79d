/** From this size on a body is worth keeping memory for; smaller ones come from malloc's free lists anyway. */
const smallest = 64 * 1024
/** Capacities are multiples of this, so that bodies of nearly the same size share memory. */
const step = 64 * 1024

/**
 * Memory of large bodies that have been sent, to be used for others. A list that was sent is garbage which only a collection frees, and V8 waits
 * with that until there are 64 MB of it; besides, memory that is new costs a page fault for every 4 KB.
 *
 * At most `maxBytes` are kept. Beyond that what has lain there longest is left to the garbage collector, so that sizes which nobody wants any more
 * make room; so is what nobody gives back.
 */
export class BodyMemory {
  readonly #maxBytes: number
  readonly #free: Buffer[] = []
  #freeBytes = 0
  /** What is lent, by what the borrower sees of it. */
  readonly #lent = new WeakMap<Buffer, Buffer>()

  constructor (maxBytes: number) { this.#maxBytes = maxBytes }

  /** Bytes that are kept and not in use. */
  get freeBytes (): number { return this.#freeBytes }

  /** A buffer of exactly this length whose content is whatever was there before: all of it has to be written. */
  take (length: number): Buffer {
    if (length < smallest) return Buffer.allocUnsafe(length)
    const memory = this.#fitting(length) ?? Buffer.allocUnsafeSlow(Math.ceil(length / step) * step)
    const body = memory.subarray(0, length)
    this.#lent.set(body, memory)
    return body
  }

  /** Whether it was taken here and has not been given back. */
  isLent (body: Buffer): boolean { return this.#lent.has(body) }

  /**
   * Takes back what `take` answered, once nothing reads it any more. Other buffers, and what was given back already, are passed over.
   */
  giveBack (body: Buffer): void {
    const memory = this.#lent.get(body)
    if (memory === undefined) return
    this.#lent.delete(body)
    if (memory.length > this.#maxBytes) return
    this.#free.push(memory)
    this.#freeBytes += memory.length
    while (this.#freeBytes > this.#maxBytes) this.#freeBytes -= this.#free.shift()!.length
  }

  /** The smallest that is large enough, and not four times as large: a page would hold the memory of a full list. */
  #fitting (length: number): Buffer | undefined {
    let best = -1
    for (let i = 0; i < this.#free.length; i++) {
      const capacity = this.#free[i]!.length
      if (capacity >= length && capacity <= 4 * length && (best < 0 || capacity < this.#free[best]!.length)) best = i
    }
    if (best < 0) return undefined
    const [memory] = this.#free.splice(best, 1)
    this.#freeBytes -= memory!.length
    return memory
  }
}

/** The memory of this process' bodies. */
export const bodyMemory = new BodyMemory(8 * 1024 * 1024)
