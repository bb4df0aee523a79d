import t from 'tap'
import { etcdVersionsOrSkip, startEtcd } from '../../test/fixtures/etcd.js'
import { remoteWriteHeaders, snappy, writeRequestBytes } from '../../test/fixtures/remote-write.js'
import { startServer, type TestServer } from '../../test/fixtures/server.js'

const group = '/apis/metrics.example.com/v1alpha1/namespaces/shop'

// One etcd is as good as another here.
for (const binary of etcdVersionsOrSkip('replicas of the metrics').slice(-1)) {
  t.test('What one replica receives, the other serves soon', async t => {
    const etcd = await startEtcd(t, { version: binary })
    const flags = [`--etcd-servers=${etcd.endpoint}`, '--metric-checkpoint-interval=1s']
    const [a, b] = [await startServer(t, flags, { inProcess: true }), await startServer(t, flags, { inProcess: true })]
    const write = (to: TestServer, value: number): Promise<unknown> =>
      to.request('POST', `${group}/remotewrites`, { body: snappy(writeRequestBytes([{ labels: { __name__: 'queue' }, samples: [[Date.now(), value]] }])), headers: remoteWriteHeaders.v1 })
    const served = async (by: TestServer, value: string, meanwhile: () => Promise<unknown>): Promise<void> => {
      const deadline = Date.now() + 60_000
      for (;;) {
        await meanwhile()
        const answer = await by.request('GET', '/apis/external.metrics.k8s.io/v1beta1/namespaces/shop/queue')
        if (answer.status === 200 && answer.items[0]?.['value'] === value) return
        if (Date.now() > deadline) throw new Error(`${value} is not served: ${answer.text}`)
        await new Promise(resolve => { setTimeout(resolve, 50) })
      }
    }
    await a.request('POST', `${group}/metricmappings`, { body: { apiVersion: 'metrics.example.com/v1alpha1', kind: 'MetricMapping', metadata: { name: 'queue' }, spec: { series: { name: 'queue' }, metric: { name: 'queue' } } } })
    await served(b, '5', () => write(a, 5))
    await served(b, '7', () => write(a, 7))
    // It has one of its own now, which the other's next one replaces.
    await served(b, '9', () => write(b, 9))
    await served(b, '11', () => write(a, 11))
    await served(a, '11', async () => {})
    t.equal((await b.request('GET', `${group}/custommetrics`)).items.length, 1, 'both keep the same object')
  })
}
