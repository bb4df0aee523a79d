import { parseAllDocuments } from 'yaml'
import t from 'tap'
import { install as installCommand } from '../../apiserver/install/install.js'
import { installedKinds, collectionPath, objectPath, type Manifest } from '../../apiserver/install/manifests/manifest.js'
import { managedBySelector } from '../../apiserver/install/names.js'
import { uninstall as uninstallCommand } from '../../apiserver/install/uninstall.js'
import { annexCommand, inProcess } from '../fixtures/annex-command.js'
import type { KubeObject } from '../fixtures/control-plane-client.js'
import { until } from '../fixtures/control-plane-conditions.js'
import { startControlPlane, type CommandResult } from '../fixtures/control-plane.js'

const namespace = 'annex-system'
const flags = ['--image=registry.example.com/annex:0.1.0', '--etcd-servers=https://etcd-0.etcd:2379,https://etcd-1.etcd:2379', '--etcd-tls-secret=etcd-client']
const apiServices = '/apis/apiregistration.k8s.io/v1/apiservices'
const mergePatch = { 'content-type': 'application/merge-patch+json' }

t.setTimeout(600_000)

t.test('annex install and uninstall', async t => {
  const controlPlane = await startControlPlane(t, { controllerManager: true })
  const { client } = controlPlane.admin
  const install = (...more: string[]): Promise<CommandResult> => inProcess(controlPlane, installCommand, [...flags, ...more])
  const uninstall = (...args: string[]): Promise<CommandResult> => inProcess(controlPlane, uninstallCommand, args)
  const outcomes = ({ stdout }: CommandResult): string[] => stdout.split('\n').filter(line => /^\S+\/\S+ /.test(line))
  /** Everything that carries our label, by path. */
  const installed = async (): Promise<Map<string, KubeObject>> => {
    const found = new Map<string, KubeObject>()
    for (const kind of installedKinds) {
      const { items } = await client.get<{ items: KubeObject[] }>(`${collectionPath(kind)}?labelSelector=${encodeURIComponent(managedBySelector)}`)
      for (const item of items) found.set(`${collectionPath(kind, item.metadata.namespace)}/${encodeURIComponent(item.metadata.name)}`, item)
    }
    return found
  }
  /** What tells of a change, but for a status, which controllers write when they like. */
  const versionsOf = async (): Promise<unknown> => [...await installed()].map(([path, { metadata }]) => [path, metadata.generation, (metadata.managedFields as { subresource?: string }[]).filter(f => f.subresource === undefined)])

  const printed = (await annexCommand(controlPlane, ['install', '--dry-run', ...flags])).stdout
  const list = parseAllDocuments(printed).map(d => d.toJS() as Manifest)

  t.test('a group that the cluster serves from CustomResourceDefinitions is left alone', async t => {
    const crd = { apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition', metadata: { name: 'gadgets.example.com' }, spec: { group: 'example.com', scope: 'Namespaced', names: { plural: 'gadgets', kind: 'Gadget' }, versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }] } }
    await client.create('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', crd)
    await until('the group to be registered', async () => (await client.request('GET', `${apiServices}/v1.example.com`)).status === 200)
    for (const more of [[], ['--force-conflicts']]) {
      const { code, stdout, stderr } = await install(...more)
      t.equal(code, 1)
      t.equal(stdout, '', 'nothing was applied')
      t.match(stderr, /^annex install: v1\.example\.com is served by kube-apiserver itself .*--exclude-group=example\.com\n$/)
    }
    await client.call('DELETE', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/gadgets.example.com')
    await until('the group to go', async () => (await client.request('GET', `${apiServices}/v1.example.com`)).status === 404)
  })

  t.test('what --dry-run prints applies with kubectl, without a warning', async t => {
    const { code, stdout, stderr } = await controlPlane.kubectl(['apply', '--server-side', '--field-manager=annex-install', '-f', '-'], { input: printed })
    t.equal(code, 0)
    t.equal(stderr, '', 'no warning')
    t.equal(stdout.trim().split('\n').length, list.length)
    t.strictSame([...(await installed()).keys()].sort(), list.map(objectPath).sort(), 'everything carries the label')
  })

  t.test('Pod Security restricted admits the Pods, on a dry run and when they are made', async t => {
    const templates = list.filter(m => m.kind === 'Deployment').map(m => (m['spec'] as { template: { metadata: object; spec: { containers: object[] } } }).template)
    t.equal(templates.length, 2)
    const dryRun = async (spec: object): Promise<{ status: number; warning: string | undefined }> => {
      const answer = await client.request('POST', `/api/v1/namespaces/${namespace}/pods?dryRun=All`, { body: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'tried' }, spec } })
      return { status: answer.status, warning: answer.headers.warning }
    }
    for (const { spec } of templates) t.strictSame(await dryRun(spec), { status: 201, warning: undefined })
    const [{ spec } = { spec: { containers: [] } }] = templates
    t.equal((await dryRun({ ...spec, containers: spec.containers.map(c => ({ ...c, securityContext: {} })) })).status, 403, 'others are refused')
    await until('the Pods of both Deployments', async () => (await client.get<{ items: unknown[] }>(`/api/v1/namespaces/${namespace}/pods?labelSelector=app.kubernetes.io/name=annex`)).items.length === 4)
  })

  t.test('installing again changes nothing', async t => {
    const before = await versionsOf()
    const { code, stdout, stderr } = await install()
    t.strictSame({ code, stderr }, { code: 0, stderr: '' })
    t.strictSame(outcomes({ code, stdout, stderr }).filter(line => !line.endsWith(' unchanged')), [])
    t.equal(outcomes({ code, stdout, stderr }).length, list.length)
    t.strictSame(await versionsOf(), before)
  })

  t.test('a change is applied where it belongs', async t => {
    const result = await install('--replicas=3')
    t.equal(result.code, 0, result.stderr)
    t.strictSame(outcomes(result).filter(line => !line.endsWith(' unchanged')), ['deployment.apps/annex-controller-manager configured', 'deployment.apps/annex configured'])
  })

  t.test('what somebody else has set is a conflict that is named, and can be taken over', async t => {
    await client.call('PATCH', `/apis/apps/v1/namespaces/${namespace}/deployments/annex?fieldManager=somebody`, { body: { spec: { replicas: 5 } }, headers: mergePatch })
    const refused = await install()
    t.equal(refused.code, 1)
    t.match(refused.stderr, /conflict: deployment\.apps\/annex: conflict with "somebody" using apps\/v1 \(\.spec\.replicas\)\n/)
    t.match(refused.stderr, /--force-conflicts/)
    t.notOk(outcomes(refused).some(line => line.startsWith('apiservice')), 'nothing is registered before the rest is right')
    const forced = await install('--force-conflicts')
    t.equal(forced.code, 0, forced.stderr)
    t.match(await client.get(`/apis/apps/v1/namespaces/${namespace}/deployments/annex`), { spec: { replicas: 2 } })
  })

  t.test('a group of another server is refused by its name, and can be taken over', async t => {
    const path = `${apiServices}/v1beta1.external.metrics.k8s.io`
    await client.call('PATCH', path, { body: { spec: { service: { namespace: 'keda', name: 'keda-operator-metrics-apiserver' } } }, headers: mergePatch })
    const refused = await install()
    t.equal(refused.code, 1)
    t.match(refused.stderr, /v1beta1\.external\.metrics\.k8s\.io is served by the Service keda\/keda-operator-metrics-apiserver: leave the group out with --exclude-group=external\.metrics\.k8s\.io/)
    t.equal((await install('--exclude-group=external.metrics.k8s.io')).code, 0)
    t.match(await client.get(path), { spec: { service: { namespace: 'keda' } } }, 'left alone')
    t.match((await uninstall('--dry-run')).stdout, /^(?!.*v1beta1\.external)/s, 'it would not be removed either')
    t.equal((await install('--force-conflicts')).code, 0)
    t.match(await client.get(path), { spec: { service: { namespace, name: 'annex' } } })
  })

  t.test('uninstall removes APIServices first and waits until they are gone', async t => {
    const path = `${apiServices}/v1.example.com`
    await client.call('PATCH', path, { body: { metadata: { finalizers: ['example.com/held'] } }, headers: mergePatch })
    const { code, stderr } = await uninstall('--timeout=1s')
    t.equal(code, 1)
    t.match(stderr, /still there after 1 s: apiservice\.apiregistration\.k8s\.io\/v1\.example\.com; the server was left running/)
    t.equal((await client.request('GET', `/apis/apps/v1/namespaces/${namespace}/deployments/annex`)).status, 200)
    await client.call('PATCH', path, { body: { metadata: { finalizers: null } }, headers: mergePatch })
    t.equal((await install()).code, 0, 'and can be put back')
  })

  t.test('uninstall lists what it would do, removes everything, and keeps the objects of others', async t => {
    await client.create(`/api/v1/namespaces/${namespace}/configmaps`, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'of-others' } })
    await client.create(`/api/v1/namespaces/${namespace}/secrets`, { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'annex-serving', labels: { 'app.kubernetes.io/managed-by': 'annex' } } })
    await client.create(`/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`, { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: 'annex-of-others' } })
    await client.create(`/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`, { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: 'annex-controller-manager' } })
    const elsewhere = await uninstall('--namespace=elsewhere')
    t.match(elsewhere, { code: 1, stderr: new RegExp(`installed in the namespace ${namespace}, nothing was deleted`) })
    const before = await versionsOf()
    const listed = await uninstall('--dry-run')
    t.strictSame(await versionsOf(), before, 'a dry run does nothing')

    const removed = await uninstall()
    t.strictSame({ code: removed.code, stderr: removed.stderr }, { code: 0, stderr: '' })
    t.equal(removed.stdout, listed.stdout.replaceAll(' would be deleted', ' deleted'))
    const lines = outcomes(removed)
    const last = lines.findLastIndex(line => line.startsWith('apiservice'))
    t.ok(last > 0 && lines.slice(0, last).every(line => line.startsWith('apiservice')), 'APIServices come first')
    t.match(lines.at(-1), 'namespace/annex-system kept: configmaps/of-others, leases.coordination.k8s.io/annex-of-others')
    t.strictSame([...(await installed()).keys()], [`/api/v1/namespaces/${namespace}`])
    for (const gone of [`/api/v1/namespaces/${namespace}/secrets/annex-serving`, `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/annex-controller-manager`]) t.equal((await client.request('GET', gone)).status, 404)

    await client.call('DELETE', `/api/v1/namespaces/${namespace}/configmaps/of-others`)
    await client.call('DELETE', `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/annex-of-others`)
    // Discovery may remember the groups of the server for a moment, and nobody can tell what they hold.
    let said = ''
    await until('the namespace to be ours alone', async () => (said = (await uninstall()).stdout).endsWith(' deleted\n')).catch(() => {})
    t.equal(said, 'namespace/annex-system deleted\n')
    await until('the namespace to go', async () => (await client.request('GET', `/api/v1/namespaces/${namespace}`)).status === 404)
    t.strictSame(await uninstall(), { code: 0, stdout: '', stderr: '' }, 'and there is nothing left to do')
  })
})
