import type { X509Certificate } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { readIfPresent, writeFileAtomically } from './atomic-file.js'
import { Authority } from './authority.js'
import { newClientCertificate } from './client-certificate.js'
import { withDirectoryLock } from './directory-lock.js'
import { CertificateError } from './errors.js'
import { newPrivateKeyPem, parseCertificates, parseKeyPair, parsePrivateKey, type KeyPair } from './key-pair.js'
import { newServingCertificate, renewalReason, renewalTime, servingNames } from './serving-certificate.js'
import { verifyCertificate } from './verify.js'

export interface PkiOptions {
  /** Created with mode 0700 if missing; usually `<data-dir>/pki`. */
  readonly directory: string
  /** DNS names and IP addresses of the serving certificate beside localhost, 127.0.0.1 and ::1. */
  readonly sans: readonly string[]
  /** Who the admin certificate is for. Default `kubernetes-admin` in `system:masters`. */
  readonly admin?: { readonly user: string; readonly groups: readonly string[] } | undefined
  readonly now?: Date | undefined
}

/** A certificate file, its key file, and both texts. */
export interface PkiEntry extends KeyPair {
  readonly certificateFile: string
  readonly keyFile: string
  /** When `ensurePki` will replace the certificate. */
  readonly renewAt: Date
}

export interface Pki {
  readonly directory: string
  readonly ca: { readonly certificateFile: string; readonly keyFile: string; readonly certificatePem: string }
  readonly serving: PkiEntry
  readonly admin: PkiEntry
  /** What was made or replaced and why, one sentence each, for the log; empty if everything was in place. */
  readonly changes: readonly string[]
}

/**
 * Makes whatever is missing of a certificate directory (ca.crt, apiserver.crt and admin.crt with their .key files, named as kubeadm names
 * its own) and renews the leaf certificates at two thirds of their life or when the serving names changed. A renewal keeps the key, so one
 * rename replaces the certificate and no reader ever sees halves that do not match. Idempotent, and safe to run in several processes at
 * once. ca.key may be taken away once everything has been issued; it is asked for again when something must be signed.
 * @throws CertificateError Unreadable, Malformed, Mismatch, Missing, Untrusted, NotCurrent, Locked or InvalidName, naming the file and the fix
 */
export async function ensurePki (options: PkiOptions): Promise<Pki> {
  const names = servingNames(options.sans)
  const directory = path.resolve(options.directory)
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 })
  } catch (cause) {
    throw new CertificateError('Unreadable', `${directory}: cannot be created (${(cause as NodeJS.ErrnoException).code})`, { cause })
  }
  return await withDirectoryLock(directory, async () => {
    const now = options.now ?? new Date()
    const changes: string[] = []
    const ca = await ensureAuthority(directory, now, changes)
    const serving = await ensureLeaf({
      directory, ca, now, changes, name: 'apiserver', usage: 'serverAuth',
      outdated: certificate => renewalReason(certificate, names, now),
      issue: (authority, privateKeyPem) => newServingCertificate(authority, { commonName: 'annex-apiserver', subjectAltNames: names, privateKeyPem, now })
    })
    const who = options.admin ?? { user: 'kubernetes-admin', groups: ['system:masters'] }
    const admin = await ensureLeaf({
      directory, ca, now, changes, name: 'admin', usage: 'clientAuth',
      outdated: certificate => now >= renewalTime(certificate) ? `two thirds of its life are over (valid to ${certificate.validTo})` : undefined,
      issue: (authority, privateKeyPem) => newClientCertificate(authority, { user: who.user, groups: who.groups, privateKeyPem, now })
    })
    return { directory, ca: { certificateFile: ca.certificateFile, keyFile: ca.keyFile, certificatePem: ca.certificatePem }, serving, admin, changes }
  })
}

interface AuthorityFiles {
  readonly certificateFile: string
  readonly keyFile: string
  readonly certificatePem: string
  readonly certificates: readonly X509Certificate[]
  /** @throws CertificateError Missing if ca.key is not there */
  readonly authority: (purpose: string) => Authority
}

