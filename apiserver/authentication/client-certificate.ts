import type { X509Certificate } from 'node:crypto'
import { verifyCertificate } from '../../certs/verify.js'
import { credentialIdKey, type AuthenticationRequest, type Authenticator, type UserInfo } from './interfaces.js'

export interface ClientCertificateOptions {
  /**
   * The trusted authorities as of now; asked for every request, so that a reloaded bundle counts at once. The same array means the same
   * bundle. Undefined: client certificates say nothing.
   */
  readonly authorities: () => readonly X509Certificate[] | undefined
  /** How many verified certificates are remembered; the least recently used goes first. Default 1000. */
  readonly cacheSize?: number | undefined
  readonly now?: (() => number) | undefined
}

interface Verified {
  readonly user: UserInfo | undefined
  readonly validFrom: number
  readonly validUntil: number
}

/** OID under which a user's uid may stand in the subject. */
const uidOid = '1.3.6.1.4.1.57683.2'

/**
 * X.509 client certificates (k8s.io/apiserver `authentication/request/x509`): CN is the user, every O a group. That the TLS layer let the
 * connection through proves nothing, because it asks for certificates of several bundles and refuses none; this class verifies the whole
 * chain against its own bundle. A certificate without extended key usages may be used, as Go allows; one without a CN says nothing.
 */
export class ClientCertificateAuthenticator implements Authenticator {
  readonly #options: ClientCertificateOptions
  readonly #now: () => number
  #verified = new Map<string, Verified>()
  #bundle: readonly X509Certificate[] | undefined

  constructor (options: ClientCertificateOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
  }

  /** @throws CertificateError if the certificate is not valid for a client of this bundle */
  async authenticate (request: AuthenticationRequest): Promise<UserInfo | undefined> {
    const [leaf, ...intermediates] = request.peerCertificates
    const roots = this.#options.authorities()
    if (leaf === undefined || roots === undefined) return undefined
    if (roots !== this.#bundle) {
      this.#bundle = roots
      this.#verified.clear()
    }
    return (this.#remembered(leaf) ?? this.#verify(leaf, intermediates, roots)).user
  }

  /**
   * Only successes are remembered, by the fingerprint of the leaf: a failure may be due to intermediates that another connection sends.
   * It also carries resumed TLS sessions, which come without the intermediates of the full handshake.
   */
  #remembered (leaf: X509Certificate): Verified | undefined {
    const key = leaf.fingerprint256
    const entry = this.#verified.get(key)
    if (entry === undefined) return undefined
    this.#verified.delete(key)
    const now = this.#now()
    if (now < entry.validFrom || now > entry.validUntil) return undefined
    this.#verified.set(key, entry)
    return entry
  }

  #verify (leaf: X509Certificate, intermediates: readonly X509Certificate[], roots: readonly X509Certificate[]): Verified {
    const { chain, validUntil } = verifyCertificate(leaf, { roots, intermediates, usage: 'clientAuth', now: new Date(this.#now()) })
    const entry = { user: userOf(leaf), validFrom: Math.max(...chain.map(c => Date.parse(c.validFrom))), validUntil: validUntil.getTime() }
    this.#verified.set(leaf.fingerprint256, entry)
    if (this.#verified.size > (this.#options.cacheSize ?? 1000)) this.#verified.delete(this.#verified.keys().next().value!)
    return entry
  }
}

/** The user whom a certificate names; undefined without a CN. @throws Error for a uid that is empty or there twice */
export function userOf (certificate: X509Certificate): UserInfo | undefined {
  // The text form of the subject has escapes and can be misread; the object form has the plain values.
  const subject = certificate.toLegacyObject().subject as unknown as Readonly<Record<string, string | string[] | undefined>>
  const values = (attribute: string): string[] => [subject[attribute] ?? []].flat()
  // Of several CNs Go keeps the last.
  const name = values('CN').at(-1) ?? ''
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
