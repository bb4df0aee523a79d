import { X509Certificate } from 'node:crypto'
import { CertificateError } from '../../certs/errors.js'
import { parseCertificates } from '../../certs/key-pair.js'
import { subjectAltNamesOf } from '../../certs/serving-certificate.js'
import { verifyCertificate } from '../../certs/verify.js'
import { find, type ApiService, type ClusterObject } from '../install/apply.js'
import { names } from '../install/names.js'
import { serverNameOf, type Patient, type ReachedServer } from './patient.js'

/** The serving certificate is current, for the name that the aggregator asks for, and one of every caBundle. */
export async function checkCertificate (patient: Patient, server: ReachedServer | undefined, registered: readonly ApiService[]): Promise<void> {
  const { report } = patient
  const source = server === undefined ? await fromSecret(patient) : { chain: server.chain, where: server.address }
  const [leaf, ...intermediates] = source?.chain ?? []
  if (source === undefined || leaf === undefined) {
    report.skip('certificate', server === undefined ? 'the server was not reached' : 'the server showed no certificate')
    return
  }
  const name = serverNameOf(patient)
  const now = Date.now()
  const [from, to] = [Date.parse(leaf.validFrom), Date.parse(leaf.validTo)]
  if (now > to) report.fail('certificate', 'CertificateExpired', `the certificate of ${source.where} expired on ${day(to)}`, renewal(patient))
  if (now < from) report.fail('certificate', 'CertificateNotYetValid', `the certificate of ${source.where} begins on ${day(from)}, and it is ${day(now)} here`, 'compare the clocks (date -u) of this machine, of the nodes and of the control plane, and run NTP; then renew the certificate')
  if (leaf.checkHost(name, { subject: 'never' }) === undefined) {
    const has = subjectAltNamesOf(leaf)
    report.fail('certificate', 'CertificateNameMismatch', `the certificate of ${source.where} is not for ${name} but for ${[...has.dnsNames, ...has.ipAddresses].join(', ') || 'no names'}`,
      `issue it with the DNS name ${name}, or let the server make its own: install without --tls-secret`)
  }
  // Whether it is one of the bundle does not depend on its dates.
  const when = new Date(Math.min(Math.max(now, from), to))
  for (const [bundle, apiServices] of bundlesOf(registered)) checkTrust(patient, { leaf, intermediates, when, where: source.where }, bundle, apiServices)
  if (!report.has('certificate')) report.ok('certificate', `is for ${name}, verified by the caBundle, and valid until ${day(to)}`)
}

interface Shown { readonly leaf: X509Certificate; readonly intermediates: readonly X509Certificate[]; readonly when: Date; readonly where: string }

function checkTrust ({ report }: Patient, { leaf, intermediates, when, where }: Shown, bundle: string, apiServices: readonly string[]): void {
  const shown = apiServices.length > 3 ? `${apiServices.slice(0, 3).join(', ')} and ${apiServices.length - 3} more` : apiServices.join(', ')
  try {
    verifyCertificate(leaf, { roots: parseCertificates(Buffer.from(bundle, 'base64').toString(), `caBundle of ${shown}`), intermediates, usage: 'serverAuth', now: when })
  } catch (error) {
    const expired = error instanceof CertificateError && error.code === 'NotCurrent'
    report.fail('certificate', expired ? 'CertificateExpired' : 'CertificateUntrusted', `the certificate of ${where} is not verified by the caBundle of ${shown}: ${(error as Error).message}`,
      `kubectl get apiservice ${apiServices[0]} -o jsonpath={.spec.caBundle} | base64 -d shows whom it trusts; the server puts its own authority there unless --tls-secret is used, then annex install --ca-bundle-file does`)
  }
}

/** The distinct caBundles, with the names of their APIServices. */
function bundlesOf (registered: readonly ApiService[]): Map<string, string[]> {
  const bundles = new Map<string, string[]>()
  for (const { metadata: { name }, spec } of registered) {
    if (spec.caBundle !== undefined && spec.caBundle !== '') bundles.set(spec.caBundle, [...bundles.get(spec.caBundle) ?? [], name])
  }
  return bundles
}

/** What the replicas serve, as they keep it, for those who cannot ask them. */
async function fromSecret ({ client, namespace }: Patient): Promise<{ chain: readonly X509Certificate[]; where: string } | undefined> {
  const secret = await find<ClusterObject & { data?: Record<string, string> }>(client, `/api/v1/namespaces/${namespace}/secrets/${names.servingCertificateSecret}`)
  const pem = secret?.data?.['tls.crt']
  return pem === undefined ? undefined : { chain: parseCertificates(Buffer.from(pem, 'base64').toString(), names.servingCertificateSecret), where: `the Secret ${namespace}/${names.servingCertificateSecret}` }
}

const renewal = ({ namespace }: Patient): string =>
  `the server renews its own in time; if it did not, its log says why: kubectl logs -n ${namespace} deploy/${names.server}\na certificate of --tls-secret is renewed by whoever made it`

const day = (time: number): string => new Date(time).toISOString().replace(/\.\d+Z$/, 'Z')
