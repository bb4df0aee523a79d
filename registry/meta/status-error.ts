import type { JsonObject } from '../codec/value.js'
import { fieldErrorBody, fieldErrorText, type FieldError } from './field-error.js'
import { goQuote } from './go-format.js'

/** Reasons of a failure Status (`metav1.StatusReason`). */
export type StatusReason =
  | '' | 'Unauthorized' | 'Forbidden' | 'NotFound' | 'AlreadyExists' | 'Conflict' | 'Gone' | 'Invalid' | 'ServerTimeout' | 'StoreReadError'
  | 'Timeout' | 'TooManyRequests' | 'BadRequest' | 'MethodNotAllowed' | 'NotAcceptable' | 'RequestEntityTooLarge'
  | 'UnsupportedMediaType' | 'InternalError' | 'Expired' | 'ServiceUnavailable'

export interface StatusCause { reason?: string; message?: string; field?: string }
export interface StatusDetails { name?: string; group?: string; kind?: string; uid?: string; causes?: StatusCause[]; retryAfterSeconds?: number }

/** `metav1.Status`, in the order in which Go writes its members. */
export interface Status {
  kind?: 'Status'
  apiVersion?: 'v1'
  metadata: { continue?: string; resourceVersion?: string; remainingItemCount?: number }
  status: 'Success' | 'Failure'
  message?: string
  reason?: StatusReason
  details?: StatusDetails
  code?: number
}

/** A resource name as Status messages print it. */
export interface GroupResource { readonly group: string; readonly resource: string }
export interface GroupKind { readonly group: string; readonly kind: string }

/** `databases.mycompany.io`, or the resource alone in the core group. */
export const groupResourceText = (gr: GroupResource): string => gr.group === '' ? gr.resource : `${gr.resource}.${gr.group}`
const groupKindText = (gk: GroupKind): string => gk.group === '' ? gk.kind : `${gk.kind}.${gk.group}`

/** A failure that a client sees: the whole `metav1.Status` and nothing that it may not see. */
export class StatusError extends Error {
  override readonly name = 'StatusError'
  readonly status: Status

  constructor (status: Status, options?: { cause?: unknown }) {
    super(status.message ?? status.reason ?? 'failure', options)
    this.status = status
  }

  get code (): number { return this.status.code ?? 500 }
  get reason (): StatusReason { return this.status.reason ?? '' }
}

/** Whether an error, or one it was caused by, is a Status of that reason. */
export function isReason (error: unknown, reason: StatusReason): boolean {
  for (let e = error; e instanceof Error; e = e.cause) if (e instanceof StatusError && e.reason === reason) return true
  return false
}

interface Failure { code: number; reason?: StatusReason; message: string; details?: StatusDetails; metadata?: Status['metadata'] }

/** Builds a failure Status; an empty reason and absent details are left out, as Go leaves them out. */
export function newStatusError (f: Failure, options?: { cause?: unknown }): StatusError {
  return new StatusError({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: f.metadata ?? {},
    status: 'Failure',
    ...(f.message !== '' && { message: f.message }),
    ...(f.reason && { reason: f.reason }),
    ...(f.details && { details: f.details }),
    code: f.code
  }, options)
}

const detailsOf = (gr: GroupResource, name: string): StatusDetails => ({ ...(name && { name }), ...(gr.group && { group: gr.group }), ...(gr.resource && { kind: gr.resource }) })

export const newNotFound = (gr: GroupResource, name: string): StatusError =>
  newStatusError({ code: 404, reason: 'NotFound', message: `${groupResourceText(gr)} ${goQuote(name)} not found`, details: detailsOf(gr, name) })

export const newAlreadyExists = (gr: GroupResource, name: string): StatusError =>
  newStatusError({ code: 409, reason: 'AlreadyExists', message: `${groupResourceText(gr)} ${goQuote(name)} already exists`, details: detailsOf(gr, name) })

/** A generated name that was taken eight times. */
export const newGenerateNameConflict = (gr: GroupResource, name: string, retryAfterSeconds: number): StatusError =>
  newStatusError({ code: 409, reason: 'AlreadyExists', message: `${groupResourceText(gr)} ${goQuote(name)} already exists, the server was not able to generate a unique name for the object`, details: { ...detailsOf(gr, name), retryAfterSeconds } })

export const newConflict = (gr: GroupResource, name: string, why: string): StatusError =>
  newStatusError({ code: 409, reason: 'Conflict', message: `Operation cannot be fulfilled on ${groupResourceText(gr)} ${goQuote(name)}: ${why}`, details: detailsOf(gr, name) })

