import { printInOrder } from '../../registry/codec/json-print.js'
import { parseLabelSelector, SelectorError, type LabelSelector } from '../../registry/meta/label-selector.js'
import { isDns1123Label } from '../../registry/meta/names.js'
import { newBadRequest, newMethodNotSupported, newNotAcceptable, newNotFound, newServiceUnavailable, newStatusError } from '../../registry/meta/status-error.js'
import type { Store } from '../../registry/generic/store/store.js'
import type { VirtualGroupVersion } from '../discovery/virtual-resource.js'
import { PageNotFound } from '../handlers/dispatch.js'
import { outputFormat } from '../handlers/scope.js'
import type { VirtualApi } from '../http/virtual-api.js'
import type { RequestContext } from '../request-context.js'
import { truthy, type ResourceRequestInfo } from '../request-info.js'
import { respond } from '../responses/respond.js'
import { tableOptions } from '../responses/table.js'
import { encodeBytes } from '../responses/write-object.js'
import { namespaceTable } from './namespace-table.js'

export interface CoreApiOptions {
  readonly stores: readonly Pick<Store, 'cacher' | 'resource'>[]
  /** Of the stores, without a trailing slash. */
  readonly prefix: string
}

const groupResource = { group: '', resource: 'namespaces' }

/**
 * As much of the core group as clients of a server that stands alone need: kubectl knows `kind: List` only where a `v1` is discovered,
 * and asks for the Namespace when an object is not found. Namespaces are not stored here: every name that is valid can be used, and
 * the list shows `default` and those that hold objects. In a cluster kube-apiserver has all this, and it is not served.
 */
export class CoreApi implements VirtualApi {
  readonly #options: CoreApiOptions
  readonly virtual: readonly VirtualGroupVersion[] = [{
    group: '',
    version: 'v1',
    resources: () => [{ name: 'namespaces', singularName: 'namespace', namespaced: false, kind: 'Namespace', verbs: ['get', 'list'], shortNames: ['ns'] }]
  }]

  constructor (options: CoreApiOptions) { this.#options = options }

  serves (info: ResourceRequestInfo): boolean { return info.group === '' }

  /** @throws StatusError 400, 404, 405, 406, 503; PageNotFound */
  async handle (context: RequestContext): Promise<void> {
    const info = context.info as ResourceRequestInfo
    if (info.version !== 'v1' || info.resource !== 'namespaces' || info.parts.length > 2) throw new PageNotFound()
    if (!['GET', 'HEAD'].includes(context.req.method ?? '')) {
      throw newStatusError({ code: 405, reason: 'MethodNotAllowed', message: 'this server stands alone and stores no Namespaces: any namespace can be used without being created' })
    }
    if (info.verb === 'watch' || truthy(context.query.get('watch'))) throw newMethodNotSupported(groupResource, 'watch')
    const format = outputFormat(context)
    const table = format.view?.kind === 'Table' ? tableOptions(context.query) : undefined
    if (format.view !== undefined && table === undefined) throw newNotAcceptable('the only following views are accepted: Table')
    const [, one] = info.parts
    if (one !== undefined && isDns1123Label(one).length > 0) throw newNotFound(groupResource, one)
    const selector = selectorOf(context.query)
    const items = (one === undefined ? this.#names() : [one]).filter(n => info.name === '' || n === info.name).map(namespace).filter(n => selector.matches(n.metadata.labels))
    const answer = table !== undefined
      ? namespaceTable(items, format.view!.version, table)
      : one !== undefined ? { kind: 'Namespace', apiVersion: 'v1', ...items[0]! } : { kind: 'NamespaceList', apiVersion: 'v1', metadata: {}, items }
    await respond(context, { status: 200, ...encodeBytes([Buffer.from(printInOrder(answer))], format) })
  }

  #names (): string[] {
    const names = new Set(['default'])
    for (const { cacher, resource } of this.#options.stores) {
      if (!resource.namespaced) continue
      if (!cacher.ready()) throw newServiceUnavailable('the stored objects have not been read yet', 1)
      const scope = `${this.#options.prefix}/${resource.group}/${resource.names.plural}/`
      // From one namespace to the next, whatever the number of objects in each.
      for (let startKey = scope; ;) {
        const [found] = cacher.list({ scope, startKey, limit: 1 }).items
        if (found === undefined) break
        const name = found.key.slice(scope.length, found.key.indexOf('/', scope.length))
        names.add(name)
        startKey = `${scope}${name}0` // '0' follows '/'
      }
    }
    return [...names].sort()
  }
}

function selectorOf (query: URLSearchParams): LabelSelector {
  try {
    return parseLabelSelector(query.get('labelSelector') ?? '')
  } catch (error) {
    throw error instanceof SelectorError ? newBadRequest(error.message) : error
  }
}

export type NamespaceObject = ReturnType<typeof namespace>

const namespace = (name: string) => ({ metadata: { name, labels: { 'kubernetes.io/metadata.name': name } }, spec: { finalizers: ['kubernetes'] }, status: { phase: 'Active' } })
