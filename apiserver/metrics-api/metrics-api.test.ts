import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import type { RequestOptions } from '../../test/fixtures/api-client.js'
import { startServer, type TestServer } from '../../test/fixtures/server.js'

const directory = mkdtempSync(join(tmpdir(), 'annex-metrics-'))
t.teardown(() => { rmSync(directory, { recursive: true }) })
const rules = (...resources: string[]): object[] => ['custom.metrics.k8s.io', 'external.metrics.k8s.io'].map(apiGroup => ({ apiGroups: [apiGroup], resources, verbs: ['get', 'list'] }))
const role = (name: string, of: object[]): object[] => [
  { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', metadata: { name, namespace: 'shop' }, rules: of },
  { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'RoleBinding', metadata: { name, namespace: 'shop' }, subjects: [{ kind: 'User', name }], roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name } }
]
const policyFile = join(directory, 'policy.yaml')
writeFileSync(policyFile, [
  ...role('everything', rules('*')),
  ...role('one-metric', [{ apiGroups: ['custom.metrics.k8s.io'], resources: ['pods/http_requests'], verbs: ['get'] }, { apiGroups: ['external.metrics.k8s.io'], resources: ['queuelength'], verbs: ['list'] }]),
  ...role('get-only', [{ apiGroups: ['external.metrics.k8s.io'], resources: ['*'], verbs: ['get'] }])
].map(o => JSON.stringify(o)).join('\n---\n'))

const server: TestServer = await startServer(t, [`--authorization-policy-file=${policyFile}`, '--metric-ttl=2m'], { inProcess: true })
const timestamp = new Date(Date.now() - 3000).toISOString().slice(0, 19) + 'Z'
const v1 = '/apis/custom.metrics.k8s.io/v1beta1'
const v2 = '/apis/custom.metrics.k8s.io/v1beta2'
const external = '/apis/external.metrics.k8s.io/v1beta1'

async function write (namespace: string, name: string, content: object): Promise<void> {
  const answer = await server.request('POST', `/apis/metrics.example.com/v1alpha1/namespaces/${namespace}/custommetrics`, { body: { apiVersion: 'metrics.example.com/v1alpha1', kind: 'CustomMetric', metadata: { name }, timestamp, ...content } })
  if (answer.status !== 201) throw new Error(answer.text)
}

/** Reads until the index has taken a write over. */
async function eventually (path: string, status: number): Promise<void> {
  const deadline = Date.now() + 60_000
  while ((await server.request('GET', path)).status !== status) {
    if (Date.now() > deadline) throw new Error(`${path} is not answered with ${status}`)
    await new Promise(resolve => { setTimeout(resolve, 5) })
  }
}

const pod = (name: string): object => ({ apiVersion: 'v1', kind: 'Pod', name })
for (const name of ['web-0', 'web-1']) await write('shop', `${name}-requests`, { metric: { name: 'http_requests' }, describedObject: pod(name), value: '1500m', windowSeconds: 60 })
await write('shop', 'odd', { metric: { name: 'a:b|c', labels: { verb: 'GET' } }, describedObject: pod('web-0'), value: '2048Ki' })
await write('shop', 'old', { metric: { name: 'old' }, describedObject: pod('web-0'), value: 1, timestamp: '2026-01-01T00:00:00Z', ttlSeconds: 30 })
await write('shop', 'deployment', { metric: { name: 'latency' }, describedObject: { kind: 'Deployment', name: 'web' }, value: '0.1' })
await write('shop', 'node', { metric: { name: 'load' }, describedObject: { kind: 'Node', name: 'n1' }, value: 3 })
await write('shop', 'shop', { metric: { name: 'orders' }, describedObject: { kind: 'Namespace', name: 'shop' }, value: 12000 })
await write('shop', 'database', { metric: { name: 'connections' }, describedObject: { apiVersion: 'example.com/v1', kind: 'WebApp', name: 'there' }, value: 40 })
await write('shop', 'gone', { metric: { name: 'connections' }, describedObject: { apiVersion: 'example.com/v1', kind: 'WebApp', name: 'gone' }, value: 50 })
await write('shop', 'queue-mail', { metric: { name: 'QueueLength', labels: { queue: 'mail' } }, value: 42 })
await write('shop', 'queue-jobs', { metric: { name: 'QueueLength', labels: { queue: 'jobs' } }, value: 7 })
await write('shop', 'status', { value: 5 })
await server.request('POST', '/apis/example.com/v1/namespaces/shop/webapps', { body: { apiVersion: 'example.com/v1', kind: 'WebApp', metadata: { name: 'there', labels: { tier: 'front' } }, spec: { replicas: 1, image: 'nginx', port: 80 } } })
await eventually(`${external}/namespaces/shop/status`, 200)

