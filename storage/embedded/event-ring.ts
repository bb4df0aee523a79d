import type { Revision, StorageEvent } from '../interfaces.js'

/**
 * The newest events, so that watches that keep up need no reads. Bounded in number and bytes: the oldest give way, and a watch
 * that is behind reads the log. There is one event for every revision, so a revision is also a position.
 */
export class EventRing {
  readonly #maxEvents: number
  readonly #maxBytes: number
  #events: StorageEvent[] = []
  /** How many at the start of the array are given up already; it is cut now and then, not for every event. */
  #dropped = 0
  #bytes = 0

  constructor ({ maxEvents, maxBytes }: { maxEvents: number, maxBytes: number }) {
    this.#maxEvents = maxEvents
    this.#maxBytes = maxBytes
  }

  get length (): number {
    return this.#events.length - this.#dropped
  }

  get bytes (): number {
    return this.#bytes
  }

  /** Adds the events that follow those in the ring. */
  push (events: readonly StorageEvent[]): void {
    for (const event of events) {
      this.#events.push(event)
      this.#bytes += size(event)
    }
    while (this.length > this.#maxEvents || (this.#bytes > this.#maxBytes && this.length > 0)) {
      const oldest = this.#events[this.#dropped++]
      if (oldest !== undefined) this.#bytes -= size(oldest)
    }
    if (this.#dropped > this.#maxEvents || this.length === 0) {
      this.#events.splice(0, this.#dropped)
      this.#dropped = 0
    }
  }

  /** The events from a revision on, at most so many; undefined if that revision is not in the ring. */
  from (revision: Revision, limit: number): readonly StorageEvent[] | undefined {
    const oldest = this.#events[this.#dropped]
    if (oldest === undefined || revision < oldest.modRevision) return undefined
    const index = this.#dropped + Number(revision - oldest.modRevision)
    return index < this.#events.length ? this.#events.slice(index, index + limit) : undefined
  }
}

function size (event: StorageEvent): number {
  return event.key.length + (event.type === 'put' ? event.value.length : 0) + 64
}
