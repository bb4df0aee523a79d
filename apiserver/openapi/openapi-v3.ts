import type { Resource } from '../../registry/generic/resource.js'
import { negotiateMediaType } from '../discovery/accept.js'
import { emptyBody, headerValue, type DocumentRequest, type DocumentResponse } from '../discovery/document.js'
import { groupsOf, type GroupVersion } from '../discovery/group-version.js'
import { CachedDocument } from './cached-document.js'
import { groupListOperation, groupOperation, versionOperation } from './discovery-operations.js'
import { discoveryDocument, groupVersionDocument, type DocumentInfo } from './document-v3.js'
import type { Operation } from './operation.js'

export interface GroupVersionOperations { readonly group: string; readonly version: string; readonly operations: readonly Operation[] }

export interface OpenAPIOptions {
  readonly resources: readonly Resource[]
  /** Of group versions that have resources: operations that are of none of their kinds. */
  readonly operations?: readonly GroupVersionOperations[]
  readonly info: DocumentInfo
  readonly now?: () => Date
}

const prefix = '/openapi/v3/'

/**
 * `/openapi/v3`, the index of documents with their hashes, and `/openapi/v3/<path>`, a document for each group version, for each group,
 * for `/apis` and for `/version`. A document is built when it is first asked for; the index needs the hashes of all.
 *
 * Two things differ from the Go handler: a stale `hash` is answered with the document, not with a redirect, which a kube-aggregator would
 * refuse to follow; an unknown path below is 404, as from the aggregator itself.
 * Source: k8s.io/kube-openapi, handler3; KEP-2896 (OpenAPI v3).
 */
export class OpenAPIV3 {
  readonly #info: DocumentInfo
  readonly #now: () => Date
  readonly #operations: readonly GroupVersionOperations[]
  #groupVersions: ReadonlyMap<string, { groupVersion: GroupVersion; document: CachedDocument }> = new Map()
  #documents: ReadonlyMap<string, CachedDocument> = new Map()
  #index: CachedDocument

  constructor ({ resources, operations = [], info, now = () => new Date() }: OpenAPIOptions) {
    this.#operations = operations
    this.#info = info
    this.#now = now
    this.#index = this.#rebuilt(resources)
  }

  /** Replaces the resources. Documents of group versions that have not changed are kept. */
  rebuild (resources: readonly Resource[]): void {
    this.#index = this.#rebuilt(resources)
  }

  /** The answer to a GET, or undefined for a path outside `/openapi/v3`. */
  handle (request: DocumentRequest): DocumentResponse | undefined {
    if (request.path === '/openapi/v3') return this.#index.respond(request)
    if (!request.path.startsWith(prefix)) return undefined

    if (negotiateMediaType(headerValue(request, 'accept'), ['application/json']) === undefined) {
      return { status: 406, headers: { vary: 'Accept' }, body: emptyBody }
    }
    const document = this.#documents.get(request.path.slice(prefix.length))
    if (document === undefined) return { status: 404, headers: {}, body: emptyBody }
    return document.respond(request, request.query.get('hash') === document.hash ? this.#immutable() : {})
  }

  /** What the URL of an index with a matching hash answers can be kept for a year. */
  #immutable (): Record<string, string> {
    const expires = this.#now()
    expires.setUTCFullYear(expires.getUTCFullYear() + 1)
    return { 'cache-control': 'public, immutable', expires: expires.toUTCString() }
  }

  #rebuilt (resources: readonly Resource[]): CachedDocument {
    const groups = groupsOf(resources)
    const cached = (build: () => object): CachedDocument => new CachedDocument(build, this.#now)
    const info = this.#info
    const documents = new Map<string, CachedDocument>()
    documents.set('apis', cached(() => discoveryDocument([groupListOperation()], info)))
    documents.set('version', cached(() => discoveryDocument([versionOperation()], info)))
    const groupVersions = new Map<string, { groupVersion: GroupVersion; document: CachedDocument }>()
    for (const group of groups) {
      documents.set(`apis/${group.name}`, cached(() => discoveryDocument([groupOperation(group.name)], info)))
      for (const groupVersion of group.versions) {
        const before = this.#groupVersions.get(groupVersion.name)
        const document = before !== undefined && hasSameResources(before.groupVersion, groupVersion)
          ? before.document
          : cached(() => groupVersionDocument(groupVersion, info, operationsOf(this.#operations, groupVersion)))
        groupVersions.set(groupVersion.name, { groupVersion, document })
        documents.set(`apis/${groupVersion.name}`, document)
      }
    }
    this.#groupVersions = groupVersions
    this.#documents = documents
    return cached(() => indexOf(documents))
  }
}

export const operationsOf = (all: readonly GroupVersionOperations[], { group, version }: Pick<GroupVersion, 'group' | 'version'>): Operation[] =>
  all.flatMap(o => o.group === group && o.version === version ? o.operations : [])

const hasSameResources = (a: GroupVersion, b: GroupVersion): boolean =>
  a.resources.length === b.resources.length && a.resources.every((served, i) => served.version === b.resources[i]?.version)

const indexOf = (documents: ReadonlyMap<string, CachedDocument>): object => ({
  paths: Object.fromEntries([...documents].map(([path, document]) => [path, { serverRelativeURL: `${prefix}${path}?hash=${document.hash}` }]))
})