async function ensureAuthority (directory: string, now: Date, changes: string[]): Promise<AuthorityFiles> {
  const certificateFile = path.join(directory, 'ca.crt')
  const keyFile = path.join(directory, 'ca.key')
  let certificatePem = await readIfPresent(certificateFile)
  let privateKeyPem = await readIfPresent(keyFile)
  if (certificatePem === undefined) {
    // A lone key is what a crash between the two writes leaves, or a lost certificate: certifying it again keeps what it signed valid.
    changes.push(privateKeyPem === undefined ? `${certificateFile}: created a certificate authority` : `${certificateFile}: made again for the key in ca.key`)
    if (privateKeyPem !== undefined) parsePrivateKey(privateKeyPem, `${keyFile}: restore it, or delete it to begin with a new authority`)
    else await writeFileAtomically(keyFile, privateKeyPem = newPrivateKeyPem(), 0o600)
    certificatePem = Authority.create({ commonName: 'annex-ca', privateKeyPem, now }).certificatePem
    await writeFileAtomically(certificateFile, certificatePem, 0o644)
  }
  const certificates = parseCertificates(certificatePem, certificateFile)
  const expired = certificates.find(c => Date.parse(c.validTo) <= now.getTime())
  if (expired !== undefined) {
    throw new CertificateError('NotCurrent', `${certificateFile}: the authority expired on ${expired.validTo}; delete the directory ${directory} to begin with a new one (clients then need the new ca.crt)`)
  }
  const pem = certificatePem
  const key = privateKeyPem
  // Checked now even if nothing has to be signed: a wrong key should show today, not at the next renewal.
  const loaded = key === undefined ? undefined : Authority.load({ certificatePem: pem, privateKeyPem: key }, certificateFile, keyFile)
  return {
    certificateFile,
    keyFile,
    certificatePem: pem,
    certificates,
    authority: purpose => {
      if (loaded === undefined) throw new CertificateError('Missing', `${keyFile}: is needed to ${purpose}; put it back, or delete ca.crt too to begin with a new authority`)
      return loaded
    }
  }
}

interface LeafPlan {
  readonly directory: string
  readonly ca: AuthorityFiles
  readonly now: Date
  readonly changes: string[]
  readonly name: string
  readonly usage: 'serverAuth' | 'clientAuth'
  /** Why a good certificate must be replaced nevertheless. */
  readonly outdated: (certificate: X509Certificate) => string | undefined
  readonly issue: (authority: Authority, privateKeyPem: string) => KeyPair
}

async function ensureLeaf (plan: LeafPlan): Promise<PkiEntry> {
  const certificateFile = path.join(plan.directory, `${plan.name}.crt`)
  const keyFile = path.join(plan.directory, `${plan.name}.key`)
  const presentCertificate = await readIfPresent(certificateFile)
  let privateKeyPem = await readIfPresent(keyFile)
  const why = presentCertificate === undefined
    ? 'it was missing'
    : privateKeyPem === undefined ? `${plan.name}.key was missing` : reissueReason(plan, { certificatePem: presentCertificate, privateKeyPem }, certificateFile, keyFile)
  let certificatePem = presentCertificate
  if (why !== undefined || certificatePem === undefined || privateKeyPem === undefined) {
    const authority = plan.ca.authority(`sign ${plan.name}.crt (${why ?? 'it was missing'})`)
    if (privateKeyPem === undefined) await writeFileAtomically(keyFile, privateKeyPem = newPrivateKeyPem(), 0o600)
    parsePrivateKey(privateKeyPem, `${keyFile}: delete it to have a new one made`)
    certificatePem = plan.issue(authority, privateKeyPem).certificatePem
    await writeFileAtomically(certificateFile, certificatePem, 0o644)
    plan.changes.push(`${certificateFile}: issued because ${why ?? 'it was missing'}`)
  }
  return { certificateFile, keyFile, certificatePem, privateKeyPem, renewAt: renewalTime(parseCertificates(certificatePem, certificateFile)[0]!) }
}

/** Why a present pair must be issued again. What we would not have made ourselves is never overwritten, but reported. */
function reissueReason (plan: LeafPlan, pair: KeyPair, certificateFile: string, keyFile: string): string | undefined {
  const fix = `delete ${plan.name}.crt and ${plan.name}.key to have both made again`
  try {
    const { chain: [leaf, ...intermediates] } = parseKeyPair(pair, certificateFile, keyFile)
    // Who issued it is asked for the middle of its life: an expired certificate is an ordinary renewal that comes late.
    const middle = new Date((Date.parse(leaf!.validFrom) + Date.parse(leaf!.validTo)) / 2)
    verifyCertificate(leaf!, { roots: plan.ca.certificates, intermediates, usage: plan.usage, now: middle })
    return plan.outdated(leaf!)
  } catch (error) {
    if (!(error instanceof CertificateError)) throw error
    const foreign = error.code === 'Untrusted' || error.code === 'NotCurrent'
    const text = foreign ? `${certificateFile}: was not issued for this use by ${plan.ca.certificateFile} (${error.message})` : error.message
    throw new CertificateError(foreign ? 'Mismatch' : error.code, `${text}; ${fix}`, { cause: error })
  }
}
