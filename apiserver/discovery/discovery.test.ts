import { readFileSync } from 'node:fs'
import t from 'tap'
import { parse } from 'yaml'
import { defineResource } from '../../registry/generic/define-resource.js'
import { Discovery } from './discovery.js'
import type { DocumentRequest, DocumentResponse } from './document.js'
import { serverVersion } from './server-version.js'
import { storageVersionHash } from './storage-version-hash.js'
import { recordedResources } from './testdata/resources.js'
import type { VirtualResource } from './virtual-resource.js'

/** What kube-apiserver 1.36.3 answered with the same kinds as CustomResourceDefinitions; groups of its own are left out of the lists. */
const recorded = JSON.parse(readFileSync(new URL('testdata/kube-apiserver.json', import.meta.url), 'utf8')) as Record<string, unknown>

const version = serverVersion('0.1.0')
const aggregated = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'
const get = (path: string, headers: DocumentRequest['headers'] = {}, query = ''): DocumentRequest => ({ path, query: new URLSearchParams(query), headers })

function answer (discovery: Discovery, request: DocumentRequest): DocumentResponse {
  const response = discovery.handle(request)
  if (response === undefined) throw new Error(`no document at ${request.path}`)
  return response
}
const json = (response: DocumentResponse): unknown => JSON.parse(response.body.toString())

t.test('documents are what kube-apiserver answers for the same CustomResourceDefinitions, byte for byte', async t => {
  const discovery = new Discovery({ resources: recordedResources(), version })
  for (const [path, body] of Object.entries(recorded)) {
    const response = path === 'aggregated' ? answer(discovery, get('/apis', { accept: aggregated })) : answer(discovery, get(path))
    t.equal(response.body.toString(), JSON.stringify(body) + '\n', path)
    t.equal(response.headers['content-type'], path === 'aggregated' ? aggregated : 'application/json')
  }
})

t.test('the order in which resources are given changes nothing', async t => {
  const resources = recordedResources()
  const one = answer(new Discovery({ resources, version }), get('/apis', { accept: aggregated }))
  const other = answer(new Discovery({ resources: [...resources].reverse(), version }), get('/apis', { accept: aggregated }))
  t.same(other, one)
})

t.test('Accept decides between the plain and the aggregated list', async t => {
  const discovery = new Discovery({ resources: recordedResources(), version })
  const cases: { name: string; accept?: string; want: string | number }[] = [
    { name: 'absent', want: 'application/json' },
    { name: 'anything', accept: '*/*', want: 'application/json' },
    { name: 'any application type', accept: 'application/*', want: 'application/json' },
    { name: 'the aggregated list', accept: aggregated, want: aggregated },
    { name: 'its parameters in another order, with spaces', accept: 'application/json; as=APIGroupDiscoveryList ;v=v2; g=apidiscovery.k8s.io', want: aggregated },
    { name: 'with a profile', accept: `${aggregated};profile=nopeer`, want: aggregated },
    { name: "a client's three parts", accept: `${aggregated},application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json`, want: aggregated },
    { name: 'v2beta1 with a way out', accept: 'application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json', want: 'application/json' },
    { name: 'v2beta1 alone', accept: 'application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList', want: 406 },
    { name: 'protobuf before JSON', accept: `application/vnd.kubernetes.protobuf;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,${aggregated}`, want: aggregated },
    { name: 'the plain list by weight', accept: `${aggregated};q=0.5,application/json`, want: 'application/json' },
    { name: 'YAML', accept: 'application/yaml', want: 'application/yaml' },
    { name: 'aggregated YAML', accept: aggregated.replace('json', 'yaml'), want: aggregated.replace('json', 'yaml') },
    { name: 'a Table', accept: 'application/json;as=Table;g=meta.k8s.io;v=v1', want: 406 },
    { name: 'a server version', accept: 'application/json;sv=v1', want: 406 },
    { name: 'HTML', accept: 'text/html', want: 406 },
    { name: 'protobuf alone', accept: 'application/vnd.kubernetes.protobuf', want: 406 }
  ]
  for (const { name, accept, want } of cases) {
    const response = answer(discovery, get('/apis', accept === undefined ? {} : { accept }))
    t.equal(response.status === 200 ? response.headers['content-type'] : response.status, want, name)
  }
  const group = answer(discovery, get('/apis/example.com', { accept: aggregated }))
  t.equal(group.status, 406, 'the aggregated list is at /apis only')
  t.same(json(group), {
    kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', reason: 'NotAcceptable', code: 406,
    message: 'only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf'
  })
})

