import { apiVersionOf, type GroupVersionResource, type KubeObject } from '../../registry/meta/object-meta.js'
import { isExpired } from './errors.js'
import type { ApplyOptions, DeleteOptions, ListOptions, ObjectList, ObjectName, PatchOptions, RequestContext, ResourceClient, Watch, WatchOptions, WriteOptions } from './interfaces.js'
import type { RestClient } from './rest-client.js'
import { WatchStream } from './watch-stream.js'

/** client-go's. */
const defaultPageSize = 500
const patchTypes = { json: 'application/json-patch+json', merge: 'application/merge-patch+json', 'strategic-merge': 'application/strategic-merge-patch+json' } as const

type Query = Readonly<Record<string, string | number | boolean | undefined>>

interface RawList<T> {
  readonly kind?: string
  readonly apiVersion?: string
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string }
  readonly items?: T[] | null
}

/** The verbs of a resource over a {@link RestClient}. */
export class RestResourceClient<T extends KubeObject> implements ResourceClient<T> {
  readonly gvr: GroupVersionResource
  readonly #client: RestClient

  constructor (client: RestClient, gvr: GroupVersionResource) {
    this.#client = client
    this.gvr = gvr
  }

  async get (name: ObjectName, { signal }: RequestContext = {}): Promise<T> {
    return await this.#client.request({ method: 'GET', path: this.#path(name), signal }) as T
  }

  async list (options: ListOptions = {}, { signal }: RequestContext = {}): Promise<ObjectList<T>> {
    const { namespace, continueToken, limit = defaultPageSize, ...query } = options
    const path = this.#path({ namespace }) + queryText({ ...query, continue: continueToken, limit: limit === 0 ? undefined : limit })
    const { kind = '', apiVersion, metadata, items } = await this.#client.request({ method: 'GET', path, signal }) as RawList<T>
    const itemMeta = { apiVersion: apiVersion ?? apiVersionOf(this.gvr), kind: kind.replace(/List$/, '') }
    return {
      items: (items ?? []).map(item => ({ ...itemMeta, ...item })),
      resourceVersion: metadata?.resourceVersion ?? '',
      ...(metadata?.continue !== undefined && metadata.continue !== '' && { continueToken: metadata.continue })
    }
  }

  async listAll (options: ListOptions = {}, context: RequestContext = {}): Promise<ObjectList<T>> {
    const items: T[] = []
    let page: ListOptions = options
    for (;;) {
      let list: ObjectList<T>
      try {
        list = await this.list(page, context)
      } catch (error) {
        if (!isExpired(error) || page.continueToken === undefined) throw error
        // The token outlived its revision. One piece has no token.
        const whole = await this.list({ ...options, limit: 0 }, context)
        return { items: whole.items, resourceVersion: whole.resourceVersion, paginated: true }
      }
      for (const item of list.items) items.push(item)
      if (list.continueToken === undefined) return { items, resourceVersion: list.resourceVersion, paginated: page !== options }
      // The token says at which revision.
      page = { ...options, resourceVersion: undefined, resourceVersionMatch: undefined, continueToken: list.continueToken }
    }
  }

  async watch (options: WatchOptions = {}, { signal }: RequestContext = {}): Promise<Watch<T>> {
    const { namespace, ...query } = options
    const response = await this.#client.stream(this.#path({ namespace }) + queryText({ ...query, watch: true }), signal)
    return new WatchStream<T>(response)
  }

  async create (object: T, { signal, subresource, ...options }: WriteOptions = {}): Promise<T> {
    const { namespace, name } = object.metadata
    const path = subresource === undefined ? this.#path({ namespace }) : this.#path({ namespace, name }, subresource)
    return await this.#client.request({ method: 'POST', path: path + writeQuery(options), body: object, signal }) as T
  }

  async update (object: T, { signal, subresource, ...options }: WriteOptions = {}): Promise<T> {
    return await this.#client.request({ method: 'PUT', path: this.#path(nameOf(object), subresource) + writeQuery(options), body: object, signal }) as T
  }

  async patch (name: ObjectName, patch: unknown, { signal, subresource, type, ...options }: PatchOptions): Promise<T> {
    return await this.#client.request({ method: 'PATCH', path: this.#path(name, subresource) + writeQuery(options), body: patch, contentType: patchTypes[type], signal }) as T
  }

  async apply (object: Partial<T> & KubeObject, { signal, subresource, force, ...options }: ApplyOptions): Promise<T> {
    // JSON is YAML; the media type +json came with 1.35 and older servers refuse it.
    const path = this.#path(nameOf(object), subresource) + writeQuery({ ...options, force })
    return await this.#client.request({ method: 'PATCH', path, body: object, contentType: 'application/apply-patch+yaml', signal }) as T
  }

  async delete (name: ObjectName, { signal, dryRun = false, ...options }: DeleteOptions = {}): Promise<void> {
    const body = { apiVersion: 'v1', kind: 'DeleteOptions', ...options, ...(dryRun && { dryRun: ['All'] }) }
    await this.#client.request({ method: 'DELETE', path: this.#path(name), body, signal })
  }

  #path ({ namespace, name }: { readonly namespace?: string | undefined; readonly name?: string | undefined }, subresource?: string): string {
    const { group, version, resource } = this.gvr
    const segments = [
      ...(group === '' ? ['api', version] : ['apis', group, version]),
      ...(namespace === undefined || namespace === '' ? [] : ['namespaces', namespace]),
      resource,
      ...(name === undefined ? [] : [name]),
      ...(subresource === undefined ? [] : [subresource])
    ]
    return `/${segments.map(encodeURIComponent).join('/')}`
  }
}

function nameOf (object: KubeObject): ObjectName {
  const { namespace, name } = object.metadata
  // Without this, an update would be one of the collection.
  if (name === undefined || name === '') throw new TypeError(`a ${object.kind} without a name cannot be written`)
  return { namespace, name }
}

const writeQuery = ({ fieldManager, dryRun, force }: { readonly fieldManager?: string | undefined, readonly dryRun?: boolean | undefined, readonly force?: boolean | undefined }): string =>
  queryText({ fieldManager, force, dryRun: dryRun === true ? 'All' : undefined })

function queryText (query: Query): string {
  const parts = Object.entries(query).filter(([, v]) => v !== undefined && v !== '').map(([k, v]) => `${k}=${encodeURIComponent(String(v))}`)
  return parts.length === 0 ? '' : `?${parts.join('&')}`
}
