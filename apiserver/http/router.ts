import type { Resource, ResourceVersion } from '../../registry/generic/resource.js'
import type { Store } from '../../registry/generic/store/store.js'
import { convertBetween } from '../../registry/generic/conversion.js'
import { cloneJson } from '../../registry/codec/json-clone.js'
import { asJson, type KubeObject } from '../../registry/meta/object-meta.js'
import { newMethodNotAllowed } from '../../registry/meta/status-error.js'
import { ConversionError } from '../apply/errors.js'
import { FieldManager } from '../apply/field-manager.js'
import { FieldSet } from '../apply/field-set.js'
import { fieldPath } from '../apply/path-element.js'
import type { AdmissionChain } from '../admission/chain.js'
import type { EndingNamespaces } from '../admission/ending-namespaces.js'
import type { Authorizer } from '../authorization/interfaces.js'
import type { Discovery } from '../discovery/discovery.js'
import type { DocumentRequest, DocumentResponse } from '../discovery/document.js'
import { attributesOf, authorize } from '../filters/authorization.js'
import { Endpoints, PageNotFound } from '../handlers/dispatch.js'
import type { RequestLimits, RequestScope } from '../handlers/scope.js'
import { handleWatch } from '../handlers/watch.js'
import type { HealthChecks } from '../health/health-checks.js'
import type { Metrics } from '../metrics/metrics.js'
import type { RequestContext } from '../request-context.js'
import { LargeAnswers } from '../responses/large-answers.js'
import { respond } from '../responses/respond.js'
import type { WatchSink } from '../responses/watch-sink.js'
import type { VirtualApi } from './virtual-api.js'

export interface RouterOptions {
  readonly resources: readonly Resource[]
  readonly storeOf: ReadonlyMap<Resource, Store>
  readonly authorizer: Authorizer
  readonly admission?: AdmissionChain | undefined
  readonly endingNamespaces?: EndingNamespaces | undefined
  readonly discovery: Discovery
  readonly openapi: readonly { handle: (request: DocumentRequest) => DocumentResponse | undefined }[]
  readonly health: HealthChecks
  readonly metrics: Metrics
  /** Asked before the stored resources. */
  readonly virtual: readonly VirtualApi[]
  readonly limits: RequestLimits
}

/** Finds who answers a request that has passed the filters: a resource's verb handler, or one of the server's own documents. */
export class Router {
  readonly #options: RouterOptions
  readonly #endpoints: Endpoints
  readonly #largeAnswers = new LargeAnswers()

  constructor (options: RouterOptions) {
    this.#options = options
    this.#endpoints = new Endpoints(options.resources, (resource, version, subresource) => this.#scope(resource, version, subresource))
  }

  async handle (context: RequestContext, open?: (context: RequestContext) => WatchSink): Promise<void> {
    const { info } = context
    if (info.kind === 'path') return this.#document(context)
    const virtual = this.#options.virtual.find(v => v.serves(info))
    if (virtual !== undefined) {
      context.routed = true
      return virtual.handle(context)
    }
    const { handler, scope } = this.#endpoints.find(context.req.method ?? 'GET', info, warning => {
      context.warnings.add(warning)
      this.#options.metrics.deprecatedApis.set({ group: info.group, version: info.version, resource: info.resource, subresource: info.subresource, removed_release: '' }, 1)
    })
    context.routed = true
    if (handler !== handleWatch) return handler(context, scope)
    const ended = this.#options.metrics.longRunning(context)
    try {
      await handleWatch(context, scope, open)
    } finally {
      ended()
    }
  }

  async #document (context: RequestContext): Promise<void> {
    const { path, query } = context
    const health = await this.#options.health.handle(path, query)
    if (health !== undefined) return respond(context, health)
    if (path === '/metrics') {
      const { metrics } = this.#options
      return respond(context, { status: 200, contentType: metrics.registry.contentType, body: Buffer.from(await metrics.text()) })
    }
    const request: DocumentRequest = { path, query, headers: context.req.headers }
    for (const source of [this.#options.discovery, ...this.#options.openapi]) {
      const found = source.handle(request)
      if (found === undefined) continue
      if (context.req.method !== 'GET' && context.req.method !== 'HEAD') throw newMethodNotAllowed()
      return respond(context, { status: found.status, body: found.body, headers: found.headers, compressible: false })
    }
    throw new PageNotFound()
  }

  #scope (resource: Resource, version: ResourceVersion, subresource: RequestScope['subresource']): RequestScope {
    const { admission, authorizer, endingNamespaces, limits, storeOf } = this.#options
    return {
      resource, version, subresource, limits,
      largeAnswers: this.#largeAnswers,
      admission: admission?.of(resource.groupResource),
      endingNamespaces,
      store: storeOf.get(resource)!,
      fieldManager: fieldManagerFor(resource, version, subresource),
      authorizeCreate: async context => {
        const attributes = attributesOf(context)
        await authorize(context, authorizer, { ...attributes, verb: 'create' })
      }
    }
  }
}

/**
 * What writes through an endpoint cannot change is not owned by them: main ignores status, status ignores the rest. As for custom
 * resources, main knows that of its own version only, so a write in one version takes removed status fields from managers of another.
 */
function fieldManagerFor (resource: Resource, version: ResourceVersion, subresource: RequestScope['subresource']): FieldManager {
  const resetFields = new Map<string, FieldSet>()
  for (const v of resource.versions) {
    if (v.subresources.status === undefined || subresource === 'scale' || (subresource === '' && v !== version)) continue
    resetFields.set(v.apiVersion, subresource === 'status' ? FieldSet.of(fieldPath('metadata'), fieldPath('spec')) : FieldSet.of(fieldPath('status')))
  }
  return new FieldManager({
    group: resource.group,
    kind: resource.names.kind,
    apiVersion: version.apiVersion,
    versions: resource.versions.map(v => ({ apiVersion: v.apiVersion, schema: v.schema })),
    convert: (object, apiVersion) => convert(resource, object, apiVersion),
    subresource,
    resetFields
  })
}

/** A copy of an object in another version of its kind. @throws ConversionError */
function convert (resource: Resource, object: KubeObject, apiVersion: string): KubeObject {
  const [from, to] = [object.apiVersion, apiVersion].map(a => resource.versions.find(v => v.apiVersion === a))
  if (from === undefined || to === undefined) throw new ConversionError(`request to convert CR to an invalid group/version: ${apiVersion}`)
  const copy = cloneJson(asJson(object)) as unknown as KubeObject
  return convertBetween(resource, from, to, copy)
}
