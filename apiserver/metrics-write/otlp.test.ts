import { gzipSync } from 'node:zlib'
import { OTLPMetricExporter as HttpExporter } from '@opentelemetry/exporter-metrics-otlp-http'
import { OTLPMetricExporter as ProtoExporter } from '@opentelemetry/exporter-metrics-otlp-proto'
import { AggregationTemporality, MeterProvider, PeriodicExportingMetricReader, type PushMetricExporter, type ResourceMetrics } from '@opentelemetry/sdk-metrics'
import fc from 'fast-check'
import protobuf from 'protobufjs'
import t from 'tap'
import type { Answer, RequestOptions } from '../../test/fixtures/api-client.js'
import { startServer, type TestServer } from '../../test/fixtures/server.js'
import { OtlpCodec, otlpDescriptors, type OtlpRequest } from './otlp-messages.js'
import { otlpSeries } from './otlp-series.js'
import type { WrittenSeries } from './written-series.js'

const server: TestServer = await startServer(t, [], { inProcess: true })
const group = '/apis/metrics.example.com/v1alpha1/namespaces/shop'
const external = '/apis/external.metrics.k8s.io/v1beta1/namespaces/shop'
const root = protobuf.Root.fromJSON(otlpDescriptors)
const requestType = root.lookupType('ExportMetricsServiceRequest')
const encode = (message: object): Buffer => Buffer.from(requestType.encode(requestType.fromObject(message)).finish())

const post = (body: object | Buffer, options: RequestOptions = {}): Promise<Answer> =>
  server.request('POST', `${group}/otlpmetrics`, { body, ...options, headers: { 'content-type': Buffer.isBuffer(body) ? 'application/x-protobuf' : 'application/json', ...options.headers } })

const nanos = (ms: number): string => `${ms}000000`
const gauge = (name: string, points: object[]): object => ({ resourceMetrics: [{ resource: { attributes: [{ key: 'service.name', value: { stringValue: 'web' } }] }, scopeMetrics: [{ metrics: [{ name, gauge: { dataPoints: points } }] }] }] })
const values = async (metric: string): Promise<string[] | string> => {
  const answer = await server.request('GET', `${external}/${metric}`)
  return answer.status === 200 ? answer.items.map(i => `${JSON.stringify(i['metricLabels'] ?? {})} ${String(i['value'])}`) : answer.failure.message
}

async function eventually (what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 60_000
  while (!await holds()) {
    if (Date.now() > deadline) throw new Error(`${what}: not within 60 s`)
    await new Promise(resolve => { setTimeout(resolve, 10) })
  }
}

async function map (name: string, spec: object): Promise<void> {
  const answer = await server.request('POST', `${group}/metricmappings`, { body: { apiVersion: 'metrics.example.com/v1alpha1', kind: 'MetricMapping', metadata: { name }, spec } })
  if (answer.status !== 201) throw new Error(answer.text)
}

await map('queue', { series: { name: 'queue.length', matchers: [{ label: 'service.name', value: 'web' }] }, metric: { name: 'queue.length' }, labels: ['queue'] })
await eventually('the mapping', async () => {
  await post(gauge('queue.length', [{ timeUnixNano: nanos(Date.now()), asInt: '1', attributes: [{ key: 'queue', value: { stringValue: 'first' } }] }]))
  return Array.isArray(await values('queue.length'))
})

t.test('Both encodings, plain and compressed', async t => {
  const point = (queue: string, value: object): object => gauge('queue.length', [{ timeUnixNano: nanos(Date.now()), ...value, attributes: [{ key: 'queue', value: { stringValue: queue } }] }])
  for (const [queue, value, send] of [
    ['json', { asDouble: 1.5 }, (m: object) => post(m)],
    ['json-int', { asInt: '9007199254740993' }, (m: object) => post(m)],
    ['protobuf', { asDouble: 2.5 }, (m: object) => post(encode(m))],
    ['protobuf-int', { asInt: 42 }, (m: object) => post(encode(m))],
    ['gzip', { asInt: 7 }, (m: object) => post(gzipSync(encode(m)), { headers: { 'content-encoding': 'gzip' } })],
    ['gzip-json', { asInt: 8 }, (m: object) => post(gzipSync(JSON.stringify(m)), { headers: { 'content-encoding': 'gzip', 'content-type': 'application/json; charset=utf-8' } })]
  ] as const) {
    const answer = await send(point(queue, value))
    t.equal(answer.status, 200, `${queue}: ${answer.text}`)
    t.equal(answer.text, queue.includes('json') ? '{}' : '', 'an empty answer')
    t.equal(answer.headers['content-type'], queue.includes('json') ? 'application/json' : 'application/x-protobuf')
  }
  const found = await values('queue.length')
  for (const expected of ['{"queue":"json"} 1500m', '{"queue":"json-int"} 9007199254740992', '{"queue":"protobuf"} 2500m', '{"queue":"protobuf-int"} 42', '{"queue":"gzip"} 7', '{"queue":"gzip-json"} 8']) t.ok(found.includes(expected), expected)
})

