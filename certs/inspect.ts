import type { X509Certificate } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { readIfPresent } from './atomic-file.js'
import { dayMs, subjectText } from './authority.js'
import { CertificateError } from './errors.js'
import { keyMatches, parseCertificates, parsePrivateKey } from './key-pair.js'
import { subjectAltNamesOf } from './serving-certificate.js'

/** What a person wants to know about a certificate. */
export interface CertificateSummary {
  readonly file: string
  readonly subject: string
  readonly issuer: string
  readonly usage: readonly string[]
  /** DNS names and addresses. */
  readonly names: readonly string[]
  readonly serialNumber: string
  readonly validFrom: Date
  readonly validTo: Date
  readonly fingerprint256: string
  /** Things that are wrong, one sentence each. */
  readonly problems: readonly string[]
}

/**
 * Reads every .crt and .pem file of a directory; a .key file of the same name is compared with it.
 * @throws CertificateError Unreadable if the directory cannot be read; bad files become problems of the summary
 */
export async function inspectDirectory (directory: string, now = new Date()): Promise<CertificateSummary[]> {
  let files: string[]
  try {
    files = (await readdir(directory)).filter(name => /\.(crt|pem)$/.test(name)).sort()
  } catch (cause) {
    throw new CertificateError('Unreadable', `${directory}: cannot be read (${(cause as NodeJS.ErrnoException).code})`, { cause })
  }
  return (await Promise.all(files.map(name => inspectFile(path.join(directory, name), now)))).flat()
}

/** Reads the certificates of one file; never throws for what it holds. */
export async function inspectFile (file: string, now = new Date()): Promise<CertificateSummary[]> {
  try {
    const pem = await readIfPresent(file)
    if (pem === undefined) throw new CertificateError('Missing', `${file}: does not exist`)
    const certificates = parseCertificates(pem, file)
    const keyFile = file.replace(/\.(crt|pem)$/, '.key')
    const keyPem = keyFile === file ? undefined : await readIfPresent(keyFile)
    return certificates.map((certificate, i) => summarize(certificate, file, now, i === 0 && keyPem !== undefined ? keyProblem(certificate, keyPem, keyFile) : []))
  } catch (error) {
    if (!(error instanceof CertificateError)) throw error
    const never = new Date(Number.NaN)
    return [{ file, subject: '', issuer: '', usage: [], names: [], serialNumber: '', validFrom: never, validTo: never, fingerprint256: '', problems: [error.message] }]
  }
}

function keyProblem (certificate: X509Certificate, keyPem: string, keyFile: string): string[] {
  try {
    return keyMatches(certificate, parsePrivateKey(keyPem, keyFile)) ? [] : [`${keyFile} is not its private key`]
  } catch (error) {
    return [(error as Error).message]
  }
}

const usageNames: Readonly<Record<string, string>> = { '1.3.6.1.5.5.7.3.1': 'server auth', '1.3.6.1.5.5.7.3.2': 'client auth', '2.5.29.37.0': 'any' }

function summarize (certificate: X509Certificate, file: string, now: Date, problems: readonly string[]): CertificateSummary {
  const { dnsNames, ipAddresses } = subjectAltNamesOf(certificate)
  const validFrom = new Date(certificate.validFrom)
  const validTo = new Date(certificate.validTo)
  return {
    file,
    subject: subjectText(certificate),
    issuer: certificate.issuer.split('\n').join(', '),
    usage: [...certificate.ca ? ['certificate authority'] : [], ...(certificate.keyUsage ?? []).map(oid => usageNames[oid] ?? oid)],
    names: [...dnsNames, ...ipAddresses],
    serialNumber: certificate.serialNumber,
    validFrom,
    validTo,
    fingerprint256: certificate.fingerprint256,
    problems: [
      ...problems,
      ...(now < validFrom ? [`is not valid before ${seconds(validFrom)}`] : []),
      ...(now > validTo ? [`expired on ${seconds(validTo)}`] : [])
    ]
  }
}

/** Summaries as text for a terminal, one paragraph each. */
export function formatCertificates (summaries: readonly CertificateSummary[], now = new Date()): string {
  return summaries.map(s => {
    const lines: [string, string][] = s.subject === '' && s.fingerprint256 === ''
      ? []
      : [
          ['subject', s.subject || '(none)'],
          ['issuer', s.issuer || '(none)'],
          ['usage', s.usage.join(', ') || 'not restricted'],
          ...(s.names.length > 0 ? [['names', s.names.join(', ')] as [string, string]] : []),
          ['valid', `${seconds(s.validFrom)} to ${seconds(s.validTo)} (${remaining(s.validTo, now)})`],
          ['serial', s.serialNumber.toLowerCase()],
          ['sha256', s.fingerprint256]
        ]
    return [s.file, ...lines.map(([label, value]) => `  ${(label + ':').padEnd(9)}${value}`), ...s.problems.map(p => `  problem: ${p}`)].join('\n') + '\n'
  }).join('\n')
}

function remaining (end: Date, now: Date): string {
  const days = Math.floor((end.getTime() - now.getTime()) / dayMs)
  return days < 0 ? 'expired' : days === 1 ? '1 day left' : `${days} days left`
}

const seconds = (date: Date): string => date.toISOString().replace(/\.\d+Z$/, 'Z')
