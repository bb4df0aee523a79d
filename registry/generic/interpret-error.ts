import { StorageError } from '../../storage/errors.js'
import {
  groupResourceText, newAlreadyExists, newConflict, newInternalError, newResourceExpired, newServiceUnavailable, newStatusError,
  newTooLargeResourceVersion, optimisticLockText, type GroupResource, type StatusError
} from '../meta/status-error.js'

/** What was being done when the store failed: the verb of upstream's messages, on which resource and object. */
export interface Operation { readonly verb: 'get' | 'list' | 'watch' | 'create' | 'update' | 'delete'; readonly groupResource: GroupResource; readonly name?: string }

/** Turns a store's failure into the Status that a client sees; anything else is returned as it is. The one place that does. */
export function interpretStorageError (error: unknown, op: Operation): unknown {
  if (!(error instanceof StorageError)) return error
  const name = op.name ?? ''
  switch (error.code) {
    case 'KeyExists': return newAlreadyExists(op.groupResource, name)
    case 'Conflict': return newConflict(op.groupResource, name, optimisticLockText)
    case 'Compacted': return newResourceExpired('The resourceVersion for the provided list is too old.')
    case 'FutureRevision': return newTooLargeResourceVersion(0n, error.revision ?? 0n, 1)
    case 'TooLarge': return tooLarge(error)
    case 'NoSpace': return newServiceUnavailable(`the store is full: ${error.message}`, 10, { cause: error })
    case 'OutcomeUnknown': return outcomeUnknown(error, op)
    case 'Unavailable': case 'Aborted': case 'Closed':
      return newServiceUnavailable(`the ${op.verb} operation against ${groupResourceText(op.groupResource)} could not be completed: the store is not available`, 2, { cause: error })
    default: return newInternalError(error.message, { cause: error })
  }
}

const tooLarge = (cause: StorageError): StatusError =>
  newStatusError({ code: 413, reason: 'RequestEntityTooLarge', message: `Request entity too large: ${cause.message}` }, { cause })

/**
 * A write whose fate is unknown: the client must look before it tries again. There is no Retry-After, for with one client-go sends the
 * request again by itself, whatever the verb. (kube-apiserver answers 500 ServerTimeout with one.)
 */
const outcomeUnknown = (cause: StorageError, op: Operation): StatusError =>
  newServiceUnavailable(`the ${op.verb} operation against ${groupResourceText(op.groupResource)} may or may not have been done: the store did not answer, look before trying again`, undefined, { cause })
