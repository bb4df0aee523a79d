import { apiServicesPath, find, otherServer, type ApiService } from '../install/apply.js'
import { names } from '../install/names.js'
import { reinstall, verifiable, type Patient } from './patient.js'

/**
 * Every group version is registered, for our Service, and verified.
 * @returns the registrations that lead to our Service
 */
export async function checkApiServices (patient: Patient): Promise<ApiService[]> {
  const { client, namespace, groups, report } = patient
  const ours: ApiService[] = []
  for (const name of groups.flatMap(g => g.versions.map(v => `${v}.${g.name}`))) {
    const found = await find<ApiService>(client, `${apiServicesPath}/${name}`)
    if (found === undefined) {
      report.fail('apiservices', 'APIServiceMissing', `${name} does not exist: kube-apiserver answers 404 for its group version`, reinstall)
      continue
    }
    const other = otherServer(found, { namespace, name: names.server })
    if (other === undefined) {
      ours.push(found)
      checkTrust(patient, found)
    } else {
      await reportOther(patient, found, other.who)
    }
  }
  if (!report.has('apiservices')) report.ok('apiservices', `${ours.length} group versions are registered for ${namespace}/${names.server}`)
  return ours
}

async function reportOther ({ client, namespace, report }: Patient, { metadata: { name }, spec: { service } }: ApiService, who: string): Promise<void> {
  const fix = `kubectl patch apiservice ${name} --type=merge -p '{"spec":{"service":{"namespace":"${namespace}","name":"${names.server}"}}}'`
  if (service !== undefined && await find(client, `/api/v1/namespaces/${service.namespace}/services/${service.name}`) === undefined) {
    report.fail('service', 'ServiceNotFound', `${name} names the Service ${service.namespace}/${service.name}, which does not exist`, fix)
  } else {
    report.fail('apiservices', 'APIServiceOfAnotherServer', `${name} is served by ${who}`, service === undefined
      ? 'delete the CustomResourceDefinitions of the group, or leave the group out: --exclude-group'
      : `${fix}\nor, if the other server is to keep it, annex doctor --exclude-group=${name.slice(name.indexOf('.') + 1)}`)
  }
}

function checkTrust ({ namespace, report }: Patient, apiService: ApiService): void {
  const { metadata: { name }, spec } = apiService
  if (spec.insecureSkipTLSVerify === true) {
    report.fail('apiservices', 'InsecureSkipTLSVerify', `${name} has insecureSkipTLSVerify: whoever gets between kube-apiserver and the server is an administrator of these kinds`,
      `kubectl patch apiservice ${name} --type=merge -p '{"spec":{"insecureSkipTLSVerify":false}}'\nthe caBundle is then filled in by the server, by cert-manager, or by annex install --ca-bundle-file`)
  } else if (!verifiable(apiService)) {
    report.fail('apiservices', 'CABundleMissing', `${name} has no caBundle, so the certificate is verified by the authorities of kube-apiserver's host`,
      `a running server fills it in within seconds; if it does not, its log says why: kubectl logs -n ${namespace} deploy/${names.server}`)
  }
}
