import type { RequestContext } from '../request-context.js'

export interface InFlightLimits {
  /** Reads under way at once; 0 is no limit. */
  readonly readOnly: number
  /** Writes under way at once; 0 is no limit. */
  readonly mutating: number
}

/** More requests than the server takes at once: a plain-text 429 with Retry-After, as upstream's. */
export class TooManyInFlight extends Error { override readonly name = 'TooManyInFlight' }

/** Bounds how many requests are under way, reads and writes apart. Watches do not count. */
export class InFlightFilter {
  readonly #limits: InFlightLimits
  readOnly = 0
  mutating = 0

  constructor (limits: InFlightLimits) { this.#limits = limits }

  /** @throws TooManyInFlight */
  enter (context: RequestContext): void {
    if (context.info.verb === 'watch') return
    const kind = ['get', 'list', 'head'].includes(context.info.verb) ? 'readOnly' : 'mutating'
    const limit = this.#limits[kind]
    // What administrators do to a server in trouble is never refused.
    if (limit > 0 && this[kind] >= limit && !context.user.groups.includes('system:masters')) throw new TooManyInFlight()
    this[kind]++
    context.onFinish.push(() => { this[kind]-- })
  }
}
