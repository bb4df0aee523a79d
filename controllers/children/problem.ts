import { StatusError, isForbidden, isInternalError, isInvalid, isNotFound, statusOf } from '../client/errors.js'

/** Why something does not work, in a condition's words: a stable reason, and a message after which a user knows what to do. */
export interface Problem {
  /** One CamelCase word. */
  readonly reason: string
  readonly message: string
}

/**
 * What a refused write tells the user: quotas, rights, invalid fields, namespaces that end, and what is wrong with the cluster (no address left
 * for a Service, a webhook that does not answer). Undefined for errors that go away by themselves: conflicts, overload, lost connections.
 * @param what the object that was written: `Deployment "shop"`
 */
export function problemOfRefusal (error: unknown, what: string): Problem | undefined {
  const status = statusOf(error)
  if (!(error instanceof StatusError) || status === undefined) return undefined
  const message = `${what}: ${status.message}`
  if (status.details?.causes?.some(c => c.reason === 'NamespaceTerminating') === true) return { reason: 'NamespaceTerminating', message }
  if (isForbidden(error)) return { reason: isQuota(status.message ?? '') ? 'QuotaExceeded' : 'Forbidden', message }
  if (isInvalid(error) || status.code === 400) return { reason: 'Invalid', message }
  if (isInternalError(error)) return { reason: 'InternalError', message }
  // Of an apply, only the namespace or the kind can be missing.
  if (isNotFound(error)) return { reason: 'NotFound', message }
  return undefined
}

/** Whether the text of a refusal is the quota admission's. */
export const isQuota = (text: string): boolean => /exceeded quota|failed quota|quota/i.test(text)
