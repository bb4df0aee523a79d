import type { X509Certificate } from 'node:crypto'
import type nodeForge from 'node-forge'
import { CertificateError } from './errors.js'
import { forge } from './forge.js'

type Asn1 = nodeForge.asn1.Asn1

/** What chain verification needs and `crypto.X509Certificate` does not tell. */
export interface CertificateFields {
  /** OID of the algorithm that the certificate is signed with. */
  readonly signatureAlgorithm: string
  /** DER of the subject and the issuer, compared byte for byte. */
  readonly subject: string
  readonly issuer: string
  readonly isAuthority: boolean
  /** How many intermediate authorities may follow; undefined is any number. */
  readonly pathLength: number | undefined
  /** Whether the key may sign certificates; true if keyUsage is absent. */
  readonly mayCertify: boolean
  /** OIDs of all extensions, and of the critical ones. */
  readonly extensions: ReadonlySet<string>
  readonly criticalExtensions: ReadonlySet<string>
}

/** @throws CertificateError Malformed */
export function certificateFields (certificate: X509Certificate): CertificateFields {
  try {
    return parseFields(certificate.raw)
  } catch (cause) {
    throw new CertificateError('Malformed', 'the certificate cannot be parsed', { cause })
  }
}

function parseFields (der: Buffer): CertificateFields {
  const [tbs, algorithm] = children(parseDer(der))
  const fields = children(tbs)
  // The version is explicitly tagged and absent in v1 certificates, which have no extensions either.
  const offset = isContext(fields[0], 0) ? 1 : 0
  const extensions = new Map<string, { critical: boolean; value: string }>()
  for (const extension of children(children(fields.find(node => isContext(node, 3)))[0])) {
    const parts = children(extension)
    const oid = forge.asn1.derToOid(text(parts[0]))
    if (extensions.has(oid)) throw new Error(`extension ${oid} is repeated`)
    extensions.set(oid, { critical: parts.length === 3 && text(parts[1]) !== '\0', value: text(parts.at(-1)) })
  }
  const basic = extensions.get('2.5.29.19')
  const basicParts = basic === undefined ? [] : children(parseDer(Buffer.from(basic.value, 'latin1')))
  const usage = extensions.get('2.5.29.15')
  const pathLength = basicParts.find(node => node.type === forge.asn1.Type.INTEGER)
  return {
    signatureAlgorithm: forge.asn1.derToOid(text(children(algorithm)[0])),
    issuer: forge.asn1.toDer(fields[offset + 2]!).getBytes(),
    subject: forge.asn1.toDer(fields[offset + 4]!).getBytes(),
    isAuthority: basicParts.some(node => node.type === forge.asn1.Type.BOOLEAN && text(node) !== '\0'),
    pathLength: pathLength === undefined ? undefined : Buffer.from(text(pathLength), 'latin1').readIntBE(0, Math.min(text(pathLength).length, 6)),
    // BIT STRING: one byte of padding count, then the flags from the left; keyCertSign is bit 5.
    mayCertify: usage === undefined || (text(parseDer(Buffer.from(usage.value, 'latin1'))).charCodeAt(1) & 0x04) !== 0,
    extensions: new Set(extensions.keys()),
    criticalExtensions: new Set([...extensions].filter(([, e]) => e.critical).map(([oid]) => oid))
  }
}

const isContext = (node: Asn1 | undefined, type: number): boolean => node?.tagClass === forge.asn1.Class.CONTEXT_SPECIFIC && node.type as number === type
const children = (node: Asn1 | undefined): Asn1[] => Array.isArray(node?.value) ? node.value : []

function text (node: Asn1 | undefined): string {
  if (typeof node?.value !== 'string') throw new Error('unexpected structure')
  return node.value
}

// Without `decodeBitStrings: false` forge guesses that some keys and signatures are nested ASN.1. The typings lack the options form.
export function parseDer (der: Buffer): Asn1 {
  const fromDer = forge.asn1.fromDer as unknown as (bytes: nodeForge.util.ByteStringBuffer, options: { strict: boolean; decodeBitStrings: boolean }) => Asn1
  return fromDer(forge.util.createBuffer(der.toString('latin1')), { strict: true, decodeBitStrings: false })
}
