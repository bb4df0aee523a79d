import t from 'tap'
import { startHealthServer } from './health-server.js'
import { ControllerMetrics } from './metrics.js'
import { FakeClock } from './testing/fake-clock.js'
import { Workqueue } from './workqueue/workqueue.js'

t.test('metrics have the names, labels and values of Kubernetes components', async t => {
  const metrics = new ControllerMetrics()
  const clock = new FakeClock()
  const measured = metrics.workqueue('webapps')
  const queue = new Workqueue<string>({ clock, metrics: measured })
  const unobserve = measured.observe(queue)
  queue.add('a')
  queue.add('b')
  await clock.advance(2_000)
  await queue.get()
  await clock.advance(3_000)
  queue.addAfter('c', 1)
  metrics.requested({ method: 'GET', host: 'h:1', code: '200', seconds: 0.01 })
  metrics.leading('lease', true)
  const text = await metrics.registry.metrics()
  for (const line of [
    'workqueue_depth{name="webapps"} 1', 'workqueue_adds_total{name="webapps"} 2', 'workqueue_retries_total{name="webapps"} 1',
    'workqueue_queue_duration_seconds_sum{name="webapps"} 2', 'workqueue_unfinished_work_seconds{name="webapps"} 3', 'workqueue_longest_running_processor_seconds{name="webapps"} 3',
    'rest_client_requests_total{code="200",method="GET",host="h:1"} 1', 'leader_election_master_status{name="lease"} 1'
  ]) t.ok(text.split('\n').includes(line), line)
  queue.done('a')
  unobserve()
  const after = await metrics.registry.metrics()
  t.match(after, /^workqueue_work_duration_seconds_sum\{name="webapps"\} 3$/m)
  t.match(after, /^workqueue_depth\{name="webapps"\} 0$/m, 'a queue that is gone has nothing')
})

t.test('the health server', async t => {
  let healthy = true
  const metrics = new ControllerMetrics()
  metrics.leading('lease', false)
  const server = await startHealthServer({ port: 0, host: '127.0.0.1', metrics: metrics.registry, readyz: { informers: () => { if (!healthy) throw new Error('secret') }, other: async () => undefined } })
  t.teardown(async () => { await server.close() })
  const get = async (path: string, method = 'GET'): Promise<[number, string]> => {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`, { method })
    return [response.status, await response.text()]
  }
  t.same(await get('/readyz'), [200, 'ok'])
  t.same(await get('/readyz?verbose'), [200, '[+]ping ok\n[+]informers ok\n[+]other ok\nreadyz check passed\n'])
  healthy = false
  t.same(await get('/readyz'), [500, '[+]ping ok\n[-]informers failed: reason withheld\n[+]other ok\nreadyz check failed\n'])
  t.same(await get('/healthz'), [200, 'ok'], 'no reason to restart')
  t.match(await get('/metrics'), [200, /leader_election_master_status\{name="lease"\} 0/])
  t.equal((await get('/other'))[0], 404)
  t.equal((await get('/healthz', 'POST'))[0], 405)
})
