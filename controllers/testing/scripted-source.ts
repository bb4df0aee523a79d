import type { KubeObject } from '../../registry/meta/object-meta.js'
import type { ListOptions, ObjectList, RequestContext, Watch, WatchEvent, WatchEventType, WatchOptions } from '../client/interfaces.js'
import type { ListerWatcher } from '../informer/interfaces.js'

/** A watch that a test feeds. */
export class FakeWatch<T extends KubeObject = KubeObject> implements Watch<T> {
  #events: (WatchEvent<T> | Error)[] = []
  #ended = false
  #wake: () => void = () => undefined

  get closed (): boolean { return this.#ended }

  event (type: WatchEventType, object: T): this { return this.#push({ type, object }) }
  /** An ERROR event, or a failure of reading. */
  fail (error: Error): this { return this.#push(error) }
  /** The server ends it, after what was fed. */
  end (): this {
    this.#ended = true
    this.#wake()
    return this
  }

  close (): void {
    this.#events = []
    this.end()
  }

  async * [Symbol.asyncIterator] (): AsyncGenerator<WatchEvent<T>, void, undefined> {
    for (;;) {
      const next = this.#events.shift()
      if (next instanceof Error) throw next
      if (next !== undefined) yield next
      else if (this.#ended) return
      else await new Promise<void>(resolve => { this.#wake = resolve })
    }
  }

  #push (event: WatchEvent<T> | Error): this {
    this.#events.push(event)
    this.#wake()
    return this
  }
}

export type ScriptedRequest = ({ readonly verb: 'list' } & ListOptions) | ({ readonly verb: 'watch' } & WatchOptions)

/** Answers lists and watches in the order of a script, and remembers what was asked. Watches beyond the script stay open and silent. */
export class ScriptedSource<T extends KubeObject = KubeObject> implements ListerWatcher<T> {
  readonly requests: ScriptedRequest[] = []
  readonly #script: (ObjectList<T> | FakeWatch<T> | Error)[]
  /** The watch that was opened last. */
  last = new FakeWatch<T>()

  constructor (...script: (ObjectList<T> | FakeWatch<T> | Error)[]) { this.#script = script }

  async listAll (options: ListOptions, _context: RequestContext): Promise<ObjectList<T>> {
    this.requests.push({ verb: 'list', ...options })
    const answer = this.#script.shift()
    if (answer instanceof Error) throw answer
    if (answer === undefined || answer instanceof FakeWatch) throw new Error('the script has no list here')
    return answer
  }

  async watch (options: WatchOptions, _context: RequestContext): Promise<Watch<T>> {
    this.requests.push({ verb: 'watch', ...options })
    const answer = this.#script.shift() ?? new FakeWatch<T>()
    if (answer instanceof Error) throw answer
    if (!(answer instanceof FakeWatch)) throw new Error('the script has no watch here')
    this.last = answer
    return answer
  }

  /** What to answer next, after what is scripted already. */
  append (...script: (ObjectList<T> | FakeWatch<T> | Error)[]): void { this.#script.push(...script) }
}
