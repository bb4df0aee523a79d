import t from 'tap'
import { builtInResources } from '../../registry/groups.js'
import { parseLabelSelector } from '../../registry/meta/label-selector.js'
import { StatusError } from '../../registry/meta/status-error.js'
import type { CustomMetric } from '../../registry/metrics.example.com/custommetrics/types.js'
import { DescribedKinds } from './described-kinds.js'
import { MetricIndex } from './metric-index.js'
import type { CustomMetricPath } from './metric-path.js'
import { MetricsReader, type Reading, type RequestSelector } from './metrics-reader.js'
import { ObjectsUnknown, type ObjectSelector } from './object-selector.js'
import { sampleOf } from './sample.js'

const kinds = new DescribedKinds(builtInResources)
const noon = Date.parse('2026-01-01T12:00:00Z')
const everything: ObjectSelector = { matcher: () => undefined }

interface Given { name: string; namespace?: string; about?: string; apiVersion?: string; metric?: string; labels?: Record<string, string>; value?: string | number; at?: number; ttl?: number; window?: number }

/** `about` is `Kind/name`; `at` is in seconds after noon. */
const written = ({ name, namespace = 'shop', about, apiVersion, metric, labels, value = 1, at = 0, ttl, window }: Given): CustomMetric => ({
  apiVersion: 'metrics.example.com/v1alpha1',
  kind: 'CustomMetric',
  metadata: { name, namespace },
  ...((metric !== undefined || labels !== undefined) && { metric: { ...(metric !== undefined && { name: metric }), ...(labels && { labels }) } }),
  ...(about !== undefined && { describedObject: { kind: about.split('/')[0]!, name: about.split('/')[1]!, ...(apiVersion !== undefined && { apiVersion }) } }),
  value,
  timestamp: new Date(noon + at * 1000).toISOString(),
  ...(ttl !== undefined && { ttlSeconds: ttl }),
  ...(window !== undefined && { windowSeconds: window })
})

function readerOf (given: readonly Given[], objects = everything): MetricsReader {
  const index = new MetricIndex()
  for (const g of given) index.set(sampleOf(written(g), kinds)!)
  return new MetricsReader({ index, objects, freshness: { ttlMs: 300_000, clockSkewMs: 60_000 } })
}

const selector = (text: string): RequestSelector => ({ text, selector: parseLabelSelector(text) })
const path = (resource: string, object: string | undefined, metric: string, namespace: string | undefined = 'shop'): CustomMetricPath => ({ resource, namespace, object, metric })
const shown = (readings: readonly Reading[]): string[] => readings.map(r => `${r.object?.namespace ?? ''}/${r.object?.name ?? JSON.stringify(r.labels)}=${r.valueText}`)

async function failure (read: () => unknown): Promise<string> {
  try {
    await read()
  } catch (error) {
    if (error instanceof StatusError) return `${error.code} ${error.message}`
    throw error
  }
  return 'no failure'
}

t.test('A sample is served until its age exceeds its ttl, its own or the default, and then the 404 says since when', async t => {
  const reader = readerOf([{ name: 'a', about: 'Pod/a', metric: 'm', ttl: 30 }, { name: 'b', about: 'Pod/b', metric: 'm' }])
  const at = async (seconds: number): Promise<string[]> => shown(await reader.custom(path('pods', undefined, 'm'), noon + seconds * 1000))
  t.same(await at(0), ['shop/a=1', 'shop/b=1'])
  t.same(await at(30), ['shop/a=1', 'shop/b=1'])
  t.same(await at(31), ['shop/b=1'], 'an expired one is absent, not zero')
  t.same(await at(300), ['shop/b=1'])
  t.equal(await failure(() => at(301)), '404 the server could not find the metric m for pods: expired 1s ago (ttl 5m)')
  t.equal(await failure(() => reader.custom(path('pods', 'a', 'm'), noon + 73_000)), '404 the server could not find the metric m for pods a: expired 43s ago (ttl 30s)')
})

t.test('A clock that is ahead is tolerated up to a bound', async t => {
  const reader = readerOf([{ name: 'a', about: 'Pod/a', metric: 'm', at: 60, ttl: 30 }, { name: 'b', about: 'Pod/b', metric: 'far', at: 7200 }])
  t.same(shown(await reader.custom(path('pods', 'a', 'm'), noon)), ['shop/a=1'])
  t.same(shown(await reader.custom(path('pods', 'a', 'm'), noon + 90_000)), ['shop/a=1'])
  t.match(await failure(() => reader.custom(path('pods', 'a', 'm'), noon + 91_000)), /: expired 1s ago \(ttl 30s\)$/)
  t.equal(await failure(() => reader.custom(path('pods', 'b', 'far'), noon)), '404 the server could not find the metric far for pods b: its timestamp lies 120m ahead (more than 60s of clock skew)')
})

