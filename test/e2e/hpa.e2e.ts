import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { annexNamespace, registerAnnex, servedGroupVersions, startAnnex, type Annex, type GroupVersion } from '../fixtures/control-plane-annex.js'
import type { ApiClient, Condition, KubeObject } from '../fixtures/control-plane-client.js'
import { until } from '../fixtures/control-plane-conditions.js'
import { customMetric, database, objectOf, pathOf, webapp } from '../fixtures/control-plane-objects.js'
import { startControlPlane, type ControlPlane } from '../fixtures/control-plane.js'

const namespace = 'shop'
const core = `/api/v1/namespaces/${namespace}`
const apps = `/apis/apps/v1/namespaces/${namespace}/deployments`
const autoscalers = `/apis/autoscaling/v2/namespaces/${namespace}/horizontalpodautoscalers`
const apiServices = '/apis/apiregistration.k8s.io/v1/apiservices'
const merge = { 'content-type': 'application/merge-patch+json' }

/** One autoscaler: whom it scales, and the metric that makes it, of which 10 are meant for each replica. */
interface Scaled {
  readonly name: string
  readonly target: { apiVersion: string; kind: string; name: string }
  readonly metric: object
  readonly samples: () => Promise<readonly Sample[]> | readonly Sample[]
  /** Who is written to, if it is not the Annex that autoscalers ask. */
  readonly writtenTo?: ApiClient
}
interface Sample { readonly name: string; readonly metric: { name: string; labels?: Record<string, string> }; readonly describedObject?: object }

const deployment = (name: string): Scaled['target'] => ({ apiVersion: 'apps/v1', kind: 'Deployment', name })
const perReplica = { type: 'AverageValue', averageValue: '10' }
const about = (apiVersion: string, kind: string, name: string): { apiVersion: string; kind: string; name: string } => ({ apiVersion, kind, name })

/** Scales on a metric about one object. The name of the metric is that of the autoscaler, or an odd one. */
function onObject (name: string, describedObject: ReturnType<typeof about>, target = deployment(name), metric = name): Scaled {
  return {
    name, target,
    metric: { type: 'Object', object: { describedObject, metric: { name: metric }, target: perReplica } },
    samples: () => [{ name, metric: { name: metric }, describedObject }]
  }
}

function onExternal (name: string, metric: string, target = deployment(name), labels?: Record<string, string>): Scaled {
  return {
    name, target,
    metric: { type: 'External', external: { metric: { name: metric, ...(labels && { selector: { matchLabels: labels } }) }, target: perReplica } },
    samples: () => [{ name, metric: { name: metric, ...(labels && { labels }) } }]
  }
}

t.setTimeout(600_000)