t.test('a client that has a document gets 304 until something changes', async t => {
  const resources = recordedResources()
  const discovery = new Discovery({ resources: resources.slice(1), version })
  for (const [path, accept] of [['/apis', aggregated], ['/apis', 'application/json'], ['/apis/example.com', '*/*'], ['/apis/example.com/v1', '*/*']] as const) {
    const first = answer(discovery, get(path, { accept }))
    t.match(first.headers.etag, /^"[0-9A-F]{128}"$/)
    t.equal(first.headers.vary, 'Accept')
    for (const tag of [first.headers.etag, `"x", W/${first.headers.etag}`, '*']) {
      const again = answer(discovery, get(path, { accept, 'if-none-match': tag }))
      t.equal(again.status, 304)
      t.equal(again.body.length, 0)
      t.equal(again.headers.etag, first.headers.etag)
      t.notOk(again.headers['content-type'])
    }
    t.equal(answer(discovery, get(path, { accept, 'if-none-match': '"x"' })).status, 200)
  }
  const before = answer(discovery, get('/apis', { accept: aggregated })).headers
  t.equal(before['cache-control'], 'public')
  discovery.rebuild(resources)
  t.not(answer(discovery, get('/apis', { accept: aggregated })).headers.etag, before.etag)
})

t.test('resources of several origins and virtual ones merge into one group', async t => {
  let metrics: VirtualResource[] = [{ name: 'pods/queue_depth', singularName: '', namespaced: true, kind: 'MetricValueList', verbs: ['get'] }]
  const defined = (plural: string, kind: string, versions: string[]): ReturnType<typeof defineResource> => defineResource({
    group: 'merged.example.com',
    names: { plural, singular: kind.toLowerCase(), kind },
    scope: 'Cluster',
    versions: versions.map((name, i) => ({ name, storage: i === 0, served: name !== 'v9', schema: { type: 'object' } }))
  })
  const discovery = new Discovery({
    resources: [defined('zebras', 'Zebra', ['v1', 'v2beta1']), defined('ants', 'Ant', ['v9', 'v1', 'v10'])],
    virtual: [
      { group: 'merged.example.com', version: 'v1alpha1', resources: () => metrics },
      { group: 'merged.example.com', version: 'v1', resources: () => [{ name: 'zebras/stripes', singularName: '', namespaced: false, kind: 'Scale', group: 'autoscaling', version: 'v1', verbs: ['get'] }] }
    ],
    version
  })
  const group = json(answer(discovery, get('/apis/merged.example.com'))) as { versions: { version: string }[]; preferredVersion: { version: string } }
  t.same(group.versions.map(v => v.version), ['v10', 'v1', 'v2beta1', 'v1alpha1'])
  t.equal(group.preferredVersion.version, 'v10')
  const list = json(answer(discovery, get('/apis/merged.example.com/v1'))) as { resources: Record<string, unknown>[] }
  t.same(list.resources.map(r => r.name), ['ants', 'zebras', 'zebras/stripes'])
  t.notOk(list.resources[0]?.storageVersionHash, 'a storage version that is not served has no hash')
  t.equal(list.resources[1]?.storageVersionHash, storageVersionHash('merged.example.com', 'v1', 'Zebra'))
  t.same(list.resources[2]?.group, 'autoscaling')

  const items = (json(answer(discovery, get('/apis', { accept: aggregated }))) as { items: { versions: { version: string; resources: unknown[] }[] }[] }).items
  t.same(items[0]?.versions.at(-1)?.resources, [{
    resource: 'pods', responseKind: { group: '', version: '', kind: '' }, scope: 'Namespaced', singularResource: '', verbs: [],
    subresources: [{ subresource: 'queue_depth', responseKind: { group: 'merged.example.com', version: 'v1alpha1', kind: 'MetricValueList' }, verbs: ['get'] }]
  }], 'a subresource whose parent is not listed has an empty parent')

  metrics = []
  discovery.rebuild()
  t.same(json(answer(discovery, get('/apis/merged.example.com/v1alpha1'))), { kind: 'APIResourceList', apiVersion: 'v1', groupVersion: 'merged.example.com/v1alpha1', resources: [] })
})

