import t from 'tap'
import type { CacheWatchEnd, CacheWatchEvent, CacheWatcher } from '../../storage/cacher/interfaces.js'
import { builtInResources } from '../../registry/groups.js'
import { ServedObject } from '../../registry/generic/served-object.js'
import type { Store } from '../../registry/generic/store/store.js'
import { custommetrics } from '../../registry/metrics.example.com/custommetrics/resource.js'
import { FakeClock, turn } from '../../test/suites/fake-clock.js'
import { DescribedKinds } from './described-kinds.js'
import { IndexFeed } from './index-feed.js'
import type { VirtualResource } from '../discovery/virtual-resource.js'
import { MetricsApi } from './metrics-api.js'

type Event = CacheWatchEvent<ServedObject>

/** A watcher whose events the test puts in. */
class Script implements CacheWatcher<ServedObject> {
  readonly #events: Event[] = []
  #readable: () => void = () => {}
  ended: CacheWatchEnd | undefined
  closed = false

  put (...events: Event[]): void {
    this.#events.push(...events)
    this.#readable()
  }

  end (reason: CacheWatchEnd['reason']): void {
    this.ended = { reason }
    this.#readable()
  }

  take (): Event[] { return this.ended === undefined ? this.#events.splice(0) : [] }
  onReadable (callback: () => void): void { this.#readable = callback }
  close (): void {
    this.closed = true
    this.ended ??= { reason: 'closed' }
  }
}

/** Stands for the store of CustomMetrics: every watch is a new script. */
function scriptedStore (): { store: Pick<Store, 'cacher' | 'watch'>; scripts: Script[] } {
  const scripts: Script[] = []
  const watch = (): Script => {
    const script = new Script()
    scripts.push(script)
    return script
  }
  return { store: { watch, cacher: { whenReady: () => Promise.resolve() } } as unknown as Pick<Store, 'cacher' | 'watch'>, scripts }
}

function event (type: 'ADDED' | 'MODIFIED' | 'DELETED', name: string, metric: string, describedObject?: object): Event {
  const value = ServedObject.of(custommetrics, { apiVersion: 'metrics.example.com/v1alpha1', kind: 'CustomMetric', metadata: { name, namespace: 'shop' }, metric: { name: metric }, ...(describedObject && { describedObject }), value: 1 } as never, 1n)
  return { type, item: { key: name, revision: 1n, value } }
}
const end: Event = { type: 'BOOKMARK', revision: 1n, initialEventsEnd: true }

t.test('The index answers once the initial events are in, and follows changes', async t => {
  const { store, scripts } = scriptedStore()
  const feed = new IndexFeed({ store, kinds: new DescribedKinds(builtInResources), onNamesChange: () => {}, onError: error => { throw error } })
  feed.start()
  await turn()
  scripts[0]!.put(event('ADDED', 'a', 'one'))
  await turn()
  t.equal(feed.index, undefined, 'half of the metrics would look like the others were gone')
  scripts[0]!.put(event('ADDED', 'b', 'two'), end, event('MODIFIED', 'a', 'three'), event('DELETED', 'b', 'two'))
  await turn()
  t.same(feed.index?.externalNames(), ['three'])
  await feed.stop()
  t.ok(scripts[0]!.closed)
})

t.test('When the watch is cut the old index answers until a new one is filled', async t => {
  for (const reason of ['reset', 'slow', 'expired'] as const) {
    const { store, scripts } = scriptedStore()
    const feed = new IndexFeed({ store, kinds: new DescribedKinds(builtInResources), onNamesChange: () => {}, onError: error => { throw error } })
    feed.start()
    await turn()
    scripts[0]!.put(event('ADDED', 'a', 'one'), event('ADDED', 'b', 'two'), end)
    await turn()
    scripts[0]!.end(reason)
    await turn()
    scripts[1]!.put(event('ADDED', 'b', 'two'))
    await turn()
    t.same(feed.index?.externalNames().sort(), ['one', 'two'], reason)
    scripts[1]!.put(end)
    await turn()
    t.same(feed.index?.externalNames(), ['two'], 'what was deleted meanwhile is gone')
    await feed.stop()
  }
})

t.test('When a kind turns out to be another resource the index is filled anew', async t => {
  const { store, scripts } = scriptedStore()
  let resource = 'gooses'
  const kinds = { ofKind: () => ({ group: 'zoo.io', version: 'v1', resource, singular: 'goose', namespaced: true }) }
  const api = new MetricsApi({ store, kinds, resources: [], objects: { matcher: () => undefined }, ttlMs: 1000, observeFreshness: () => {}, onError: error => { throw error } })
  const listed = (): string[] => api.virtual[0]!.resources().map(r => r.name)
  api.start(() => {})
  await turn()
  const goose = event('ADDED', 'a', 'weight', { apiVersion: 'zoo.io/v1', kind: 'Goose', name: 'g' })
  scripts[0]!.put(goose, end)
  await turn()
  t.same(listed(), ['gooses.zoo.io/weight'])
  api.kindsChanged()
  await turn()
  t.equal(scripts.length, 1, 'nothing has changed')
  resource = 'geese'
  api.kindsChanged()
  await turn()
  t.ok(scripts[0]!.closed)
  t.same(listed(), ['gooses.zoo.io/weight'], 'the old index answers meanwhile')
  scripts[1]!.put(goose, end)
  await turn()
  t.same(listed(), ['geese.zoo.io/weight'])
  await api.stop()
})

t.test('A stopped cache ends the feed', async t => {
  const { store, scripts } = scriptedStore()
  const feed = new IndexFeed({ store, kinds: new DescribedKinds([]), onNamesChange: () => {}, onError: error => { throw error } })
  feed.start()
  await turn()
  scripts[0]!.end('closed')
  await turn()
  t.equal(scripts.length, 1)
  await feed.stop()
})

t.test('Discovery is never empty, and is rebuilt once a moment after the names change', async t => {
  const { store, scripts } = scriptedStore()
  const clock = new FakeClock()
  const api = new MetricsApi({ store, clock, resources: builtInResources, objects: { matcher: () => undefined }, ttlMs: 1000, observeFreshness: () => {}, onError: error => { throw error } })
  let rebuilt = 0
  const listed = (): string[] => [...new Set(api.virtual.flatMap(v => v.resources().map((r: VirtualResource) => `${v.group}/${v.version} ${r.name}`)))]
  t.same(listed(), ['custom.metrics.k8s.io/v1beta2 metricvalues', 'custom.metrics.k8s.io/v1beta1 metricvalues', 'external.metrics.k8s.io/v1beta1 externalmetricvalues'])
  api.start(() => { rebuilt++ })
  await turn()
  scripts[0]!.put(end)
  await turn()
  await clock.advance(1000)
  t.equal(rebuilt, 1)
  for (const name of ['a', 'b', 'c']) scripts[0]!.put(event('ADDED', name, name))
  await turn()
  await clock.advance(249)
  t.equal(rebuilt, 1)
  await clock.advance(1)
  t.equal(rebuilt, 2, 'three changes, one rebuild')
  t.same(listed().filter(l => l.startsWith('external')), ['a', 'b', 'c'].map(n => `external.metrics.k8s.io/v1beta1 ${n}`))
  scripts[0]!.put(event('MODIFIED', 'a', 'a'))
  await turn()
  t.equal(clock.pending, 0, 'another value changes no name')
  scripts[0]!.put(event('DELETED', 'a', 'a'))
  await turn()
  await api.stop()
  await clock.advance(1000)
  t.equal(rebuilt, 2, 'nothing is rebuilt after the end')
})
