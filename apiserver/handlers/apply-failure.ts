import { newApplyConflict, newBadRequest, newStatusError } from '../../registry/meta/status-error.js'
import { ApplyConflict } from '../apply/conflict.js'
import { ApplyError, InvalidApply, TypedError } from '../apply/errors.js'

/**
 * What a client sees of an apply that failed. kube-apiserver answers 500 to a configuration that does not fit the schema; it is the
 * client's mistake, so here it is a 400 with the same text, which names the field.
 */
export function applyFailure (error: unknown): unknown {
  if (error instanceof ApplyConflict) return newApplyConflict(error.causes, error.message)
  if (error instanceof InvalidApply || error instanceof TypedError) return newBadRequest(error.message)
  if (error instanceof ApplyError) return newStatusError({ code: 500, message: error.message }, { cause: error })
  return error
}
