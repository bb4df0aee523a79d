import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import type { Answer, RequestOptions } from '../../test/fixtures/api-client.js'
import { remoteWriteHeaders, requestV2Bytes, snappy, writeRequestBytes, type SentSeries } from '../../test/fixtures/remote-write.js'
import { startServer, type TestServer } from '../../test/fixtures/server.js'

const directory = mkdtempSync(join(tmpdir(), 'annex-metrics-write-'))
t.teardown(() => { rmSync(directory, { recursive: true }) })
const policyFile = join(directory, 'policy.yaml')
const role = (name: string, resources: string[]): object[] => [
  { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'Role', metadata: { name, namespace: 'shop' }, rules: [{ apiGroups: ['metrics.example.com'], resources, verbs: ['create'] }] },
  { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'RoleBinding', metadata: { name, namespace: 'shop' }, subjects: [{ kind: 'User', name }], roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name } }
]
writeFileSync(policyFile, [...role('prometheus', ['remotewrites']), ...role('other', ['custommetrics'])].map(o => JSON.stringify(o)).join('\n---\n'))

const server: TestServer = await startServer(t, [`--authorization-policy-file=${policyFile}`, '--metric-series-per-mapping=5'], { inProcess: true })
const group = '/apis/metrics.example.com/v1alpha1'
const external = '/apis/external.metrics.k8s.io/v1beta1'
const custom = '/apis/custom.metrics.k8s.io/v1beta2'

const write = (namespace: string, series: readonly SentSeries[], options: RequestOptions = {}): Promise<Answer> =>
  server.request('POST', `${group}/namespaces/${namespace}/remotewrites`, { body: snappy(writeRequestBytes(series)), ...options, headers: { ...remoteWriteHeaders.v1, ...options.headers } })
const writeV2 = (namespace: string, series: readonly SentSeries[]): Promise<Answer> =>
  server.request('POST', `${group}/namespaces/${namespace}/remotewrites`, { body: snappy(requestV2Bytes(series)), headers: remoteWriteHeaders.v2 })

async function map (namespace: string, name: string, spec: object): Promise<void> {
  const answer = await server.request('POST', `${group}/namespaces/${namespace}/metricmappings`, { body: { apiVersion: 'metrics.example.com/v1alpha1', kind: 'MetricMapping', metadata: { name }, spec } })
  if (answer.status !== 201) throw new Error(answer.text)
}

/** Asks until the answer is as it should be. */
async function eventually (what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 60_000
  while (!await holds()) {
    if (Date.now() > deadline) throw new Error(`${what}: not within 60 s`)
    await new Promise(resolve => { setTimeout(resolve, 10) })
  }
}

const values = async (path: string): Promise<[string, string][] | string> => {
  const answer = await server.request('GET', path)
  if (answer.status !== 200) return answer.failure.message
  return answer.items.map(i => [String((i['describedObject'] as { name: string } | undefined)?.name ?? JSON.stringify(i['metricLabels'] ?? {})), String(i['value'])])
}

/** Writes until the mapping, which is followed by a watch, has taken a series. */
async function writeMapped (namespace: string, path: string, series: () => readonly SentSeries[]): Promise<void> {
  await eventually(path, async () => {
    await write(namespace, series())
    return (await server.request('GET', path)).status === 200
  })
}

