import t, { type Test } from 'tap'
import { registerAnnex, startAnnex } from '../fixtures/control-plane-annex.js'
import { ApiError, type Condition, type KubeObject } from '../fixtures/control-plane-client.js'
import { until } from '../fixtures/control-plane-conditions.js'
import { auditLog, isWrite, metricReader, startManager } from '../fixtures/control-plane-manager.js'
import { objectOf, pathOf, webapp } from '../fixtures/control-plane-objects.js'
import { kubelet, patchPodStatus, podsOf, waitingStatus } from '../fixtures/control-plane-pods.js'
import { startControlPlane } from '../fixtures/control-plane.js'

t.setTimeout(600_000)

interface Status { phase: string, replicas: number, readyReplicas: number, selector: string, observedGeneration: number, conditions: Condition[] }

t.test('WebApps on a real control plane', async t => {
  const user = 'system:serviceaccount:annex-system:annex-controller-manager'
  const audit = auditLog(t.testdir({}), [user])
  const controlPlane = await startControlPlane(t, { args: audit.args })
  const annex = await startAnnex(controlPlane)
  await registerAnnex(controlPlane, { port: annex.port, certificateAuthorityPem: annex.certificateAuthorityPem, groupVersions: [{ group: 'example.com', version: 'v1' }] })
  await controlPlane.startControllerManager()
  // One that ends releases its lease, and one that stands still for a while keeps it.
  const lease = ['--leader-elect-lease-duration=90s', '--leader-elect-renew-deadline=60s', '--leader-elect-retry-period=500ms']
  let manager = await startManager(controlPlane, { flags: lease })
  const { client } = controlPlane.admin

  const deploymentPath = (namespace: string, name: string): string => `/apis/apps/v1/namespaces/${namespace}/deployments/${name}`
  const servicePath = (namespace: string, name: string): string => `/api/v1/namespaces/${namespace}/services/${name}`
  const budgetPath = (namespace: string, name: string): string => `/apis/policy/v1/namespaces/${namespace}/poddisruptionbudgets/${name}`
  const namespaced = async (name: string): Promise<string> => {
    await client.create('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
    return name
  }
  const found = async (path: string): Promise<KubeObject | undefined> => {
    const answer = await client.request('GET', path)
    if (answer.status === 404) return undefined
    if (answer.status !== 200) throw new ApiError(`GET ${path}`, answer)
    return answer.json()
  }
  const create = async (namespace: string, name: string, spec: object = {}): Promise<KubeObject> =>
    await client.create(pathOf(webapp, namespace), { ...objectOf(webapp, name), spec: { ...webapp.body['spec'] as object, ...spec } })
  const change = async (namespace: string, name: string, spec: object): Promise<unknown> =>
    await client.call('PATCH', pathOf(webapp, namespace, name), { body: { spec }, headers: { 'content-type': 'application/merge-patch+json' } })
  const statusOf = async (namespace: string, name: string): Promise<{ status: Status, generation: number }> => {
    const { status, metadata } = await client.get(pathOf(webapp, namespace, name))
    return { status: status as unknown as Status, generation: metadata['generation'] as number }
  }
  /** Waits for a condition with a reason, about the present generation. */
  const condition = async (namespace: string, name: string, type: string, expected: string): Promise<{ status: Status, message: string }> => await until(`${namespace}/${name} to be ${type} ${expected}`, async () => {
    const { status, generation } = await statusOf(namespace, name)
    const present = status?.conditions?.find(c => c.type === type)
    const said = `${present?.status} ${present?.reason}`
    if (status?.observedGeneration !== generation || said !== expected) throw new Error(JSON.stringify(status))
    return { status, message: present?.message ?? '' }
  })
  const ready = async (namespace: string, name: string): Promise<{ status: Status }> => await condition(namespace, name, 'Ready', 'True AllReplicasReady')
  const works = (t: Test, namespace: string, which?: Parameters<typeof kubelet>[2]): ReturnType<typeof kubelet> => {
    const made = kubelet(client, namespace, which)
    t.teardown(async () => { await made.stop() })
    return made
  }

  t.test('one reaches Ready, scales, rolls and goes', async t => {
    const namespace = await namespaced('life')
    works(t, namespace, pod => !pod.spec.containers[0]!.image.includes('bad'))
    await create(namespace, 'shop', { env: [{ name: 'A', value: '1' }], resources: { cpu: '0.1', memory: '64Mi' } })
    const { status } = await ready(namespace, 'shop')
    t.match(status, { phase: 'Running', replicas: 2, readyReplicas: 2, conditions: [{ type: 'Ready' }, { type: 'Progressing', status: 'False' }, { type: 'Degraded', status: 'False' }] })
    t.equal((await podsOf(client, namespace, status.selector)).length, 2, 'the selector finds the pods')
    t.match(await found(deploymentPath(namespace, 'shop')), {
      metadata: { ownerReferences: [{ kind: 'WebApp', name: 'shop', controller: true }] },
      spec: { template: { spec: { securityContext: { runAsNonRoot: true }, containers: [{ image: 'nginx:1.27', env: [{ name: 'A', value: '1' }], resources: { limits: { cpu: '100m', memory: '64Mi' } } }] } } }
    })
    t.match(await found(servicePath(namespace, 'shop')), { spec: { ports: [{ port: 8080 }], clusterIP: String } })
    t.match(await found(budgetPath(namespace, 'shop')), { spec: { maxUnavailable: 1 } })

    // Through the scale subresource, as a HorizontalPodAutoscaler does.
    const scaled = await controlPlane.kubectl(['scale', '-n', namespace, 'webapp/shop', '--replicas=1'])
    t.equal(scaled.code, 0, scaled.stderr)
    t.match((await ready(namespace, 'shop')).status, { replicas: 1, readyReplicas: 1 })
    await until('the disruption budget to go', async () => await found(budgetPath(namespace, 'shop')) === undefined)

    const before = (await podsOf(client, namespace)).map(p => p.metadata.name)
    await change(namespace, 'shop', { image: 'nginx:1.28', replicas: 2 })
    await ready(namespace, 'shop')
    const pods = await podsOf(client, namespace)
    t.same(pods.map(p => p.spec.containers[0]!.image), ['nginx:1.28', 'nginx:1.28'])
    t.notOk(pods.some(p => before.includes(p.metadata.name)))

    t.test('a bad image makes it Degraded while the old pods serve, and mending it ends that', async t => {
      await change(namespace, 'shop', { image: 'nginx:bad' })
      const bad = await until('a pod with the bad image', async () => (await podsOf(client, namespace)).find(p => p.spec.containers[0]!.image === 'nginx:bad'))
      await patchPodStatus(client, bad, waitingStatus(bad, 'ImagePullBackOff', 'Back-off pulling image "nginx:bad": ErrImagePull: not found'))
      const { status, message } = await condition(namespace, 'shop', 'Degraded', 'True ImagePullBackOff')
      t.equal(message, `pod "${bad.metadata.name}": container "app" cannot pull image "nginx:bad"; check its name, tag and pull secrets: not found`)
      t.match(status, { phase: 'Running', readyReplicas: 2, conditions: [{ type: 'Ready', status: 'False', reason: 'ImagePullBackOff' }] })
      const events = await client.get<{ items: { reason: string, type: string, regarding: { name: string } }[] }>(`/apis/events.k8s.io/v1/namespaces/${namespace}/events?fieldSelector=reason=ImagePullBackOff`)
      t.match(events.items, [{ type: 'Warning', regarding: { kind: 'WebApp', name: 'shop' } }])
      await change(namespace, 'shop', { image: 'nginx:1.28' })
      await ready(namespace, 'shop')
    })

    t.test('others keep their fields, and what they take of ours is taken back', async t => {
      await client.call('PATCH', deploymentPath(namespace, 'shop'), { body: { metadata: { labels: { team: 'shop' } }, spec: { replicas: 5, minReadySeconds: 1 } }, headers: { 'content-type': 'application/merge-patch+json' } })
      await until('the replicas to be set back', async () => (await found(deploymentPath(namespace, 'shop')) as unknown as { spec: { replicas: number } }).spec.replicas === 2)
      t.match(await found(deploymentPath(namespace, 'shop')), { metadata: { labels: { team: 'shop' } }, spec: { minReadySeconds: 1 } })
      await ready(namespace, 'shop')
    })

    t.test('deleted, its children go, in the background and in the foreground', async t => {
      await create(namespace, 'second')
      await ready(namespace, 'second')
      for (const [name, cascade] of [['shop', 'background'], ['second', 'foreground']] as const) {
        const deleted = await controlPlane.kubectl(['delete', '-n', namespace, `webapp/${name}`, `--cascade=${cascade}`, '--timeout=60s'])
        t.equal(deleted.code, 0, deleted.stderr)
        for (const path of [deploymentPath, servicePath, budgetPath]) await until(`${path(namespace, name)} to go`, async () => await found(path(namespace, name)) === undefined)
      }
      await until('the pods to go', async () => (await podsOf(client, namespace)).length === 0)
    })
  })

  t.test('a quota is told, and does not matter any more when it is raised', async t => {
    const namespace = await namespaced('quota')
    works(t, namespace)
    const quotaPath = `/api/v1/namespaces/${namespace}/resourcequotas`
    await client.create(quotaPath, { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'small' }, spec: { hard: { pods: '1', services: '0' } } })
    await until('the quota to be counted', async () => (await found(`${quotaPath}/small`))?.status?.['hard'] !== undefined)
    await create(namespace, 'shop')
    const service = await condition(namespace, 'shop', 'Degraded', 'True QuotaExceeded')
    t.match(service.message, /^Service "shop": .*exceeded quota: small, requested: services=1, used: services=0, limited: services=0/)
    const raise = async (hard: object): Promise<unknown> => await client.call('PATCH', `${quotaPath}/small`, { body: { spec: { hard } }, headers: { 'content-type': 'application/merge-patch+json' } })
    await raise({ services: '1' })
    const pods = await until('the pods to be what is missing', async () => {
      const { message } = await condition(namespace, 'shop', 'Degraded', 'True QuotaExceeded')
      return message.startsWith('Deployment "shop" cannot make its pods: ') && message
    })
    t.match(pods, /exceeded quota: small, requested: pods=1, used: pods=1, limited: pods=1/)
    await raise({ pods: '5' })
    await ready(namespace, 'shop')
  })

  t.test("somebody else's objects are never touched", async t => {
    const namespace = await namespaced('taken')
    works(t, namespace)
    const service = await client.create(`/api/v1/namespaces/${namespace}/services`, { apiVersion: 'v1', kind: 'Service', metadata: { name: 'shop' }, spec: { ports: [{ port: 1 }] } })
    const deployment = await client.create(`/apis/apps/v1/namespaces/${namespace}/deployments`, {
      apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'other' },
      spec: { replicas: 0, selector: { matchLabels: { a: 'b' } }, template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'x', image: 'x' }] } } }
    })
    await create(namespace, 'shop')
    await create(namespace, 'other')
    t.match((await condition(namespace, 'shop', 'Degraded', 'True NameTaken')).message, /^Service "shop" exists and has no controller; it is left alone\./)
    t.match((await condition(namespace, 'other', 'Degraded', 'True NameTaken')).message, /^Deployment "other" exists/)
    t.same(await found(servicePath(namespace, 'shop')), service)
    const { metadata, ...rest } = (await found(deploymentPath(namespace, 'other')))!
    t.match({ uid: metadata.uid, generation: metadata['generation'], ownerReferences: metadata['ownerReferences'] }, { uid: deployment.metadata.uid, generation: 1, ownerReferences: undefined })
    t.same((rest as { spec?: unknown }).spec, (deployment as { spec?: unknown }).spec)
    // Free again, they are the WebApp's.
    await client.call('DELETE', servicePath(namespace, 'shop'))
    await ready(namespace, 'shop')
    for (const name of ['shop', 'other']) await client.call('DELETE', pathOf(webapp, namespace, name))
    await until('our children to go', async () => await found(deploymentPath(namespace, 'shop')) === undefined)
    t.equal((await found(deploymentPath(namespace, 'other')))?.metadata.uid, deployment.metadata.uid, 'theirs stays')
  })

  t.test('metrics are for those who may; a no-op resync and a new start write nothing', async t => {
    const namespace = await namespaced('quiet')
    works(t, namespace)
    for (const name of ['a', 'b', 'c']) await create(namespace, name)
    for (const name of ['a', 'b', 'c']) await ready(namespace, name)
    t.ok(await manager.process.stop(), 'SIGTERM ends it')
    const started = new Date().toISOString()
    manager = await startManager(controlPlane, { flags: [...lease, '--min-resync-period=1s'] })

    await client.apply('/api/v1/namespaces/default/serviceaccounts/reader', { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'reader', namespace: 'default' } })
    const token = await controlPlane.serviceAccountToken('default', 'reader')
    t.match(await manager.get('/metrics'), { status: 403, text: 'forbidden: User "system:anonymous" cannot get path "/metrics"' })
    t.match(await manager.get('/metrics', 'nonsense'), { status: 401 })
    t.match(await manager.get('/metrics', token), { status: 403, text: /^forbidden: User "system:serviceaccount:default:reader"/ })
    const read = await metricReader(controlPlane)
    const metric = async (name: string): Promise<number> => await read(manager, name)
    await until('it to lead', async () => await metric('leader_election_master_status{name="annex-controller-manager"}') === 1)
    // Three objects and at least two resyncs.
    await until('resyncs', async () => await metric('workqueue_adds_total{name="webapp"}') >= 15 && await metric('workqueue_depth{name="webapp"}') === 0)
    t.same(audit.events(e => e.requestReceivedTimestamp > started && isWrite(e)).map(e => `${e.verb} ${e.objectRef?.resource} ${e.objectRef?.name}`), [])
    await until('the manager to be ready', async () => (await manager.get('/readyz')).text === 'ok')
  })

  t.test('all this with the rights of the install manifests', async t => {
    const events = audit.events()
    t.ok(events.length > 50, `${events.length} requests`)
    t.same(events.filter(e => e.responseStatus?.code === 403 && e.objectRef?.resource !== 'services').map(e => `${e.verb} ${e.objectRef?.resource}`), [], 'refused was what the quota refuses')
  })
})
