import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { parseAllDocuments } from 'yaml'
import t from 'tap'
import { Authority } from '../../certs/authority.js'
import { FakeKubeApiserver } from '../cluster/testdata/fake-kube-apiserver.js'
import { parseFlags, type FlagTable } from '../cli/flags.js'
import { managerFlags } from '../../controllers/manager/manager-flags.js'
import { apiserverFlags } from '../options/apiserver-flags.js'
import { clusterCredentials } from './cluster-flags.js'
import { install } from './install.js'
import { objectPath, type Manifest } from './manifests/manifest.js'
import type { Terminal } from './terminal.js'
import { uninstall } from './uninstall.js'

const required = ['--image=annex:test', '--etcd-servers=http://etcd:2379']

type Run = { code: number; stdout: string; stderr: string }
async function run (command: (args: readonly string[], terminal: Terminal) => Promise<number>, args: readonly string[]): Promise<Run> {
  const [out, err]: [string[], string[]] = [[], []]
  const code = await command(args, { out: text => { out.push(text) }, err: text => { err.push(text) }, environment: { env: {} } })
  return { code, stdout: out.join(''), stderr: err.join('') }
}
async function printed (...args: string[]): Promise<Map<string, Manifest & { spec?: Record<string, unknown> }>> {
  const { code, stdout, stderr } = await run(install, ['--dry-run', ...required, ...args])
  if (code !== 0) throw new Error(stderr)
  return new Map(parseAllDocuments(stdout).map(d => d.toJS() as Manifest).map(m => [objectPath(m), m]))
}
const serverPath = '/apis/apps/v1/namespaces/annex-system/deployments/annex'
interface Pod { readonly containers: { readonly args: string[]; readonly ports?: { containerPort: number }[]; readonly volumeMounts: { name: string; mountPath: string }[] }[]; readonly volumes: { name: string }[]; readonly [field: string]: unknown }
const podOf = (deployment: Manifest | undefined): Pod => (deployment as unknown as { spec: { template: { spec: Pod } } }).spec.template.spec

t.test('every mistake on the command line comes at once, with exit code 2', async t => {
  const { code, stdout, stderr } = await run(install, ['--nope', '--namespace=A', '--replicas=0', '--service-port=0', '--secure-port=443', '--etcd-prefix=x', '--etcd-tls-secret=x', '--exclude-group=nobody', '--ca-bundle-file=x', '--crd-file=/does/not/exist', '--apiserver-arg=x'])
  t.equal(code, 2)
  t.equal(stdout, '')
  for (const flag of ['--nope', '--namespace=A', '--image=', '--replicas=0', '--service-port=0', '--secure-port=443', '--etcd-servers=', '--etcd-prefix=x', '--ca-bundle-file=x', '/does/not/exist', '--apiserver-arg=x']) t.match(stderr, flag)
  t.match((await run(install, [...required, '--exclude-group=nobody'])).stderr, /--exclude-group=nobody: is not served; groups are custom\.metrics\.k8s\.io, db\.example\.com, /)
  t.match((await run(install, [...required, '--tls-secret=x'])).stderr, '--tls-secret=x: needs --ca-bundle-file or --inject-ca-from, and not both')
  t.match((await run(install, [...required, '--etcd-tls-secret=x'])).stderr, '--etcd-tls-secret=x: needs https')
  t.match((await run(install, [...required, '--host-network', '--secure-port=10250'])).stderr, '--secure-port=10250: is the kubelet\'s')
  t.equal((await run(uninstall, ['--timeout=0s', '--nope'])).code, 2)
  for (const command of [install, uninstall]) t.match(await run(command, ['--help']), { code: 0, stdout: /Usage:\n {2}annex (un)?install \[flags\]\n/, stderr: '' })
})

t.test('the same flags print the same text, without a cluster', async t => {
  const [a, b] = [await run(install, ['--dry-run', ...required]), await run(install, [...required, '--dry-run'])]
  t.equal(a.stdout, b.stdout)
  t.match(a, { code: 0, stderr: '' })
})

t.test('the server makes its certificates, and may do so, unless somebody else does', async t => {
  const own = await printed()
  t.ok(podOf(own.get(serverPath)).containers[0]?.args.includes('--serving-certificate-secret=annex-system/annex-serving'))
  t.ok(podOf(own.get(serverPath)).containers[0]?.args.includes('--service=annex-system/annex'))
  const rulesOf = (list: Map<string, Manifest>): string => JSON.stringify([...list.values()].filter(m => m.metadata.name === 'annex:apiserver').map(m => m['rules']))
  t.match(rulesOf(own), /"secrets"/)
  t.match(rulesOf(own), /"apiservices"/)

  const given = await printed('--tls-secret=mine', '--inject-ca-from=annex-system/mine')
  t.ok(podOf(given.get(serverPath)).containers[0]?.args.includes('--tls-cert-file=/etc/annex/serving/tls.crt'))
  t.notMatch(rulesOf(given), /secrets|apiservices/)
  t.match(given.get('/apis/apiregistration.k8s.io/v1/apiservices/v1.example.com'), { metadata: { annotations: { 'cert-manager.io/inject-ca-from': 'annex-system/mine' } } })

  const { certificatePem } = Authority.create({ commonName: 'mine' })
  const file = path.join(t.testdir({ 'ca.crt': certificatePem }), 'ca.crt')
  const registered = (await printed('--tls-secret=mine', `--ca-bundle-file=${file}`)).get('/apis/apiregistration.k8s.io/v1/apiservices/v1.example.com')
  t.match(registered, { spec: { caBundle: Buffer.from(certificatePem).toString('base64') } })
  writeFileSync(file, 'no certificate')
  t.match((await run(install, [...required, '--tls-secret=mine', `--ca-bundle-file=${file}`])).stderr, `--ca-bundle-file=${file}: `)
})

