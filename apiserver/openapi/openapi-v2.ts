import type { Resource } from '../../registry/generic/resource.js'
import { negotiateMediaType } from '../discovery/accept.js'
import { emptyBody, headerValue, type DocumentRequest, type DocumentResponse } from '../discovery/document.js'
import { groupsOf } from '../discovery/group-version.js'
import { CachedDocument, type Encoding } from './cached-document.js'
import { swaggerDocument } from './document-v2.js'
import { operationsOf, type OpenAPIOptions } from './openapi-v3.js'
import { swaggerProtobuf } from './swagger-protobuf.js'

const protobuf: Encoding = { contentType: 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf', encode: swaggerProtobuf }
/** The media types of Accept; the one with `@`, which is no valid media type, is what old clients, kubectl among them, ask for. */
const mediaTypes = ['application/json', protobuf.contentType, 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf']

/**
 * `/openapi/v2`: one Swagger document of all groups, built when it is first asked for, as JSON (the kube-aggregator reads that) or
 * protobuf (kubectl reads that of a server that stands alone).
 * Source: k8s.io/kube-openapi, handler.
 */
export class OpenAPIV2 {
  readonly #options: Omit<OpenAPIOptions, 'resources'>
  #documents: Record<'json' | 'protobuf', CachedDocument>

  constructor ({ resources, ...options }: OpenAPIOptions) {
    this.#options = options
    this.#documents = this.#documentsOf(resources)
  }

  /** Replaces the resources. */
  rebuild (resources: readonly Resource[]): void {
    this.#documents = this.#documentsOf(resources)
  }

  /** The answer to a GET, or undefined for another path. */
  handle (request: DocumentRequest): DocumentResponse | undefined {
    if (request.path !== '/openapi/v2') return undefined
    const accepted = negotiateMediaType(headerValue(request, 'accept'), mediaTypes)
    if (accepted === undefined) return { status: 406, headers: { vary: 'Accept' }, body: emptyBody }
    return this.#documents[accepted === 'application/json' ? 'json' : 'protobuf'].respond(request)
  }

  #documentsOf (resources: readonly Resource[]): Record<'json' | 'protobuf', CachedDocument> {
    const { info, operations = [], now = () => new Date() } = this.#options
    const build = (): object => {
      const groups = groupsOf(resources)
      return swaggerDocument(groups, info, groups.flatMap(group => group.versions).flatMap(groupVersion => operationsOf(operations, groupVersion)))
    }
    return { json: new CachedDocument(build, now), protobuf: new CachedDocument(build, now, protobuf) }
  }
}
