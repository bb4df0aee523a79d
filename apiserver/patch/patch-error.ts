import type { JsonValue } from '../../registry/codec/value.js'

/**
 * Why a patch came to nothing. What a client sees of it:
 * - decode: 400 BadRequest with the message;
 * - apply: 422 Invalid "the server rejected our request due to an error in our request" with empty details; the message is for the log;
 * - tooLarge: 413 RequestEntityTooLarge "Request entity too large: " and the message.
 */
export class PatchError extends Error {
  override readonly name = 'PatchError'
  readonly kind: 'decode' | 'apply' | 'tooLarge'

  constructor (kind: PatchError['kind'], message: string, options?: { cause?: unknown }) {
    super(message, options)
    this.kind = kind
  }
}

export interface PatchOptions {
  /** fieldValidation Strict or Warn: the body is decoded strictly first, which changes the texts of what cannot be decoded. */
  readonly strict: boolean
}

export interface Patched {
  value: JsonValue
  /**
   * What fieldValidation reports of the patch and of duplicate names in the patched text, in this order and before what the decoding of
   * the patched object reports: `duplicate field "spec.replicas"`, `json patch unknown field "[0].foo"`. Empty unless `strict`.
   */
  strictErrors: string[]
  /**
   * What decoding the patched object fails with if the patch has a number that no double can hold. Only without `strict`, where nobody
   * has looked at the numbers of the patch before.
   */
  rangeError: string | undefined
  /** The patched object as errors quote it: what came with the patch may be as it was written there. */
  text: () => string
}
