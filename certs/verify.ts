import type { X509Certificate } from 'node:crypto'
import { certificateFields, type CertificateFields } from './certificate-fields.js'
import { CertificateError } from './errors.js'

export interface VerifyOptions {
  /** The trusted certificates: nothing else is trusted, in particular no system store. */
  readonly roots: readonly X509Certificate[]
  /** Certificates that the peer sent beside its own, in any order; none of them is trusted by itself. */
  readonly intermediates?: readonly X509Certificate[] | undefined
  readonly usage: 'clientAuth' | 'serverAuth'
  readonly now?: Date | undefined
}

export interface VerifiedChain {
  /** From the leaf to a root. */
  readonly chain: readonly X509Certificate[]
  /** When the first certificate of the chain expires. */
  readonly validUntil: Date
}

const usageOid = { serverAuth: '1.3.6.1.5.5.7.3.1', clientAuth: '1.3.6.1.5.5.7.3.2' } as const
const anyUsageOid = '2.5.29.37.0'
const subjectAltNameOid = '2.5.29.17'
const nameConstraintsOid = '2.5.29.30'

/** Critical extensions that the checks below understand: keyUsage, subjectAltName, basicConstraints, nameConstraints, certificatePolicies, extKeyUsage. */
const understood = new Set(['2.5.29.15', subjectAltNameOid, '2.5.29.19', nameConstraintsOid, '2.5.29.32', '2.5.29.37'])

/** MD2, MD5 and SHA-1 with RSA, DSA or ECDSA: forgeable, so Go's crypto/x509 refuses them too. */
const weakAlgorithms = new Set(['1.2.840.113549.1.1.2', '1.2.840.113549.1.1.4', '1.2.840.113549.1.1.5', '1.3.14.3.2.29', '1.2.840.10040.4.3', '1.2.840.10045.4.1'])

/** A peer can send many certificates with the same name; signature checks are limited as in Go's crypto/x509. */
const maxSignatureChecks = 100
const maxChainLength = 10

/**
 * Verifies that a chain leads from `leaf` to one of the roots, by the rules of Go's `x509.Certificate.Verify`, which decides for
 * kube-apiserver: every certificate (the root too) is within its dates, every issuer is an authority that may certify, path lengths hold,
 * no critical extension is unknown, no signature uses a broken hash, and no certificate of the chain excludes the usage (one without
 * extended key usages excludes none). A leaf that is itself among the roots is trusted. Name constraints are not evaluated: a chain
 * with them is refused unless the leaf has no alternative names for them to apply to.
 * @throws CertificateError NotCurrent, Untrusted or Malformed
 */
export function verifyCertificate (leaf: X509Certificate, options: VerifyOptions): VerifiedChain {
  const search = new ChainSearch(options)
  const chain = search.from(leaf)
  if (chain === undefined) throw search.problem ?? new CertificateError('Untrusted', 'x509: certificate signed by unknown authority')
  return { chain, validUntil: new Date(Math.min(...chain.map(c => Date.parse(c.validTo)))) }
}

class ChainSearch {
  readonly #options: VerifyOptions
  readonly #now: number
  readonly #fields = new Map<X509Certificate, CertificateFields>()
  #signatureChecks = 0
  /** The most telling reason why a path was not taken: the first found. */
  problem: CertificateError | undefined

  constructor (options: VerifyOptions) {
    this.#options = options
    this.#now = (options.now ?? new Date()).getTime()
  }

