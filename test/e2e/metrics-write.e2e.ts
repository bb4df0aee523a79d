import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { OTLPMetricExporter as HttpExporter } from '@opentelemetry/exporter-metrics-otlp-http'
import { OTLPMetricExporter as ProtoExporter } from '@opentelemetry/exporter-metrics-otlp-proto'
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics'
import t, { type Test } from 'tap'
import { buildTools, findTool } from '../../hack/tools/build.mjs'
import { registerAnnex, servedGroupVersions, startAnnex } from '../fixtures/control-plane-annex.js'
import type { ApiClient, Condition, KubeObject } from '../fixtures/control-plane-client.js'
import { until } from '../fixtures/control-plane-conditions.js'
import type { ServerProcess } from '../fixtures/control-plane-process.js'
import { freePorts } from '../fixtures/free-ports.js'
import { startControlPlane, type ClusterUser, type ControlPlane } from '../fixtures/control-plane.js'

const namespace = 'shop'
const apps = `/apis/apps/v1/namespaces/${namespace}/deployments`
const autoscalers = `/apis/autoscaling/v2/namespaces/${namespace}/horizontalpodautoscalers`
const metrics = `/apis/metrics.example.com/v1alpha1/namespaces/${namespace}`
const external = `/apis/external.metrics.k8s.io/v1beta1/namespaces/${namespace}`

t.setTimeout(600_000)