const about = (kind: string, name: string, apiVersion = 'v1'): object => ({ kind, namespace: 'shop', name, apiVersion })
const requests = (name: string): object => ({ describedObject: about('Pod', name), metric: { name: 'http_requests', selector: null }, timestamp, windowSeconds: 60, value: '1500m' })

t.test('Every form of URL finds its metrics', async t => {
  const odd = { describedObject: about('Pod', 'web-0'), metric: { name: 'a:b|c', selector: null }, timestamp, value: '2Mi' }
  const node = { describedObject: { kind: 'Node', name: 'n1', apiVersion: 'v1' }, metric: { name: 'load', selector: null }, timestamp, value: '3' }
  const orders = { describedObject: { kind: 'Namespace', name: 'shop', apiVersion: 'v1' }, metric: { name: 'orders', selector: null }, timestamp, value: '12k' }
  const latency = { describedObject: about('Deployment', 'web', 'apps/v1'), metric: { name: 'latency', selector: null }, timestamp, value: '100m' }
  const webapp = { describedObject: about('WebApp', 'there', 'example.com/v1'), metric: { name: 'connections', selector: null }, timestamp, value: '40' }
  const table: [string, object[]][] = [
    ['/namespaces/shop/pods/web-0/http_requests', [requests('web-0')]],
    ['/namespaces/shop/pod/web-0/http_requests', [requests('web-0')]],
    ['/namespaces/shop/pods/*/http_requests', [requests('web-0'), requests('web-1')]],
    ['/namespaces/shop/pods/%2A/http_requests', [requests('web-0'), requests('web-1')]],
    ['/namespaces/shop/pods/%2A/http_requests?labelSelector=app%3Dweb&timeout=30s&pretty=0', [requests('web-0'), requests('web-1')]],
    ['/namespaces/shop/pods/%2A/http_requests?labelSelector=&metricLabelSelector=', [requests('web-0'), requests('web-1')]],
    ['/pods/*/http_requests', [requests('web-0'), requests('web-1')]],
    ['/namespaces/shop/pods/%2A/a:b%7Cc', [odd]],
    ['/namespaces/shop/deployments.apps/web/latency', [latency]],
    ['/namespaces/shop/deployments/web/latency', [latency]],
    ['/namespaces/shop/metrics/orders', [orders]],
    ['/namespaces/*/metrics/orders', [orders]],
    ['/namespaces/shop/nodes/n1/load', [node]],
    ['/nodes/n1/load', [node]],
    ['/nodes/*/load', [node]],
    ['/namespaces/shop/webapps.example.com/%2A/connections', [webapp]],
    ['/namespaces/shop/webapps.example.com/%2A/connections?labelSelector=tier%20in%20(front)', [webapp]],
    ['/namespaces/shop/webapps.example.com/gone/connections', [{ ...webapp, describedObject: about('WebApp', 'gone', 'example.com/v1'), value: '50' }]]
  ]
  for (const [path, items] of table) {
    const answer = await server.request('GET', v2 + path)
    t.equal(answer.status, 200, path)
    t.same(answer.json, { kind: 'MetricValueList', apiVersion: 'custom.metrics.k8s.io/v1beta2', metadata: {}, items }, path)
    t.equal((await server.request('GET', v1 + path)).items.length, items.length, `${path} in v1beta1`)
  }
})

t.test('The bytes are those of the Go types', async t => {
  const object = '{"kind":"Pod","namespace":"shop","name":"web-0","apiVersion":"v1"}'
  const selected = await server.request('GET', `${v2}/namespaces/shop/pods/web-0/a:b%7Cc?metricLabelSelector=verb%3DGET%2Cx%21%3Dy%2C%21z`)
  t.equal(selected.text, `{"kind":"MetricValueList","apiVersion":"custom.metrics.k8s.io/v1beta2","metadata":{},"items":[{"describedObject":${object},"metric":{"name":"a:b|c","selector":{"matchLabels":{"verb":"GET"},"matchExpressions":[{"key":"x","operator":"NotIn","values":["y"]},{"key":"z","operator":"DoesNotExist"}]}},"timestamp":"${timestamp}","value":"2Mi"}]}\n`)
  const older = await server.request('GET', `${v1}/namespaces/shop/pods/web-0/http_requests`)
  t.equal(older.text, `{"kind":"MetricValueList","apiVersion":"custom.metrics.k8s.io/v1beta1","metadata":{},"items":[{"describedObject":${object},"metricName":"http_requests","timestamp":"${timestamp}","window":60,"value":"1500m","selector":null}]}\n`)
  const series = await server.request('GET', `${external}/namespaces/shop/queuelength?labelSelector=queue%3Dmail`)
  t.equal(series.text, `{"kind":"ExternalMetricValueList","apiVersion":"external.metrics.k8s.io/v1beta1","metadata":{},"items":[{"metricName":"QueueLength","metricLabels":{"queue":"mail"},"timestamp":"${timestamp}","value":"42"}]}\n`)
  t.same((await server.request('GET', `${external}/namespaces/shop/QueueLength?labelSelector=queue+notin+(none)`)).items.map(i => i['value']), ['7', '42'])
  t.same((await server.request('GET', `${external}/namespaces/shop/status`)).items.map(i => i['value']), ['5'], 'a metric may be called status')
})