t.test('A 404 says what is missing', async t => {
  const reader = readerOf([{ name: 'a', about: 'Pod/a', metric: 'm', labels: { verb: 'GET' } }, { name: 'q', metric: 'queue', labels: { queue: 'mail' } }], { matcher: () => () => false })
  const table: [() => unknown, string][] = [
    [() => reader.custom(path('pods', 'a', 'other'), noon), 'the server could not find the metric other for pods a: never written'],
    [() => reader.custom(path('pods', 'z', 'm'), noon), 'the server could not find the metric m for pods z: never written'],
    [() => reader.custom(path('pods', 'a', 'M'), noon), 'the server could not find the metric M for pods a: never written'],
    [() => reader.custom(path('jobs.batch', 'a', 'm'), noon), 'the server could not find the metric m for jobs.batch a: never written'],
    [() => reader.custom(path('pods', undefined, 'm', 'elsewhere'), noon), 'the server could not find the metric m for pods: never written'],
    [() => reader.custom(path('pods', undefined, 'm'), noon, { objects: selector('app=web') }), 'the server could not find the metric m for pods: no pod matched app=web'],
    [() => reader.custom(path('pods', undefined, 'm'), noon), 'the server could not find the metric m for pods: no pod matched'],
    [() => reader.custom(path('pods', 'a', 'm'), noon, { series: selector('verb=PUT') }), 'the server could not find the metric m for pods a with selector verb=PUT: no series matched verb=PUT'],
    [() => reader.external({ namespace: 'shop', metric: 'nothing' }, noon), 'the server could not find the metric nothing for namespaces shop: never written'],
    [() => reader.external({ namespace: 'shop', metric: 'queue' }, noon, selector('queue!=mail')), 'the server could not find the metric queue for namespaces shop with selector queue!=mail: no series matched queue!=mail']
  ]
  for (const [read, message] of table) t.equal(await failure(read), `404 ${message}`)
})

t.test('Resources are found by plural and singular, with and without group', async t => {
  const reader = readerOf([
    { name: 'a', about: 'Deployment/web', metric: 'm', value: 1 },
    { name: 'b', about: 'WebApp/web', apiVersion: 'example.com/v1', metric: 'm', value: 2 },
    { name: 'c', about: 'Policy/web', apiVersion: 'security.io/v1', metric: 'm', value: 3 },
    { name: 'd', about: 'Deployment/web', apiVersion: 'other.io/v1', metric: 'm', value: 4 },
    { name: 'e', about: 'Pod/web', metric: 'm', value: 5 }
  ])
  for (const [resource, value] of [['deployments.apps', '1'], ['deployment.apps', '1'], ['deployments', '1'], ['webapps.example.com', '2'], ['webapp', '2'], ['policies.security.io', '3'], ['policies', '3'], ['deployments.other.io', '4'], ['pods', '5'], ['pod', '5']] as const) {
    t.same(shown(await reader.custom(path(resource, 'web', 'm'), noon)), [`shop/web=${value}`], resource)
  }
  t.equal((await reader.custom(path('deployments.apps', 'web', 'm'), noon))[0]?.object?.apiVersion, 'apps/v1', 'a built-in kind needs no apiVersion')
})

t.test('A cluster-wide object is found through the namespace that writes about it, and by root paths from everywhere', async t => {
  const reader = readerOf([
    { name: 'a', namespace: 'one', about: 'Node/n1', metric: 'load', value: 1 },
    { name: 'a', namespace: 'two', about: 'Node/n1', metric: 'load', value: 2, at: 5 },
    { name: 'b', namespace: 'two', about: 'Node/n2', metric: 'load', value: 3 }
  ])
  t.same(shown(await reader.custom(path('nodes', 'n1', 'load', 'one'), noon)), ['/n1=1'])
  t.same(shown(await reader.custom(path('nodes', undefined, 'load', 'two'), noon)), ['/n1=2', '/n2=3'])
  t.same(shown(await reader.custom({ resource: 'nodes', namespace: undefined, object: undefined, metric: 'load' }, noon)), ['/n1=2', '/n2=3'], 'the newest counts')
})