t.test('Series of Prometheus become metrics of pods and external metrics', async t => {
  await map('shop', 'requests', { series: { name: 'http_requests_total', matchers: [{ label: 'code', operator: '!~', value: '5..' }] }, metric: { name: '${__name__}_rate' }, describedObject: { apiVersion: 'v1', kind: 'Pod', nameLabel: 'pod' }, function: 'Rate', windowSeconds: 60 })
  await map('shop', 'queues', { series: { matchers: [{ label: '__name__', operator: '=~', value: 'queue_.*' }] }, metric: { name: 'queue_length' }, labels: ['queue'] })
  await writeMapped('shop', `${external}/namespaces/shop/queue_length`, () => [{ labels: { __name__: 'queue_length', queue: 'mail' }, samples: [[Date.now(), 41.5]] }])
  const now = Date.now()
  const counter = (pod: string, code: string, samples: [number, number][]): SentSeries => ({ labels: { __name__: 'http_requests_total', pod, code }, samples })
  const answer = await write('shop', [
    counter('web-0', '200', [[now - 30_000, 100], [now - 15_000, 130], [now, 160]]),
    counter('web-0', '404', [[now - 30_000, 0], [now, 3]]),
    counter('web-0', '503', [[now - 30_000, 0], [now, 3000]]),
    counter('web-1', '200', [[now - 30_000, 100], [now - 15_000, 10], [now, 25]]),
    { labels: { __name__: 'unwanted', pod: 'web-0' }, samples: [[now, 1]], exemplars: 1 }
  ])
  t.equal(answer.status, 204, answer.text)
  t.equal(answer.headers['x-prometheus-remote-write-samples-written'], '11')
  t.equal(answer.headers['x-prometheus-remote-write-exemplars-written'], '1')
  t.same(await values(`${custom}/namespaces/shop/pods/*/http_requests_total_rate`), [['web-0', '2100m'], ['web-1', '834m']], 'the reset began at zero; rounded up to thousandths')
  t.same(await values(`${external}/namespaces/shop/queue_length`), [['{"queue":"mail"}', '41500m']])

  const listed = (await server.request('GET', custom)).json['resources'] as { name: string }[]
  await eventually('discovery', async () => ((await server.request('GET', custom)).json['resources'] as { name: string }[]).some(r => r.name === 'pods/http_requests_total_rate'))
  t.ok(listed)
})

t.test('2.0 writes the same, with native histograms by count and sum', async t => {
  await map('shop', 'latency', { series: { name: 'latency_seconds_sum' }, metric: { name: 'latency_sum' }, function: 'Latest' })
  await eventually('2.0', async () => {
    const answer = await writeV2('shop', [
      { labels: { __name__: 'latency_seconds', path: '/' }, histograms: [{ timestamp: Date.now(), count: 7, sum: 3.25 }] },
      { labels: { __name__: 'queue_v2', queue: 'v2' }, samples: [[Date.now(), 12]], exemplars: 2 }
    ])
    t.equal(answer.status, 204, answer.text)
    t.match(answer.headers, { 'x-prometheus-remote-write-samples-written': '1', 'x-prometheus-remote-write-histograms-written': '1', 'x-prometheus-remote-write-exemplars-written': '2' })
    return JSON.stringify(await values(`${external}/namespaces/shop/latency_sum`)) === '[["{}","3250m"]]'
  })
  t.same(await values(`${external}/namespaces/shop/queue_length?labelSelector=queue%3Dv2`), [['{"queue":"v2"}', '12']])
})

t.test('A stale marker ends a series', async t => {
  const labels = { __name__: 'queue_short', queue: 'short' }
  const now = Date.now()
  await write('shop', [{ labels, samples: [[now - 2000, 5]] }])
  t.same(await values(`${external}/namespaces/shop/queue_length?labelSelector=queue%3Dshort`), [['{"queue":"short"}', '5']])
  t.equal((await write('shop', [{ labels, samples: [[now - 1000, 'stale']] }])).status, 204)
  t.match(await values(`${external}/namespaces/shop/queue_length?labelSelector=queue%3Dshort`), /could not find the metric/)
})