t.test('metrics groups are registered as their peers register them, ours as definitions of the cluster', async t => {
  const list = await printed()
  for (const [name, groupPriorityMinimum, versionPriority] of [['v1beta2.custom.metrics.k8s.io', 100, 200], ['v1beta1.custom.metrics.k8s.io', 100, 100], ['v1beta1.external.metrics.k8s.io', 100, 100], ['v2.mycompany.io', 1000, 100], ['v1beta1.db.example.com', 1000, 100]] as const) {
    t.match(list.get(`/apis/apiregistration.k8s.io/v1/apiservices/${name}`), { spec: { groupPriorityMinimum, versionPriority, service: { namespace: 'annex-system', name: 'annex', port: 443 } } }, name)
  }
  t.notOk((await printed('--exclude-group=custom.metrics.k8s.io')).has('/apis/apiregistration.k8s.io/v1/apiservices/v1beta2.custom.metrics.k8s.io'))
})

t.test('the Pods: port, host network, files and further flags', async t => {
  const usual = podOf((await printed()).get(serverPath))
  t.match(usual, { containers: [{ ports: [{ containerPort: 10250 }] }], terminationGracePeriodSeconds: 80 })
  t.ok(usual.containers[0]?.args.includes('--secure-port=10250'))
  const onHost = await printed('--host-network')
  t.match(podOf(onHost.get(serverPath)), { hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet', containers: [{ ports: [{ containerPort: 8443 }] }] })
  t.match(onHost.get('/api/v1/namespaces/annex-system'), { metadata: { labels: { 'pod-security.kubernetes.io/enforce': 'privileged' } } })

  const crds = new URL('../../hack/examples/crd', import.meta.url).pathname
  const list = await printed(`--crd-file=${crds}`, '--apiserver-arg=--audit-log-path=-', '--controller-manager=false')
  const { args, volumeMounts } = podOf(list.get(serverPath)).containers[0]!
  t.strictSame(args.slice(-1), ['--audit-log-path=-'])
  t.ok(args.includes('--crd-file=/etc/annex/crds'))
  t.ok(volumeMounts.some(m => m.mountPath === '/etc/annex/crds'))
  t.match(list.get('/api/v1/namespaces/annex-system/configmaps/annex-crds'), { data: { 'backups.yaml': /CustomResourceDefinition/ } })
  t.ok(list.has('/apis/apiregistration.k8s.io/v1/apiservices/v1.storage.example.org'), 'its group is registered')
  t.notOk([...list.keys()].some(p => p.includes('controller-manager')))
})

t.test('the commands of the Pods know the flags that they are given', async t => {
  const { certificatePem } = Authority.create({ commonName: 'mine' })
  const file = path.join(t.testdir({ 'ca.crt': certificatePem }), 'ca.crt')
  for (const more of [[], ['--tls-secret=x', `--ca-bundle-file=${file}`, '--crd-file=' + new URL('../../hack/examples/crd', import.meta.url).pathname]]) {
    const list = await printed(...more)
    for (const [name, command, flags] of [['annex', 'apiserver', apiserverFlags], ['annex-controller-manager', 'controller-manager', managerFlags]] as const) {
      const [first, ...args] = podOf(list.get(`/apis/apps/v1/namespaces/annex-system/deployments/${name}`)).containers[0]!.args
      t.equal(first, command)
      t.strictSame(parseFlags(flags as FlagTable, args, command).errors, [], name)
    }
  }
})

t.test('the cluster is that of --kubeconfig, then $KUBECONFIG, then ~/.kube/config', async t => {
  const home = t.testdir({ '.kube': { config: '' } })
  const options = { kubeconfig: '', context: '', namespace: 'x' }
  t.equal(clusterCredentials({ ...options, kubeconfig: '/a' }, { home, env: { KUBECONFIG: '/b' } }).name, '/a')
  t.equal(clusterCredentials(options, { home, env: { KUBECONFIG: ':/b:' } }).name, '/b')
  t.equal(clusterCredentials(options, { home }).name, path.join(home, '.kube', 'config'))
  t.throws(() => clusterCredentials(options, { home, env: { KUBECONFIG: '/a:/b' } }), { message: /several files/ })
  t.throws(() => clusterCredentials(options, { home: path.join(home, 'nowhere') }), { message: /--kubeconfig/ })
})

t.test('a cluster that refuses or does not answer is exit code 1, with its own words', async t => {
  const api = await FakeKubeApiserver.start(t)
  const kubeconfig = `--kubeconfig=${api.kubeconfig(t.testdir({}))}`
  api.on('PATCH /api/v1/namespaces/annex-system', () => ({ status: 403, body: { kind: 'Status', message: 'namespaces is forbidden', code: 403, reason: 'Forbidden' } }))
  t.match(await run(install, [...required, kubeconfig]), { code: 1, stdout: '', stderr: 'annex install: namespace/annex-system: namespaces is forbidden\n' })
  t.equal(api.count('PATCH /api/v1/namespaces/annex-system'), 1, 'a write is sent once')
  t.match(await run(uninstall, ['--kubeconfig=/does/not/exist']), { code: 1, stderr: /^annex uninstall: \/does\/not\/exist: ENOENT/ })
})