t.test('a HorizontalPodAutoscaler of the real kube-controller-manager scales on stored metrics', async t => {
  const controlPlane = await startControlPlane(t)
  // Another server of the metrics groups, which is not registered: the registered one routes to it.
  const other = await startAnnex(controlPlane, { name: 'other' })
  const annex = await startAnnex(controlPlane, { flags: await routesTo(controlPlane, other) })
  const groupVersions = await servedGroupVersions(controlPlane, annex)
  const isCustom = ({ group }: GroupVersion): boolean => group === 'custom.metrics.k8s.io'
  const register = (of: readonly GroupVersion[]): Promise<void> => registerAnnex(controlPlane, { port: annex.port, certificateAuthorityPem: annex.certificateAuthorityPem, groupVersions: of })
  t.strictSame(groupVersions.filter(isCustom).map(gv => gv.version), ['v1beta2', 'v1beta1'])
  await register(groupVersions.filter(gv => !isCustom(gv) || gv.version === 'v1beta1'))
  await controlPlane.startControllerManager()
  const { client } = controlPlane.admin
  await client.create('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } })

  const ended = new AbortController()
  const background = keepReady(client, ended.signal)
  t.teardown(async () => {
    ended.abort()
    await background
  })

  const scaled: Scaled[] = [
    {
      name: 'pods', target: deployment('pods'),
      metric: { type: 'Pods', pods: { metric: { name: 'requests:rate|p99' }, target: perReplica } },
      samples: async () => (await podsOf(client, 'pods')).map(p => ({ name: p, metric: { name: 'requests:rate|p99' }, describedObject: about('v1', 'Pod', p) }))
    },
    onObject('object', about('apps/v1', 'Deployment', 'object')),
    onObject('object-database', about('mycompany.io/v2', 'Database', 'orders')),
    onObject('object-namespace', about('v1', 'Namespace', namespace)),
    onObject('object-node', about('v1', 'Node', 'node-1')),
    onObject('object-status', about('v1', 'Service', 'front'), deployment('object-status'), 'status'),
    onExternal('external', 'QueueLength', deployment('external'), { queue: 'mail' }),
    onExternal('external-status', 'status'),
    onObject('webapp', about('example.com/v1', 'WebApp', 'web'), { apiVersion: 'example.com/v1', kind: 'WebApp', name: 'web' }),
    { ...onExternal('routed', 'theirs-queue'), writtenTo: other.client(controlPlane.admin) },
    { ...onObject('routed-object', about('v1', 'Service', 'front'), deployment('routed-object'), 'impersonated-load'), writtenTo: other.client(controlPlane.admin) },
    onExternal('database', 'connections', { apiVersion: 'mycompany.io/v2', kind: 'Database', name: 'orders' })
  ]
  await client.create(pathOf(webapp, namespace), { ...objectOf(webapp, 'web'), spec: { ...webapp.body['spec'] as object, replicas: 1 } })
  await client.create(pathOf(database, namespace), objectOf(database, 'orders'))
  await Promise.all(scaled.map(async ({ name, target, metric }) => {
    if (target.kind === 'Deployment') await client.create(apps, deploymentOf(name))
    await until(`${name} to have a ready replica`, async () => await readyReplicas(client, target) === 1)
    await client.create(autoscalers, {
      apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler', metadata: { name },
      spec: {
        scaleTargetRef: target, minReplicas: 1, maxReplicas: 8, metrics: [metric],
        // One waits for as long as one can, until the test has seen it wait.
        behavior: { scaleDown: { stabilizationWindowSeconds: name === 'external' ? 3600 : 0 } }
      }
    })
  }))

  /** Writes the value that asks for so many replicas, and waits for them. */
  const scaleTo = async (t: Test, replicas: number, which = scaled): Promise<void> => {
    await Promise.all(which.map(async of => {
      const began = performance.now()
      let about = ''
      await until(`${of.name} to be scaled to ${replicas}`, async () => {
        // Pods come and go: one without a sample counts as being at the target when the autoscaler scales down, and holds a replica for good.
        const samples = await of.samples()
        const names = samples.map(s => s.name).join()
        // Rounded up, three thirds of two would be three.
        if (names !== about) for (const sample of samples) await write(of.writtenTo ?? client, sample, Math.floor(10_000 * replicas / samples.length) / 1000)
        about = names
        const spec = await specReplicas(client, of.target)
        if (spec !== replicas) throw new Error(`${spec} replicas; ${JSON.stringify((await conditionOf(client, of.name, 'ScalingActive'))?.message)}`)
        return true
      })
      t.pass(`${of.name}: ${replicas} replicas after ${((performance.now() - began) / 1000).toFixed(1)} s`)
    }))
  }
  /** Waits until kubectl describes an autoscaler so. */
  const describes = async (t: Test, name: string, line: RegExp): Promise<void> => {
    let last = ''
    await until(`kubectl describe to show ${line}`, async () => line.test(last = await describe(controlPlane, name))).catch(() => {})
    t.match(last, line, name)
  }
  /** Which versions of custom metrics were read, by Annex's own count. */
  const reads = async (): Promise<Record<string, number>> => {
    const direct = annex.client(controlPlane.admin)
    const { text } = await direct.request('GET', '/metrics')
    direct.close()
    const of = (version: string): number => [...text.matchAll(new RegExp(`^apiserver_request_total\\{verb="GET",group="custom.metrics.k8s.io",version="${version}".*code="200"\\} (\\d+)`, 'gm'))].reduce((sum, m) => sum + Number(m[1]), 0)
    return { v1beta1: of('v1beta1'), v1beta2: of('v1beta2') }
  }

  await t.test('without the right to list pods it says so, and with it pods are selected', async t => {
    for (const sample of await scaled[0]!.samples()) await write(client, sample, 10)
    const text = 'pods is forbidden: User "system:serviceaccount:annex-system:annex" cannot list resource "pods" in API group "" at the cluster scope'
    await until('the autoscaler to say what is missing', async () => (await conditionOf(client, 'pods', 'ScalingActive'))?.message?.includes(text) === true)
    await describes(t, 'pods', new RegExp(`ScalingActive\\s+False\\s+FailedGetPodsMetric .*${text}; this server needs get, list and watch on pods`))
    await allow(client, 'annex-pods', { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list', 'watch'] })
    await until('the autoscaler to read', async () => (await conditionOf(client, 'pods', 'ScalingActive'))?.status === 'True')
  })

  await t.test('up, with v1beta1 alone', async t => {
    // Neither of them belongs to the Deployment: one is gone, one is another's.
    const [other = ''] = await podsOf(client, 'object')
    for (const name of ['pods-gone', other]) await write(client, { name, metric: { name: 'requests:rate|p99' }, describedObject: about('v1', 'Pod', name) }, 100_000)
    await scaleTo(t, 3)
    t.equal((await reads())['v1beta2'], 0)
    t.ok((await reads())['v1beta1']! > 0)
  })

  await t.test('down, with both versions; the window holds it until it is over', async t => {
    await register(groupVersions)
    const held = scaled.filter(of => of.name === 'external')
    for (const of of held) for (const sample of await of.samples()) await write(client, sample, 10)
    await scaleTo(t, 1, scaled.filter(of => !held.includes(of)))
    await until('the window to hold it', async () => (await conditionOf(client, 'external', 'AbleToScale'))?.reason === 'ScaleDownStabilized')
    t.equal(await specReplicas(client, deployment('external')), 3, 'it is held')
    await client.call('PATCH', `${autoscalers}/external`, { body: { spec: { behavior: { scaleDown: { stabilizationWindowSeconds: 1 } } } }, headers: merge })
    await scaleTo(t, 1, held)
    await until('v1beta2 to be preferred', async () => (await reads())['v1beta2']! > 0)
  })

  await t.test('up again, with v1beta2 alone', async t => {
    await client.call('DELETE', `${apiServices}/v1beta1.custom.metrics.k8s.io`)
    await scaleTo(t, 2)
    const before = await reads()
    await until('v1beta2 to be read', async () => (await reads())['v1beta2']! > before['v1beta2']! + 5)
  })

  await t.test('what is routed elsewhere holds when the other side is gone', async t => {
    await other.process.kill()
    for (const name of ['routed', 'routed-object']) {
      await until(`${name} to say that nobody answers`, async () => (await conditionOf(client, name, 'ScalingActive'))?.message?.includes(`the metric is routed to ${other.url}: `) === true)
      t.equal(await specReplicas(client, deployment(name)), 2, name)
    }
  })

  await t.test('it holds when samples expire, and kubectl describe says since when', async t => {
    const expired = /expired \d+s ago \(ttl 1s\)/
    await Promise.all(scaled.filter(of => of.writtenTo === undefined).map(async of => {
      // Would be eight replicas if it counted.
      for (const sample of await of.samples()) await write(client, sample, 80, { ttlSeconds: 1, timestamp: new Date(Date.now() - 30_000).toISOString() })
      await until(`${of.name} to say that its sample expired`, async () => expired.test((await conditionOf(client, of.name, 'ScalingActive'))?.message ?? ''))
      t.equal(await specReplicas(client, of.target), 2, of.name)
    }))
    for (const [name, reason, text] of [
      ['pods', 'FailedGetPodsMetric', 'the server could not find the metric requests:rate\\|p99 for pods: expired'],
      ['object', 'FailedGetObjectMetric', 'the server could not find the metric object for deployments\\.apps object: expired'],
      ['external', 'FailedGetExternalMetric', 'the server could not find the metric queuelength for namespaces shop with selector queue=mail: expired']
    ] as const) await describes(t, name, new RegExp(`ScalingActive\\s+False\\s+${reason} .*${text}`))
  })
})

type Test = Pick<typeof t, 'pass' | 'match'>

const deploymentOf = (name: string): object => ({
  apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name },
  spec: { replicas: 1, selector: { matchLabels: { app: name } }, template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'c', image: 'none' }] } } }
})

