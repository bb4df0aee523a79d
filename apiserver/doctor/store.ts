import { ClusterError } from '../cluster/errors.js'
import type { ApiService } from '../install/apply.js'
import { names } from '../install/names.js'
import type { Patient, ReachedServer } from './patient.js'

/** The server is ready, and reaches its store: asked directly if it was reached, otherwise by reading objects through kube-apiserver. */
export async function checkStore (patient: Patient, server: ReachedServer | undefined, registered: readonly ApiService[]): Promise<void> {
  const { report, namespace } = patient
  const fix = `is etcd healthy, and reachable from the Pods? kubectl logs -n ${namespace} deploy/${names.server}; etcdctl endpoint health`
  if (server !== undefined && server.readyz.status !== 0 && server.readyz.status !== 401 && server.readyz.status !== 403) {
    const failed = [...server.readyz.body.matchAll(/^\[-\](\S+) failed/gm)].map(m => m[1]!)
    if (server.readyz.status === 200) report.ok('store', `${server.address} is ready`)
    else if (failed.some(check => check.startsWith('etcd'))) report.fail('store', 'StoreUnavailable', `${server.address} does not reach its store: objects answer 503, discovery goes on`, fix)
    else report.fail('store', 'ServerNotReady', `${server.address} is not ready: ${failed.join(', ') || `status ${server.readyz.status}`}`, `kubectl logs -n ${namespace} deploy/${names.server} says why`)
    return
  }
  const readable = readablePath(patient, registered)
  if (readable === undefined || report.failed('service', 'endpoints', 'connection', 'certificate', 'discovery')) {
    report.skip('store', 'the server was not reached')
    return
  }
  try {
    await patient.client.json({ method: 'GET', path: `${readable}?limit=1` })
    report.ok('store', 'objects can be read')
  } catch (error) {
    if (!(error instanceof ClusterError) || error.code < 500) throw error
    report.fail('store', 'StoreUnavailable', `objects cannot be read: ${error.message}`, fix)
  }
}

/** A collection of stored objects that is registered. */
function readablePath ({ groups }: Patient, registered: readonly ApiService[]): string | undefined {
  for (const { spec: { group, version } } of registered) {
    const resource = groups.find(g => g.name === group)?.resources.find(r => r.stored)
    if (resource !== undefined) return `/apis/${group}/${version}/${resource.name}`
  }
  return undefined
}
