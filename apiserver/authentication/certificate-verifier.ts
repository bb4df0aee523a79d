import type { X509Certificate } from 'node:crypto'
import { CertificateError } from '../../certs/errors.js'
import { verifyCertificate } from '../../certs/verify.js'

export interface CertificateVerifierOptions<T> {
  /**
   * The trusted authorities as of now; asked for every request, so that a reloaded bundle counts at once. The same array means the same
   * bundle. Undefined: client certificates say nothing.
   */
  readonly authorities: () => readonly X509Certificate[] | undefined
  /** What a verified certificate says. */
  readonly read: (certificate: X509Certificate) => T
  /** How many verified certificates are remembered; the least recently used goes first. Default 1000. */
  readonly cacheSize?: number | undefined
  readonly now?: (() => number) | undefined
}

interface Verified<T> {
  readonly value: T
  readonly validFrom: number
  readonly validUntil: number
  /** Counts up with every use, of all entries. */
  used: number
}

/**
 * Verifies clients' certificates against one bundle. That the TLS layer let the connection through proves nothing, because it asks for
 * certificates of several bundles and refuses none. Remembers what it verified.
 */
export class CertificateVerifier<T> {
  readonly #options: CertificateVerifierOptions<T>
  readonly #now: () => number
  readonly #verified = new Map<string, Verified<T>>()
  readonly #fingerprints = new WeakMap<X509Certificate, string>()
  #refused = new WeakMap<readonly X509Certificate[], CertificateError>()
  #bundle: readonly X509Certificate[] | undefined
  #uses = 0

  constructor (options: CertificateVerifierOptions<T>) {
    this.#options = options
    this.#now = options.now ?? Date.now
  }

  /**
   * What the client's certificate says; undefined without a certificate or without a bundle.
   * @param sent what a connection sent, its own certificate first; the same array for the same connection
   * @throws CertificateError if the certificate is not valid for a client of this bundle
   */
  verify (sent: readonly X509Certificate[]): { readonly value: T } | undefined {
    const [leaf] = sent
    const roots = this.#options.authorities()
    if (leaf === undefined || roots === undefined) return undefined
    if (roots !== this.#bundle) {
      this.#bundle = roots
      this.#verified.clear()
      this.#refused = new WeakMap()
    }
    return this.#remembered(leaf) ?? this.#verify(leaf, sent, roots)
  }

  /**
   * Successes are remembered by the fingerprint of the leaf, which also carries resumed TLS sessions: they come without the intermediates
   * of the full handshake. That no chain leads to the bundle is remembered for the connection only, since another one may send other
   * intermediates: on a front proxy's connection, or a user's, it is so for one of the two bundles at every request.
   */
  #remembered (leaf: X509Certificate): Verified<T> | undefined {
    const key = this.#fingerprint(leaf)
    const entry = this.#verified.get(key)
    if (entry === undefined) return undefined
    const now = this.#now()
    if (now < entry.validFrom || now > entry.validUntil) {
      this.#verified.delete(key)
      return undefined
    }
    entry.used = ++this.#uses
    return entry
  }

  /** Node hashes the certificate whenever it is asked; a connection's is the same for all of its requests. */
  #fingerprint (leaf: X509Certificate): string {
    let fingerprint = this.#fingerprints.get(leaf)
    if (fingerprint === undefined) this.#fingerprints.set(leaf, fingerprint = leaf.fingerprint256)
    return fingerprint
  }

  #verify (leaf: X509Certificate, sent: readonly X509Certificate[], roots: readonly X509Certificate[]): Verified<T> {
    const refused = this.#refused.get(sent)
    if (refused !== undefined) throw refused
    let verified
    try {
      verified = verifyCertificate(leaf, { roots, intermediates: sent.slice(1), usage: 'clientAuth', now: new Date(this.#now()) })
    } catch (error) {
      if (error instanceof CertificateError && error.code === 'Untrusted') this.#refused.set(sent, error)
      throw error
    }
    const entry = {
      value: this.#options.read(leaf),
      validFrom: Math.max(...verified.chain.map(c => Date.parse(c.validFrom))),
      validUntil: verified.validUntil.getTime(),
      used: ++this.#uses
    }
    this.#verified.set(this.#fingerprint(leaf), entry)
    if (this.#verified.size > (this.#options.cacheSize ?? 1000)) this.#forgetOne()
    return entry
  }

  /** Looking for it costs less than a verification does; keeping the entries in order would cost every request. */
  #forgetOne (): void {
    let oldest: [key: string, used: number] | undefined
    for (const [key, { used }] of this.#verified) if (oldest === undefined || used < oldest[1]) oldest = [key, used]
    if (oldest !== undefined) this.#verified.delete(oldest[0])
  }
}
