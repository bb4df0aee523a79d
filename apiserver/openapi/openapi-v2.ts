import type { Resource } from '../../registry/generic/resource.js'
import { negotiateMediaType } from '../discovery/accept.js'
import { emptyBody, headerValue, type DocumentRequest, type DocumentResponse } from '../discovery/document.js'
import { groupsOf } from '../discovery/group-version.js'
import { CachedDocument } from './cached-document.js'
import { swaggerDocument } from './document-v2.js'
import type { OpenAPIOptions } from './openapi-v3.js'

/**
 * `/openapi/v2`: one Swagger document of all groups, built when it is first asked for, as JSON only. kubectl asks for protobuf, but
 * of the kube-aggregator, which makes it from this JSON.
 * Source: k8s.io/kube-openapi, handler.
 */
export class OpenAPIV2 {
  readonly #options: Omit<OpenAPIOptions, 'resources'>
  #document: CachedDocument

  constructor ({ resources, ...options }: OpenAPIOptions) {
    this.#options = options
    this.#document = this.#documentOf(resources)
  }

  /** Replaces the resources. */
  rebuild (resources: readonly Resource[]): void {
    this.#document = this.#documentOf(resources)
  }

  /** The answer to a GET, or undefined for another path. */
  handle (request: DocumentRequest): DocumentResponse | undefined {
    if (request.path !== '/openapi/v2') return undefined
    if (negotiateMediaType(headerValue(request, 'accept'), ['application/json']) === undefined) {
      return { status: 406, headers: { vary: 'Accept' }, body: emptyBody }
    }
    return this.#document.respond(request)
  }

  #documentOf (resources: readonly Resource[]): CachedDocument {
    const { info, now = () => new Date() } = this.#options
    return new CachedDocument(() => swaggerDocument(groupsOf(resources), info), now)
  }
}
