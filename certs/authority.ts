import { createPublicKey, type KeyObject, type X509Certificate } from 'node:crypto'
import { buildCertificate, toPem, type CertificateTemplate } from './certificate-builder.js'
import { CertificateError } from './errors.js'
import { newPrivateKeyPem, parseKeyPair, parsePrivateKey, type KeyPair } from './key-pair.js'

export const dayMs = 24 * 60 * 60 * 1000

/** Certificates begin a little in the past, for clients whose clock is behind. */
const clockSkewMs = 5 * 60 * 1000

export interface NewAuthorityOptions {
  readonly commonName: string
  /** Default 3650 days. */
  readonly validityDays?: number | undefined
  /** Certify this key instead of a new one, to restore a lost certificate. */
  readonly privateKeyPem?: string | undefined
  readonly now?: Date | undefined
}

/** What an authority is asked to sign. */
export interface IssueRequest extends Omit<CertificateTemplate, 'publicKey' | 'notBefore' | 'notAfter' | 'usage'> {
  readonly usage: 'serverAuth' | 'clientAuth'
  readonly validityDays: number
  /** Certify this key instead of a new one. */
  readonly privateKeyPem?: string | undefined
  readonly now?: Date | undefined
}

/** A certificate authority whose private key is at hand. */
export class Authority {
  readonly certificatePem: string
  readonly privateKeyPem: string
  readonly certificate: X509Certificate
  readonly #privateKey: KeyObject

  private constructor (pair: KeyPair, certificate: X509Certificate, privateKey: KeyObject) {
    this.certificatePem = pair.certificatePem
    this.privateKeyPem = pair.privateKeyPem
    this.certificate = certificate
    this.#privateKey = privateKey
  }

  /** Makes a self-signed authority with an EC P-256 key. */
  static create (options: NewAuthorityOptions): Authority {
    const now = options.now ?? new Date()
    const privateKeyPem = options.privateKeyPem ?? newPrivateKeyPem()
    const privateKey = parsePrivateKey(privateKeyPem, 'the given key')
    const der = buildCertificate({
      subject: { commonName: options.commonName },
      publicKey: createPublicKey(privateKey),
      notBefore: new Date(now.getTime() - clockSkewMs),
      notAfter: new Date(now.getTime() + (options.validityDays ?? 3650) * dayMs),
      usage: 'ca'
    }, { privateKey })
    return Authority.load({ certificatePem: toPem(der), privateKeyPem })
  }

  /**
   * Takes an existing authority; any key type that node:crypto can sign with. Of several certificates the first counts.
   * @throws CertificateError Malformed, Mismatch, or Untrusted if the certificate is not a CA's
   */
  static load (pair: KeyPair, certificateSource = 'CA certificate', keySource = 'CA key'): Authority {
    const { chain, privateKey } = parseKeyPair(pair, certificateSource, keySource)
    const certificate = chain[0]!
    if (!certificate.ca) throw new CertificateError('Untrusted', `${certificateSource}: is not the certificate of an authority (basicConstraints CA is not set)`)
    return new Authority(pair, certificate, privateKey)
  }

  /** Signs a certificate. It never outlives the authority's own. @throws CertificateError NotCurrent if the authority has expired */
  issue (request: IssueRequest): KeyPair {
    const now = request.now ?? new Date()
    const caEnd = Date.parse(this.certificate.validTo)
    if (caEnd <= now.getTime()) throw new CertificateError('NotCurrent', `the authority ${subjectText(this.certificate)} expired at ${new Date(caEnd).toISOString()}`)
    const privateKeyPem = request.privateKeyPem ?? newPrivateKeyPem()
    const der = buildCertificate({
      subject: request.subject,
      publicKey: createPublicKey(parsePrivateKey(privateKeyPem, 'the given key')),
      notBefore: new Date(Math.max(now.getTime() - clockSkewMs, Date.parse(this.certificate.validFrom))),
      notAfter: new Date(Math.min(now.getTime() + request.validityDays * dayMs, caEnd)),
      usage: request.usage,
      ...(request.subjectAltNames && { subjectAltNames: request.subjectAltNames })
    }, { certificate: this.certificate.raw, privateKey: this.#privateKey })
    return { certificatePem: toPem(der), privateKeyPem }
  }
}

/** A subject on one line: `O=system:masters, CN=kubernetes-admin`. */
export const subjectText = (certificate: X509Certificate): string => (certificate.subject ?? '').split('\n').join(', ')