t.test('What cannot be answered says why, without Retry-After', async t => {
  const json = { 'content-type': 'application/json' }
  const table: [string, string, RequestOptions, number, RegExp][] = [
    ['GET', `${v2}/namespaces/shop/pods/%2A/old`, {}, 404, /"the server could not find the metric old for pods: expired \d+d ago \(ttl 30s\)","reason":"NotFound","code":404/],
    ['GET', `${v2}/namespaces/shop/pods/%2A/none`, {}, 404, /for pods: never written"/],
    ['GET', `${v2}/namespaces/shop/webapps.example.com/%2A/connections?labelSelector=tier%3Dback`, {}, 404, /for webapps.example.com: no webapp matched tier=back"/],
    ['GET', `${v2}/namespaces/shop/pods/%2A/a:b%7Cc?metricLabelSelector=verb%3DPUT`, {}, 404, /with selector verb=PUT: no series matched verb=PUT"/],
    ['GET', `${v2}/namespaces/shop/pods/%2A/http_requests?metricLabelSelector=a%3D%3D%3Db`, {}, 400, /"metricLabelSelector: unable to parse requirement/],
    ['GET', `${v2}/namespaces/shop/pods/%2A/http_requests?labelSelector=,`, {}, 400, /"labelSelector: found/],
    ['GET', `${v2}/namespaces/shop/pods/%2A/http_requests?metricLabelSelector=a%3E1`, {}, 404, /no series matched a\\u003e1/],
    ['GET', `${v2}/namespaces/shop/foo`, {}, 400, /"invalid request path"/],
    ['GET', `${v2}/namespaces/shop/pods/web-0`, {}, 404, /^404 page not found/],
    ['GET', `${v2}/namespaces/shop/pods/web-0/http_requests/more`, {}, 404, /^404 page not found/],
    ['GET', `${external}/queuelength`, {}, 404, /^404 page not found/],
    ['GET', `${external}/namespaces/shop/queue/length`, {}, 404, /^404 page not found/],
    ['GET', `${external}/namespaces/shop/none`, {}, 404, /for namespaces shop: never written"/],
    ['GET', '/apis/custom.metrics.k8s.io/v1/namespaces/shop/pods/%2A/http_requests', {}, 404, /^404 page not found/],
    ['GET', `${v2}/namespaces/shop/pods/%2A/http_requests?watch=true`, {}, 405, /"watch is not supported on resources of kind/],
    ['GET', `${external}/namespaces/shop/queuelength?watch=true`, {}, 405, /"watch is not supported/],
    ['POST', `${v2}/namespaces/shop/pods/web-0/http_requests`, { body: {}, headers: json }, 405, /"MethodNotAllowed"/],
    ['DELETE', `${external}/namespaces/shop/queuelength`, {}, 405, /"MethodNotAllowed"/],
    ['GET', `${external}/namespaces/shop/queuelength`, { headers: { accept: 'application/vnd.kubernetes.protobuf' } }, 406, /"NotAcceptable"/],
    ['GET', `${external}/namespaces/shop/queuelength`, { headers: { accept: 'application/vnd.kubernetes.protobuf,application/json' } }, 200, /ExternalMetricValueList/],
    ['GET', `${external}/namespaces/shop/queuelength`, { headers: { accept: 'application/yaml' } }, 200, /^apiVersion: external.metrics.k8s.io\/v1beta1\n/m]
  ]
  for (const [method, path, options, status, text] of table) {
    const answer = await server.request(method, path, options)
    t.equal(answer.status, status, path)
    t.match(answer.text, text, path)
    t.equal(answer.headers['retry-after'], undefined, path)
  }
})

t.test('RBAC sees pods/metric with get, and an external metric with list', async t => {
  const as = async (name: string, path: string): Promise<number> => (await server.request('GET', path, { user: { name } })).status
  const paths = [`${v2}/namespaces/shop/pods/%2A/http_requests`, `${v2}/namespaces/shop/pods/%2A/a:b%7Cc`, `${external}/namespaces/shop/queuelength`, `${v2}/pods/%2A/http_requests`]
  const seen = async (name: string): Promise<number[]> => await Promise.all(paths.map(p => as(name, p)))
  t.same(await seen('everything'), [200, 200, 200, 403])
  t.same(await seen('one-metric'), [200, 403, 200, 403])
  t.same(await seen('get-only'), [403, 403, 403, 403])
  const refused = await server.request('GET', `${v2}/namespaces/shop/metrics/orders`, { user: { name: 'get-only' } })
  t.match(refused.failure.message, 'metrics.custom.metrics.k8s.io "orders" is forbidden: User "get-only" cannot get resource "metrics" in API group "custom.metrics.k8s.io" in the namespace "shop"')
})

t.test('A Table has plain numbers and the age of the sample', async t => {
  const accept = 'application/json;as=Table;g=meta.k8s.io;v=v1,application/json'
  const custom = (await server.request('GET', `${v2}/namespaces/shop/pods/%2A/http_requests`, { headers: { accept } })).json as unknown as { columnDefinitions: { name: string }[]; rows: { cells: unknown[]; object: object }[] }
  t.same(custom.columnDefinitions.map(c => c.name), ['Name', 'Kind', 'Metric', 'Value', 'Age', 'Fresh For', 'Window'])
  t.match(custom.rows, [{ cells: ['web-0', 'Pod', 'http_requests', '1.5', /^\d+s$/, /^\d+s$/, '60s'], object: { kind: 'PartialObjectMetadata', metadata: { name: 'web-0', namespace: 'shop' } } }, { cells: ['web-1'] }])
  const series = (await server.request('GET', `${external}/namespaces/shop/queuelength?includeObject=Object`, { headers: { accept } })).json as unknown as typeof custom
  t.match(series.rows, [{ cells: ['QueueLength', 'queue=jobs', '7'], object: { metricName: 'QueueLength', value: '7' } }, { cells: ['QueueLength', 'queue=mail', '42'] }])
  t.equal((await server.request('GET', `${external}/namespaces/shop/queuelength`, { headers: { accept: 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1' } })).status, 406)
})

t.test('Discovery lists real metrics, prefers v1beta2, and changes its ETag when metrics come and go only', async t => {
  const names = async (path: string): Promise<string[]> => ((await server.request('GET', path)).json['resources'] as { name: string }[]).map(r => r.name)
  t.same(await names(v2), ['deployments.apps/latency', 'namespaces/orders', 'nodes/load', 'pods/a:b|c', 'pods/http_requests', 'pods/old', 'webapps.example.com/connections'])
  t.same(await names(v1), await names(v2))
  t.same(await names(external), ['queuelength', 'status'], 'in lower case, as clients ask for them')
  t.match(((await server.request('GET', v2)).json['resources'] as object[]).find(r => (r as { name: string }).name === 'nodes/load'), { namespaced: false, kind: 'MetricValueList', verbs: ['get'] })
  t.match((await server.request('GET', '/apis/custom.metrics.k8s.io')).json, { preferredVersion: { version: 'v1beta2' }, versions: [{ version: 'v1beta2' }, { version: 'v1beta1' }] })

  const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'
  const aggregated = async (etag = ''): Promise<{ status: number; etag: string; text: string }> => {
    const { status, headers, text } = await server.request('GET', '/apis', { headers: { accept, ...(etag && { 'if-none-match': etag }) } })
    return { status, etag: headers.etag ?? '', text }
  }
  const before = await aggregated()
  t.match(before.text, /"subresource":"http_requests"/)
  await server.request('PATCH', '/apis/metrics.example.com/v1alpha1/namespaces/shop/custommetrics/queue-mail', { body: { value: 43 }, headers: { 'content-type': 'application/merge-patch+json' } })
  t.equal((await aggregated(before.etag)).status, 304, 'another value is no other metric')
  await write('shop', 'fresh', { metric: { name: 'brand_new' }, describedObject: pod('web-0'), value: 1 })
  const deadline = Date.now() + 60_000
  let after = await aggregated(before.etag)
  while (after.status === 304 && Date.now() < deadline) after = await aggregated(before.etag)
  t.equal(after.status, 200)
  t.match(after.text, /"subresource":"brand_new"/)
  await server.request('DELETE', '/apis/metrics.example.com/v1alpha1/namespaces/shop/custommetrics/fresh')
  await eventually(`${v2}/namespaces/shop/pods/web-0/brand_new`, 404)
})

t.test('The age of answered samples is measured', async t => {
  const { text } = await server.request('GET', '/metrics')
  t.match(text, /^metrics_apiserver_metric_freshness_seconds_count\{group="custom.metrics.k8s.io"\} [1-9]/m)
  t.match(text, /^metrics_apiserver_metric_freshness_seconds_bucket\{le="1.364",group="external.metrics.k8s.io"\} 0/m)
})

t.test('What an autoscaler could not read is refused at write', async t => {
  const path = '/apis/metrics.example.com/v1alpha1/namespaces/shop/custommetrics'
  const body = (content: object): object => ({ apiVersion: 'metrics.example.com/v1alpha1', kind: 'CustomMetric', metadata: { name: 'wrong' }, ...content })
  const table: [object, string][] = [
    [{ value: '10E' }, 'must be within ±2^63/1000'],
    [{ value: '9223372036854775808m' }, 'must be within ±2^63/1000'],
    [{ value: '9223372036854775.8070001' }, 'must be within ±2^63/1000'],
    [{ value: '-9223372036854775809m' }, 'must be within ±2^63/1000'],
    [{ value: '1', metric: { name: 'a/b' } }, "may not contain '/'"],
    [{ value: '1', metric: { name: '..' } }, "may not be '..'"]
  ]
  for (const [content, message] of table) {
    const answer = await server.request('POST', path, { body: body(content) })
    t.equal(answer.status, 422, JSON.stringify(content))
    t.ok(answer.failure.message.includes(message), answer.failure.message)
  }
  t.equal((await server.request('POST', `${path}?dryRun=All`, { body: body({ value: '9223372036854775807m' }) })).status, 201)
})

t.test('External metrics of a namespace that differ in case only are kept apart at write', async t => {
  const path = (namespace = 'shop'): string => `/apis/metrics.example.com/v1alpha1/namespaces/${namespace}/custommetrics`
  const merge = { 'content-type': 'application/merge-patch+json' }
  const metric = (name: string, more: object = {}): object => ({ apiVersion: 'metrics.example.com/v1alpha1', kind: 'CustomMetric', metadata: { name }, value: 1, ...more })
  const refused = async (method: string, target: string, body: object, field: string, name: string, headers = {}): Promise<void> => {
    const { status, failure } = await server.request(method, target, { body, headers })
    t.equal(status, 422, `${method} ${target}`)
    t.match(failure, { reason: 'Invalid', details: { causes: [{ field }] }, message: new RegExp(`${field}: Invalid value: "${name}": differs only in case from the external metric "QueueLength" of the CustomMetric "queue-(mail|jobs)", and`) })
  }
  await refused('POST', path(), metric('queuelength'), 'metadata.name', 'queuelength')
  await refused('POST', path(), metric('other', { metric: { name: 'QUEUELENGTH' } }), 'metric.name', 'QUEUELENGTH')
  await refused('PATCH', `${path()}/applied?fieldManager=x`, metric('applied', { metric: { name: 'queueLength' } }), 'metric.name', 'queueLength', { 'content-type': 'application/apply-patch+yaml' })
  await refused('PATCH', `${path()}/status`, { metric: { name: 'queuelength' } }, 'metric.name', 'queuelength', merge)
  await refused('PATCH', `${path()}/deployment`, { metric: { name: 'queuelength' }, describedObject: null }, 'metric.name', 'queuelength', merge)

  const allowed: [string, string, object, object?][] = [
    ['POST', path(), metric('same', { metric: { name: 'QueueLength', labels: { queue: 'x' } } })],
    ['POST', path(), metric('about', { metric: { name: 'queuelength' }, describedObject: pod('web-0') })],
    ['POST', path('elsewhere'), metric('queuelength')],
    ['PATCH', `${path()}/same`, { value: 2 }, merge]
  ]
  for (const [method, target, body, headers = {}] of allowed) t.ok((await server.request(method, target, { body, headers: { ...headers } })).status < 300, `${method} ${target}`)
  for (const name of ['same', 'about']) await server.request('DELETE', `${path()}/${name}`)
  // The only one of its name may change its case.
  await write('shop', 'lonely', { metric: { name: 'Lonely' } , value: 1 })
  await eventually(`${external}/namespaces/shop/lonely`, 200)
  t.equal((await server.request('PATCH', `${path()}/lonely`, { body: { metric: { name: 'LONELY' } }, headers: merge })).status, 200)
  await server.request('DELETE', `${path()}/lonely`)
})
