import { createRequire } from 'node:module'
import { printInOrder } from '../../registry/codec/json-print.js'
import { newNotAcceptable } from '../../registry/meta/status-error.js'
import { contentHash, emptyBody, headerValue, matchesETag, wantsPretty, type DocumentRequest, type DocumentResponse } from './document.js'
import type { Negotiated } from './accept.js'

const require = createRequire(import.meta.url)

/**
 * One Kubernetes object as bytes, each form made when it is first asked for: of the documents that are built anew whenever a metric comes
 * or goes, most are never read. Members are printed in the order of the object given, as Go prints a struct.
 */
export class ObjectDocument {
  readonly #make: () => object
  #made: { readonly object: object; readonly json: Buffer; readonly etag: string } | undefined
  #pretty: Buffer | undefined
  #yaml: Buffer | undefined

  /** @param make called once, later */
  constructor (make: () => object) { this.#make = make }

  /** The quoted hash of the compact JSON. */
  get etag (): string { return this.#content.etag }

  get #content (): { readonly object: object; readonly json: Buffer; readonly etag: string } {
    if (this.#made === undefined) {
      const object = this.#make()
      const json = Buffer.from(printInOrder(object) + '\n')
      this.#made = { object, json, etag: `"${contentHash(json.subarray(0, -1))}"` }
    }
    return this.#made
  }

  /**
   * The object in the negotiated form, or 304 where the client has it.
   * @param headers further headers; `content-type` overrides the plain media type
   */
  respond (request: DocumentRequest, negotiated: Negotiated, headers: Readonly<Record<string, string>> = {}): DocumentResponse {
    const cacheHeaders = { etag: this.etag, vary: 'Accept', ...headers }
    if (matchesETag(headerValue(request, 'if-none-match'), this.etag)) {
      return { status: 304, headers: withoutContentType(cacheHeaders), body: emptyBody }
    }
    return { status: 200, headers: { 'content-type': negotiated.mediaType, ...cacheHeaders }, body: this.#body(request, negotiated) }
  }

  #body (request: DocumentRequest, negotiated: Negotiated): Buffer {
    if (negotiated.mediaType === 'application/yaml') return this.#yaml ??= Buffer.from(toYaml(this.#content.object))
    if (negotiated.pretty || wantsPretty(request)) return this.#pretty ??= indented(this.#content.object)
    return this.#content.json
  }
}

/** JSON with two spaces and no final newline, as the Go server prints for people. */
export const indented = (object: object): Buffer => Buffer.from(printInOrder(object, 2))

/** YAML as sigs.k8s.io/yaml prints it: sorted keys, sequences not indented, long strings on one line. */
const toYaml = (object: object): string =>
  // Loaded when somebody wants YAML, which hardly anybody does.
  (require('yaml') as typeof import('yaml')).stringify(object, { sortMapEntries: true, indentSeq: false, lineWidth: 0, aliasDuplicateObjects: false, version: '1.1' })

const withoutContentType = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'content-type'))

/** 406 with a Status: none of the clauses of the Accept header can be served. */
export function notAcceptable (): DocumentResponse {
  // The text lists what Kubernetes' object endpoints negotiate, protobuf among them, because clients' expectations are recorded so.
  const { status } = newNotAcceptable('only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf')
  return { status: 406, headers: { 'content-type': 'application/json' }, body: indented(status) }
}
