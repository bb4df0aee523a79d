import { isIP } from 'node:net'
import { find, type ApiService, type ClusterObject } from '../install/apply.js'
import { names, selectorLabels } from '../install/names.js'
import { faultOfCondition } from './condition-fault.js'
import { available, reinstall, serverNameOf, type Patient, type ReachedServer } from './patient.js'
import { probe } from './probe.js'

interface Service extends ClusterObject {
  readonly spec: { readonly type?: string; readonly externalName?: string; readonly clusterIP?: string; readonly selector?: Readonly<Record<string, string>>; readonly ports?: readonly { readonly name?: string; readonly port: number }[] }
}

/** Where the Service leads. */
export interface FoundService {
  readonly host: string
  readonly port: number
  /** An address of the cluster's network, which from outside is nobody's or somebody else's. */
  readonly inCluster: boolean
}

/** The Service exists, has the port that is asked for, and something behind it. @returns undefined where it leads nowhere */
export async function checkService (patient: Patient, registered: readonly ApiService[]): Promise<FoundService | undefined> {
  const { client, namespace, report } = patient
  const shown = `${namespace}/${names.server}`
  const service = await find<Service>(client, `/api/v1/namespaces/${namespace}/services/${names.server}`)
  if (service === undefined) {
    report.fail('service', 'ServiceNotFound', `the Service ${shown} does not exist`, reinstall)
    report.skip('endpoints', 'there is no Service')
    return undefined
  }
  const ports = service.spec.ports?.map(p => p.port) ?? []
  const asked = [...new Set(registered.map(r => r.spec.service?.port ?? 443))]
  const missing = asked.filter(port => !ports.includes(port))
  if (missing.length > 0) {
    report.fail('service', 'ServicePortMissing', `APIServices ask for port ${missing.join(', ')} of the Service ${shown}, which has ${ports.length === 0 ? 'no ports' : ports.join(', ')}`,
      `annex install --service-port=${ports[0] ?? missing[0]} makes them agree`)
  } else {
    report.ok('service', `${shown} has port ${(asked.length > 0 ? asked : ports).join(', ')}`)
  }
  const port = asked.find(p => ports.includes(p)) ?? ports[0]
  if (service.spec.type === 'ExternalName') {
    report.ok('endpoints', `the Service is the external name ${service.spec.externalName}`)
    return port === undefined || missing.length > 0 ? undefined : { host: service.spec.externalName ?? '', port, inCluster: false }
  }
  const ready = await checkEndpoints(patient, service)
  const host = service.spec.clusterIP ?? ''
  return ready && port !== undefined && missing.length === 0 && isIP(host) !== 0 ? { host, port, inCluster: true } : undefined
}

interface EndpointSlice { readonly endpoints?: readonly { readonly conditions?: { readonly ready?: boolean } }[] | null }
interface Pod extends ClusterObject {
  readonly status: { readonly phase?: string; readonly conditions?: readonly { type: string; status: 'True' | 'False' | 'Unknown'; reason?: string; message?: string }[]; readonly containerStatuses?: readonly { readonly state?: { readonly waiting?: { readonly reason?: string; readonly message?: string } } }[] }
}

async function checkEndpoints ({ client, namespace, report }: Patient, service: Service): Promise<boolean> {
  const { items } = await client.json<{ items: EndpointSlice[] }>({ method: 'GET', path: `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices?labelSelector=${encodeURIComponent(`kubernetes.io/service-name=${names.server}`)}` })
  const endpoints = items.flatMap(slice => slice.endpoints ?? [])
  const ready = endpoints.filter(e => e.conditions?.ready !== false).length
  if (ready > 0) {
    report.ok('endpoints', `${ready} of ${endpoints.length} are ready`)
    return true
  }
  const selector = Object.entries(service.spec.selector ?? selectorLabels('apiserver')).map(([k, v]) => `${k}=${v}`).join(',')
  const pods = await client.json<{ items: Pod[] }>({ method: 'GET', path: `/api/v1/namespaces/${namespace}/pods?labelSelector=${encodeURIComponent(selector)}` })
  const why = [...new Set(pods.items.flatMap(whyNotReady))]
  report.fail('endpoints', 'NoReadyEndpoints', `none of ${endpoints.length} endpoints is ready: ${pods.items.length === 0 ? `no Pod has the labels ${selector}` : why.slice(0, 5).join('; ')}`,
    `kubectl describe pods -n ${namespace} -l ${selector}\nkubectl logs -n ${namespace} deploy/${names.server}`)
  return false
}

function whyNotReady ({ metadata: { name }, status }: Pod): string[] {
  const waiting = status.containerStatuses?.flatMap(c => c.state?.waiting === undefined ? [] : [c.state.waiting]) ?? []
  const conditions = status.conditions?.filter(c => c.status === 'False') ?? []
  const reasons = [...waiting, ...conditions].map(({ reason, message }) => [reason, message].filter(Boolean).join(': ')).filter(text => text !== '')
  return reasons.length === 0 ? [`${name} is ${status.phase ?? 'in no phase'}`] : reasons
}

/** Codes that say that we are in the wrong place to ask, not that nobody is there. */
const elsewhere = new Set(['TIMEOUT', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN'])

/**
 * The server answers where the Service leads. From outside of the cluster that cannot be tried, and what kube-apiserver says counts.
 * @returns undefined if it was not reached from here
 */
export async function checkConnection (patient: Patient, service: FoundService | undefined, registered: readonly ApiService[]): Promise<ReachedServer | undefined> {
  const { report, timeoutMs } = patient
  if (service === undefined) {
    report.skip('connection', 'the Service leads nowhere')
    return undefined
  }
  const address = `${service.host}:${service.port}`
  const serverName = serverNameOf(patient)
  const found = await probe({ ...service, serverName }, '/readyz?verbose', timeoutMs)
  const said = registered.map(available)
  const reachedByCluster = said.some(s => s.status === 'True')
  if (service.inCluster && reachedByCluster && (found.type === 'unreachable' || found.chain[0]?.checkHost(serverName, { subject: 'never' }) === undefined)) {
    report.skip('connection', `${address} is not the server from here, but kube-apiserver reaches it`)
    return undefined
  }
  if (found.type === 'answered') {
    report.ok('connection', `${address} answers with TLS`)
    return { address, chain: found.chain, readyz: { status: found.status, body: found.body } }
  }
  const blocked = said.map(s => s.message).find(message => faultOfCondition(message).link === 'connection')
  if (service.inCluster && blocked !== undefined) {
    report.fail('connection', faultOfCondition(blocked).fault, `kube-apiserver does not get through: ${blocked}`,
      'let the control plane reach the Pods on port 10250 (firewalls of private clusters allow that port), or install with --host-network where the CNI keeps the control plane out')
  } else if (found.code === 'ECONNREFUSED') {
    report.fail('connection', 'ConnectionRefused', `nothing listens on ${address}`, `is the server running, and on the port that the Service leads to? kubectl get pods,service,endpointslices -n ${patient.namespace}`)
  } else if (elsewhere.has(found.code)) {
    report.skip('connection', `${address} cannot be reached from here (${found.code}), and kube-apiserver does not say that it cannot either`)
  } else {
    report.fail('connection', 'ServiceUnreachable', `${address} does not speak TLS: ${found.message}`, 'something else than annex apiserver listens there')
  }
  return undefined
}
