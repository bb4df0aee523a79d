import { Checks } from '../cli/checks.js'
import { parseFlags } from '../cli/flags.js'
import type { ClusterClient } from '../cluster/client.js'
import { isClusterError } from '../cluster/errors.js'
import { retry } from '../cluster/retry.js'
import { checkCluster, connect } from '../install/cluster-flags.js'
import { groupsOfFlags } from '../install/install-options.js'
import { helpOrErrors, type Terminal } from '../install/terminal.js'
import { checkApiServices } from './api-services.js'
import { checkCertificate } from './certificate.js'
import { checkDiscovery } from './discovery.js'
import { checkFrontProxy } from './front-proxy.js'
import type { Patient } from './patient.js'
import { checkRbac } from './rbac.js'
import { doctorFlags } from './doctor-flags.js'
import { Report, type Link } from './report.js'
import { checkConnection, checkService } from './service.js'
import { checkStore } from './store.js'

const text = {
  command: 'annex doctor',
  description: 'Follows the chain from kube-apiserver to the store of an installation, says which link is broken, and how to mend it.\n' +
    'Changes nothing. What can only be seen from inside of the cluster is judged by what kube-apiserver says of it.'
}

/** `annex doctor`. @returns the exit code: 0 nothing is broken, 1 something is, 2 the command line is wrong */
export async function doctor (args: readonly string[], terminal: Terminal): Promise<number> {
  const parsed = parseFlags(doctorFlags, args, text.command)
  const { options } = parsed
  const checks = new Checks()
  checkCluster(checks, options)
  if (options.output !== 'text' && options.output !== 'json') checks.add('output', options.output, 'must be text or json')
  if (options.timeout <= 0) checks.add('timeout', `${options.timeout}ms`, 'must be positive')
  const { groups, errors } = groupsOfFlags(checks, options)
  const over = helpOrErrors(terminal, doctorFlags, text, parsed, [...parsed.errors, ...checks.sorted(Object.values(doctorFlags).map(f => f.name)), ...errors])
  if (over !== undefined) return over
  const report = new Report()
  let client: ClusterClient | undefined
  try {
    client = await connect(options, terminal.environment)
    await examine({ client, namespace: options.namespace, groups, timeoutMs: options.timeout, report })
  } catch (error) {
    report.fail('cluster', 'ClusterUnreachable', (error as Error).message, 'check --kubeconfig and --context: kubectl version')
  } finally {
    client?.close()
  }
  terminal.out(options.output === 'json' ? report.json() : report.text())
  return report.faults.length === 0 ? 0 : 1
}

/** Looks into every link; a link that hangs on a broken one is skipped. @throws if the cluster itself does not answer */
async function examine (patient: Patient): Promise<void> {
  const { client, report } = patient
  const { gitVersion } = await retry(() => client.json<{ gitVersion: string }>({ method: 'GET', path: '/version' }), { tries: 2 })
  report.ok('cluster', `kube-apiserver ${gitVersion} answers`)
  const registered = await attempt(patient, 'apiservices', () => checkApiServices(patient))
  const service = await attempt(patient, 'service', () => checkService(patient, registered ?? []))
  const server = await attempt(patient, 'connection', () => checkConnection(patient, service, registered ?? []))
  await attempt(patient, 'certificate', () => checkCertificate(patient, server, registered ?? []))
  await attempt(patient, 'front-proxy', () => checkFrontProxy(patient))
  await attempt(patient, 'rbac', () => checkRbac(patient))
  await attempt(patient, 'discovery', () => checkDiscovery(patient, registered ?? []))
  await attempt(patient, 'store', () => checkStore(patient, server, registered ?? []))
}

/** A link that may not be looked into is skipped; what goes wrong otherwise is a finding too, and no reason to stop. */
async function attempt<T> ({ report }: Patient, link: Link, check: () => Promise<T>): Promise<T | undefined> {
  try {
    return await check()
  } catch (error) {
    if (isClusterError(error, 403)) report.skip(link, `you may not look: ${(error as Error).message}`)
    else report.fail(link, 'CheckFailed', (error as Error).message, 'run annex doctor again')
    return undefined
  }
}
