import type { JsonObject } from '../../registry/codec/value.js'
import type { KubeObject } from '../../registry/meta/object-meta.js'
import type { WritingOptions } from '../handlers/options.js'
import { scaleKind } from '../handlers/scale-object.js'
import { target, type RequestScope } from '../handlers/scope.js'
import type { RequestContext } from '../request-context.js'
import type { AdmissionAttributes, Operation } from './interfaces.js'

/** The options of a write as an object of `meta.k8s.io/v1`. */
export interface RequestOptions {
  /** A patch is an update to admission, and a create if there was nothing to patch. */
  readonly kind: 'CreateOptions' | 'UpdateOptions' | 'DeleteOptions'
  readonly dryRun: boolean
  readonly fields: Readonly<Record<string, unknown>>
}

/** The options of a create, update or patch. */
export function requestOptions (kind: 'CreateOptions' | 'UpdateOptions', context: RequestContext, options: WritingOptions): RequestOptions {
  const fieldValidation = context.query.get('fieldValidation')
  return { kind, dryRun: options.dryRun, fields: { ...(options.fieldManager !== '' && { fieldManager: options.fieldManager }), ...(fieldValidation && { fieldValidation }) } }
}

/** Admission for one request: the handlers' view of the chain. Where nobody has to be asked, nothing is made. */
export class RequestAdmission {
  readonly #context: RequestContext
  readonly #scope: RequestScope
  readonly #options: RequestOptions

  private constructor (context: RequestContext, scope: RequestScope, options: RequestOptions) {
    this.#context = context
    this.#scope = scope
    this.#options = options
  }

  /** Undefined on a server without admission. */
  static of (context: RequestContext, scope: RequestScope, options: RequestOptions): RequestAdmission | undefined {
    return scope.admission === undefined ? undefined : new RequestAdmission(context, scope, options)
  }

  /** The object may be changed in place. @param old undefined for an object that will be created. @throws StatusError */
  async admit (object: KubeObject, old: KubeObject | undefined): Promise<void> {
    const operation = old === undefined ? 'CREATE' : 'UPDATE'
    if (this.#scope.admission!.handles(operation)) await this.#scope.admission!.admit(this.#attributes(operation, object, old))
  }

  /** @throws StatusError */
  async validate (object: KubeObject, old: KubeObject | undefined): Promise<void> {
    const operation = old === undefined ? 'CREATE' : 'UPDATE'
    if (this.#scope.admission!.handles(operation)) await this.#scope.admission!.validate(this.#attributes(operation, object, old))
  }

  /** Both phases of a deletion. @throws StatusError */
  async delete (old: KubeObject): Promise<void> {
    const { admission } = this.#scope
    if (!admission!.handles('DELETE')) return
    const attributes = this.#attributes('DELETE', undefined, old)
    await admission!.admit(attributes)
    await admission!.validate(attributes)
  }

  #attributes (operation: Operation, object: KubeObject | undefined, oldObject: KubeObject | undefined): AdmissionAttributes {
    const { resource, version, subresource } = this.#scope
    const { kind, dryRun, fields } = this.#options
    const { namespace, name } = target(this.#context)
    return {
      operation,
      resource: { group: resource.group, version: version.name, resource: resource.names.plural },
      kind: subresource === 'scale' ? scaleKind : { group: resource.group, version: version.name, kind: resource.names.kind },
      subresource,
      namespace: resource.namespaced ? namespace : '',
      // A create has no name in its URL.
      name: name || (operation === 'CREATE' ? object?.metadata.name ?? '' : ''),
      object,
      oldObject,
      options: { kind: operation === 'CREATE' ? 'CreateOptions' : kind, apiVersion: 'meta.k8s.io/v1', ...(dryRun && { dryRun: ['All'] }), ...fields } as JsonObject,
      dryRun,
      user: this.#context.user,
      warn: text => { this.#context.warnings.add(text) },
      annotate: (key, value) => { this.#context.audit?.annotate(key, value) },
      signal: this.#context.signal
    }
  }
}