t.test('What is wrong is said in the encoding of the request', async t => {
  const now = Date.now()
  const at = (queue: string, ms: number, value: number): object => ({ timeUnixNano: nanos(ms), asInt: String(value), attributes: [{ key: 'queue', value: { stringValue: queue } }] })
  t.equal((await post(gauge('queue.length', [at('good', now, 1)]))).status, 200)
  const partial = await post(gauge('queue.length', [at('good', now - 5, 2), at('fine', now, 3), at('future', now + 3_600_000, 1)]))
  t.equal(partial.status, 200, 'taken in part')
  t.match(partial.json, { partialSuccess: { rejectedDataPoints: '2', errorMessage: /^2 of 3 samples are refused: queue.length\{.*queue="good"\} has a sample out of order.*; .*queue="future"\} lies / } })
  const inProtobuf = await post(encode(gauge('queue.length', [at('good', now - 5, 2), at('fine', now, 3)])))
  const { partialSuccess } = root.lookupType('ExportMetricsServiceResponse').toObject(root.lookupType('ExportMetricsServiceResponse').decode(inProtobuf.bytes), { longs: Number }) as { partialSuccess: { rejectedDataPoints: number; errorMessage: string } }
  t.match(partialSuccess, { rejectedDataPoints: 1, errorMessage: /out of order/ })
  t.ok((await values('queue.length')).includes('{"queue":"good"} 1'), 'nothing is poisoned')

  const wide = { timeUnixNano: nanos(now), asInt: '1', attributes: Array.from({ length: 129 }, (_, i) => ({ key: `k${i}`, value: { stringValue: 'v' } })) }
  const beside = await post(gauge('queue.length', [wide, at('beside', now, 7)]))
  t.equal(beside.status, 200, 'a point with too many labels stops no other')
  t.match(beside.json, { partialSuccess: { rejectedDataPoints: '1', errorMessage: /^1 of 2 samples are refused: queue.length: a series has more than 128 labels/ } })
  t.ok((await values('queue.length')).includes('{"queue":"beside"} 7'))

  const table: [string, object | Buffer, RequestOptions, number, RegExp][] = [
    ['nothing taken', gauge('queue.length', [at('good', now - 5, 2)]), {}, 400, /^1 of 1 samples are refused: .*out of order/],
    ['two values at a time', gauge('queue.length', [at('good', now, 2)]), {}, 400, /has two samples at/],
    ['no protobuf', Buffer.from('{}'), {}, 400, /the body is no ExportMetricsServiceRequest/],
    ['no JSON', Buffer.from('{'), { headers: { 'content-type': 'application/json' } }, 400, /the body is no ExportMetricsServiceRequest/],
    ['a list', [] as object, {}, 400, /it is no object/],
    ['no list of points', { resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name: 'x', gauge: { dataPoints: {} } }] }] }] }, {}, 400, /dataPoints is no list/],
    ['a time that is none', gauge('queue.length', [{ timeUnixNano: 'now', asInt: '1' }]), {}, 400, /"now" is no integer/],
    ['a time that is an object', gauge('queue.length', [{ timeUnixNano: {}, asInt: '1' }]), {}, 400, /an object is no integer/],
    ['a time that is null', gauge('queue.length', [{ timeUnixNano: null, asInt: '1', attributes: [{ key: 'queue', value: { stringValue: 'good' } }] }]), {}, 400, /out of order/],
    ['too many labels', gauge('queue.length', [wide]), {}, 400, /more than 128 labels/],
    ['labels said once for very many points', { resourceMetrics: [{ resource: { attributes: Array.from({ length: 120 }, (_, i) => ({ key: `k${i}`, value: { stringValue: 'v' } })) }, scopeMetrics: [{ metrics: [{ name: 'x', gauge: { dataPoints: Array.from({ length: 70_000 }, () => ({})) } }] }] }] }, {}, 400, /more than 8000000 labels/],
    ['a number that is none', gauge('queue.length', [{ timeUnixNano: nanos(now), asDouble: 'much' }]), {}, 400, /"much" is no number/],
    ['a metric without a name', { resourceMetrics: [{ scopeMetrics: [{ metrics: [{ gauge: { dataPoints: [{}] } }] }] }] }, {}, 400, /a metric has no name/],
    ['not compressed as it says', encode(gauge('x', [])), { headers: { 'content-encoding': 'gzip' } }, 400, /not compressed with gzip/],
    ['a bomb', gzipSync(Buffer.alloc(17 * 1024 * 1024)), { headers: { 'content-encoding': 'gzip' } }, 413, /more than 8388608 bytes/],
    ['a body over the limit', Buffer.alloc(3 * 1024 * 1024 + 1), {}, 413, /limit is 3145728/],
    ['an unknown compression', encode(gauge('x', [])), { headers: { 'content-encoding': 'zstd' } }, 415, /"zstd" is not supported/],
    ['an unknown encoding', Buffer.from('x'), { headers: { 'content-type': 'text/plain' } }, 415, /"text\/plain" is not supported/]
  ]
  for (const [name, body, options, status, message] of table) {
    const answer = await post(body, options)
    t.equal(answer.status, status, `${name}: ${answer.text}`)
    t.equal(answer.headers['retry-after'], undefined, name)
    const type = root.lookupType('Status')
    const failure = (answer.headers['content-type'] === 'application/json' ? answer.json : type.toObject(type.decode(answer.bytes))) as unknown as { code: number; message: string }
    t.match(failure, { code: status === 413 ? 8 : 3, message }, name)
  }
})

