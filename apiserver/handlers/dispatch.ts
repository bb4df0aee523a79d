import type { Resource, ResourceVersion } from '../../registry/generic/resource.js'
import { newMethodNotAllowed, newMethodNotSupported, newNotFound } from '../../registry/meta/status-error.js'
import type { RequestContext } from '../request-context.js'
import type { ResourceRequestInfo } from '../request-info.js'
import { handleCreate } from './create.js'
import { handleDelete, handleDeleteCollection } from './delete.js'
import { handleGet } from './get.js'
import { handleList } from './list.js'
import { handlePatch } from './patch.js'
import { handleGetScale, handlePatchScale, handleUpdateScale } from './scale.js'
import type { RequestScope } from './scope.js'
import { handleUpdate } from './update.js'
import { handleWatch } from './watch.js'

type Handler = (context: RequestContext, scope: RequestScope) => Promise<void>

/** What each method does at each kind of URL. What is not here is a 405. */
const collection: Readonly<Record<string, Handler>> = { GET: handleList, POST: handleCreate, DELETE: handleDeleteCollection }
const object: Readonly<Record<string, Handler>> = { GET: handleGet, PUT: handleUpdate, PATCH: handlePatch, DELETE: handleDelete }
const status: Readonly<Record<string, Handler>> = { GET: handleGet, PUT: handleUpdate, PATCH: handlePatch }
const scale: Readonly<Record<string, Handler>> = { GET: handleGetScale, PUT: handleUpdateScale, PATCH: handlePatchScale }

/** A path that nothing answers: a plain-text 404, as Go's muxer writes it. */
export class PageNotFound extends Error { override readonly name = 'PageNotFound' }

export interface Endpoint { readonly handler: Handler; readonly scope: RequestScope }

/** Finds who answers a resource request. @throws StatusError 404, 405 */
export class Endpoints {
  readonly #scopes = new Map<string, RequestScope>()
  readonly #groups = new Set<string>()

  /** @param makeScope called once per version and subresource that exists */
  constructor (resources: readonly Resource[], makeScope: (resource: Resource, version: ResourceVersion, subresource: RequestScope['subresource']) => RequestScope) {
    for (const resource of resources) {
      this.#groups.add(resource.group)
      for (const version of resource.versions) {
        if (!version.served) continue
        const key = `${version.apiVersion}/${resource.names.plural}`
        this.#scopes.set(key, makeScope(resource, version, ''))
        if (version.subresources.status) this.#scopes.set(`${key}/status`, makeScope(resource, version, 'status'))
        if (version.subresources.scale) this.#scopes.set(`${key}/scale`, makeScope(resource, version, 'scale'))
      }
    }
  }

  /** Whether a path below `/apis` belongs to a group of this server. */
  servesGroup (group: string): boolean { return this.#groups.has(group) }

  /** @param deprecated told of the version's warning as soon as the resource is known, for refused requests too */
  find (method: string, info: ResourceRequestInfo, deprecated: (warning: string) => void): Endpoint {
    const main = this.#scopes.get(`${info.group}/${info.version}/${info.resource}`)
    if (main === undefined || info.parts.length > 3) throw new PageNotFound()
    if (main.version.deprecationWarning !== undefined) deprecated(main.version.deprecationWarning)
    const { resource } = main
    if (!resource.namespaced && info.namespace !== '') throw new PageNotFound()
    const named = info.parts.length > 1
    if (resource.namespaced && info.namespace === '' && named) throw new PageNotFound()
    const scope = info.subresource === '' ? main : this.#scopes.get(`${info.group}/${info.version}/${info.resource}/${info.subresource}`)
    if (scope === undefined) throw newNotFound(resource.groupResource, info.parts[1]!)
    const handlers = scope.subresource === 'scale' ? scale : scope.subresource === 'status' ? status : named ? object : collection
    // Behind the prefix /watch/ every method was authorized as a watch: nothing else may come of it.
    const handler = info.verb !== 'watch' ? handlers[method] : method === 'GET' && scope.subresource === '' ? handleWatch : undefined
    const everywhere = resource.namespaced && info.namespace === '' && (method === 'POST' || method === 'DELETE')
    if (handler === undefined && scope.subresource !== '') throw newMethodNotSupported(resource.groupResource, info.verb)
    if (handler === undefined || everywhere) throw newMethodNotAllowed()
    return { handler, scope }
  }
}
