import t from 'tap'
import { ServedObject } from '../../registry/generic/served-object.js'
import type { DeleteRequest, Store, UpdateOptions } from '../../registry/generic/store/store.js'
import type { KubeObject } from '../../registry/meta/object-meta.js'
import { custommetrics } from '../../registry/metrics.example.com/custommetrics/resource.js'
import type { MetricMapping } from '../../registry/metrics.example.com/metricmappings/types.js'
import { remoteWriteHeaders, snappy, writeRequestBytes, type SentSeries } from '../../test/fixtures/remote-write.js'
import { startServer } from '../../test/fixtures/server.js'
import { DescribedKinds } from '../metrics-api/described-kinds.js'
import { LiveSamples } from '../metrics-api/live-samples.js'
import { Checkpoints, looksPerRound, writesAtOnce } from './checkpoints.js'
import { compileMapping } from './compiled-mapping.js'
import { SeriesMemory } from './series-memory.js'

const start = Date.parse('2026-05-06T07:00:00Z')

/** Checkpoints over a store that is a Map; times are in seconds. */
function checkpoints (writesPerRound = 50, limit = 100): { round: (seconds: number, ...values: number[]) => Promise<string[]>; memory: SeriesMemory; map: (generation: number) => void; objects: Map<string, KubeObject>; live: LiveSamples; held: Set<string>; inFlight: { now: number; most: number; during: () => void }; stop: AbortController; other: (seconds: number, value: number) => void } {
  let now = start
  let log: string[] = []
  const objects = new Map<string, KubeObject>()
  const live = new LiveSamples()
  /** Names of objects with a finalizer. */
  const held = new Set<string>()
  const inFlight = { now: 0, most: 0, during: (): void => {} }
  const observe = (object: KubeObject): void => { kept.observe(ServedObject.of(custommetrics, { ...object, metadata: { ...object.metadata, uid: object.metadata.name! } }, 1n)) }
  const memory = new SeriesMemory({ limits: { perMapping: limit, perNamespace: limit, total: limit }, live, ttlMs: 120_000, clockSkewMs: 60_000, onRemoved: metric => { kept.metricRemoved(metric) }, now: () => now })
  const store = {
    resource: custommetrics,
    update: async (name: string, options: UpdateOptions) => {
      inFlight.most = Math.max(inFlight.most, ++inFlight.now)
      await new Promise(resolve => { setImmediate(resolve) })
      const object = await options.transform(objects.get(name))
      inFlight.now--
      inFlight.during()
      log.push(`write ${String(object['value'])}`)
      objects.set(name, object)
      observe(object)
    },
    delete: async (name: string, request: DeleteRequest) => {
      log.push('delete')
      const object = objects.get(name)!
      if (held.has(name)) return observe({ ...object, metadata: { ...object.metadata, deletionTimestamp: '2026-05-06T08:00:00Z' } })
      objects.delete(name)
      kept.deleted(request.namespace, name)
    }
  } as unknown as Pick<Store, 'resource' | 'update' | 'delete'>
  const stop = new AbortController()
  const kept = new Checkpoints({ store, memory, live, intervalMs: 15_000, writesPerRound, ttlMs: 120_000, onError: error => { throw error }, now: () => now })
  return {
    memory, objects, live, held, inFlight, stop,
    // As another replica would have written it.
    other: (seconds, value) => {
      now = start + seconds * 1000
      for (const [name, object] of objects) {
        objects.set(name, { ...object, value: String(value), timestamp: new Date(now).toISOString() })
        observe(objects.get(name)!)
      }
    },
    map: generation => {
      memory.setMapping(compileMapping({ apiVersion: '', kind: '', metadata: { name: 'x', namespace: 'shop', uid: 'u', generation }, spec: { series: { name: 'm' }, metric: { name: 'm' }, labels: ['i'] } } as MetricMapping, new DescribedKinds([])))
    },
    round: async (seconds, ...values) => {
      now = start + seconds * 1000
      await memory.write('shop', values.map((value, i) => ({ labels: new Map([['__name__', 'm'], ['i', String(i)]]), points: [{ timestampMs: now, value }] })))
      await memory.sweep()
      log = []
      await kept.round(stop.signal)
      return log
    }
  }
}