t.test('What a Collector sends at once is taken, histograms of many attributes too, and said of each point that is refused', async t => {
  const now = Date.now()
  const attributes = (queue: string): object[] => [...Array.from({ length: 20 }, (_, i) => ({ key: `k${i}`, value: { stringValue: 'v' } })), { key: 'queue', value: { stringValue: queue } }]
  const dataPoints = Array.from({ length: 4_000 }, (_, i) => ({ timeUnixNano: nanos(now), count: '16', sum: 16, bucketCounts: Array.from({ length: 16 }, () => '1'), explicitBounds: Array.from({ length: 15 }, (_, b) => b), attributes: attributes(`q${i}`) }))
  const points = [{ timeUnixNano: nanos(now), asInt: '5', attributes: attributes('many') }, { timeUnixNano: nanos(now + 3_600_000), asInt: '5', attributes: attributes('future') }]
  const whole = { resourceMetrics: [{ resource: { attributes: [{ key: 'service.name', value: { stringValue: 'web' } }] }, scopeMetrics: [{ metrics: [{ name: 'latency', histogram: { dataPoints } }, { name: 'queue.length', gauge: { dataPoints: points } }] }] }] }
  const answer = await post(gzipSync(encode(whole)), { headers: { 'content-encoding': 'gzip' } })
  t.equal(answer.status, 200, answer.text)
  const { partialSuccess } = root.lookupType('ExportMetricsServiceResponse').toObject(root.lookupType('ExportMetricsServiceResponse').decode(answer.bytes), { longs: Number }) as { partialSuccess: { rejectedDataPoints: number; errorMessage: string } }
  t.match(partialSuccess, { rejectedDataPoints: 1, errorMessage: /^1 of 72002 samples are refused: queue.length.* lies / })
  t.ok((await values('queue.length')).includes('{"queue":"many"} 5'))
})

t.test('The OpenTelemetry SDK writes counters, gauges and histograms in both encodings and temporalities', async t => {
  await map('rate', { series: { name: 'http.requests' }, metric: { name: 'request.rate' }, labels: ['exporter'], function: 'Increase', windowSeconds: 600 })
  await map('latency-count', { series: { name: 'http.latency_count' }, metric: { name: 'latency.count' }, labels: ['exporter'] })
  await map('latency-bucket', { series: { name: 'http.latency_bucket', matchers: [{ label: 'le', value: '100' }] }, metric: { name: 'latency.below.100' }, labels: ['exporter'] })
  const url = `${server.url}${group}/otlpmetrics`
  const { ca, cert, key } = server.client.tls()
  const httpAgentOptions = { ca, cert, key }
  for (const [exporter, make] of [
    ['proto', () => new ProtoExporter({ url, httpAgentOptions, temporalityPreference: AggregationTemporality.CUMULATIVE })],
    ['json', () => new HttpExporter({ url, httpAgentOptions, temporalityPreference: AggregationTemporality.CUMULATIVE })],
    ['delta', () => new ProtoExporter({ url, httpAgentOptions, temporalityPreference: AggregationTemporality.DELTA })]
  ] as const) {
    const failures: unknown[] = []
    const reader = new PeriodicExportingMetricReader({ exporter: reporting(make(), failures), exportIntervalMillis: 3_600_000 })
    const provider = new MeterProvider({ readers: [reader] })
    const meter = provider.getMeter('shop', '1.0')
    const requests = meter.createCounter('http.requests')
    const latency = meter.createHistogram('http.latency', { advice: { explicitBucketBoundaries: [10, 100, 1000] } })
    let sent = 0
    await eventually(exporter, async () => {
      requests.add(5, { exporter })
      for (const ms of [5, 50, 500]) latency.record(ms, { exporter })
      await provider.forceFlush()
      t.same(failures, [], 'the exporter is content')
      sent++
      // The mappings are followed by a watch; a counter needs two samples that they have seen.
      const found = (await Promise.all(['request.rate', 'latency.count', 'latency.below.100'].map(values))).map(v => Array.isArray(v) ? v.filter(x => x.startsWith(`{"exporter":"${exporter}"}`)) : [])
      return found.every(f => f.length === 1)
    })
    const [rate, count] = (await Promise.all(['request.rate', 'latency.count'].map(async m => (await values(m)) as string[]))).map(v => Number(v.find(x => x.startsWith(`{"exporter":"${exporter}"}`))!.split(' ')[1]))
    t.ok(rate! >= 5 && rate! % 5 === 0 && rate! <= 5 * sent, `${exporter}: an increase of ${rate}`)
    t.equal(count, exporter === 'delta' ? 3 : 3 * sent, `${exporter}: ${count} requests`)
    await provider.shutdown()
  }
})