t.test('A namespace is described by what is written in it alone', async t => {
  const reader = readerOf([
    { name: 'a', namespace: 'one', about: 'Namespace/one', metric: 'm', value: 1 },
    { name: 'b', namespace: 'two', about: 'Namespace/one', metric: 'm', value: 2 },
    { name: 'c', namespace: 'three', about: 'Namespace/three', metric: 'm', value: 3 }
  ])
  t.same(shown(await reader.custom(path('namespaces', 'one', 'm', 'one'), noon)), ['/one=1'])
  t.same(shown(await reader.custom({ resource: 'namespaces', namespace: undefined, object: undefined, metric: 'm' }, noon)), ['/one=1', '/three=3'])
})

t.test('Series of one object are added up, and of the same series the newest counts', async t => {
  const reader = readerOf([
    { name: 'get', about: 'Pod/a', metric: 'rate', labels: { verb: 'GET' }, value: '1500m', at: -10, window: 60 },
    { name: 'post', about: 'Pod/a', metric: 'rate', labels: { verb: 'POST' }, value: 2, at: -5, window: 30 },
    { name: 'post-old', about: 'Pod/a', metric: 'rate', labels: { verb: 'POST' }, value: 7, at: -50 }
  ])
  const [sum] = await reader.custom(path('pods', 'a', 'rate'), noon)
  t.match(sum, { valueText: '3500m', timestampText: '2026-01-01T11:59:50Z', windowSeconds: 60 })
  t.same(shown(await reader.custom(path('pods', 'a', 'rate'), noon, { series: selector('verb in (POST,PUT)') })), ['shop/a=2'])
})

t.test('An external metric has one item per series and is found in any case', t => {
  const reader = readerOf([
    { name: 'a', metric: 'QueueLength', labels: { queue: 'mail' }, value: 5 },
    { name: 'b', metric: 'QueueLength', labels: { queue: 'jobs' }, value: 7 },
    { name: 'c', metric: 'QueueLength', namespace: 'elsewhere', value: 9 },
    { name: 'status', value: 11 }
  ])
  t.same(shown(reader.external({ namespace: 'shop', metric: 'queuelength' }, noon)), ['/{"queue":"jobs"}=7', '/{"queue":"mail"}=5'])
  t.same(shown(reader.external({ namespace: 'shop', metric: 'QUEUELENGTH' }, noon, selector('queue=mail'))), ['/{"queue":"mail"}=5'])
  t.same(shown(reader.external({ namespace: 'shop', metric: 'status' }, noon)), ['/{}=11'], 'the name of the object is the default')
  t.end()
})

t.test('An object selector may learn its objects first', async t => {
  const given: Given[] = ['a', 'b', 'c'].map(name => ({ name, about: `Pod/${name}`, metric: 'm' }))
  const asked: string[] = []
  const reader = readerOf(given, {
    matcher: async (resource, s) => {
      asked.push(`${resource.resource} ${s?.requirements.length ?? 0}`)
      return await Promise.resolve((namespace: string, name: string) => namespace === 'shop' && name !== 'b')
    }
  })
  t.same(shown(await reader.custom(path('pods', undefined, 'm'), noon, { objects: selector('app=web') })), ['shop/a=1', 'shop/c=1'])
  t.same(asked, ['pods 1'])
})

t.test('Where objects cannot be told the answer is a failure that says so, and never everything', async t => {
  const given: Given[] = [{ name: 'a', about: 'Pod/a', metric: 'm' }]
  const asked: string[] = []
  const failing = (when: 'pending' | 'refused'): MetricsReader => readerOf(given, {
    matcher: () => {
      asked.push(when)
      throw new ObjectsUnknown('why', when)
    }
  })
  const all = path('pods', undefined, 'm')
  t.equal(await failure(() => failing('refused').custom(all, noon, { objects: selector('app=web') })), '404 the server could not find the metric m for pods: why')
  t.equal(await failure(() => failing('pending').custom(all, noon)), '503 the server could not find the metric m for pods: why')
  t.same(asked, ['refused', 'pending'])
  t.equal(await failure(() => failing('refused').custom(path('pods', undefined, 'none'), noon)), '404 the server could not find the metric none for pods: never written')
  t.equal(await failure(() => failing('refused').custom(path('pods', undefined, 'm', 'other'), noon)), '404 the server could not find the metric m for pods: never written')
  t.same(shown(await failing('refused').custom(path('pods', 'a', 'm'), noon)), ['shop/a=1'], 'a name needs no selecting')
  t.equal(asked.length, 2, 'nobody is asked about a metric that is not there')
})
