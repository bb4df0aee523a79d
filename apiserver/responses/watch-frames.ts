import { printInOrder } from '../../registry/codec/json-print.js'
import type { CacheWatchEvent } from '../../storage/cacher/interfaces.js'
import type { ResourceVersion } from '../../registry/generic/resource.js'
import type { ServedObject } from '../../registry/generic/served-object.js'
import type { Status } from '../../registry/meta/status-error.js'
import { metadataBytes, type Presentation } from './presentation.js'
import { SharedBatches } from './shared-batches.js'
import { columnDefinitions, tableBookmark, tableBytes } from './table.js'

const start = { ADDED: Buffer.from('{"type":"ADDED","object":'), MODIFIED: Buffer.from('{"type":"MODIFIED","object":'), DELETED: Buffer.from('{"type":"DELETED","object":') }
const end = Buffer.from('}\n')

/** By version and view: what watches of them are sent in one turn. */
const sharedBatches = new WeakMap<ResourceVersion, Map<string, SharedBatches<CacheWatchEvent<ServedObject>>>>()

function batchesOf ({ version, format: { view } }: Presentation): SharedBatches<CacheWatchEvent<ServedObject>> {
  let byView = sharedBatches.get(version)
  if (byView === undefined) sharedBatches.set(version, byView = new Map())
  const name = view?.version ?? ''
  let found = byView.get(name)
  if (found === undefined) byView.set(name, found = new SharedBatches())
  return found
}

/**
 * Turns the events of one watch into the bytes of its stream: one JSON event a line. The object's bytes are those that every other
 * reader gets, and watches that are told the same in one turn are sent the same bytes. A Table is a watch's own: it names its columns in the
 * first event only, and its ages are those of the watch.
 */
export class WatchFrames {
  readonly #presentation: Presentation
  readonly #kind: string
  readonly #shared: SharedBatches<CacheWatchEvent<ServedObject>> | undefined
  #first = true

  constructor (presentation: Presentation, kind: string) {
    this.#presentation = presentation
    this.#kind = kind
    this.#shared = presentation.format.view?.kind === 'Table' ? undefined : batchesOf(presentation)
  }

  /** The bytes of some events, which the caller does not change. */
  bytes (events: readonly CacheWatchEvent<ServedObject>[]): Buffer {
    const make = (): Buffer => {
      const pieces: Buffer[] = []
      for (const event of events) this.#push(event, pieces)
      return Buffer.concat(pieces)
    }
    return this.#shared === undefined ? make() : this.#shared.of(events, make)
  }

  #push (event: CacheWatchEvent<ServedObject>, pieces: Buffer[]): void {
    if (event.type === 'BOOKMARK') pieces.push(this.#bookmark(event.revision.toString(), event.initialEventsEnd))
    else pieces.push(start[event.type], ...this.#object(event.item.value), end)
    this.#first = false
  }

  #object (object: ServedObject): Buffer[] {
    const { version, format: { view } } = this.#presentation
    if (view === undefined) return [object.bytes(version)]
    if (view.kind !== 'Table') return [metadataBytes(object, { kind: 'PartialObjectMetadata', version: view.version })]
    const meta = { resourceVersion: object.revision.toString(), continueToken: '', remainingItemCount: undefined }
    return tableBytes([object], meta, this.#presentation, { headers: this.#first })
  }

  #bookmark (resourceVersion: string, initialEventsEnd: boolean): Buffer {
    const { version, format: { view } } = this.#presentation
    const metadata = { resourceVersion, ...(initialEventsEnd && { annotations: { 'k8s.io/initial-events-end': 'true' } }) }
    const partial = { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${view?.version ?? 'v1'}`, metadata }
    const object = view === undefined
      ? { apiVersion: version.apiVersion, kind: this.#kind, metadata }
      : view.kind === 'Table' ? tableBookmark(version, view.version, resourceVersion, partial, this.#first ? columnDefinitions(version) : null) : partial
    return Buffer.from(`{"type":"BOOKMARK","object":${printInOrder(object)}}\n`)
  }
}

/** The event with which a stream that has begun reports a failure. */
export const errorFrame = (status: Status): Buffer => Buffer.from(`{"type":"ERROR","object":${printInOrder(status)}}\n`)
