import type { Resource } from '../../registry/generic/resource.js'
import { negotiateObject, type Conversion } from './accept.js'
import { aggregatedDiscovery, aggregatedParameters } from './aggregated.js'
import { headerValue, withoutTrailingSlash, type DocumentRequest, type DocumentResponse } from './document.js'
import { groupsOf, type Group, type GroupVersion } from './group-version.js'
import { indented, notAcceptable, ObjectDocument } from './object-document.js'
import { apiResources } from './resource-list.js'
import type { ServerVersion } from './server-version.js'
import type { VirtualGroupVersion } from './virtual-resource.js'

export interface DiscoveryOptions {
  readonly resources: readonly Resource[]
  /** Group versions whose resources are computed. */
  readonly virtual?: readonly VirtualGroupVersion[]
  readonly version: ServerVersion
  /** Every path served beside the groups', for `GET /`. Default: the paths that any server has. */
  readonly rootPaths?: readonly string[]
}

const defaultRootPaths = ['/healthz', '/livez', '/readyz', '/metrics', '/openapi/v2', '/openapi/v3', '/openapi/v3/', '/version']

/**
 * The discovery documents: `/`, `/apis` (plain and aggregated), `/apis/G`, `/apis/G/V` and `/version`. What they say is settled when the
 * resources are given, their bytes are made once, at the first answer; `rebuild` replaces them at once when resources come or go.
 *
 * `/api` and `/api/v1` are there if something is in the core group. A path that has no document is undefined: the caller answers 404.
 * Source: k8s.io/apiserver's discovery package, and what kube-apiserver lists for CustomResourceDefinitions; KEP-3352.
 */
export class Discovery {
  readonly #options: Omit<DiscoveryOptions, 'resources'>
  #resources: readonly Resource[]
  #documents: ReadonlyMap<string, ObjectDocument>
  /** By path. */
  #aggregated: ReadonlyMap<string, ObjectDocument>
  #root: Buffer
  readonly #version: Buffer

  constructor (options: DiscoveryOptions) {
    this.#options = options
    this.#resources = options.resources
    this.#version = indented(options.version)
    const built = build(options)
    this.#documents = built.documents
    this.#aggregated = built.aggregated
    this.#root = built.root
  }

  /** Builds every document anew, of these resources (default: those it has) and what the virtual ones now are. */
  rebuild (resources: readonly Resource[] = this.#resources): void {
    const built = build({ ...this.#options, resources })
    this.#resources = resources
    this.#documents = built.documents
    this.#aggregated = built.aggregated
    this.#root = built.root
  }

  /** The answer to a GET, or undefined for a path without a document. */
  handle (request: DocumentRequest): DocumentResponse | undefined {
    // These two are written without negotiation by the Go server, and always indented.
    if (request.path === '/') return json(this.#root)
    const path = withoutTrailingSlash(request.path)
    if (path === '/version') return json(this.#version)

    const document = this.#documents.get(path)
    if (document === undefined) return undefined
    const aggregated = this.#aggregated.get(path)
    const negotiated = negotiateObject(headerValue(request, 'accept'), aggregated === undefined ? () => false : isAggregated)
    if (negotiated === undefined) return notAcceptable()
    if (negotiated.conversion === undefined) return document.respond(request, negotiated)
    return aggregated!.respond(request, negotiated, { 'content-type': negotiated.mediaType + aggregatedParameters, 'cache-control': 'public' })
  }
}

const json = (body: Buffer): DocumentResponse => ({ status: 200, headers: { 'content-type': 'application/json' }, body })

const isAggregated = ({ group, version, kind }: Conversion): boolean =>
  group === 'apidiscovery.k8s.io' && version === 'v2' && kind === 'APIGroupDiscoveryList'

function build (options: DiscoveryOptions): { documents: Map<string, ObjectDocument>; aggregated: Map<string, ObjectDocument>; root: Buffer } {
  const all = groupsOf(options.resources, options.virtual)
  const [core, groups] = [all.filter(g => g.name === ''), all.filter(g => g.name !== '')]
  const documents = new Map<string, ObjectDocument>()
  const aggregated = new Map([['/apis', new ObjectDocument(() => aggregatedDiscovery(groups))]])
  for (const { versions } of core) {
    documents.set('/api', new ObjectDocument(() => ({ kind: 'APIVersions', versions: versions.map(v => v.version), serverAddressByClientCIDRs: [] })))
    aggregated.set('/api', new ObjectDocument(() => aggregatedDiscovery(core)))
    for (const version of versions) documents.set(`/api/${version.name}`, resourceList(version))
  }
  documents.set('/apis', new ObjectDocument(() => ({ kind: 'APIGroupList', apiVersion: 'v1', groups: groups.map(apiGroup) })))
  for (const group of groups) {
    documents.set(`/apis/${group.name}`, new ObjectDocument(() => ({ kind: 'APIGroup', apiVersion: 'v1', ...apiGroup(group) })))
    for (const version of group.versions) documents.set(`/apis/${version.name}`, resourceList(version))
  }
  const paths = [...new Set([...documents.keys(), ...options.rootPaths ?? defaultRootPaths])].sort()
  return { documents, aggregated, root: indented({ paths }) }
}

const resourceList = (version: GroupVersion): ObjectDocument =>
  new ObjectDocument(() => ({ kind: 'APIResourceList', apiVersion: 'v1', groupVersion: version.name, resources: apiResources(version) }))

const groupVersionForDiscovery = (version: GroupVersion | undefined): object => ({ groupVersion: version?.name, version: version?.version })

const apiGroup = ({ name, versions }: Group): object =>
  ({ name, versions: versions.map(groupVersionForDiscovery), preferredVersion: groupVersionForDiscovery(versions[0]) })
