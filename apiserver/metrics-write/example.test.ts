import { readFileSync } from 'node:fs'
import t from 'tap'
import { remoteWriteHeaders, snappy, writeRequestBytes, type SentSeries } from '../../test/fixtures/remote-write.js'
import { startServer } from '../../test/fixtures/server.js'

const example = readFileSync(new URL('../../hack/examples/metricmappings.yaml', import.meta.url), 'utf8')

t.test('The example makes metrics of what Prometheus and OpenTelemetry send', async t => {
  const server = await startServer(t, [], { inProcess: true })
  const group = '/apis/metrics.example.com/v1alpha1/namespaces/default'
  const documents = example.split(/^---$/m)
  t.equal(documents.length, 2)
  for (const body of documents) {
    const answer = await server.request('POST', `${group}/metricmappings?fieldValidation=Strict`, { body, headers: { 'content-type': 'application/yaml' } })
    t.equal(answer.status, 201, answer.text)
  }

  const now = Date.now()
  const series = (code: string, verb: string, of: number): SentSeries => ({ labels: { __name__: 'http_requests_total', pod: 'web-0', job: 'web', code, verb }, samples: [[now - 10_000, 0], [now, of]] })
  const depth = (service: string, queue: string): object => ({
    resource: { attributes: [{ key: 'service.name', value: { stringValue: service } }] },
    scopeMetrics: [{ metrics: [{ name: 'messaging.queue.depth', gauge: { dataPoints: [7, 3].map((asInt, i) => ({ asInt, timeUnixNano: `${now - 1000 + i}000000`, attributes: [{ key: 'messaging.destination.name', value: { stringValue: queue } }] })) } }] }]
  })
  const values = async (path: string): Promise<unknown> => {
    const { status, items } = await server.request('GET', `/apis/${path}`)
    return status === 200 ? items.map(i => [i['metricLabels'], i['value']]) : status
  }
  const pods = 'custom.metrics.k8s.io/v1beta2/namespaces/default/pods/*/http_requests_per_second'
  const queues = 'external.metrics.k8s.io/v1beta1/namespaces/default/queue_depth'
  // The mappings are in use a moment after they were created.
  const deadline = now + 15_000
  while (await values(pods) === 404 || await values(queues) === 404) {
    if (Date.now() > deadline) throw new Error('no values within 15 s')
    await server.request('POST', `${group}/remotewrites`, { body: snappy(writeRequestBytes([series('200', 'GET', 30), series('404', 'GET', 20), series('503', 'GET', 1000), series('200', 'PUT', 10)])), headers: remoteWriteHeaders.v1 })
    await server.request('POST', `${group}/otlpmetrics`, { body: { resourceMetrics: [depth('mailer', 'outgoing'), depth('other', 'outgoing')] }, headers: { 'content-type': 'application/json' } })
  }
  t.match((await server.request('GET', `/apis/${pods}?metricLabelSelector=verb%3DGET`)).items, [{ describedObject: { kind: 'Pod', name: 'web-0' }, value: '5' }], 'of a pod, without what failed')
  t.same(await values(queues), [[{ 'messaging.destination.name': 'outgoing' }, '7']])
})
