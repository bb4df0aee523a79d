import type { RequestContext } from '../request-context.js'
import type { ResourceRequestInfo } from '../request-info.js'

/** Resources that are computed, not stored: who answers for them instead of the verb handlers. */
export interface VirtualApi {
  serves: (info: ResourceRequestInfo) => boolean
  /** Answers a request that has been authorized. @throws StatusError; PageNotFound */
  handle: (context: RequestContext) => Promise<void>
}