/** Writes a sample as of now. */
async function write (client: ApiClient, { name, metric, describedObject }: Sample, value: number, more: object = {}): Promise<void> {
  await client.apply(pathOf(customMetric, namespace, name), {
    apiVersion: 'metrics.example.com/v1alpha1', kind: 'CustomMetric', metadata: { name }, metric, ...(describedObject && { describedObject }),
    value: `${Math.round(value * 1000)}m`, timestamp: new Date().toISOString(), ...more
  })
}

const pathOfTarget = ({ kind, name }: Scaled['target']): string => kind === 'Deployment' ? `${apps}/${name}` : pathOf(kind === 'WebApp' ? webapp : database, namespace, name)
async function specReplicas (client: ApiClient, target: Scaled['target']): Promise<number> {
  return (await client.get<{ spec: { replicas: number } }>(pathOfTarget(target))).spec.replicas
}
async function readyReplicas (client: ApiClient, target: Scaled['target']): Promise<number | undefined> {
  const { status } = await client.get<{ status?: { replicas?: number; readyReplicas?: number } }>(pathOfTarget(target))
  return target.kind === 'Deployment' ? status?.readyReplicas : status?.replicas
}
async function podsOf (client: ApiClient, app: string): Promise<string[]> {
  const { items } = await client.get<{ items: KubeObject[] }>(`${core}/pods?labelSelector=app%3D${app}`)
  return items.filter(p => p.metadata.deletionTimestamp === undefined).map(p => p.metadata.name)
}
async function conditionOf (client: ApiClient, name: string, type: string): Promise<Condition | undefined> {
  return (await client.get(`${autoscalers}/${name}`)).status?.conditions?.find(c => c.type === type)
}
async function describe (controlPlane: ControlPlane, name: string): Promise<string> {
  return (await controlPlane.kubectl(['describe', 'hpa', name, '-n', namespace])).stdout
}