t.test('a real Prometheus and the OpenTelemetry SDK write series, and HorizontalPodAutoscalers scale on them', async t => {
  await buildTools(['prometheus'])
  const controlPlane = await startControlPlane(t)
  const annex = await startAnnex(controlPlane)
  const { port, certificateAuthorityPem } = annex
  await registerAnnex(controlPlane, { port, certificateAuthorityPem, groupVersions: await servedGroupVersions(controlPlane, annex) })
  await controlPlane.startControllerManager()
  const { client } = controlPlane.admin
  await client.create('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } })
  const sender = controlPlane.user('sender')
  const exporter = await startExporter(t)

  const perReplica = { type: 'AverageValue', averageValue: '10' }
  const onExternal = (name: string): object => ({ type: 'External', external: { metric: { name }, target: perReplica } })
  const scaled: Record<string, object> = {
    'remote-write-1': onExternal('queue_v1'),
    'remote-write-2': onExternal('queue_v2'),
    rate: { type: 'Object', object: { describedObject: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'rate' }, metric: { name: 'requests_per_second' }, target: perReplica } },
    'otlp-protobuf': onExternal('otlp.protobuf'),
    'otlp-json': onExternal('otlp.json')
  }
  for (const [name, spec] of Object.entries<object>({
    queues: { series: { matchers: [{ label: '__name__', operator: '=~', value: 'queue_v[12]' }, { label: 'queue', value: 'mail' }] }, metric: { name: '${__name__}' }, ttlSeconds: 3600 },
    rate: { series: { name: 'requests_total' }, metric: { name: 'requests_per_second' }, describedObject: { apiVersion: 'apps/v1', kind: 'Deployment', nameLabel: 'deployment' }, function: 'Rate', windowSeconds: 10 },
    otlp: { series: { matchers: [{ label: '__name__', operator: '=~', value: 'otlp\\..*' }] }, metric: { name: '${__name__}' } }
  })) await client.create(`${metrics}/metricmappings`, { apiVersion: 'metrics.example.com/v1alpha1', kind: 'MetricMapping', metadata: { name }, spec })
  for (const [name, metric] of Object.entries(scaled)) {
    await client.create(apps, deploymentOf(name))
    await client.create(autoscalers, {
      apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler', metadata: { name },
      spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name }, minReplicas: 1, maxReplicas: 8, metrics: [metric], behavior: { scaleDown: { stabilizationWindowSeconds: 0 } } }
    })
  }

  const prometheus = await startPrometheus(controlPlane, findTool('prometheus')!.path, sender, exporter.port, { queue_v1: '', 'queue_v2|requests_total': 'io.prometheus.write.v2.Request' })
  const stopSdk = startSdk(controlPlane, sender, () => exporter.value)
  t.teardown(stopSdk)

  await t.test('without the right to create they are refused, and say so', async t => {
    await prometheus.until('to be refused', () => /cannot create resource \W*remotewrites\W* in API group \W*metrics.example.com/.test(prometheus.log()))
    const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`
    await client.create(`${rbac}/roles`, { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', metadata: { name: 'sender' }, rules: [{ apiGroups: ['metrics.example.com'], resources: ['remotewrites', 'otlpmetrics'], verbs: ['create'] }] })
    await client.create(`${rbac}/rolebindings`, { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'RoleBinding', metadata: { name: 'sender' }, roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'sender' }, subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name: 'sender' }] })
    t.pass('granted')
  })

  const scaleTo = async (t: Test, replicas: number): Promise<void> => {
    exporter.value = 10 * replicas
    await Promise.all(Object.keys(scaled).map(async name => {
      await until(`${name} to be scaled to ${replicas}`, async () => {
        const { spec } = await client.get<{ spec: { replicas: number } }>(`${apps}/${name}`)
        if (spec.replicas !== replicas) throw new Error(`${spec.replicas} replicas; ${(await conditionOf(client, `${autoscalers}/${name}`, 'ScalingActive'))?.message}`)
        return true
      })
      t.pass(`${name}: ${replicas} replicas`)
    }))
  }
  await t.test('up', async t => { await scaleTo(t, 3) })
  await t.test('down', async t => { await scaleTo(t, 2) })

  await t.test('mappings tell what they see, in kubectl too', async t => {
    const { status } = await until('a status', async () => {
      const mapping = await client.get(`${metrics}/metricmappings/queues`)
      return mapping.status?.['matchedSeries'] === 2 && mapping
    })
    t.match(status, { metrics: 2, conditions: [{ type: 'Ready', status: 'True' }] })
    const { stdout } = await controlPlane.kubectl(['get', 'mm', '-n', namespace])
    t.match(stdout, /^NAME\s+METRIC\s+KIND\s+FUNCTION\s+SERIES\s+READY\s+LAST SAMPLE\s+AGE\n/)
    t.match(stdout, /^queues\s+\$\{__name__\}\s+Latest\s+2\s+True\s+[\dms]+\s+[\dms]+$/m)
    t.match((await controlPlane.kubectl(['api-resources', '--api-group=metrics.example.com', '-o', 'wide'])).stdout, /^remotewrites\s+metrics.example.com\/v1alpha1\s+true\s+RemoteWrite\s+create/m)
    t.match((await controlPlane.kubectl(['explain', 'metricmappings.spec.series.matchers.operator'])).stdout, /FIELD: operator <string>/)
    // What did not come through in time is sent again; what was refused is not.
    const refused = /non-recoverable error|HTTP status (500|4(?!29))/
    t.notMatch(prometheus.log().split('\n').filter(l => !l.includes('cannot create resource')).join('\n'), refused, 'Prometheus is content')
  })

  await t.test('when the exporter goes, Prometheus ends its series, and autoscalers hold', async t => {
    exporter.close()
    for (const metric of ['queue_v1', 'queue_v2']) {
      await until(`${metric} to end`, async () => (await client.request('GET', `${external}/${metric}`)).status === 404)
    }
    await until('the autoscaler to say so', async () => /the server could not find the metric queue_v1/.test((await conditionOf(client, `${autoscalers}/remote-write-1`, 'ScalingActive'))?.message ?? ''))
    t.equal((await client.get<{ spec: { replicas: number } }>(`${apps}/remote-write-1`)).spec.replicas, 2)
  })
  await stopSdk()
})

t.test("Debian's Prometheus 2.42 writes with the older protocol", { skip: debian() === undefined && 'prometheus 2 is not on the PATH' }, async t => {
  const controlPlane = await startControlPlane(t)
  const annex = await startAnnex(controlPlane)
  const { port, certificateAuthorityPem } = annex
  await registerAnnex(controlPlane, { port, certificateAuthorityPem, groupVersions: await servedGroupVersions(controlPlane, annex) })
  const { client } = controlPlane.admin
  await client.create('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } })
  await until('the aggregator to know the way', async () => (await client.request('GET', `${metrics}/metricmappings`)).status === 200)
  await client.create(`${metrics}/metricmappings`, { apiVersion: 'metrics.example.com/v1alpha1', kind: 'MetricMapping', metadata: { name: 'queues' }, spec: { series: { name: 'queue_v1' }, metric: { name: 'queue_v1' } } })
  const exporter = await startExporter(t)
  await startPrometheus(controlPlane, debian()!, controlPlane.admin, exporter.port, { queue_v1: '' })
  await until('the metric', async () => (await client.get<{ items: { value: string }[] }>(`${external}/queue_v1`)).items[0]?.value === '1010') // of both queues
  t.pass('it is served')
})

/** A Prometheus 2 that somebody has installed. */
function debian (): string | undefined {
  try {
    return / version 2\./.test(execFileSync('prometheus', ['--version'], { encoding: 'utf8' })) ? 'prometheus' : undefined
  } catch {
    return undefined
  }
}

const deploymentOf = (name: string): object => ({
  apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name },
  spec: { replicas: 1, selector: { matchLabels: { app: name } }, template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: 'c', image: 'none' }] } } }
})

async function conditionOf (client: ApiClient, path: string, type: string): Promise<Condition | undefined> {
  return (await client.get<KubeObject>(path)).status?.conditions?.find(c => c.type === type)
}

/** What Prometheus scrapes: queues of `value`, and a counter that rises by a little less a second, for a rate a little higher would be one replica more. */
async function startExporter (t: Pick<Test, 'teardown'>): Promise<{ value: number; readonly port: number; close: () => void }> {
  let [counter, since] = [0, Date.now()]
  const exporter = { value: 10, port: 0, close: () => { server.closeAllConnections(); server.close() } }
  const server: Server = createServer((_, response) => {
    const now = Date.now()
    counter += (now - since) / 1000 * exporter.value * 0.95
    since = now
    const { value } = exporter
    response.setHeader('content-type', 'text/plain; version=0.0.4')
    response.end(['# TYPE queue_v1 gauge', `queue_v1{queue="mail"} ${value}`, 'queue_v1{queue="other"} 1000', '# TYPE queue_v2 gauge', `queue_v2{queue="mail"} ${value}`, '# TYPE requests_total counter', `requests_total{deployment="rate"} ${counter}`, ''].join('\n'))
  })
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  t.teardown(() => { exporter.close() })
  exporter.port = (server.address() as AddressInfo).port
  return exporter
}

/** @param writes by the names of the series that each remote_write takes, its message; none is that of 1.0 */
async function startPrometheus (controlPlane: ControlPlane, path: string, user: ClusterUser, target: number, writes: Readonly<Record<string, string>>): Promise<ServerProcess> {
  const file = (name: string, content: string): string => {
    const full = join(controlPlane.directory, name)
    writeFileSync(full, content, { mode: 0o600 })
    return full
  }
  const tls_config = { ca_file: controlPlane.pki.caFile, cert_file: file('sender.crt', user.certificatePem), key_file: file('sender.key', user.privateKeyPem) }
  const config = {
    global: { scrape_interval: '1s', scrape_timeout: '1s' },
    scrape_configs: [{ job_name: 'shop', static_configs: [{ targets: [`127.0.0.1:${target}`] }] }],
    remote_write: Object.entries(writes).map(([regex, message]) => ({
      url: `${controlPlane.server}${metrics}/remotewrites`, tls_config, ...(message && { protobuf_message: message }),
      write_relabel_configs: [{ source_labels: ['__name__'], regex, action: 'keep' }],
      queue_config: { batch_send_deadline: '1s' }
    }))
  }
  const [port = 0] = await freePorts(1)
  // JSON is YAML.
  return controlPlane.process('prometheus', path, [`--config.file=${file('prometheus.yaml', JSON.stringify(config))}`, `--storage.tsdb.path=${join(controlPlane.directory, 'prometheus')}`, `--web.listen-address=127.0.0.1:${port}`])
}

/** Exports a gauge in each encoding every two seconds. @returns ends it */
function startSdk (controlPlane: ControlPlane, user: ClusterUser, value: () => number): () => Promise<void> {
  const options = { url: `${controlPlane.server}${metrics}/otlpmetrics`, httpAgentOptions: { ca: controlPlane.pki.ca.certificatePem, cert: user.certificatePem, key: user.privateKeyPem } }
  const providers = [['otlp.protobuf', new ProtoExporter(options)], ['otlp.json', new HttpExporter(options)]].map(([name, exporter]) => {
    const provider = new MeterProvider({ readers: [new PeriodicExportingMetricReader({ exporter: exporter as ProtoExporter, exportIntervalMillis: 2000, exportTimeoutMillis: 2000 })] })
    provider.getMeter('shop').createObservableGauge(name as string).addCallback(result => { result.observe(value()) })
    return provider
  })
  let ended: Promise<void> | undefined
  return () => ended ??= Promise.allSettled(providers.map(p => p.shutdown())).then(() => {})
}
