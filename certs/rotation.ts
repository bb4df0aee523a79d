import type { X509Certificate } from 'node:crypto'
import { Authority, dayMs } from './authority.js'
import type { SubjectAltNames } from './certificate-builder.js'
import { CertificateError } from './errors.js'
import { newServingCertificate, subjectAltNamesOf } from './serving-certificate.js'
import { bundleOf, readShared, sharedKeys, trustedBy, writeShared, type ServingPair, type SharedData, type SharedMaterial } from './shared-material.js'
import { verifyCertificate } from './verify.js'

/**
 * Where a change of the authority stands. Stable: one authority, which signs. Publishing: the next one is in the bundle, and not every
 * client has the bundle yet. Published: every client has it, and gets a moment to act on it. Retiring: the next one signs, the former one
 * is still trusted, for those who still serve what it signed.
 */
export type RotationStage = 'Stable' | 'Publishing' | 'Published' | 'Retiring'
export const rotationStages: readonly RotationStage[] = ['Stable', 'Publishing', 'Published', 'Retiring']

export interface RotationPolicy {
  /** The least that the serving certificate answers to. */
  readonly names: SubjectAltNames
  readonly certificateValidityMs: number
  readonly authorityValidityMs: number
  /** How long a bundle that is in place is left alone, so that whoever reads it has read it. */
  readonly settleMs: number
  /** How long the former authority stays trusted. Longer than any replica takes to load a new serving certificate. */
  readonly overlapMs: number
}

/** Everything that the next step depends on. */
export interface RotationView {
  /** What is stored; undefined: nothing. */
  readonly data: SharedData | undefined
  /** The stage that is stored with it and since when it is in force, as far as that can be read. */
  readonly recorded: { readonly stage: string; readonly since: Date } | undefined
  /** What was stored when it was last sound, to mend what is damaged. */
  readonly memory: SharedData | undefined
  /** Somebody asks for a new authority. */
  readonly requested: boolean
  /** Whether every client has a bundle, as of now. */
  readonly published: (bundlePem: string) => boolean
  readonly now: Date
  /** How long this process has seen this stage, by a clock that cannot be set. */
  readonly heldMs: number
  /** From 0 to 1, of this process: who renews is not everybody at once. */
  readonly jitter: number
}

export type RotationStep = {
  /** What can be served from what is stored, if anything. */
  readonly serving: ServingPair | undefined
  /** What clients are to trust for it, as PEM. */
  readonly bundlePem: string | undefined
  readonly stage: RotationStage
} & (
  | { readonly kind: 'write'; readonly data: SharedData; readonly since: Date; readonly why: string; readonly answersRequest: boolean }
  /** Nothing to do before `until`, unless something changes. */
  | { readonly kind: 'wait'; readonly authorityExpires: Date; readonly until: Date }
)

/** Timers do not notice that the time of day was set. */
const lookAgainMs = 10 * 60_000

/**
 * Says what to do next about shared certificates, from what is there alone: no step relies on an earlier one having been taken by the same
 * process, or at all. A step is one write, which takes place as a whole or not; the caller makes it only if nothing has changed since it read.
 *
 * What is missing or damaged is made again, first of all from `memory`. A certificate that is not valid yet counts as valid: then it is
 * this clock that is behind, and others must not suffer for it. For the same reason every stage lasts a while by `heldMs`, whatever the
 * time of day does.
 * @throws CertificateError UnsupportedKey if the authority that somebody put there cannot sign
 */
