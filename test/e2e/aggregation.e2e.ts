import { execPath } from 'node:process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stringify } from 'yaml'
import t from 'tap'
import { apiServiceConditions, registerAnnex, servedGroupVersions, startAnnex } from '../fixtures/control-plane-annex.js'
import type { Answer } from '../fixtures/control-plane-client.js'
import { customMetric, database, objectOf, pathOf, sampleKinds, webapp } from '../fixtures/control-plane-objects.js'
import { startControlPlane, type ClusterUser, type CommandResult } from '../fixtures/control-plane.js'

const conformance = fileURLToPath(new URL('../conformance', import.meta.url))
const namespace = 'team-a'

t.setTimeout(600_000)

t.test('Annex behind a real kube-apiserver', async t => {
  const controlPlane = await startControlPlane(t)
  const annex = await startAnnex(controlPlane)
  const groupVersions = await servedGroupVersions(controlPlane, annex)
  await registerAnnex(controlPlane, { port: annex.port, certificateAuthorityPem: annex.certificateAuthorityPem, groupVersions })
  const { admin } = controlPlane
  const editor = controlPlane.user('alice', ['team-a-editors'])
  const stranger = controlPlane.user('mallory', ['strangers'])
  await admin.client.create('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } })
  await allowEditing(admin)

  t.test('every APIService is Available with a verified caBundle', async t => {
    const conditions = await apiServiceConditions(controlPlane)
    for (const { group, version } of groupVersions) t.match(conditions.get(`${version}.${group}`), { status: 'True', reason: 'Passed' }, `${version}.${group}`)
    for (const { group } of sampleKinds) t.ok(groupVersions.some(gv => gv.group === group), `${group} is among them`)
    const { items } = await admin.client.get<{ items: { spec: { service?: unknown; insecureSkipTLSVerify?: boolean; caBundle?: string } }[] }>('/apis/apiregistration.k8s.io/v1/apiservices')
    const ours = items.filter(item => item.spec.service !== undefined)
    t.equal(ours.length, groupVersions.length)
    for (const { spec } of ours) t.match(spec, { insecureSkipTLSVerify: undefined, caBundle: String })
  })

  t.test('a caBundle of another authority makes the APIService unavailable', async t => {
    const name = 'v1.example.com'
    const path = `/apis/apiregistration.k8s.io/v1/apiservices/${name}`
    const original = await admin.client.get<{ spec: { caBundle: string } }>(path)
    const patch = (caBundle: string): Promise<unknown> => admin.client.call('PATCH', path, { body: { spec: { caBundle } }, headers: { 'content-type': 'application/merge-patch+json' } })
    await patch(Buffer.from(controlPlane.pki.frontProxyCa.certificatePem).toString('base64'))
    const condition = await annex.process.until(`${name} to become unavailable for that reason`, async () => {
      const present = (await apiServiceConditions(controlPlane)).get(name)
      return present?.message?.includes('certificate signed by unknown authority') === true && present
    })
    t.match(condition, { status: 'False', reason: 'FailedDiscoveryCheck' })
    await patch(original.spec.caBundle)
    await annex.process.until(`${name} to become available`, async () => (await apiServiceConditions(controlPlane)).get(name)?.status === 'True')
    await annex.process.until('requests to be led there again', async () => (await admin.client.request('GET', pathOf(webapp, namespace))).status === 200)
  })

  t.test('the recorded conformance scenarios are answered alike through the aggregator', async t => {
    const { certificateFile, keyFile } = controlPlane.pki.write('conformance-admin', admin)
    const result = await controlPlane.run(execPath, [
      join(conformance, 'conformance.mjs'), 'replay', '--server', controlPlane.server, '--cert', certificateFile, '--key', keyFile,
      '--scenarios', join(conformance, 'scenarios'), '--transcripts', join(conformance, 'transcripts'), '--create-namespaces', controlPlane.server
    ], { timeoutMs: 500_000 })
    t.match(result.stdout, /^[1-9]\d* passed, 0 failed$/m, result.stdout.slice(-20_000))
    t.equal(result.code, 0, result.stderr)
    t.comment(result.stdout.trim().split('\n').at(-1))
  })

  for (const user of [admin, editor]) {
    t.test(`kubectl works through the aggregator for ${user.name}`, async t => {
      const kubectl = async (args: string[], input?: string): Promise<CommandResult> =>
        controlPlane.kubectl(args, { kubeconfig: user.kubeconfig, ...(input !== undefined && { input }) })
      const succeed = async (args: string[], input?: string): Promise<string> => {
        const { code, stdout, stderr } = await kubectl(args, input)
        t.equal(code, 0, `kubectl ${args.join(' ')}`, { stderr })
        t.equal(stderr, '', 'without a warning')
        return stdout
      }
      t.equal((await kubectl(['get', 'custommetrics', '-n', namespace])).stderr, `No resources found in ${namespace} namespace.\n`)

      t.match(await succeed(['explain', 'webapps.spec.replicas']), /GROUP:\s+example\.com\nKIND:\s+WebApp\nVERSION:\s+v1\n\nFIELD: replicas <integer>/)
      t.match(await succeed(['explain', 'custommetrics']), /GROUP:\s+metrics\.example\.com\nKIND:\s+CustomMetric/)
      t.match(await succeed(['api-resources', '--api-group=mycompany.io']), /databases\s+db\s+mycompany\.io\/v2\s+true\s+Database/)

      const manifest = sampleKinds.map(kind => stringify(objectOf(kind, 'sample'))).join('---\n')
      for (const [flags, verb] of [[[], 'created'], [[], 'unchanged'], [['--server-side', '--force-conflicts'], 'serverside-applied']] as const) {
        const out = await succeed(['apply', '-n', namespace, ...flags, '-f', '-'], manifest)
        t.strictSame(out.trim().split('\n').sort(), [`custommetric.metrics.example.com/sample ${verb}`, `database.db.example.com/sample ${verb}`, `database.mycompany.io/sample ${verb}`, `webapp.example.com/sample ${verb}`])
      }
      t.match(await succeed(['get', 'custommetrics', '-n', namespace]), /^NAME\s+METRIC\s+KIND\s+OBJECT\s+VALUE\s+SAMPLED\s+AGE\nsample\s+queue_depth\s+Deployment\s+worker\s+30\s+[\dms]+\s+[\dms]+\n$/)
      t.match(await succeed(['get', 'webapp/sample', '-n', namespace, '-o', 'jsonpath={.spec.replicas}']), /^2$/)

      await kubectlWatch(user, async seen => {
        await seen(/^sample\s+2\s/m)
        t.match(await succeed(['scale', 'webapp/sample', '-n', namespace, '--replicas=5']), /^webapp\.example\.com\/sample scaled\n$/)
        await seen(/^sample\s+5\s/m)
      })
      t.match(await succeed(['diff', '-n', namespace, '-f', '-'], stringify(objectOf(customMetric, 'sample'))), /^$/)
      t.match(await succeed(['describe', 'webapp', 'sample', '-n', namespace]), /Kind:\s+WebApp/)
      t.equal(await succeed(['delete', 'webapps.example.com,databases.mycompany.io,databases.db.example.com,custommetrics', '--all', '-n', namespace, '-o', 'name']),
        'webapp.example.com/sample\ndatabase.mycompany.io/sample\ndatabase.db.example.com/sample\ncustommetric.metrics.example.com/sample\n')
    })
  }

  t.test('kubectl tells a user without rights what kube-apiserver would', async t => {
    for (const [args, text] of [
      [['get', 'custommetrics', '-n', namespace], 'custommetrics.metrics.example.com is forbidden: User "mallory" cannot list resource "custommetrics" in API group "metrics.example.com" in the namespace "team-a"'],
      [['get', 'webapps', '-A'], 'webapps.example.com is forbidden: User "mallory" cannot list resource "webapps" in API group "example.com" at the cluster scope'],
      [['get', 'databases.mycompany.io', 'd', '-n', namespace], 'databases.mycompany.io "d" is forbidden: User "mallory" cannot get resource "databases" in API group "mycompany.io" in the namespace "team-a"'],
      [['delete', 'webapp', 'web', '-n', namespace], 'webapps.example.com "web" is forbidden: User "mallory" cannot delete resource "webapps" in API group "example.com" in the namespace "team-a"']
    ] as const) {
      const { code, stderr } = await controlPlane.kubectl(args, { kubeconfig: stranger.kubeconfig })
      t.strictSame({ code, stderr }, { code: 1, stderr: `Error from server (Forbidden): ${text}\n` }, `kubectl ${args.join(' ')}`)
    }
  })

  t.test('Annex itself answers users without rights as kube-apiserver answers in front of it', async t => {
    const named = pathOf(webapp, namespace, 'web')
    const requests: [method: string, path: string, body?: unknown, contentType?: string][] = [
      ['GET', pathOf(webapp)], ['GET', pathOf(webapp, namespace)], ['GET', named], ['GET', `${pathOf(database, namespace)}?watch=true`],
      ['POST', pathOf(webapp, namespace), objectOf(webapp, 'web')], ['PUT', named, objectOf(webapp, 'web')], ['DELETE', named], ['DELETE', pathOf(webapp, namespace)],
      ['PATCH', named, {}, 'application/merge-patch+json'], ['PATCH', `${named}?fieldManager=x`, objectOf(webapp, 'web'), 'application/apply-patch+yaml'],
      ['GET', `${named}/status`], ['PATCH', `${named}/scale`, {}, 'application/merge-patch+json'], ['GET', '/metrics'], ['GET', '/apis/example.com/v1/nonsense']
    ]
    const users: [string, ClusterUser | undefined][] = [['mallory', stranger], ['alice', editor], ['nobody', undefined]]
    for (const [name, user] of users) {
      const [direct, aggregated] = [annex.client(user), controlPlane.client(user)]
      for (const [method, path, body, contentType] of requests) {
        // The editor may do all of this in the namespace of the others.
        const target = user === editor ? path.replace(namespace, 'default') : path
        const options = { body, headers: contentType === undefined ? {} : { 'content-type': contentType } }
        const [ours, theirs] = await Promise.all([direct.request(method, target, options), aggregated.request(method, target, options)])
        t.strictSame(statusOf(ours), statusOf(theirs), `${name}: ${method} ${target}`)
        t.equal(ours.status, 403)
      }
      direct.close()
    }
  })

  /** Runs `kubectl get webapps --watch` while the body says what must be seen. */
  async function kubectlWatch (user: ClusterUser, body: (seen: (line: RegExp) => Promise<unknown>) => Promise<void>): Promise<void> {
    const watch = controlPlane.startKubectl(`kubectl-watch-${user.name}`, ['get', 'webapps', '-n', namespace, '--watch'], user.kubeconfig)
    try {
      await body(line => watch.until(`to show ${line}`, () => line.test(watch.log())))
    } finally {
      await watch.kill()
    }
  }

  async function allowEditing (as: ClusterUser): Promise<void> {
    const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`
    await as.client.create(`${rbac}/roles`, {
      apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', metadata: { name: 'editor' },
      rules: [{ apiGroups: sampleKinds.map(k => k.group), resources: ['*'], verbs: ['*'] }]
    })
    await as.client.create(`${rbac}/rolebindings`, {
      apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'RoleBinding', metadata: { name: 'editors' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'editor' }, subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'team-a-editors' }]
    })
  }
})

const statusOf = (answer: Answer): unknown => ({ status: answer.status, type: answer.headers['content-type'], body: answer.json() })