/** The optimistic lock was lost. */
export const optimisticLockText = 'the object has been modified; please apply your changes to the latest version and try again'

export const newApplyConflict = (causes: StatusCause[], message: string): StatusError =>
  newStatusError({ code: 409, reason: 'Conflict', message, details: { causes } })

export const newForbidden = (gr: GroupResource, name: string, why: string): StatusError => {
  const subject = gr.resource === '' ? 'forbidden' : name === '' ? `${groupResourceText(gr)} is forbidden` : `${groupResourceText(gr)} ${goQuote(name)} is forbidden`
  return newStatusError({ code: 403, reason: 'Forbidden', message: `${subject}: ${why}`, details: detailsOf(gr, name) })
}

export const newUnauthorized = (message = 'Unauthorized'): StatusError => newStatusError({ code: 401, reason: 'Unauthorized', message })
export const newBadRequest = (message: string): StatusError => newStatusError({ code: 400, reason: 'BadRequest', message })

/** One error prints bare, several in brackets without repeats (Go's ToAggregate); the causes list each. */
export function newInvalid (gk: GroupKind, name: string, errors: readonly FieldError[]): StatusError {
  const texts = [...new Set(errors.map(fieldErrorText))]
  const message = `${groupKindText(gk)} ${goQuote(name)} is invalid${errors.length === 0 ? '' : `: ${texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`}`}`
  return newStatusError({
    code: 422,
    reason: 'Invalid',
    message,
    details: {
      ...(name && { name }), ...(gk.group && { group: gk.group }), ...(gk.kind && { kind: gk.kind }),
      ...(errors.length > 0 && { causes: errors.map(e => ({ reason: e.type, message: fieldErrorBody(e), ...(e.field !== '' && { field: e.field }) })) })
    }
  })
}

export const newMethodNotAllowed = (): StatusError =>
  newStatusError({ code: 405, reason: 'MethodNotAllowed', message: 'the server does not allow this method on the requested resource', details: {} })
/** An action that a resource does not have (`metav1` NewMethodNotSupported). */
export const newMethodNotSupported = (gr: GroupResource, action: string): StatusError =>
  newStatusError({ code: 405, reason: 'MethodNotAllowed', message: `${action} is not supported on resources of kind ${goQuote(groupResourceText(gr))}`, details: { ...(gr.group && { group: gr.group }), kind: gr.resource } })
export const newPathNotFound = (): StatusError =>
  newStatusError({ code: 404, reason: 'NotFound', message: 'the server could not find the requested resource', details: {} })
export const newResourceExpired = (message: string, metadata?: Status['metadata']): StatusError =>
  newStatusError({ code: 410, reason: 'Expired', message, ...(metadata && { metadata }) })
export const newRequestEntityTooLarge = (message: string): StatusError =>
  newStatusError({ code: 413, reason: 'RequestEntityTooLarge', message: `Request entity too large: ${message}` })
export const newUnsupportedMediaType = (message: string): StatusError =>
  newStatusError({ code: 415, reason: 'UnsupportedMediaType', message })
export const newNotAcceptable = (message: string): StatusError =>
  newStatusError({ code: 406, reason: 'NotAcceptable', message })
export const newInternalError = (text: string, options?: { cause?: unknown }): StatusError =>
  newStatusError({ code: 500, reason: 'InternalError', message: `Internal error occurred: ${text}`, details: { causes: [{ message: text }] } }, options)
export const newTooManyRequests = (message: string, retryAfterSeconds: number): StatusError =>
  newStatusError({ code: 429, reason: 'TooManyRequests', message, details: { retryAfterSeconds } })
export const newServiceUnavailable = (message: string, retryAfterSeconds?: number, options?: { cause?: unknown }): StatusError =>
  newStatusError({ code: 503, reason: 'ServiceUnavailable', message, ...(retryAfterSeconds !== undefined && { details: { retryAfterSeconds } }) }, options)
export const newTimeout = (message: string, retryAfterSeconds: number): StatusError =>
  newStatusError({ code: 504, reason: 'Timeout', message: `Timeout: ${message}`, details: { ...(retryAfterSeconds > 0 && { retryAfterSeconds }) } })
/** A revision that has not happened yet; client-go recognises it by the cause. */
export const newTooLargeResourceVersion = (wanted: bigint, current: bigint, retryAfterSeconds: number): StatusError =>
  newStatusError({ code: 504, reason: 'Timeout', message: `Timeout: Too large resource version: ${wanted}, current: ${current}`, details: { causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }], retryAfterSeconds } })

/** A Status as plain JSON, for the codecs. */
export const statusObject = (status: Status): JsonObject => status as unknown as JsonObject
