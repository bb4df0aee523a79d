import type { X509Certificate } from 'node:crypto'
import type { ClusterClient } from '../cluster/client.js'
import type { ApiService } from '../install/apply.js'
import { names } from '../install/names.js'
import type { ServedGroup } from '../install/served-groups.js'
import type { Report } from './report.js'

/** An installation that is looked at, and where findings go. */
export interface Patient {
  readonly client: ClusterClient
  readonly namespace: string
  /** What it should serve. */
  readonly groups: readonly ServedGroup[]
  /** For asking the server directly. */
  readonly timeoutMs: number
  readonly report: Report
}

/** The server as it was reached, without kube-apiserver between. */
export interface ReachedServer {
  readonly address: string
  readonly chain: readonly X509Certificate[]
  /** The answer to `/readyz?verbose`; status 0 if it wanted a certificate. */
  readonly readyz: { readonly status: number; readonly body: string }
}

export const available = (service: ApiService): { readonly status: string; readonly message: string } => {
  const found = service.status?.conditions?.find(c => c.type === 'Available')
  return { status: found?.status ?? 'Unknown', message: found?.message ?? 'kube-apiserver has not looked yet' }
}

/** Whether the aggregator can verify whom it talks to. */
export const verifiable = ({ spec }: ApiService): boolean => spec.insecureSkipTLSVerify === true || (spec.caBundle ?? '') !== ''

/** The name that the aggregator asks for in the TLS handshake. */
export const serverNameOf = ({ namespace }: Pick<Patient, 'namespace'>): string => `${names.server}.${namespace}.svc`

/** How to install again with the same settings: whatever is missing then is put back. */
export const reinstall = 'annex install, with the flags that it was installed with, puts it back'
