import type { IncomingMessage } from 'node:http'
import { StatusError, type Status } from '../../registry/meta/status-error.js'
import { statusErrorOf } from './errors.js'
import type { Watch, WatchEvent } from './interfaces.js'
import { decodeJson } from './json.js'

const newline = 10

/**
 * The events of a watch response, one JSON document a line. A connection that breaks ends it like one that the server closed: the reader
 * resumes from the last resourceVersion in both cases. Nothing is read from the connection while nobody asks for an event.
 */
export class WatchStream<T> implements Watch<T> {
  readonly #response: IncomingMessage

  constructor (response: IncomingMessage) {
    this.#response = response
    response.on('error', () => undefined) // whoever reads sees the end
  }

  close (): void { this.#response.destroy() }

  async * [Symbol.asyncIterator] (): AsyncGenerator<WatchEvent<T>, void, undefined> {
    try {
      for await (const line of lines(this.#response)) {
        const event = decodeJson(line) as { type: WatchEvent<T>['type'] | 'ERROR', object: unknown }
        if (event.type === 'ERROR') throw errorOf(event.object)
        yield event as WatchEvent<T>
      }
    } finally {
      this.#response.destroy()
    }
  }
}

async function * lines (response: IncomingMessage): AsyncGenerator<string, void, undefined> {
  let pending: Buffer[] = []
  const chunks = (response as AsyncIterable<Buffer>)[Symbol.asyncIterator]()
  for (;;) {
    // Only reading is guarded: an error of whoever iterates must not look like a broken connection.
    const next = await chunks.next().catch(() => undefined)
    if (next === undefined || next.done === true) return // a line that was cut is no event
    const chunk = next.value
    let begin = 0
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, begin)) {
      pending.push(chunk.subarray(begin, end))
      const line = (pending.length === 1 ? pending[0]! : Buffer.concat(pending)).toString()
      pending = []
      begin = end + 1
      if (line.trim() !== '') yield line
    }
    if (begin < chunk.length) pending.push(chunk.subarray(begin))
  }
}

function errorOf (object: unknown): StatusError {
  const status = object as Partial<Status> | null
  if (status?.kind === 'Status') return new StatusError({ ...status, metadata: status.metadata ?? {}, status: 'Failure' })
  return statusErrorOf({ method: 'GET', code: 500, body: JSON.stringify(object) })
}