t.test('the root lists every path, sorted, and unknown paths have no document', async t => {
  const discovery = new Discovery({ resources: recordedResources(), version, rootPaths: ['/version', '/healthz', '/healthz/ping'] })
  const { paths } = json(answer(discovery, get('/', { accept: 'text/html' }))) as { paths: string[] }
  t.same(paths, [...paths].sort())
  for (const path of ['/apis', '/apis/example.com', '/apis/example.com/v1', '/healthz/ping', '/version']) t.ok(paths.includes(path), path)
  for (const path of ['/api', '/nope', '/apis/nope.io', '/apis/example.com/v9', '/apis/example.com/v1/webapps', '//']) t.equal(discovery.handle(get(path)), undefined, path)
  for (const path of ['/apis/', '/apis/example.com/', '/apis/example.com/v1/', '/version/']) t.equal(answer(discovery, get(path)).status, 200, path)
})

t.test('the version is one that kubectl 1.36 accepts without a word about skew', async t => {
  const response = answer(new Discovery({ resources: [], version: serverVersion('0.1.0', 'abc') }), get('/version'))
  t.match(json(response), { major: '1', minor: '36', gitVersion: 'v1.36.0-annex.0.1.0', gitCommit: 'abc', gitTreeState: 'clean', compiler: 'v8' })
  t.ok(Object.values(json(response) as object).every(value => typeof value === 'string'))
  t.match(response.body.toString(), /^\{\n {2}"major": "1",\n/)
})

t.test('people get indented JSON, and YAML says the same', async t => {
  const discovery = new Discovery({ resources: recordedResources(), version })
  const path = '/apis/example.com/v1'
  const compact = answer(discovery, get(path))
  const pretty = answer(discovery, get(path, { 'user-agent': 'curl/8' }))
  t.equal(pretty.body.toString(), JSON.stringify(recorded[path], undefined, 2))
  t.same(answer(discovery, get(path, {}, 'pretty=true')).body, pretty.body)
  t.same(answer(discovery, get(path, { accept: 'application/json;pretty=1' })).body, pretty.body)
  t.same(answer(discovery, get(path, { 'user-agent': 'curl/8' }, 'pretty=false')).body, compact.body)
  const yaml = answer(discovery, get(path, { accept: 'application/yaml' })).body.toString()
  t.same(parse(yaml), recorded[path])
  t.match(yaml, /^apiVersion: v1\ngroupVersion: example\.com\/v1\nkind: APIResourceList\nresources:\n- kind: WebApp\n/)
})

t.test('a resource may have more subresources than a call takes arguments, or than could be copied for each', async t => {
  const count = 150_000
  const metrics = Array.from({ length: count }, (_, i): VirtualResource => ({ name: `pods/metric_${i}`, singularName: '', namespaced: true, kind: 'MetricValueList', verbs: ['get'] }))
  const discovery = new Discovery({ resources: [], version, virtual: [{ group: 'custom.metrics.k8s.io', version: 'v1beta2', resources: () => metrics }] })
  const list = json(answer(discovery, get('/apis', { accept: aggregated }))) as { items: { versions: { resources: { resource: string; subresources: unknown[] }[] }[] }[] }
  const [pods] = list.items[0]!.versions[0]!.resources
  t.same([pods!.resource, pods!.subresources.length], ['pods', count])
})
