import { isClusterError } from '../cluster/errors.js'
import type { ApiService } from '../install/apply.js'
import { faultOfCondition } from './condition-fault.js'
import { available, verifiable, type Patient } from './patient.js'
import type { Fault } from './report.js'

interface ResourceList { readonly groupVersion?: string; readonly resources?: readonly { readonly name: string }[] }

const fixes: Partial<Record<Fault, string>> = {
  FrontProxyRefused: 'the server must trust the authority in kube-system/extension-apiserver-authentication: start it without --requestheader-client-ca-file and --authentication-skip-lookup, so that it follows the cluster\'s',
  GroupVersionNotServed: 'the running server is another version, or lacks a --crd-file: compare its image and flags with what was installed'
}

/** Every group version is available to kube-apiserver's clients, and what answers has our resources. */
export async function checkDiscovery (patient: Patient, registered: readonly ApiService[]): Promise<void> {
  const { client, groups, report } = patient
  if (report.failed('service', 'endpoints', 'connection', 'certificate') || registered.length === 0) {
    report.skip('discovery', registered.length === 0 ? 'nothing is registered' : 'a link before is broken')
    return
  }
  for (const registration of registered) {
    // Said already, and what follows from it would only be said twice.
    if (!verifiable(registration)) continue
    const { group, version } = registration.spec
    const name = registration.metadata.name
    const { status, message } = available(registration)
    if (status !== 'True') {
      const { link, fault } = faultOfCondition(message)
      report.fail(link, fault, `${name} is not available: ${message}`, fixes[fault] ?? `kubectl describe apiservice ${name}`)
      continue
    }
    try {
      const list = await client.json<ResourceList>({ method: 'GET', path: `/apis/${group}/${version}` })
      const expected = groups.find(g => g.name === group)?.resources.filter(r => r.stored).map(r => r.name) ?? []
      const missing = expected.filter(resource => !list.resources?.some(r => r.name === resource))
      // Versions of a group need not have all of its resources; none of them is another server's.
      if (list.groupVersion !== `${group}/${version}` || (expected.length > 0 && missing.length === expected.length)) {
        report.fail('discovery', 'AnotherServerAnswers', `${name}: what answers is ${list.groupVersion ?? 'not a list of resources'} without ${missing.join(', ')}`, 'the Service leads to another server: look at its selector and endpoints')
      }
    } catch (error) {
      if (!isClusterError(error, 404)) throw error
      report.fail('discovery', 'GroupVersionNotServed', `${name}: the server answers 404`, fixes.GroupVersionNotServed!)
    }
  }
  if (!report.has('discovery')) report.ok('discovery', `${registered.length} group versions are available`)
}
