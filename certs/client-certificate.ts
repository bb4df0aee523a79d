import type { Authority } from './authority.js'
import { CertificateError } from './errors.js'
import type { KeyPair } from './key-pair.js'

export interface ClientCertificateOptions {
  /** Becomes the user name (CN). */
  readonly user: string
  /** Become the groups (O, one each). */
  readonly groups?: readonly string[] | undefined
  /** Default 365 days. */
  readonly validityDays?: number | undefined
  /** Certify this key instead of a new one. */
  readonly privateKeyPem?: string | undefined
  readonly now?: Date | undefined
}

/**
 * Issues a client certificate that an API server reads as a user with groups (Kubernetes' "X509 client certificates").
 * @throws CertificateError InvalidName for an empty user name
 */
export function newClientCertificate (authority: Authority, options: ClientCertificateOptions): KeyPair {
  if (options.user === '') throw new CertificateError('InvalidName', 'a client certificate needs a user name')
  return authority.issue({
    subject: { commonName: options.user, organizations: options.groups ?? [] },
    usage: 'clientAuth',
    validityDays: options.validityDays ?? 365,
    ...(options.privateKeyPem !== undefined && { privateKeyPem: options.privateKeyPem }),
    ...(options.now && { now: options.now })
  })
}
