import { createHash, createPublicKey, randomBytes, sign, type KeyObject } from 'node:crypto'
import { isIP } from 'node:net'
import type nodeForge from 'node-forge'
import { parseDer } from './certificate-fields.js'
import { CertificateError } from './errors.js'
import { forge } from './forge.js'

type Asn1 = nodeForge.asn1.Asn1

/** A name as it stands in a certificate: one CN, any number of O. */
export interface DistinguishedName {
  readonly commonName: string
  readonly organizations?: readonly string[] | undefined
}

/** Names that a serving certificate answers to. */
export interface SubjectAltNames {
  readonly dnsNames: readonly string[]
  readonly ipAddresses: readonly string[]
}

/** Who signs: the issuer's certificate (its subject is copied byte for byte) and private key. */
export interface Issuer {
  /** DER of the issuer's certificate; absent for a self-signed certificate. */
  readonly certificate?: Buffer | undefined
  readonly privateKey: KeyObject
}

export interface CertificateTemplate {
  readonly subject: DistinguishedName
  readonly publicKey: KeyObject
  readonly notBefore: Date
  readonly notAfter: Date
  readonly usage: 'ca' | 'serverAuth' | 'clientAuth'
  readonly subjectAltNames?: SubjectAltNames | undefined
}

/**
 * Builds and signs an X.509 v3 certificate (RFC 5280) and returns its DER. node-forge writes the structure, but it only knows RSA keys:
 * the public key, the algorithms and the issuer's name are put in as ready-made ASN.1 and node:crypto signs. The serial is 16 random
 * bytes, so it never repeats, not even across processes or after the files were lost.
 * @throws CertificateError for a key type that cannot sign
 */
export function buildCertificate (template: CertificateTemplate, issuer: Issuer): Buffer {
  const algorithm = signatureAlgorithm(issuer.privateKey)
  const subjectKeyId = keyIdentifier(template.publicKey)
  const cert = forge.pki.createCertificate()
  cert.serialNumber = serialNumber()
  cert.validity.notBefore = template.notBefore
  cert.validity.notAfter = template.notAfter
  const subject = attributes(template.subject)
  cert.setSubject(subject)
  cert.setIssuer(subject)
  // Forge insists on an RSA key; it is replaced below.
  cert.publicKey = forge.pki.rsa.setPublicKey(new forge.jsbn.BigInteger('3'), new forge.jsbn.BigInteger('3'))
  cert.siginfo.algorithmOid = sha256WithRsa
  cert.setExtensions([
    ...usageExtensions(template),
    { id: '2.5.29.14', value: octetString(subjectKeyId) },
    { id: '2.5.29.35', value: authorityKeyIdentifier(issuer, subjectKeyId) }
  ])

  const tbs = (forge.pki as unknown as { getTBSCertificate: (certificate: nodeForge.pki.Certificate) => Asn1 }).getTBSCertificate(cert)
  const fields = tbs.value as Asn1[]
  fields[tbsIndex.signature] = algorithm.identifier()
  fields[tbsIndex.publicKey] = parseDer(template.publicKey.export({ type: 'spki', format: 'der' }))
  if (issuer.certificate !== undefined) fields[tbsIndex.issuer] = subjectOf(issuer.certificate)

  const signature = sign(algorithm.digest, toDer(tbs), issuer.privateKey)
  return toDer(forge.asn1.create(forge.asn1.Class.UNIVERSAL, forge.asn1.Type.SEQUENCE, true, [
    tbs,
    algorithm.identifier(),
    forge.asn1.create(forge.asn1.Class.UNIVERSAL, forge.asn1.Type.BITSTRING, false, '\0' + signature.toString('latin1'))
  ]))
}

/** One or more DER certificates as PEM. */
export function toPem (...certificates: readonly Buffer[]): string {
  return certificates.map(der => `-----BEGIN CERTIFICATE-----\n${der.toString('base64').replace(/.{1,64}/g, '$&\n')}-----END CERTIFICATE-----\n`).join('')
}

const sha256WithRsa = '1.2.840.113549.1.1.11'

/** The field order of TBSCertificate: version, serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo, extensions. */
const tbsIndex = { signature: 2, issuer: 3, subject: 5, publicKey: 6 } as const

interface SignatureAlgorithm { readonly digest: string | null; identifier: () => Asn1 }

