import type { X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { Authority } from './authority.js'
import { CertificateError } from './errors.js'
import { keyMatches, parseCertificates, parseKeyPair, parsePrivateKey, type KeyPair } from './key-pair.js'

/**
 * What the replicas of a server share, as texts by key: `tls.crt` and `tls.key` (the names that a Secret of type kubernetes.io/tls has),
 * `ca.crt` (every authority that clients are to trust), `ca.key` (of the one that signs) and, while it is being published, `next-ca.key`.
 * Which certificate of `ca.crt` a key belongs to is seen from the key itself, so that there is nothing to contradict it.
 */
export type SharedData = Readonly<Record<string, string>>

export const sharedKeys: readonly string[] = ['ca.crt', 'ca.key', 'next-ca.key', 'tls.crt', 'tls.key']

/** The same, read and checked. What is missing, damaged or does not fit is absent. */
export interface SharedMaterial {
  /** Signs. */
  readonly authority: Authority | undefined
  /** Will sign as soon as everybody trusts it. */
  readonly next: Authority | undefined
  /** Trusted still, though they sign no more. */
  readonly others: readonly X509Certificate[]
  readonly serving: ServingPair | undefined
}

export interface ServingPair extends KeyPair { readonly certificate: X509Certificate }

/** More authorities than a rotation can leave behind; a bundle that was filled by hand is cut here. */
const maxAuthorities = 8

/** Takes from the texts whatever is sound. Never throws. */
export function readShared (data: SharedData): SharedMaterial {
  const trusted = authoritiesOf(data['ca.crt'] ?? '')
  const authority = authorityOf(trusted, data['ca.key'])
  const rest = trusted.filter(c => c !== authority?.certificate)
  const next = authorityOf(rest, data['next-ca.key'])
  const others = rest.filter(c => c !== next?.certificate)
  return {
    authority: authority?.authority,
    next: next?.authority,
    others: others.slice(0, maxAuthorities),
    serving: servingOf(data['tls.crt'], data['tls.key'])
  }
}

/** The texts of sound material, always spelled alike. */
export function writeShared (material: SharedMaterial): SharedData {
  const { authority, next, serving } = material
  return {
    'ca.crt': bundleOf(material),
    ...(authority && { 'ca.key': authority.privateKeyPem }),
    ...(next && { 'next-ca.key': next.privateKeyPem }),
    'tls.crt': serving?.certificatePem ?? '',
    'tls.key': serving?.privateKeyPem ?? ''
  }
}

/** Every authority that clients are to trust, as PEM. */
export const bundleOf = (material: SharedMaterial): string => trustedBy(material).map(c => c.toString()).join('')

/** The same as certificates, in an order that does not depend on which of them signs: that alone is no reason to change a bundle. */
export const trustedBy = ({ authority, next, others }: SharedMaterial): X509Certificate[] =>
  [...authority ? [authority.certificate] : [], ...next ? [next.certificate] : [], ...others]
    .sort((a, b) => Date.parse(a.validFrom) - Date.parse(b.validFrom) || (a.fingerprint256 < b.fingerprint256 ? -1 : 1))

/** The authorities of a bundle, without repeats; what is damaged or no authority is left out. */
function authoritiesOf (pem: string): X509Certificate[] {
  const found: X509Certificate[] = []
  for (const block of pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []) {
    const [certificate] = attempt(() => parseCertificates(block, 'ca.crt')) ?? []
    if (certificate?.ca === true && !found.some(c => c.raw.equals(certificate.raw))) found.push(certificate)
  }
  return found
}

function authorityOf (candidates: readonly X509Certificate[], privateKeyPem: string | undefined): { authority: Authority; certificate: X509Certificate } | undefined {
  const key = privateKeyPem === undefined ? undefined : attempt(() => parsePrivateKey(privateKeyPem, 'key'))
  const certificate = key && candidates.find(c => keyMatches(c, key))
  const authority = certificate && attempt(() => Authority.load({ certificatePem: certificate.toString(), privateKeyPem: privateKeyPem! }))
  return authority && { authority, certificate: certificate! }
}

function servingOf (certificatePem = '', privateKeyPem = ''): ServingPair | undefined {
  return attempt(() => {
    const { chain: [certificate] } = parseKeyPair({ certificatePem, privateKeyPem }, 'tls.crt', 'tls.key')
    try {
      // OpenSSL has opinions beyond the format; better heard here than in the server.
      createSecureContext({ cert: certificatePem, key: privateKeyPem })
    } catch (cause) {
      throw new CertificateError('Malformed', 'OpenSSL refuses it', { cause })
    }
    return { certificatePem, privateKeyPem, certificate: certificate! }
  })
}

function attempt<T> (read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof CertificateError) return undefined
    throw error
  }
}
