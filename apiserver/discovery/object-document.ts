import { stringify } from 'yaml'
import { newNotAcceptable } from '../../registry/meta/status-error.js'
import { contentHash, emptyBody, headerValue, matchesETag, wantsPretty, type DocumentRequest, type DocumentResponse } from './document.js'
import type { Negotiated } from './accept.js'

/**
 * One Kubernetes object as bytes: compact JSON made at once, the two rarer forms (indented JSON, YAML) when first asked for.
 * Members are printed in the order of the object given, as Go prints a struct.
 */
export class ObjectDocument {
  readonly #object: object
  readonly #json: Buffer
  #pretty: Buffer | undefined
  #yaml: Buffer | undefined
  /** The quoted hash of the compact JSON. */
  readonly etag: string

  constructor (object: object) {
    this.#object = object
    const json = JSON.stringify(object)
    this.etag = `"${contentHash(json)}"`
    this.#json = Buffer.from(json + '\n')
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
    if (negotiated.mediaType === 'application/yaml') return this.#yaml ??= Buffer.from(toYaml(this.#object))
    if (negotiated.pretty || wantsPretty(request)) return this.#pretty ??= indented(this.#object)
    return this.#json
  }
}

/** JSON with two spaces and no final newline, as the Go server prints for people. */
export const indented = (object: object): Buffer => Buffer.from(JSON.stringify(object, undefined, 2))

/** YAML as sigs.k8s.io/yaml prints it: sorted keys, sequences not indented, long strings on one line. */
const toYaml = (object: object): string =>
  stringify(object, { sortMapEntries: true, indentSeq: false, lineWidth: 0, aliasDuplicateObjects: false, version: '1.1' })

const withoutContentType = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'content-type'))

/** 406 with a Status: none of the clauses of the Accept header can be served. */
export function notAcceptable (): DocumentResponse {
  // The text lists what Kubernetes' object endpoints negotiate, protobuf among them, because clients' expectations are recorded so.
  const { status } = newNotAcceptable('only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf')
  return { status: 406, headers: { 'content-type': 'application/json' }, body: indented(status) }
}
