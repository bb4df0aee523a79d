import { createPrivateKey, createPublicKey, generateKeyPairSync, X509Certificate, type KeyObject } from 'node:crypto'
import { CertificateError } from './errors.js'

/** A certificate (or chain, leaf first) and its private key, both as PEM. */
export interface KeyPair {
  readonly certificatePem: string
  readonly privateKeyPem: string
}

/** A new EC P-256 private key, as PKCS #8 PEM. */
export function newPrivateKeyPem (): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}

/** Reads a private key. @throws CertificateError Malformed, naming `source` */
export function parsePrivateKey (pem: string, source: string): KeyObject {
  try {
    return createPrivateKey(pem)
  } catch (cause) {
    throw new CertificateError('Malformed', `${source}: not an unencrypted private key in PEM form`, { cause })
  }
}

/**
 * Reads every certificate of a PEM text, in order; text around the blocks is ignored, as everywhere in Kubernetes.
 * @throws CertificateError Malformed, naming `source`, if there is none or one cannot be read
 */
export function parseCertificates (pem: string, source: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g)
  if (blocks === null) throw new CertificateError('Malformed', `${source}: holds no certificate in PEM form`)
  return blocks.map((block, i) => {
    try {
      return new X509Certificate(block)
    } catch (cause) {
      throw new CertificateError('Malformed', `${source}: certificate ${i + 1} of ${blocks.length} cannot be read`, { cause })
    }
  })
}

/** Whether a private key belongs to a certificate. */
export const keyMatches = (certificate: X509Certificate, privateKey: KeyObject): boolean => certificate.publicKey.equals(createPublicKey(privateKey))

/**
 * Reads a pair and checks that both halves belong together.
 * @throws CertificateError Malformed or Mismatch, naming the files
 */
export function parseKeyPair (pair: KeyPair, certificateSource: string, keySource: string): { chain: X509Certificate[]; privateKey: KeyObject } {
  const chain = parseCertificates(pair.certificatePem, certificateSource)
  const privateKey = parsePrivateKey(pair.privateKeyPem, keySource)
  if (!keyMatches(chain[0]!, privateKey)) {
    throw new CertificateError('Mismatch', `${keySource}: is not the private key of the certificate in ${certificateSource}`)
  }
  return { chain, privateKey }
}
