import { find, type ClusterObject } from '../install/apply.js'
import type { PolicyRule } from '../install/manifests/manifest.js'
import { ownNamespaceRules, serverRules } from '../install/manifests/rbac.js'
import { names } from '../install/names.js'
import { reinstall, type Patient } from './patient.js'
import type { Fault } from './report.js'

/** Something that the server must be allowed. */
interface Need { readonly group: string; readonly resource: string; readonly verb: string; readonly name?: string | undefined; readonly namespace?: string | undefined }

/** At most so many questions are under way at a time. */
const concurrency = 8

/** The server's ServiceAccount may do what it has to. kube-apiserver is asked, so it does not matter by which roles. */
export async function checkRbac (patient: Patient): Promise<void> {
  const { namespace, report } = patient
  const subject = `system:serviceaccount:${namespace}:${names.server}`
  const serving = await makesCertificates(patient) ? { type: 'own' } as const : { type: 'secret', secret: '', trust: { type: 'caBundle', pem: '' } } as const
  const parts: { fault: Fault; needs: Need[]; fix: string }[] = [
    {
      fault: 'AuthDelegatorMissing',
      needs: [{ group: 'authentication.k8s.io', resource: 'tokenreviews', verb: 'create' }, { group: 'authorization.k8s.io', resource: 'subjectaccessreviews', verb: 'create' }],
      fix: `kubectl create clusterrolebinding ${names.prefix}:system:auth-delegator --clusterrole=system:auth-delegator --serviceaccount=${namespace}:${names.server}`
    },
    {
      fault: 'AuthenticationReaderMissing',
      needs: ['get', 'list', 'watch'].map(verb => ({ group: '', resource: 'configmaps', name: 'extension-apiserver-authentication', namespace: 'kube-system', verb })),
      fix: `kubectl create rolebinding ${names.prefix}:${names.authenticationReader} -n kube-system --role=${names.authenticationReader} --serviceaccount=${namespace}:${names.server}`
    },
    {
      fault: 'ServerRoleMissing',
      // What metrics may be about is everybody's own choice.
      needs: [...serverRules({ describedResources: [], groups: patient.groups, serving }).flatMap(rule => needsOf(rule)), ...ownNamespaceRules({ serving }).flatMap(rule => needsOf(rule, namespace))],
      fix: reinstall
    }
  ]
  for (const { fault, needs, fix } of parts) {
    const refused = await refusedOf(patient, subject, needs)
    if (refused.length > 0) report.fail('rbac', fault, `${subject} may not ${refused.map(describe).join(', ')}`, fix)
  }
  if (!report.has('rbac')) report.ok('rbac', `${subject} may do what it has to`)
}

/** Of several names one tells enough: they are in one rule. */
const needsOf = ({ apiGroups, resources, resourceNames, verbs }: PolicyRule, namespace?: string): Need[] =>
  apiGroups.flatMap(group => resources.flatMap(resource => verbs.map(verb => ({ group, resource, verb, name: resourceNames?.[0], namespace }))))

const describe = ({ group, resource, verb, name, namespace }: Need): string =>
  `${verb} ${resource}${group === '' ? '' : `.${group}`}${name === undefined ? '' : `/${name}`}${namespace === undefined ? '' : ` in ${namespace}`}`

async function refusedOf ({ client, namespace }: Patient, user: string, needs: readonly Need[]): Promise<Need[]> {
  const groups = ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated']
  const allowed = new Map<Need, boolean>()
  const waiting = [...needs]
  await Promise.all(Array.from({ length: concurrency }, async () => {
    for (let need = waiting.shift(); need !== undefined; need = waiting.shift()) {
      const { status } = await client.json<{ status: { allowed: boolean } }>({
        method: 'POST', path: '/apis/authorization.k8s.io/v1/subjectaccessreviews',
        body: JSON.stringify({ apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview', spec: { user, groups, resourceAttributes: need } })
      })
      allowed.set(need, status.allowed)
    }
  }))
  return needs.filter(need => allowed.get(need) !== true)
}

/** Whether the Deployment's server looks after its certificates itself. */
async function makesCertificates ({ client, namespace }: Patient): Promise<boolean> {
  const deployment = await find<ClusterObject & { spec: { template: { spec: { containers: readonly { args?: readonly string[] }[] } } } }>(client, `/apis/apps/v1/namespaces/${namespace}/deployments/${names.server}`)
  return deployment?.spec.template.spec.containers.some(c => c.args?.some(arg => arg.startsWith('--serving-certificate-secret=')) === true) === true
}
