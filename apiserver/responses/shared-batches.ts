/** So many different batches are remembered within a turn. More are made, each for whoever asked. */
const batchLimit = 8

interface Batch<E> { readonly events: readonly E[]; readonly bytes: Buffer }

/**
 * The bytes of batches of events, made once for all watches that are told the same in one turn of the event loop. Of a turn that is over
 * nothing is kept.
 */
export class SharedBatches<E> {
  #batches: Batch<E>[] = []

  /** How many batches are remembered now. */
  get size (): number { return this.#batches.length }

  /** @param make the bytes of these events; they must depend on nothing else */
  of (events: readonly E[], make: () => Buffer): Buffer {
    for (const batch of this.#batches) if (same(batch.events, events)) return batch.bytes
    const bytes = make()
    if (this.#batches.length === 0) setImmediate(() => { this.#batches = [] })
    if (this.#batches.length < batchLimit) this.#batches.push({ events, bytes })
    return bytes
  }
}

function same<E> (a: readonly E[], b: readonly E[]): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}
