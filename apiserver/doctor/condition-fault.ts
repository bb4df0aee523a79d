import type { Fault, Link } from './report.js'

/** What kube-apiserver says of a server that it could not reach or use, as a fault. Source: kube-aggregator, `remote_available_controller.go`; Go's crypto/x509 and net. */
const patterns: readonly { readonly pattern: RegExp; readonly link: Link; readonly fault: Fault }[] = [
  { pattern: /is not present/, link: 'service', fault: 'ServiceNotFound' },
  { pattern: /is not listening on port|no service port/, link: 'service', fault: 'ServicePortMissing' },
  { pattern: /cannot find endpointslices|have no addresses|no endpoints available/, link: 'endpoints', fault: 'NoReadyEndpoints' },
  { pattern: /connection refused/, link: 'connection', fault: 'ConnectionRefused' },
  { pattern: /current time \S+ is after/, link: 'certificate', fault: 'CertificateExpired' },
  { pattern: /current time \S+ is before/, link: 'certificate', fault: 'CertificateNotYetValid' },
  { pattern: /x509: certificate is (?:valid for|not valid for any names)|x509: cannot validate certificate for|x509: certificate relies on legacy Common Name/, link: 'certificate', fault: 'CertificateNameMismatch' },
  { pattern: /x509: /, link: 'certificate', fault: 'CertificateUntrusted' },
  { pattern: /bad status from \S+: 40[13]/, link: 'front-proxy', fault: 'FrontProxyRefused' },
  { pattern: /bad status from \S+: 404/, link: 'discovery', fault: 'GroupVersionNotServed' },
  { pattern: /timed out|timeout|Timeout|deadline exceeded|no route to host|network is unreachable|no such host/, link: 'connection', fault: 'ServiceUnreachable' }
]

/** The fault that the message of an APIService's condition Available tells of. */
export const faultOfCondition = (message: string): { readonly link: Link; readonly fault: Fault } =>
  patterns.find(p => p.pattern.test(message)) ?? { link: 'discovery', fault: 'APIServiceUnavailable' }
