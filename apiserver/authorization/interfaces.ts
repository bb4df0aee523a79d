import { goQuote } from '../../registry/meta/go-format.js'
import { newForbidden, StatusError } from '../../registry/meta/status-error.js'
import type { UserInfo } from '../authentication/interfaces.js'

/** One requirement of a selector, as `authorization.k8s.io/v1` passes it on. */
export interface SelectorRequirement {
  readonly key: string
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist'
  readonly values?: readonly string[] | undefined
}

/** A request for a resource. */
export interface ResourceAttributes {
  readonly user: UserInfo
  readonly verb: string
  readonly resourceRequest: true
  readonly path: string
  readonly apiGroup: string
  readonly apiVersion: string
  readonly resource: string
  /** Empty for the resource itself. */
  readonly subresource: string
  /** Empty for cluster-scoped resources and requests across all namespaces. */
  readonly namespace: string
  /** Empty where the request is not about one object. */
  readonly name: string
  /** For list, watch and deletecollection. */
  readonly labelSelector?: readonly SelectorRequirement[] | undefined
  readonly fieldSelector?: readonly SelectorRequirement[] | undefined
}

/** Any other request; the verb is the lower-cased HTTP method. */
export interface NonResourceAttributes {
  readonly user: UserInfo
  readonly verb: string
  readonly resourceRequest: false
  readonly path: string
}

/** All that an authorizer may know about a request (k8s.io/apiserver `authorizer.Attributes`). */
export type Attributes = ResourceAttributes | NonResourceAttributes

export interface AuthorizationResult {
  /** `noOpinion`: ask the next one. After the last one it is a refusal. */
  readonly decision: 'allow' | 'deny' | 'noOpinion'
  /** For people and the audit log; a refusal shows it to the client. Empty if there is nothing to say. */
  readonly reason: string
}

/** Whether a request may go on could not be decided. The client gets plain text, as from upstream's responsewriters.InternalError. */
export class AuthorizationUnavailable extends Error {
  override readonly name = 'AuthorizationUnavailable'

  /** @param cause the failure, or a StatusError that wraps it */
  constructor (cause: unknown) {
    super('a request could not be authorized', { cause: cause instanceof StatusError && cause.cause !== undefined ? cause.cause : cause })
  }

  /** @param requestURI path and query as sent */
  text (requestURI: string): string {
    const why = this.cause instanceof Error ? this.cause.message : String(this.cause)
    return `${sanitize(`Internal Server Error: ${goQuote(requestURI)}: ${why}`)}\n`
  }
}

/** For whom something is decided. Most decisions wait for nobody, and a signal costs more than they do, so it is asked for when it is needed. */
export interface Caller { readonly signal: AbortSignal }

/** Decides whether a request may go on. Rejects only if it cannot decide now, which the client sees as an internal error. */
export interface Authorizer {
  authorize (attributes: Attributes, caller?: Caller): Promise<AuthorizationResult>
}

/**
 * The text of a refusal, as k8s.io/apiserver's responsewriters.Forbidden words it, without the part in front of `is forbidden:`.
 * Angle brackets and ampersands are escaped, so that no browser takes it for HTML.
 */
export function forbiddenMessage (attributes: Attributes, reason = ''): string {
  const who = `User ${goQuote(attributes.user.name)} cannot ${attributes.verb}`
  let text: string
  if (!attributes.resourceRequest) {
    text = `${who} path ${goQuote(attributes.path)}`
  } else {
    const resource = attributes.subresource === '' ? attributes.resource : `${attributes.resource}/${attributes.subresource}`
    const where = attributes.namespace === '' ? 'at the cluster scope' : `in the namespace ${goQuote(attributes.namespace)}`
    text = `${who} resource ${goQuote(resource)} in API group ${goQuote(attributes.apiGroup)} ${where}`
  }
  text = sanitize(text)
  return reason === '' ? text : `${text}: ${reason}`
}

const sanitize = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

/** The 403 of a refusal. */
export function forbiddenError (attributes: Attributes, reason = ''): StatusError {
  const [group, resource, name] = attributes.resourceRequest ? [attributes.apiGroup, attributes.resource, attributes.name] : ['', '', '']
  return newForbidden({ group, resource }, name, forbiddenMessage(attributes, reason))
}
