import { parseCertificates } from '../../certs/key-pair.js'
import { find, type ClusterObject } from '../install/apply.js'
import type { Patient } from './patient.js'

const where = 'kube-system/extension-apiserver-authentication'
const caKey = 'requestheader-client-ca-file'

/** kube-apiserver publishes by which authority, names and headers its front proxy is known. */
export async function checkFrontProxy ({ client, report }: Patient): Promise<void> {
  const found = await find<ClusterObject & { data?: Record<string, string> }>(client, '/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication')
  const fix = 'kube-apiserver writes it; start it with --requestheader-client-ca-file, --requestheader-allowed-names, --proxy-client-cert-file and --proxy-client-key-file'
  const pem = found?.data?.[caKey] ?? ''
  if (found === undefined || pem === '') {
    report.fail('front-proxy', 'RequestHeaderConfigMissing', found === undefined ? `the ConfigMap ${where} does not exist` : `the ConfigMap ${where} has no ${caKey}: no request through kube-apiserver can be authenticated`, fix)
    return
  }
  if ((found.data?.['requestheader-username-headers'] ?? '') === '') {
    report.fail('front-proxy', 'RequestHeaderConfigMissing', `the ConfigMap ${where} has no requestheader-username-headers`, `${fix} and --requestheader-username-headers=X-Remote-User`)
    return
  }
  const authorities = parseCertificates(pem, `${where}: ${caKey}`)
  const now = Date.now()
  if (authorities.every(a => Date.parse(a.validTo) < now)) {
    report.fail('front-proxy', 'FrontProxyCAExpired', `every authority in ${where} has expired (${authorities.map(a => a.validTo).join(', ')})`, 'renew the front proxy\'s authority and certificate of the control plane (kubeadm certs renew front-proxy-client) and restart kube-apiserver')
    return
  }
  const allowed = found.data?.['requestheader-allowed-names'] ?? '[]'
  report.ok('front-proxy', `its authority is published, allowed names are ${allowed === '[]' || allowed === '' ? 'all of it' : allowed}`)
}
