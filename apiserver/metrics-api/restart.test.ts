import t from 'tap'
import { startServer } from '../../test/fixtures/server.js'

const metrics = '/apis/metrics.example.com/v1alpha1/namespaces/shop/custommetrics'
const queue = '/apis/external.metrics.k8s.io/v1beta1/namespaces/shop/queue'

t.test('A server that was killed serves the same metrics again; one that expires gives way to the reason', async t => {
  const server = await startServer(t, ['--metric-ttl=1h'])
  const until = async (done: (status: number, text: string) => boolean): Promise<string> => {
    const deadline = Date.now() + 60_000
    for (;;) {
      const { status, text } = await server.request('GET', queue)
      if (done(status, text)) return text
      if (Date.now() > deadline) throw new Error(`still ${status} ${text}`)
      await new Promise(resolve => { setTimeout(resolve, 20) })
    }
  }
  t.match((await server.request('GET', '/apis/external.metrics.k8s.io/v1beta1')).json, { resources: [{ namespaced: true }] })
  const answer = await server.request('POST', metrics, { body: { apiVersion: 'metrics.example.com/v1alpha1', kind: 'CustomMetric', metadata: { name: 'queue' }, value: '12.5' } })
  t.equal(answer.status, 201)
  const before = await until(status => status === 200)
  t.match(JSON.parse(before), { items: [{ metricName: 'queue', metricLabels: {}, timestamp: answer.json['timestamp'], value: '12500m' }] })

  await server.kill()
  await server.restart()
  t.equal(await until(status => status === 200), before)

  await server.request('PATCH', `${metrics}/queue`, { body: { ttlSeconds: 1 }, headers: { 'content-type': 'application/merge-patch+json' } })
  t.match(await until(status => status === 404), /for namespaces shop: expired \d+s ago \(ttl 1s\)"/)
  await server.request('PATCH', `${metrics}/queue`, { body: { value: 3, ttlSeconds: null }, headers: { 'content-type': 'application/merge-patch+json' } })
  t.match(await until(status => status === 200), /"value":"3"/)
  await server.request('DELETE', `${metrics}/queue`)
  t.match(await until(status => status === 404), /: never written"/)
})