  from (leaf: X509Certificate): X509Certificate[] | undefined {
    if (!this.#acceptable(leaf, [], 'leaf')) return undefined
    if (this.#options.roots.some(root => root.raw.equals(leaf.raw))) return this.#allowed([leaf])
    return this.#extend([leaf])
  }

  #extend (chain: X509Certificate[]): X509Certificate[] | undefined {
    const child = chain.at(-1)!
    for (const root of this.#options.roots) {
      if (this.#signed(child, root) && this.#acceptable(root, chain, 'root')) {
        const found = this.#allowed([...chain, root])
        if (found !== undefined) return found
      }
    }
    if (chain.length >= maxChainLength) return undefined
    for (const intermediate of this.#options.intermediates ?? []) {
      if (chain.some(c => c.raw.equals(intermediate.raw))) continue
      if (!this.#signed(child, intermediate) || !this.#acceptable(intermediate, chain, 'intermediate')) continue
      const found = this.#extend([...chain, intermediate])
      if (found !== undefined) return found
    }
    return undefined
  }

  /** Whether `issuer` made `child`: the names match, the issuer may certify, and the signature is right. */
  #signed (child: X509Certificate, issuer: X509Certificate): boolean {
    const of = this.#fieldsOf(child)
    const by = this.#fieldsOf(issuer)
    if (of.issuer !== by.subject) return false
    if (!by.isAuthority || !by.mayCertify) return this.#refuse('Untrusted', 'x509: certificate is not authorized to sign other certificates')
    if (weakAlgorithms.has(of.signatureAlgorithm)) return this.#refuse('Untrusted', 'x509: cannot verify signature: insecure algorithm')
    if (++this.#signatureChecks > maxSignatureChecks) return this.#refuse('Untrusted', 'x509: signature check attempts limit reached while verifying certificate chain')
    try {
      return child.verify(issuer.publicKey)
    } catch {
      // The issuer's key is of a type that OpenSSL cannot use for this signature: not its issuer.
      return false
    }
  }

  #acceptable (certificate: X509Certificate, chain: readonly X509Certificate[], role: 'leaf' | 'intermediate' | 'root'): boolean {
    const fields = this.#fieldsOf(certificate)
    if (this.#now < Date.parse(certificate.validFrom)) return this.#refuse('NotCurrent', `x509: certificate has expired or is not yet valid: current time ${this.#time()} is before ${isoSeconds(certificate.validFrom)}`)
    if (this.#now > Date.parse(certificate.validTo)) return this.#refuse('NotCurrent', `x509: certificate has expired or is not yet valid: current time ${this.#time()} is after ${isoSeconds(certificate.validTo)}`)
    const unknown = [...fields.criticalExtensions].find(oid => !understood.has(oid))
    if (unknown !== undefined) return this.#refuse('Untrusted', `x509: unhandled critical extension ${unknown}`)
    if (role === 'leaf') return true
    if (fields.extensions.has(nameConstraintsOid) && this.#fieldsOf(chain[0]!).extensions.has(subjectAltNameOid)) {
      return this.#refuse('Untrusted', 'x509: an authority of the chain has name constraints, which are not supported for certificates with alternative names')
    }
    if (fields.pathLength !== undefined && chain.length - 1 > fields.pathLength) return this.#refuse('Untrusted', 'x509: too many intermediates for path length constraint')
    return true
  }

  /** Whether no certificate of the chain excludes the wanted usage; `keyUsage` is Node's name for the extended key usages. */
  #allowed (chain: X509Certificate[]): X509Certificate[] | undefined {
    const wanted = usageOid[this.#options.usage]
    const excluded = chain.some(c => c.keyUsage !== undefined && c.keyUsage.length > 0 && !c.keyUsage.includes(wanted) && !c.keyUsage.includes(anyUsageOid))
    if (!excluded) return chain
    this.#refuse('Untrusted', 'x509: certificate specifies an incompatible key usage')
    return undefined
  }

  #refuse (code: 'NotCurrent' | 'Untrusted', message: string): false {
    this.problem ??= new CertificateError(code, message)
    return false
  }

  #fieldsOf (certificate: X509Certificate): CertificateFields {
    let fields = this.#fields.get(certificate)
    if (fields === undefined) this.#fields.set(certificate, fields = certificateFields(certificate))
    return fields
  }

  #time (): string { return isoSeconds(this.#now) }
}

const isoSeconds = (time: string | number): string => new Date(time).toISOString().replace(/\.\d+Z$/, 'Z')
