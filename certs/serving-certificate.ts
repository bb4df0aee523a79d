import type { X509Certificate } from 'node:crypto'
import { isIP, SocketAddress } from 'node:net'
import type { Authority } from './authority.js'
import type { SubjectAltNames } from './certificate-builder.js'
import { CertificateError } from './errors.js'
import type { KeyPair } from './key-pair.js'

export interface ServingCertificateOptions {
  readonly subjectAltNames: SubjectAltNames
  /** Default `annex`. */
  readonly commonName?: string | undefined
  /** Default 365 days. */
  readonly validityDays?: number | undefined
  /** Certify this key instead of a new one, so that a renewal replaces one file only. */
  readonly privateKeyPem?: string | undefined
  readonly now?: Date | undefined
}

/** Issues a TLS server certificate. */
export function newServingCertificate (authority: Authority, options: ServingCertificateOptions): KeyPair {
  return authority.issue({
    subject: { commonName: options.commonName ?? 'annex' },
    usage: 'serverAuth',
    subjectAltNames: options.subjectAltNames,
    validityDays: options.validityDays ?? 365,
    ...(options.privateKeyPem !== undefined && { privateKeyPem: options.privateKeyPem }),
    ...(options.now && { now: options.now })
  })
}

/**
 * The names of a serving certificate: localhost, both loopback addresses, and `names`, of which each is a DNS name (a wildcard in the
 * first label is allowed) or an IP address. Without repeats, in a stable order.
 * @throws CertificateError InvalidName, naming every bad one
 */
export function servingNames (names: readonly string[]): SubjectAltNames {
  const dnsNames = new Set(['localhost'])
  const ipAddresses = new Set(['127.0.0.1', '::1'])
  const bad: string[] = []
  for (const name of names) {
    if (isIP(name) !== 0) ipAddresses.add(canonicalAddress(name))
    else if (isDnsName(name)) dnsNames.add(name.toLowerCase())
    else bad.push(JSON.stringify(name))
  }
  if (bad.length > 0) throw new CertificateError('InvalidName', `neither a DNS name nor an IP address: ${bad.join(', ')}`)
  return { dnsNames: [...dnsNames], ipAddresses: [...ipAddresses] }
}

/** Whether a text can stand in a certificate as a DNS name (RFC 1123 labels, an optional wildcard label in front). */
export const isDnsName = (name: string): boolean =>
  name.length <= 253 && /^(\*\.)?[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/i.test(name)

/** Why a serving certificate should be replaced now, or undefined if it is good. */
export function renewalReason (certificate: X509Certificate, wanted: SubjectAltNames, now: Date): string | undefined {
  if (now.getTime() >= renewalTime(certificate).getTime()) return `two thirds of its life are over (valid to ${certificate.validTo})`
  const present = subjectAltNamesOf(certificate)
  const missing = [...wanted.dnsNames.filter(n => !present.dnsNames.includes(n)), ...wanted.ipAddresses.filter(ip => !present.ipAddresses.includes(ip))]
  const surplus = [...present.dnsNames.filter(n => !wanted.dnsNames.includes(n)), ...present.ipAddresses.filter(ip => !wanted.ipAddresses.includes(ip))]
  if (missing.length > 0) return `it lacks the names ${missing.join(', ')}`
  if (surplus.length > 0) return `it still has the names ${surplus.join(', ')}`
  return undefined
}

/** When two thirds of a certificate's life are over. */
export function renewalTime (certificate: X509Certificate): Date {
  const from = Date.parse(certificate.validFrom)
  return new Date(from + (Date.parse(certificate.validTo) - from) * 2 / 3)
}

/** The DNS names and addresses of a certificate, in its order. */
export function subjectAltNamesOf (certificate: X509Certificate): SubjectAltNames {
  const dnsNames: string[] = []
  const ipAddresses: string[] = []
  // Names with a comma or quote come as JSON strings (Node's answer to CVE-2021-44532); a DNS name of ours never has either.
  for (const entry of certificate.subjectAltName?.split(', ') ?? []) {
    if (entry.startsWith('DNS:')) dnsNames.push(entry.slice(4))
    else if (entry.startsWith('IP Address:')) ipAddresses.push(canonicalAddress(entry.slice('IP Address:'.length)))
  }
  return { dnsNames, ipAddresses }
}

/** One spelling per address: `0:0:0:0:0:0:0:1` and `::1` are the same name. */
function canonicalAddress (ip: string): string {
  return new SocketAddress({ address: ip, family: isIP(ip) === 6 ? 'ipv6' : 'ipv4' }).address
}
