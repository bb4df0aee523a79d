import type { Resource, ResourceVersion } from '../../registry/generic/resource.js'
import type { Store } from '../../registry/generic/store/store.js'
import type { AdmissionChain } from '../admission/chain.js'
import type { EndingNamespaces } from '../admission/ending-namespaces.js'
import type { FieldManager } from '../apply/field-manager.js'
import { negotiateOutput, type OutputFormat } from '../negotiation/accept.js'
import type { RequestContext } from '../request-context.js'
import type { LargeAnswers } from '../responses/large-answers.js'
import type { Presentation } from '../responses/presentation.js'
import { tableOptions } from '../responses/table.js'

/** One endpoint: a resource in one version, or one of its subresources. What verb handlers work on. */
export interface RequestScope {
  readonly resource: Resource
  readonly version: ResourceVersion
  readonly subresource: '' | 'status' | 'scale'
  readonly store: Store
  readonly fieldManager: FieldManager
  /** Who is asked about writes; absent: nobody. */
  readonly admission: AdmissionChain | undefined
  /** Who lets namespaces end while the store is away; absent without a cluster. */
  readonly endingNamespaces: EndingNamespaces | undefined
  readonly limits: RequestLimits
  /** When a large list is put together. */
  readonly largeAnswers: LargeAnswers
  /** Whether the caller may also create, for a write that turns out to be one. @throws StatusError 403 */
  readonly authorizeCreate: (context: RequestContext) => Promise<void>
}

export interface RequestLimits {
  /** 3 MiB. */
  readonly bodyBytes: number
  /** A watch without timeoutSeconds lasts this long to twice as long. */
  readonly minWatchSeconds: number
}

/** What the caller wants the answer to look like. @throws StatusError 406 */
export function outputFormat (context: RequestContext, options: { stream?: boolean } = {}): OutputFormat {
  return negotiateOutput({ accept: context.header('accept'), userAgent: context.header('user-agent'), query: context.query }, options)
}

/** @throws StatusError 400 for bad Table options */
export function presentation (context: RequestContext, scope: RequestScope, format: OutputFormat): Presentation {
  return { version: scope.version, format, table: format.view?.kind === 'Table' ? tableOptions(context.query) : undefined, now: scope.store.now() }
}

/** The namespace and name of the path; both empty where the resource or the URL has none. */
export function target (context: RequestContext): { namespace: string; name: string } {
  const { info } = context
  return info.kind === 'resource' ? { namespace: info.namespace, name: info.parts[1] ?? '' } : { namespace: '', name: '' }
}
