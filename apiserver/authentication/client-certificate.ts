import type { X509Certificate } from 'node:crypto'
import { CertificateVerifier, type CertificateVerifierOptions } from './certificate-verifier.js'
import { credentialIdKey, type AuthenticationRequest, type Authenticator, type UserInfo } from './interfaces.js'

export type ClientCertificateOptions = Omit<CertificateVerifierOptions<UserInfo | undefined>, 'read'>

/** OID under which a user's uid may stand in the subject. */
const uidOid = '1.3.6.1.4.1.57683.2'

/**
 * X.509 client certificates (k8s.io/apiserver `authentication/request/x509`): CN is the user, every O a group. A certificate without
 * extended key usages may be used, as Go allows; one without a CN says nothing.
 */
export class ClientCertificateAuthenticator implements Authenticator {
  readonly #verifier: CertificateVerifier<UserInfo | undefined>

  constructor (options: ClientCertificateOptions) {
    this.#verifier = new CertificateVerifier({ ...options, read: userOf })
  }

  /** @throws CertificateError if the certificate is not valid for a client of this bundle */
  async authenticate (request: AuthenticationRequest): Promise<UserInfo | undefined> {
    return this.#verifier.verify(request.peerCertificates)?.value
  }
}

/** The user whom a certificate names; undefined without a CN. @throws Error for a uid that is empty or there twice */
export function userOf (certificate: X509Certificate): UserInfo | undefined {
  // The text form of the subject has escapes and can be misread; the object form has the plain values.
  const subject = certificate.toLegacyObject().subject as unknown as Readonly<Record<string, string | string[] | undefined>>
  const values = (attribute: string): string[] => [subject[attribute] ?? []].flat()
  const name = commonName(certificate)
  if (name === '') return undefined
  const uids = values(uidOid)
  if (uids.length > 1) throw new Error(`expected 1 UID, but found multiple: ${uids.join(', ')}`)
  if (uids[0] === '') throw new Error('UID cannot be an empty string')
  return {
    name,
    ...(uids[0] !== undefined && { uid: uids[0] }),
    groups: values('O'),
    extra: { [credentialIdKey]: [`X509SHA256=${certificate.fingerprint256.replaceAll(':', '').toLowerCase()}`] }
  }
}

/** The common name of a certificate; empty without one. Of several Go keeps the last. */
export const commonName = (certificate: X509Certificate): string =>
  [(certificate.toLegacyObject().subject as unknown as Readonly<Record<string, string | string[] | undefined>>)['CN'] ?? []].flat().at(-1) ?? ''
