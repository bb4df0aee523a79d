import type { Revision } from '../interfaces.js'

/** Someone to whom a bookmark can be given. */
export interface BookmarkTarget {
  bookmark (revision: Revision): void
}

interface Times {
  next: number
  readonly deadline: number
}

/** How long before its deadline a watcher gets a last bookmark (as in kube-apiserver's nextBookmarkTime). */
const BEFORE_DEADLINE_MS = 2_000

/** Which watcher gets its next bookmark when: one interval after the last, and about two seconds before its deadline. */
export class BookmarkSchedule {
  readonly #intervalMs: number
  readonly #times = new Map<BookmarkTarget, Times>()

  constructor (intervalMs: number) {
    this.#intervalMs = intervalMs
  }

  /** @param deadlineMs from now */
  add (watcher: BookmarkTarget, now: number, deadlineMs = Infinity): void {
    const times = { next: 0, deadline: now + deadlineMs }
    this.#plan(times, now)
    if (times.next !== Infinity) this.#times.set(watcher, times)
  }

  delete (watcher: BookmarkTarget): void {
    this.#times.delete(watcher)
  }

  /** Whether any bookmark is due within so many milliseconds. */
  anyDueWithin (ms: number, now: number): boolean {
    for (const times of this.#times.values()) if (times.next <= now + ms) return true
    return false
  }

  /** Gives a bookmark to everyone whose time has come. */
  send (now: number, revision: Revision): void {
    for (const [watcher, times] of this.#times) {
      if (times.next > now) continue
      this.#plan(times, now)
      if (times.next === Infinity) this.#times.delete(watcher)
      watcher.bookmark(revision)
    }
  }

  #plan (times: Times, now: number): void {
    const last = times.deadline - BEFORE_DEADLINE_MS
    // The last one is planned for its exact time; once that has come, there are no more.
    times.next = last <= now ? Infinity : Math.min(now + this.#intervalMs, last)
  }
}
