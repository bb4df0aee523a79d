import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Logger } from 'pino'
import { writeKubeconfig } from '../../certs/kubeconfig.js'
import { parseCertificates, type KeyPair } from '../../certs/key-pair.js'
import { ensurePki, type Pki } from '../../certs/pki-directory.js'
import { CertificateReloader, type ReloadedCertificates } from '../../certs/reloader.js'
import { rotationStages, type RotationPolicy } from '../../certs/rotation.js'
import { servingNames } from '../../certs/serving-certificate.js'
import type { ClusterClient } from '../cluster/client.js'
import type { TlsMaterial } from '../http/listener.js'
import type { CertificateRotation } from '../metrics/metrics.js'
import type { ApiserverConfig } from '../options/apiserver-options.js'
import type { ServingSecretConfig } from '../options/cluster-options.js'
import { ClusterCertificates } from './cluster-certificates.js'

export interface ServedCertificates {
  readonly tls: () => TlsMaterial
  /** Of files; undefined if there are none. */
  readonly clientAuthorities: () => readonly X509Certificate[] | undefined
  /** The further authorities have changed. */
  readonly refresh: () => void
  readonly expiry: () => Date | undefined
  /** Of a pair that replicas share. */
  readonly rotation: () => CertificateRotation | undefined
  readonly writeKubeconfig: (url: string) => Promise<void>
  /** Renews of ours what is due, as is done every hour; the kubeconfig, once written, follows. */
  readonly renew: () => Promise<void>
}

export interface CertificateSurroundings {
  /** Of the cluster, whose Secret may hold the pair. */
  readonly client: ClusterClient | undefined
  /** Authorities of clients that are no files. */
  readonly further: () => string[]
  readonly onChange: (tls: TlsMaterial) => void
}

/** The serving pair and the client CA: given files, a Secret that replicas share, or our own; followed for changes, what is ours renewed in time. */
export async function serveCertificates (config: ApiserverConfig, log: Logger, closers: (() => Promise<void> | void)[], surroundings: CertificateSurroundings): Promise<ServedCertificates> {
  const { tls, secret, sans } = config.serving
  let pki: Pki | undefined
  // In a cluster its own authority says who is who, and ours only vouches for this server.
  const standalone = config.cluster === undefined
  if ((tls === undefined && secret === undefined) || (standalone && config.authentication.clientCaFile === undefined)) pki = await renewPki()
  const files = secret === undefined ? tls ?? pki!.serving : undefined
  const caFiles = [config.authentication.clientCaFile, standalone ? pki?.ca.certificateFile : undefined].filter(f => f !== undefined)
  let fromFiles: readonly X509Certificate[] | undefined
  let caPem = ''
  let pair: KeyPair

  const use = (c: ReloadedCertificates): void => {
    caPem = c.certificateAuthorityPem ?? ''
    if (caFiles.length > 0) fromFiles = parseCertificates(caPem, caFiles.join(', '))
    if (files !== undefined) pair = { certificatePem: c.certificatePem!, privateKeyPem: c.privateKeyPem! }
  }
  const material = (): TlsMaterial => ({ ...pair, clientAuthorities: [...caPem === '' ? [] : [caPem], ...surroundings.further()] })
  if (files !== undefined || caFiles.length > 0) {
    const reloader = new CertificateReloader({
      pair: files,
      certificateAuthorityFiles: caFiles,
      onReload: c => {
        use(c)
        surroundings.onChange(material())
        log.info({ files: [...files ? [files.certificateFile] : [], ...caFiles] }, 'certificates reloaded')
      },
      onError: error => { log.error({ err: error }, 'changed certificates are not used') }
    })
    use(await reloader.start())
    closers.push(() => reloader.close())
  }
  let shared: ClusterCertificates | undefined
  if (secret !== undefined) {
    shared = await ClusterCertificates.open({
      client: surroundings.client!, secret: secret.secret, service: secret.service, policy: rotationPolicy(secret, sans), log,
      onChange: () => {
        pair = shared!.serving
        surroundings.onChange(material())
      }
    })
    const opened = shared
    closers.push(() => opened.stop())
    pair = opened.serving
    opened.start()
  }

  async function renewPki (): Promise<Pki> {
    const made = await ensurePki({ directory: config.pkiDir, sans })
    for (const change of made.changes) log.info({ change }, 'certificate files changed')
    return made
  }
  let kubeconfigUrl: string | undefined
  async function writeOwnKubeconfig (): Promise<void> {
    if (pki === undefined || !standalone || kubeconfigUrl === undefined) return
    // Clients trust our own authority, or the file that the serving certificate came from when the user brought one.
    const trusted = tls === undefined ? pki.ca.certificatePem : readFileSync(tls.certificateFile, 'utf8')
    await writeKubeconfig({ path: config.kubeconfigFile, server: kubeconfigUrl, certificateAuthorityPem: trusted, client: pki.admin })
  }
  async function renew (): Promise<void> {
    if (pki === undefined) return
    pki = await renewPki()
    // It embeds the admin certificate.
    if (pki.changes.length > 0) await writeOwnKubeconfig()
  }
  if (pki !== undefined) {
    const timer = setInterval(() => { renew().catch((error: unknown) => { log.error({ err: error }, 'certificates could not be renewed') }) }, 3_600_000)
    timer.unref()
    closers.push(() => { clearInterval(timer) })
  }
  return {
    tls: material,
    clientAuthorities: () => fromFiles,
    refresh: () => {
      surroundings.onChange(material())
      log.info({}, 'client authorities reloaded')
    },
    expiry: () => new Date(new X509Certificate(pair.certificatePem).validTo),
    rotation: () => shared && { authorityExpiry: shared.authorityExpiry, stage: shared.stage, stages: rotationStages },
    writeKubeconfig: async url => {
      kubeconfigUrl = url
      await writeOwnKubeconfig()
    },
    renew
  }
}

/** Names as the cluster's DNS has them. Waiting times follow from the validity, within what a cluster needs to hear of a change. */
export function rotationPolicy ({ service: { namespace, name }, certificateValidityMs, authorityValidityMs }: ServingSecretConfig, sans: readonly string[]): RotationPolicy {
  return {
    names: servingNames([`${name}.${namespace}.svc`, `${name}.${namespace}.svc.cluster.local`, `${name}.${namespace}`, name, ...sans]),
    certificateValidityMs,
    authorityValidityMs,
    settleMs: Math.min(30_000, certificateValidityMs / 60),
    overlapMs: Math.min(24 * 3_600_000, certificateValidityMs / 12)
  }
}