t.test('What is wrong with a request or a sample is said at once, and poisons nothing', async t => {
  const now = Date.now()
  const good: SentSeries = { labels: { __name__: 'queue_good', queue: 'good' }, samples: [[now, 1]] }
  t.equal((await write('shop', [good])).status, 204)
  const raw = writeRequestBytes([good])
  const bomb = Buffer.concat([Buffer.from([0xff, 0xff, 0xff, 0x7f]), Buffer.alloc(64)])
  const table: [string, RequestOptions & { series?: readonly SentSeries[] }, number, RegExp][] = [
    ['not compressed', { body: raw }, 400, /no snappy block|decompressed/],
    ['a block that claims to be huge', { body: bomb }, 413, /has 268435455 bytes when it is decompressed; the limit is 8388608/],
    ['no protobuf', { body: snappy(Buffer.from('{"kind":"Status"}')) }, 400, /the body is no prometheus.WriteRequest/],
    ['an empty body', { body: Buffer.alloc(0) }, 400, /no snappy block/],
    ['JSON', { body: '{}', headers: { 'content-type': 'application/json' } }, 415, /Content-Type "application\/json" is not supported/],
    ['an unknown message', { headers: { 'content-type': 'application/x-protobuf;proto=io.prometheus.write.v3.Request' } }, 415, /v3.Request" is not supported; supported are/],
    ['an unknown compression', { headers: { 'content-encoding': 'zstd' } }, 415, /Content-Encoding "zstd" is not supported/],
    ['a body over the limit', { body: Buffer.alloc(3 * 1024 * 1024 + 1) }, 413, /limit is 3145728/],
    ['no name', { series: [{ labels: { queue: 'x' }, samples: [[now, 1]] }] }, 400, /1 of 1 samples are refused: a series has no name \(label __name__\)/],
    ['out of order', { series: [{ ...good, samples: [[now - 1, 3]] }] }, 400, /queue_good\{queue="good"\} has a sample out of order: .* after /],
    ['two values at a time', { series: [{ ...good, samples: [[now, 2]] }] }, 400, /has two samples at .*Z: 1 and 2/],
    ['future', { series: [{ ...good, samples: [[now + 3_600_000, 2]] }] }, 400, /lies (60m|59m\d*s?|1h|59m) ahead \(more than 1m|lies .* ahead \(more than/],
    ['one bad among good ones', { series: [{ labels: { __name__: 'queue_fine', queue: 'fine' }, samples: [[now, 8]] }, { ...good, samples: [[now - 1, 3], [now - 2, 3]] }] }, 400, /^2 of 3 samples are refused: .*\(and 1 more like it\)/]
  ]
  for (const [name, { series, ...options }, status, message] of table) {
    const answer = await write('shop', series ?? [good], options)
    t.equal(answer.status, status, `${name}: ${answer.text}`)
    t.match(answer.text, message, name)
    t.equal(answer.headers['content-type'], 'text/plain; charset=utf-8', name)
    t.equal(answer.headers['retry-after'], undefined, name)
  }
  t.same(await values(`${external}/namespaces/shop/queue_length?labelSelector=queue%3Dgood`), [['{"queue":"good"}', '1']])
  t.same(await values(`${external}/namespaces/shop/queue_length?labelSelector=queue%3Dfine`), [['{"queue":"fine"}', '8']], 'the good one of a bad request is there')
  t.equal((await write('shop', [good])).status, 204, 'a request that is sent again')
})

t.test('A mapping that nothing came for at first says what is wrong with what comes later', async t => {
  await map('late', 'no-label', { series: { name: 'x' }, metric: { name: 'x' }, describedObject: { kind: 'Pod', nameLabel: 'pod' } })
  const reasons = async (): Promise<Record<string, string>> => {
    const { status } = (await server.request('GET', `${group}/namespaces/late/metricmappings/no-label`)).json as unknown as { status?: { conditions?: { type: string; status: string; reason: string }[] } }
    return Object.fromEntries((status?.conditions ?? []).map(c => [c.type, c.reason]))
  }
  await eventually('the first status', async () => (await reasons())['Ready'] === 'NoSeries')
  await write('late', [{ labels: { __name__: 'x' }, samples: [[Date.now(), 1]] }])
  await eventually('the problem', async () => (await reasons())['LabelMissing'] !== undefined)
  t.equal((await reasons())['Ready'], 'NoSeries', 'none has been taken')
})

t.test('Limits refuse what is new, values that cannot be served are absent, and the status says so', async t => {
  await map('full', 'many', { series: { name: 'many' }, metric: { name: 'many' }, labels: ['i'] })
  await map('full', 'zz-conflict', { series: { name: 'many', matchers: [{ label: 'i', value: '0' }] }, metric: { name: 'MANY' }, labels: ['i'] })
  await map('full', 'no-label', { series: { name: 'many' }, metric: { name: 'other' }, describedObject: { kind: 'Pod', nameLabel: 'pod' } })
  await map('full', 'bad-name', { series: { name: 'many' }, metric: { name: 'a-${path}' } })
  await writeMapped('full', `${external}/namespaces/full/many`, () => [{ labels: { __name__: 'many', i: '0', path: '/x' }, samples: [[Date.now(), 1]] }])
  const now = Date.now() + 1000
  const answer = await write('full', Array.from({ length: 8 }, (_, i) => ({ labels: { __name__: 'many', i: String(i), path: '/x' }, samples: [[now, i === 1 ? Infinity : i]] })))
  t.equal(answer.status, 400)
  t.match(answer.text, /^3 of 8 samples are refused: many\{i="5", path="\/x"\} is one more than the 5 series that a MetricMapping may hold \(and 2 more like it\)/)
  t.same((await values(`${external}/namespaces/full/many`)), [['{"i":"0"}', '0'], ['{"i":"2"}', '2'], ['{"i":"3"}', '3'], ['{"i":"4"}', '4']], 'infinite is absent')

  const conditions = async (name: string): Promise<Record<string, string>> => {
    const { status } = (await server.request('GET', `${group}/namespaces/full/metricmappings/${name}`)).json as unknown as { status?: { conditions?: { type: string; status: string; message: string }[] } }
    return Object.fromEntries((status?.conditions ?? []).filter(c => c.status === 'True').map(c => [c.type, c.message]))
  }
  const saying = (name: string, type: string, message: RegExp): Promise<void> => eventually(`${name} ${type}`, async () => message.test((await conditions(name))[type] ?? ''))
  await saying('many', 'TooManySeries', /many\{i="5", path="\/x"\} is one more than the 5/)
  await saying('many', 'InvalidValue', /the metric many is not served: the value of a series is Infinity/)
  await saying('many', 'Ready', /series match/)
  await saying('zz-conflict', 'Conflicting', /the metric MANY is made by the older MetricMapping many already/)
  await saying('no-label', 'LabelMissing', /many\{i="0", path="\/x"\} has no label pod, which names the described Pod/)
  await saying('bad-name', 'InvalidName', /would become the metric "a-\/x": may not contain '\/'/)
  const table = await server.request('GET', `${group}/namespaces/full/metricmappings/many`, { headers: { accept: 'application/json;as=Table;g=meta.k8s.io;v=v1' } })
  t.match((table.json['rows'] as { cells: unknown[] }[])[0]?.cells, ['many', 'many', null, 'Latest', 5, 'True'])

  const object = (await server.request('GET', `${group}/namespaces/full/metricmappings/many`)).json
  t.equal((await server.request('PUT', `${group}/namespaces/full/metricmappings/many`, { body: { ...object, spec: { series: { name: 'many' }, metric: { name: 'renamed' } } } })).status, 200)
  await eventually('the changed mapping', async () => {
    await write('full', [{ labels: { __name__: 'many', i: '9' }, samples: [[Date.now() + 2000, 9]] }])
    return JSON.stringify(await values(`${external}/namespaces/full/renamed`)) === '[["{}","9"]]'
  })
  t.same(await values(`${external}/namespaces/full/many`), [['{"i":"0"}', '0']], 'the younger mapping makes the metric now')
  await server.request('DELETE', `${group}/namespaces/full/metricmappings/many`)
  await eventually('the deleted mapping', async () => /never written/.test(String(await values(`${external}/namespaces/full/renamed`))))
})

t.test('The resource is one: in discovery, authorised as create, and nothing but that', async t => {
  const { resources } = (await server.request('GET', group)).json as unknown as { resources: { name: string; verbs: string[]; namespaced: boolean; kind: string }[] }
  t.match(resources.find(r => r.name === 'remotewrites'), { verbs: ['create'], namespaced: true, kind: 'RemoteWrite' })
  t.equal((await write('shop', [], { user: { name: 'prometheus' } })).status, 204)
  t.equal((await write('elsewhere', [], { user: { name: 'prometheus' } })).status, 403)
  const refused = await write('shop', [], { user: { name: 'other' } })
  t.match(refused.failure.message, /cannot create resource "remotewrites" in API group "metrics.example.com" in the namespace "shop"/)
  t.equal((await write('shop', [], { user: 'anonymous' })).status, 403)
  for (const [method, path, status] of [['GET', 'namespaces/shop/remotewrites', 405], ['DELETE', 'namespaces/shop/remotewrites', 405], ['POST', 'remotewrites', 405], ['GET', 'namespaces/shop/remotewrites/x', 404], ['POST', 'namespaces/shop/remotewrites?dryRun=All', 400]] as const) {
    t.equal((await server.request(method, `${group}/${path}`)).status, status, `${method} ${path}`)
  }
})

t.test('/metrics counts requests by resource and reason, and what every mapping holds', async t => {
  const { text } = await server.request('GET', '/metrics')
  for (const line of [
    /^annex_metrics_write_bytes_total\{resource="remotewrites"\} [1-9]\d*$/m, /^annex_metrics_write_samples_total\{resource="remotewrites"\} [1-9]\d*$/m,
    /^annex_metrics_write_refused_samples_total\{resource="remotewrites",reason="outOfOrder"\} [1-9]\d*$/m, /^annex_metrics_write_series [1-9]\d*$/m,
    /^annex_metrics_mapping_series\{namespace="shop",mapping="requests"\} 3$/m, /^annex_metrics_mapping_samples_total\{namespace="shop",mapping="requests"\} 8$/m,
    /^annex_metrics_mapping_metrics\{namespace="shop",mapping="requests"\} 2$/m, /^annex_metrics_mapping_refused_samples_total\{namespace="shop",mapping="queues",reason="future"\} 1$/m
  ]) t.match(text, line)
})

t.test('What can be seen to be wrong with a mapping is refused', async t => {
  const create = (spec: object): Promise<Answer> => server.request('POST', `${group}/namespaces/shop/metricmappings`, { body: { apiVersion: 'metrics.example.com/v1alpha1', kind: 'MetricMapping', metadata: { generateName: 'x-' }, spec } })
  for (const [spec, field, message] of [
    [{ series: {}, metric: { name: 'x' } }, 'spec.series', /must have a name, or at least one matcher that does not match an absent label/],
    [{ series: { matchers: [{ label: 'a', operator: '=~', value: '.*' }] }, metric: { name: 'x' } }, 'spec.series', /must have a name/],
    [{ series: { matchers: [{ label: 'a', operator: '=~', value: '(' }] }, metric: { name: 'x' } }, 'spec.series.matchers[0].value', /must be a regular expression of RE2: .*missing closing/],
    [{ series: { matchers: [{ label: 'a', operator: '=~', value: '(?=x)' }] }, metric: { name: 'x' } }, 'spec.series.matchers[0].value', /RE2/],
    [{ series: { matchers: [{ label: 'a', operator: '~', value: 'x' }] }, metric: { name: 'x' } }, 'spec.series.matchers[0].operator', /Unsupported value/],
    [{ series: { name: 'x', matchers: [{ label: '__name__', value: 'y' }] }, metric: { name: 'x' } }, 'spec.series.matchers[0].label', /given by spec.series.name already/],
    [{ series: { name: 'x' }, metric: { name: 'a/b' } }, 'spec.metric.name', /may not contain '\/'/],
    [{ series: { name: 'x' }, metric: { name: '${a' } }, 'spec.metric.name', /has a \$\{ that no } follows/],
    [{ series: { name: 'x' }, metric: { name: '${}' } }, 'spec.metric.name', /names no label/],
    [{ series: { name: 'x' }, metric: { name: 'x' }, windowSeconds: 60 }, 'spec.windowSeconds', /Latest has no window/],
    [{ series: { name: 'x' }, metric: { name: 'x' }, function: 'Rate', windowSeconds: 3601 }, 'spec.windowSeconds', /less than or equal to 3600/],
    [{ series: { name: 'x' }, metric: { name: 'x' }, ttlSeconds: 0 }, 'spec.ttlSeconds', /greater than or equal to 1/],
    [{ series: { name: 'x' }, metric: { name: 'x' }, function: 'Median' }, 'spec.function', /Unsupported value/],
    [{ series: { name: 'x' }, metric: { name: 'x' }, labels: ['a', 'a'] }, 'spec.labels[1]', /Duplicate value/],
    [{ series: { name: 'x' }, metric: { name: 'x' }, describedObject: { kind: 'Pod' } }, 'spec.describedObject.nameLabel', /Required value/]
  ] as const) {
    const answer = await create(spec)
    t.equal(answer.status, 422, answer.text)
    t.equal(answer.failure.details?.causes?.[0]?.field, field)
    t.match(answer.failure.message, message)
  }
})