function signatureAlgorithm (key: KeyObject): SignatureAlgorithm {
  const algorithm = (oid: string, digest: string | null, withNull = false): SignatureAlgorithm => ({
    digest,
    identifier: () => forge.asn1.create(forge.asn1.Class.UNIVERSAL, forge.asn1.Type.SEQUENCE, true, [
      forge.asn1.create(forge.asn1.Class.UNIVERSAL, forge.asn1.Type.OID, false, forge.asn1.oidToDer(oid).getBytes()),
      ...(withNull ? [forge.asn1.create(forge.asn1.Class.UNIVERSAL, forge.asn1.Type.NULL, false, '')] : [])
    ])
  })
  switch (key.asymmetricKeyType) {
    case 'ec':
      return key.asymmetricKeyDetails?.namedCurve === 'secp384r1' ? algorithm('1.2.840.10045.4.3.3', 'sha384') : algorithm('1.2.840.10045.4.3.2', 'sha256')
    case 'rsa': return algorithm(sha256WithRsa, 'sha256', true)
    case 'ed25519': return algorithm('1.3.101.112', null)
    default: throw new CertificateError('UnsupportedKey', `a private key of type ${key.asymmetricKeyType ?? key.type} cannot sign certificates; use EC, RSA or Ed25519`)
  }
}

function usageExtensions (template: CertificateTemplate): Record<string, unknown>[] {
  if (template.usage === 'ca') {
    return [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, digitalSignature: true, critical: true }
    ]
  }
  const names = template.subjectAltNames
  const altNames = names === undefined
    ? []
    : [...names.dnsNames.map(value => ({ type: 2, value })), ...names.ipAddresses.map(ip => ({ type: 7, ip: checkedAddress(ip) }))]
  return [
    { name: 'basicConstraints', cA: false, critical: true },
    // RSA keys of TLS 1.2 clients with static key exchange are not a concern, so digitalSignature is enough for every key type.
    { name: 'keyUsage', digitalSignature: true, critical: true },
    { name: 'extKeyUsage', [template.usage]: true },
    ...(altNames.length > 0 ? [{ name: 'subjectAltName', altNames }] : [])
  ]
}

function checkedAddress (ip: string): string {
  if (isIP(ip) === 0) throw new CertificateError('InvalidName', `${JSON.stringify(ip)} is not an IP address`)
  return ip
}

// UTF8String throughout: PrintableString, forge's default, cannot hold `:` aside `@`, `_` or `*`, which user and group names contain.
function attributes (name: DistinguishedName): nodeForge.pki.CertificateField[] {
  const utf8 = forge.asn1.Type.UTF8 as unknown as nodeForge.asn1.Class
  return [
    ...(name.organizations ?? []).map(value => ({ name: 'organizationName', value, valueTagClass: utf8 })),
    { name: 'commonName', value: name.commonName, valueTagClass: utf8 }
  ]
}

/** 16 random bytes as a positive INTEGER of constant length (RFC 5280 section 4.1.2.2 allows 20). */
function serialNumber (): string {
  const bytes = randomBytes(16)
  bytes[0] = (bytes[0]! & 0x7f) | 0x40
  return bytes.toString('hex')
}

/** RFC 5280 section 4.2.1.2, method 1: the SHA-1 of the public key's bits. An identifier, not a security measure. */
function keyIdentifier (publicKey: KeyObject): Buffer {
  const spki = parseDer(publicKey.export({ type: 'spki', format: 'der' }))
  const bits = (spki.value as Asn1[])[1]!.value as string
  return createHash('sha1').update(bits.slice(1), 'latin1').digest()
}

function authorityKeyIdentifier (issuer: Issuer, ownKeyId: Buffer): Asn1 {
  const id = issuer.certificate === undefined ? ownKeyId : issuerKeyId(issuer)
  return forge.asn1.create(forge.asn1.Class.UNIVERSAL, forge.asn1.Type.SEQUENCE, true, [forge.asn1.create(forge.asn1.Class.CONTEXT_SPECIFIC, 0, false, id.toString('latin1'))])
}

/** What the issuer calls its own key, or, if it does not say, what we would call it. */
function issuerKeyId (issuer: Issuer): Buffer {
  const tbs = (parseDer(issuer.certificate!).value as Asn1[])[0]!
  const extensions = (tbs.value as Asn1[]).find(node => node.tagClass === forge.asn1.Class.CONTEXT_SPECIFIC && node.type as number === 3)
  for (const extension of ((extensions?.value as Asn1[] | undefined)?.[0]?.value ?? []) as Asn1[]) {
    const parts = extension.value as Asn1[]
    if (forge.asn1.derToOid(parts[0]!.value as string) !== '2.5.29.14') continue
    return Buffer.from(parseDer(Buffer.from(parts.at(-1)!.value as string, 'latin1')).value as string, 'latin1')
  }
  return keyIdentifier(createPublicKey(issuer.privateKey))
}

function subjectOf (certificate: Buffer): Asn1 {
  const tbs = (parseDer(certificate).value as Asn1[])[0]!
  return (tbs.value as Asn1[])[tbsIndex.subject]!
}

const octetString = (bytes: Buffer): Asn1 => forge.asn1.create(forge.asn1.Class.UNIVERSAL, forge.asn1.Type.OCTETSTRING, false, bytes.toString('latin1'))
const toDer = (node: Asn1): Buffer => Buffer.from(forge.asn1.toDer(node).getBytes(), 'latin1')