t.test('A value is written when it has changed, not too often, and before it expires for others', async t => {
  const { map, round } = checkpoints()
  map(1)
  t.same(await round(0, 5), ['write 5'])
  t.same(await round(1, 6), [], 'too soon')
  t.same(await round(15, 6), ['write 6'])
  t.same(await round(30, 6), [], 'nothing has changed')
  t.same(await round(60, 6), [], 'nor now')
  t.same(await round(76, 6), ['write 6'], 'half the ttl is over')
  t.same(await round(140), [], 'nothing came')
})

t.test('More than the bound waits, those that waited longest first', async t => {
  const { map, round } = checkpoints(2)
  map(1)
  t.same(await round(0, 1, 2, 3), ['write 1', 'write 2'])
  t.same(await round(15, 4, 5, 6), ['write 6', 'write 4'])
  t.same(await round(16, 4, 5, 6), ['write 5'])
})

t.test('What has ended, changed or cannot be served is hidden and deleted', async t => {
  const { map, memory, round, objects, live } = checkpoints()
  map(1)
  await round(0, 1, 2)
  const [[key]] = [[...live.keys()]]
  await memory.write('shop', [{ labels: new Map([['__name__', 'm'], ['i', '0']]), points: [{ timestampMs: start + 1000, value: NaN, stale: true }] }])
  t.equal(live.at(key!), 'hidden', 'at once')
  t.same([await round(2), objects.size, live.at(key!)], [['delete'], 1, undefined])
  t.same(await round(20, 7, NaN), ['delete', 'write 7'])
  map(2)
  t.same([await round(21), objects.size], [['delete'], 0])
  await round(40, 1)
  memory.deleteMapping('shop', 'x')
  t.same([await round(41), objects.size, live.size], [['delete'], 0, 0])
})

t.test('A checkpoint that another replica keeps fresh stays, whatever has ended or cannot be served here', async t => {
  const { map, memory, round, objects, live, other } = checkpoints()
  map(1)
  await round(0, 1)
  const [key] = [...live.keys()]
  for (let s = 0; s < 900; s += 60) {
    other(s, 5)
    await round(s + 1)
  }
  t.same([objects.size, live.at(key!), [...memory.states()][0]?.metrics.size], [1, undefined, 0], 'our series expired')
  const [[name, object]] = [...objects] as [[string, KubeObject]]
  await round(900, NaN)
  t.same([objects.size, live.at(key!)], [0, undefined], 'this value is later')
  objects.set(name, object)
  other(920, 6)
  t.same([await round(930), objects.size], [[], 1], 'and that one later still')
})

t.test('A deletion that a finalizer holds up is asked for once, and takes no write from others', async t => {
  const { map, memory, round, held, objects } = checkpoints(2)
  map(1)
  await round(0, 1, 2)
  for (const name of objects.keys()) held.add(name)
  memory.deleteMapping('shop', 'x')
  t.same([await round(1), await round(2), objects.size], [['delete', 'delete'], [], 2])
})

t.test('Writes are begun a few at a time, none after the end, and all that were begun are waited for', async t => {
  const { map, round, inFlight, stop } = checkpoints()
  map(1)
  t.equal((await round(0, ...Array.from({ length: 30 }, (_, i) => i))).length, 30)
  t.equal(inFlight.most, writesAtOnce)
  inFlight.during = () => { stop.abort() }
  t.same(await round(15, ...Array.from({ length: 30 }, (_, i) => i + 1)), Array.from({ length: writesAtOnce }, (_, i) => `write ${i + 1}`))
  t.equal(inFlight.now, 0)
})

