/** What a change is for the watcher of a selection, by the first letter of its event's type. */
export type EventType = 'A' | 'M' | 'D'

/** A write that was answered with success. */
export interface Write {
  readonly name: string
  /** Unknown of a delete, whose answer does not tell. */
  readonly revision: number | undefined
  /** The shard the object was in; undefined if it was not there. */
  readonly before: string | undefined
  /** The shard it is in now; undefined if it is gone. */
  readonly after: string | undefined
}

/** What a watcher asked for. */
export type Selection = { readonly of: 'all' } | { readonly of: 'shard'; readonly shard: string } | { readonly of: 'name'; readonly name: string }

/** What one watcher got, in the order in which it came. */
export interface Received { readonly selection: Selection; readonly events: readonly string[] }

export interface Delivery {
  readonly events: number
  readonly lost: number
  readonly duplicate: number
  readonly outOfOrder: number
  /** Events of nothing that was written, or of the wrong type. */
  readonly unexpected: number
}

/** An event as it is compared. */
export const eventKey = (type: string, revision: number): string => `${type}${revision}`
const revisionOf = (key: string): number => Number(key.slice(1))

/** The events that a selection stands for, in revision order. @param writes with their revisions */
export function expectedEvents (selection: Selection, writes: readonly Write[]): string[] {
  const events = writes.flatMap(({ name, revision, before, after }) => {
    const selects = (shard: string | undefined): boolean => shard !== undefined && (selection.of === 'all' || (selection.of === 'shard' ? selection.shard === shard : selection.name === name))
    const type: EventType | undefined = selects(after) ? selects(before) ? 'M' : 'A' : selects(before) ? 'D' : undefined
    return type === undefined ? [] : [eventKey(type, revision ?? 0)]
  })
  return events.sort((a, b) => revisionOf(a) - revisionOf(b))
}

/** Holds what every watcher got against what it should have got. */
export function compareDelivery (received: readonly Received[], writes: readonly Write[]): Delivery {
  const expectedOf = new Map<string, string[]>()
  const sum = { events: 0, lost: 0, duplicate: 0, outOfOrder: 0, unexpected: 0 }
  for (const { selection, events } of received) {
    const key = JSON.stringify(selection)
    const expected = expectedOf.get(key) ?? expectedEvents(selection, writes)
    expectedOf.set(key, expected)
    sum.events += events.length
    const missing = new Set(expected)
    const wanted = new Set(expected)
    let last = 0
    for (const event of events) {
      if (!wanted.has(event)) sum.unexpected++
      else if (!missing.delete(event)) sum.duplicate++
      if (revisionOf(event) < last) sum.outOfOrder++
      last = Math.max(last, revisionOf(event))
    }
    sum.lost += missing.size
  }
  return sum
}