/** Flags that lead some metrics to another Annex: external ones by a front proxy's certificate, custom ones by a token. */
async function routesTo (controlPlane: ControlPlane, other: Annex): Promise<string[]> {
  const { admin: { client }, directory, pki: { frontProxyClient } } = controlPlane
  const [ca, token] = ['other-ca.crt', 'token'].map(f => join(directory, f)) as [string, string]
  const serviceAccounts = `/api/v1/namespaces/${annexNamespace}/serviceaccounts`
  await client.apply(`/api/v1/namespaces/${annexNamespace}`, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: annexNamespace } })
  await client.create(serviceAccounts, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'annex' } })
  await allow(client, 'annex-impersonates', { apiGroups: [''], resources: ['users', 'groups', 'serviceaccounts'], verbs: ['impersonate'] })
  writeFileSync(ca, other.certificateAuthorityPem)
  writeFileSync(token, await controlPlane.serviceAccountToken(annexNamespace, 'annex'), { mode: 0o600 })
  return [
    `--metrics-route=group=external.metrics.k8s.io,metric=theirs-*,url=${other.url},ca-file=${ca},cert-file=${frontProxyClient.certificateFile},key-file=${frontProxyClient.keyFile}`,
    `--metrics-route=group=custom.metrics.k8s.io,namespace=${namespace},metric=impersonated-*,url=${other.url},ca-file=${ca},token-file=${token}`
  ]
}

/** Gives Annex a right in the whole cluster. */
async function allow (client: ApiClient, name: string, rule: object): Promise<void> {
  const rbac = '/apis/rbac.authorization.k8s.io/v1'
  await client.create(`${rbac}/clusterroles`, { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name }, rules: [rule] })
  await client.create(`${rbac}/clusterrolebindings`, {
    apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRoleBinding', metadata: { name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name }, subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'system:serviceaccount:annex-system:annex' }]
  })
}

/** In place of kubelets and operators: every pod becomes ready, and every WebApp and Database has the replicas that it should have. */
async function keepReady (client: ApiClient, signal: AbortSignal): Promise<void> {
  const patch = async (path: string, status: object): Promise<unknown> => await client.call('PATCH', `${path}/status`, { body: { status }, headers: merge })
  const look = async (): Promise<void> => {
    const { items: pods } = await client.get<{ items: KubeObject[] }>(`${core}/pods`)
    for (const pod of pods) {
      if (pod.status?.conditions?.some(c => c.type === 'Ready' && c.status === 'True') === true) continue
      const now = new Date().toISOString().slice(0, 19) + 'Z'
      await patch(`${core}/pods/${pod.metadata.name}`, { phase: 'Running', startTime: now, conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: now }] })
    }
    for (const kind of [webapp, database]) {
      const { items } = await client.get<{ items: (KubeObject & { spec: { replicas: number } })[] }>(pathOf(kind, namespace))
      for (const { metadata: { name }, spec: { replicas }, status } of items) {
        const wanted = { replicas, selector: `operated=${name}` }
        if (status?.['replicas'] !== replicas) await patch(pathOf(kind, namespace, name), wanted)
      }
    }
  }
  while (!signal.aborted) {
    // What is gone by now, or whom nobody reaches at the moment, is looked at again; what stays so keeps the test from its end.
    await look().catch(() => {})
    await delay(200, undefined, { signal }).catch(() => {})
  }
}
