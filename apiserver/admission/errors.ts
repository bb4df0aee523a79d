import { newForbidden, newStatusError, type StatusCause, type StatusError } from '../../registry/meta/status-error.js'
import type { AdmissionAttributes } from './interfaces.js'

/** A refusal as k8s.io/apiserver's admission.NewForbidden words it: an object without a name goes by its generateName, or is `Unknown`. */
export function admissionForbidden (attributes: AdmissionAttributes, why: string, causes: readonly StatusCause[] = []): StatusError {
  const { name, object, resource } = attributes
  const metadata = object?.metadata
  const { status } = newForbidden(resource, name || metadata?.name || metadata?.generateName || 'Unknown', why)
  return newStatusError({
    code: 403,
    reason: 'Forbidden',
    message: status.message ?? '',
    details: { ...status.details, ...(causes.length > 0 && { causes: [...causes] }) }
  })
}