t.test('Of more metrics than a round looks at, the next one takes the rest', async t => {
  const metrics = looksPerRound + 2
  const { map, round } = checkpoints(metrics, metrics)
  map(1)
  t.equal((await round(0, ...Array.from({ length: metrics }, () => 1))).length, looksPerRound)
  t.equal((await round(1)).length, 2)
})

t.test('A metric that goes while it is written is hidden, and deleted with the next round', async t => {
  const { map, memory, round, objects, live, inFlight } = checkpoints()
  map(1)
  inFlight.during = () => { void memory.write('shop', [{ labels: new Map([['__name__', 'm'], ['i', '0']]), points: [{ timestampMs: start + 1000, value: NaN, stale: true }] }]) }
  t.same(await round(0, 1), ['write 1'])
  t.same([...live.keys()].map(key => live.at(key)), ['hidden'])
  t.same([await round(2), objects.size, live.size], [['delete'], 0, 0])
})

t.test("Somebody else's object of that name is left alone", async t => {
  const { map, round, objects } = checkpoints()
  map(1)
  await round(0, 1)
  const [name] = [...objects.keys()]
  const fresh = checkpoints()
  fresh.map(1)
  fresh.objects.set(name!, { apiVersion: '', kind: '', metadata: { name: name!, namespace: 'shop' }, value: 9 })
  t.same(await fresh.round(0, 1), [])
  t.equal(fresh.objects.get(name!)?.['value'], 9)
})

t.test('A restarted server serves what it had kept, and what a mapping leaves behind goes with it', async t => {
  const server = await startServer(t, ['--metric-checkpoint-interval=1s'], { inProcess: true })
  const group = '/apis/metrics.example.com/v1alpha1/namespaces/shop'
  const eventually = async (what: string, holds: () => Promise<boolean>): Promise<void> => {
    const deadline = Date.now() + 60_000
    while (!await holds()) {
      if (Date.now() > deadline) throw new Error(`${what}: not within 60 s`)
      await new Promise(resolve => { setTimeout(resolve, 20) })
    }
  }
  const value = async (): Promise<unknown> => {
    const answer = await server.request('GET', '/apis/external.metrics.k8s.io/v1beta1/namespaces/shop/queue')
    return answer.status === 200 ? answer.items.map(i => [i['metricLabels'], i['value']]) : answer.status
  }
  const spec = { series: { name: 'queue' }, metric: { name: 'queue' }, labels: ['of'] }
  await server.request('POST', `${group}/metricmappings`, { body: { apiVersion: 'metrics.example.com/v1alpha1', kind: 'MetricMapping', metadata: { name: 'queue' }, spec } })
  const series = (): SentSeries[] => [{ labels: { __name__: 'queue', of: 'mail' }, samples: [[Date.now(), 12.5]] }]
  await eventually('the checkpoint', async () => {
    await server.request('POST', `${group}/remotewrites`, { body: snappy(writeRequestBytes(series())), headers: remoteWriteHeaders.v1 })
    return (await server.request('GET', `${group}/custommetrics?labelSelector=metrics.example.com%2Fmapping%3Dqueue`)).items.length === 1
  })
  const [kept] = (await server.request('GET', `${group}/custommetrics`)).items
  t.match(kept, { metric: { name: 'queue', labels: { of: 'mail' } }, value: '12500m', metadata: { ownerReferences: [{ kind: 'MetricMapping', name: 'queue', controller: true }] } })
  await server.restart()
  await eventually('the value after a restart', async () => JSON.stringify(await value()) === '[[{"of":"mail"},"12500m"]]')
  await server.request('DELETE', `${group}/metricmappings/queue`)
  await eventually('the end of the checkpoint', async () => (await server.request('GET', `${group}/custommetrics`)).items.length === 0)
  await eventually('the end of the metric', async () => await value() === 404)
})