export function planRotation (view: RotationView, policy: RotationPolicy): RotationStep {
  const { now } = view
  const stored = readShared(view.data ?? {})
  const serving = stored.serving !== undefined && servingProblem(stored.serving, trustedBy(stored), policy, now) === undefined ? stored.serving : undefined
  const bundlePem = serving && bundleOf(stored)
  const mended = mend(stored, view, policy)
  const stage = stageOf(mended.material, view)
  const data = writeShared(mended.material)
  const write = (changed: SharedMaterial, to: RotationStage, why: string, answersRequest = false): RotationStep =>
    ({ kind: 'write', serving, bundlePem, stage: to, data: writeShared(changed), since: now, why, answersRequest })

  if (mended.reasons.length > 0 || !sameData(data, view.data)) {
    const since = stage === view.recorded?.stage ? view.recorded.since : now
    return { kind: 'write', serving, bundlePem, stage, data, since, why: mended.reasons.join('; ') || 'the bundle was not as it should be', answersRequest: false }
  }
  const { material } = mended
  const wait = (until: number): RotationStep =>
    ({ kind: 'wait', serving, bundlePem, stage, authorityExpires: new Date((material.authority ?? material.next)!.certificate.validTo), until: new Date(Math.min(until, now.getTime() + lookAgainMs)) })
  const renewal = material.authority === undefined ? Infinity : servingRenewal(material.serving!, material.authority, view, policy)

  // Only two stages are timed; a beginning out of the future would hold them up.
  const longest = stage === 'Retiring' ? policy.overlapMs : stage === 'Published' ? policy.settleMs : Infinity
  const since = view.recorded?.stage === stage ? view.recorded.since.getTime() : Number.NaN
  if (Number.isNaN(since) || since > now.getTime() + longest) return write(material, stage, 'the stage was not recorded')
  const over = (ms: number): number => Math.max(since + ms, now.getTime() + Math.min(ms, policy.settleMs) - view.heldMs)

  switch (stage) {
    case 'Stable': {
      const due = renewalAt(material.authority!.certificate, policy.authorityValidityMs, view.jitter)
      if (!view.requested && now.getTime() < due) return wait(Math.min(due, renewal))
      const next = newAuthority(policy, now)
      return write({ ...material, next }, 'Publishing', view.requested ? 'a new authority was asked for' : 'two thirds of the life of the authority are over', view.requested)
    }
    case 'Publishing':
      if (!view.published(bundleOf(material))) return wait(renewal)
      return write(material, 'Published', 'every APIService carries the next authority')
    case 'Published': {
      if (!view.published(bundleOf(material))) return write(material, 'Publishing', 'an APIService does not carry the next authority any more')
      if (over(policy.settleMs) > now.getTime()) return wait(Math.min(over(policy.settleMs), renewal))
      const authority = material.next!
      return write({
        authority, next: undefined, others: trustedBy(material).filter(c => c !== authority.certificate), serving: issue(authority, policy, now)
      }, 'Retiring', 'the next authority signs now')
    }
    case 'Retiring':
      if (over(policy.overlapMs) > now.getTime()) return wait(Math.min(over(policy.overlapMs), renewal))
      return write({ ...material, others: [] }, 'Stable', 'the former authority is not needed any more')
  }
}

/** Sound material, as near as possible to what is stored, and what had to be done for it. */
function mend (stored: SharedMaterial, view: RotationView, policy: RotationPolicy): { material: SharedMaterial; reasons: string[] } {
  const { now } = view
  const reasons: string[] = []
  let material = stored
  const remembered = stored.authority === undefined && view.memory !== undefined ? readShared(view.memory) : undefined
  if (remembered?.authority !== undefined) {
    material = { ...remembered, serving: stored.serving }
    reasons.push('the authority was missing or damaged: put back from memory')
  }
  if (material.authority !== undefined && expired(material.authority.certificate, now)) {
    material = { ...material, authority: undefined, others: [material.authority.certificate, ...material.others] }
  }
  if (material.next !== undefined && expired(material.next.certificate, now)) {
    material = { ...material, next: undefined }
    reasons.push('the next authority expired before it was needed')
  }
  if (material.authority === undefined) {
    const unusable = servingProblem(material.serving, trustedBy(material), policy, now)
    const next = material.next ?? newAuthority(policy, now)
    // What is served is still trusted: nobody need notice that its authority is lost.
    if (unusable === undefined) {
      if (next !== material.next) reasons.push('the authority cannot sign any more: made the next one')
      return { material: { ...material, next }, reasons }
    }
    reasons.push(next === material.next ? 'the authority cannot sign any more: the next one takes its place' : 'made an authority')
    material = { ...material, authority: next, next: undefined, others: material.others.filter(c => !expired(c, now)) }
  }
  const authority = material.authority!
  const why = servingProblem(material.serving, [authority.certificate], policy, now) ??
    (now.getTime() >= servingRenewal(material.serving!, authority, view, policy) ? 'two thirds of its life are over' : undefined)
  if (why === undefined) return { material, reasons }
  reasons.push(`issued a serving certificate: ${why}`)
  return { material: { ...material, serving: issue(authority, policy, now) }, reasons }
}