/** An exporter that tells of its failures, which the reader would only log. */
function reporting (exporter: PushMetricExporter, failures: unknown[]): PushMetricExporter {
  const original = exporter.export.bind(exporter)
  exporter.export = (metrics: ResourceMetrics, callback: Parameters<PushMetricExporter['export']>[1]) => {
    original(metrics, result => {
      if (result.error !== undefined) failures.push(result.error)
      callback(result)
    })
  }
  return exporter
}

t.test('Both encodings say the same', async t => {
  const text = fc.constantFrom('a', 'pod', 'http.route', 'é')
  const attributes = fc.array(fc.record({ key: text, value: fc.oneof(fc.record({ stringValue: text }), fc.record({ boolValue: fc.boolean() }), fc.record({ intValue: fc.integer() }), fc.record({ doubleValue: fc.double({ noNaN: true, noDefaultInfinity: true }) })) }), { maxLength: 3 })
  const common = { attributes, timeUnixNano: fc.bigInt({ min: 0n, max: 2n ** 63n }).map(String), flags: fc.constantFrom(0, 1) }
  const finite = fc.double({ noNaN: true, noDefaultInfinity: true })
  const number = fc.oneof(fc.record({ ...common, asDouble: finite }), fc.record({ ...common, asInt: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String) }))
  const histogram = fc.record({ ...common, count: fc.nat().map(String), sum: finite, explicitBounds: fc.constant([1, 2.5]), bucketCounts: fc.tuple(fc.nat(), fc.nat(), fc.nat()).map(c => c.map(String)) })
  const summary = fc.record({ ...common, count: fc.nat().map(String), sum: finite, quantileValues: fc.constant([{ quantile: 0.99, value: 3 }]) })
  const aggregationTemporality = fc.constantFrom(1, 2)
  const metric = fc.record({ name: text }).chain(({ name }) => fc.oneof(
    fc.record({ name: fc.constant(name), gauge: fc.record({ dataPoints: fc.array(number, { maxLength: 3 }) }) }),
    fc.record({ name: fc.constant(name), sum: fc.record({ dataPoints: fc.array(number, { maxLength: 3 }), aggregationTemporality }) }),
    fc.record({ name: fc.constant(name), histogram: fc.record({ dataPoints: fc.array(histogram, { maxLength: 3 }), aggregationTemporality }) }),
    fc.record({ name: fc.constant(name), summary: fc.record({ dataPoints: fc.array(summary, { maxLength: 3 }) }) })
  ))
  const request = fc.record({ resourceMetrics: fc.array(fc.record({ resource: fc.record({ attributes }), scopeMetrics: fc.array(fc.record({ scope: fc.record({ name: text, version: text }), metrics: fc.array(metric, { maxLength: 3 }) }), { maxLength: 2 }) }), { maxLength: 2 }) })
  const codec = new OtlpCodec()
  const flat = (message: OtlpRequest): string => JSON.stringify([...otlpSeries(message)].map(point => 'refused' in point ? point : point.series.map((s: WrittenSeries) => [[...s.labels], s.points.map(p => ({ ...p, value: String(p.value) })), s.delta])))
  let points = 0
  fc.assert(fc.property(request, message => {
    const series = flat(codec.decode('json', Buffer.from(JSON.stringify(message))))
    points += series.length
    return series === flat(codec.decode('protobuf', encode(message)))
  }))
  t.ok(points > 20)
})
