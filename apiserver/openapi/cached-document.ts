import { gzipSync } from 'node:zlib'
import { printJson } from '../../registry/codec/json-print.js'
import type { JsonObject } from '../../registry/codec/value.js'
import { contentHash, emptyBody, headerValue, matchesETag, type DocumentRequest, type DocumentResponse } from '../discovery/document.js'

/** Shorter answers gain nothing by compression. */
const gzipFrom = 1400

/** How a document becomes bytes. */
export interface Encoding {
  readonly contentType: string
  readonly encode: (document: JsonObject) => Buffer
}

export const jsonEncoding: Encoding = { contentType: 'application/json', encode: document => Buffer.from(printJson(document)) }

/** A document that is built when it is first asked for, and kept as bytes. Keys are sorted, so that every replica has the same hash. */
export class CachedDocument {
  readonly #build: () => object
  readonly #now: () => Date
  readonly #encoding: Encoding
  #content: { bytes: Buffer; hash: string; lastModified: Date } | undefined
  #gzip: Buffer | undefined

  constructor (build: () => object, now: () => Date, encoding: Encoding = jsonEncoding) {
    this.#build = build
    this.#now = now
    this.#encoding = encoding
  }

  /** Upper-case hex SHA-512 of the bytes. Builds the document. */
  get hash (): string { return this.#built().hash }

  /** 200 with the document, plain or compressed, or 304 where the client has it. Range requests get the whole. */
  respond (request: DocumentRequest, headers: Readonly<Record<string, string>> = {}): DocumentResponse {
    const { bytes, hash, lastModified } = this.#built()
    const cacheHeaders = { etag: `"${hash}"`, 'last-modified': lastModified.toUTCString(), vary: 'Accept, Accept-Encoding', ...headers }
    if (isNotModified(request, cacheHeaders.etag, lastModified)) return { status: 304, headers: cacheHeaders, body: emptyBody }
    const found = { 'content-type': this.#encoding.contentType, ...cacheHeaders }
    if (bytes.length < gzipFrom || !acceptsGzip(headerValue(request, 'accept-encoding'))) return { status: 200, headers: found, body: bytes }
    return { status: 200, headers: { ...found, 'content-encoding': 'gzip' }, body: this.#gzip ??= gzipSync(bytes) }
  }

  #built (): { bytes: Buffer; hash: string; lastModified: Date } {
    if (this.#content === undefined) {
      const bytes = this.#encoding.encode(this.#build() as JsonObject)
      this.#content = { bytes, hash: contentHash(bytes), lastModified: this.#now() }
    }
    return this.#content
  }
}

function isNotModified (request: DocumentRequest, etag: string, lastModified: Date): boolean {
  const ifNoneMatch = headerValue(request, 'if-none-match')
  if (ifNoneMatch !== '') return matchesETag(ifNoneMatch, etag)
  const since = Date.parse(headerValue(request, 'if-modified-since'))
  return !Number.isNaN(since) && Math.floor(lastModified.getTime() / 1000) * 1000 <= since
}

/** Whether gzip, or any coding, is accepted with a weight above 0. */
export function acceptsGzip (acceptEncoding: string): boolean {
  const weights = new Map<string, number>()
  for (const part of acceptEncoding.toLowerCase().split(',')) {
    const [coding = '', weight] = part.split(';').map(text => text.trim())
    if (coding !== '') weights.set(coding, weight?.startsWith('q=') ? Number(weight.slice(2)) : 1)
  }
  return (weights.get('gzip') ?? weights.get('*') ?? 0) > 0
}