/** Seen from what is there; only whether the clients have been seen to have it is remembered. */
function stageOf ({ next, others }: SharedMaterial, { recorded }: RotationView): RotationStage {
  if (next !== undefined) return recorded?.stage === 'Published' ? 'Published' : 'Publishing'
  return others.length > 0 ? 'Retiring' : 'Stable'
}

function servingProblem (serving: ServingPair | undefined, roots: readonly X509Certificate[], { names }: RotationPolicy, now: Date): string | undefined {
  if (serving === undefined) return 'there was none, or it was damaged'
  const present = subjectAltNamesOf(serving.certificate)
  const missing = [...names.dnsNames.filter(n => !present.dnsNames.includes(n)), ...names.ipAddresses.filter(ip => !present.ipAddresses.includes(ip))]
  if (missing.length > 0) return `it lacked the names ${missing.join(', ')}`
  if (expired(serving.certificate, now)) return `it expired at ${new Date(serving.certificate.validTo).toISOString()}`
  try {
    verifyCertificate(serving.certificate, { roots, usage: 'serverAuth', now: new Date(Math.max(now.getTime(), Date.parse(serving.certificate.validFrom))) })
    return undefined
  } catch (error) {
    if (error instanceof CertificateError) return error.message
    throw error
  }
}

/** When the serving certificate is replaced; never, if a new one would hardly last longer, as its authority ends too. */
function servingRenewal ({ certificate }: ServingPair, authority: Authority, { now, jitter }: RotationView, { certificateValidityMs: life }: RotationPolicy): number {
  const at = renewalAt(certificate, life, jitter)
  const end = Math.min(Math.max(at, now.getTime()) + life, Date.parse(authority.certificate.validTo))
  return end - Date.parse(certificate.validTo) > life / 10 ? at : Infinity
}

/** Two thirds of its life, and up to a thirtieth more. Certificates begin a little in the past, which does not count. */
function renewalAt (certificate: X509Certificate, lifeMs: number, jitter: number): number {
  const end = Date.parse(certificate.validTo)
  const life = Math.min(lifeMs, end - Date.parse(certificate.validFrom))
  return end - life / 3 + jitter * life / 30
}

const expired = (certificate: X509Certificate, now: Date): boolean => Date.parse(certificate.validTo) <= now.getTime()

// Authorities that follow each other have different names: some clients look for an issuer by its name alone.
const newAuthority = ({ authorityValidityMs }: RotationPolicy, now: Date): Authority =>
  Authority.create({ commonName: `annex-ca@${Math.floor(now.getTime() / 1000)}`, validityDays: authorityValidityMs / dayMs, now })

function issue (authority: Authority, { names, certificateValidityMs }: RotationPolicy, now: Date): ServingPair {
  const pair = newServingCertificate(authority, { subjectAltNames: names, validityDays: certificateValidityMs / dayMs, now })
  return readShared({ 'tls.crt': pair.certificatePem, 'tls.key': pair.privateKeyPem }).serving!
}

/** Whether the keys that are ours say the same; others in the Secret are nobody's business here. */
function sameData (wanted: SharedData, stored: SharedData | undefined): boolean {
  return stored !== undefined && sharedKeys.every(key => wanted[key] === stored[key])
}
