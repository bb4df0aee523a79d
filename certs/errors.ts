/** What can go wrong with certificates and keys; the code decides what a caller does, the message names the file and the fix. */
export type CertificateErrorCode =
  /** A file cannot be read or written. */
  | 'Unreadable'
  /** A file does not hold what it should (PEM, certificate, key). */
  | 'Malformed'
  /** Two files do not belong together. */
  | 'Mismatch'
  /** A file that cannot be made again is missing. */
  | 'Missing'
  /** A certificate is not valid at this time. */
  | 'NotCurrent'
  /** No chain leads to a trusted certificate, or the chain must not be used for this purpose. */
  | 'Untrusted'
  /** A key type that is not supported. */
  | 'UnsupportedKey'
  /** A DNS name or an IP address that is none. */
  | 'InvalidName'
  /** Another process holds the directory's lock for too long. */
  | 'Locked'

/** The only error that this folder throws on purpose. */
export class CertificateError extends Error {
  override readonly name = 'CertificateError'
  readonly code: CertificateErrorCode

  constructor (code: CertificateErrorCode, message: string, options: { cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
  }
}
