import t, { type Test } from 'tap'
import type { KubeObject } from '../../registry/meta/object-meta.js'
import { newResourceExpired } from '../../registry/meta/status-error.js'
import { FakeClock, settle } from '../testing/fake-clock.js'
import { FakeWatch, ScriptedSource } from '../testing/scripted-source.js'
import { Indexer } from './indexer.js'
import { Informer, type InformerOptions } from './informer.js'
import type { ResourceEventHandler } from './interfaces.js'

const object = (name: string, resourceVersion: string, labels: Record<string, string> = {}, namespace = 'ns'): KubeObject => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace, resourceVersion, labels } })
const initial = (resourceVersion: string, ...objects: KubeObject[]): FakeWatch => {
  const watch = new FakeWatch()
  objects.forEach(o => { watch.event('ADDED', o) })
  return watch.event('BOOKMARK', { apiVersion: 'v1', kind: 'ConfigMap', metadata: { resourceVersion, annotations: { 'k8s.io/initial-events-end': 'true' } } })
}
const version = (o: KubeObject): string => `${o.metadata.name}@${o.metadata.resourceVersion}`
const recording = (told: string[]): ResourceEventHandler<KubeObject> => ({
  onAdd: (o, { initial }) => { told.push(`add ${version(o)}${initial ? ' initial' : ''}`) },
  onUpdate: (old, o) => { told.push(`update ${version(old)} ${version(o)}`) },
  onDelete: (o, { finalStateUnknown }) => { told.push(`delete ${version(o)}${finalStateUnknown ? ' unknown' : ''}`) }
})

function start (t: Test, source: ScriptedSource, options: Partial<InformerOptions<KubeObject>> = {}): { informer: Informer<KubeObject>, clock: FakeClock, source: ScriptedSource, stop: AbortController, ended: Promise<void> } {
  const clock = new FakeClock()
  const informer = new Informer<KubeObject>({ source, clock, reflector: { random: () => 0 }, ...options })
  const stop = new AbortController()
  const ended = informer.run(stop.signal)
  t.teardown(async () => { stop.abort(); await ended })
  return { informer, clock, source, stop, ended }
}

t.test('handlers are told of what is there, and of every change, and the lister shows it', async t => {
  const { informer, source } = start(t, new ScriptedSource(initial('7', object('a', '3'), object('b', '2'))))
  const told: string[] = []
  informer.addHandler(recording(told))
  t.notOk(informer.hasSynced)
  t.equal(await informer.whenSynced(new AbortController().signal), true)
  t.same(told.splice(0), ['add a@3 initial', 'add b@2 initial'])
  source.last.event('MODIFIED', object('a', '8')).event('DELETED', object('b', '9')).event('ADDED', object('c', '10'))
  await settle()
  t.same(told, ['update a@3 a@8', 'delete b@9', 'add c@10'])
  t.same(informer.lister.list().map(version), ['a@8', 'c@10'])
  t.equal(informer.lister.get({ namespace: 'ns', name: 'b' }), undefined)
})

t.test('a relist tells only what has changed, and of deletions that were missed that the last state is not known', async t => {
  const { informer, source, clock } = start(t, new ScriptedSource(initial('7', object('a', '3'), object('b', '2'), object('c', '4'))))
  const told: string[] = []
  await settle()
  informer.addHandler(recording(told))
  told.splice(0)
  source.append(initial('30', object('a', '3'), object('c', '20'), object('d', '21')))
  source.last.fail(newResourceExpired('too old'))
  await clock.advance(800)
  t.same(told, ['delete b@2 unknown', 'update c@4 c@20', 'add d@21'])
})

t.test('what is stored decides: an ADDED of a known object is an update, a MODIFIED of an unknown one an addition, a DELETED of one nothing', async t => {
  const { informer, source } = start(t, new ScriptedSource(initial('7', object('a', '3'))))
  await settle()
  const told: string[] = []
  informer.addHandler(recording(told))
  told.splice(0)
  source.last.event('ADDED', object('a', '8')).event('MODIFIED', object('b', '9')).event('DELETED', object('x', '10')).event('MODIFIED', object('b', '9'))
  await settle()
  t.same(told, ['update a@3 a@8', 'add b@9'])
})

t.test('several handlers see the same; one that comes later is told at once; one that is removed no more; one that fails harms nobody', async t => {
  const { informer, source } = start(t, new ScriptedSource(initial('7', object('a', '3'))))
  const [first, second]: [string[], string[]] = [[], []]
  informer.addHandler({ onAdd: () => { throw new Error('mine') }, onUpdate: () => { throw new Error('mine') } })
  const registration = informer.addHandler(recording(first))
  await settle()
  informer.addHandler(recording(second))
  t.same(second, ['add a@3 initial'])
  source.last.event('MODIFIED', object('a', '8'))
  await settle()
  registration.remove()
  source.last.event('MODIFIED', object('a', '9'))
  await settle()
  t.same(first, ['add a@3 initial', 'update a@3 a@8'])
  t.same(second, ['add a@3 initial', 'update a@3 a@8', 'update a@8 a@9'])
})

t.test('a handler that adds a handler does not have it told twice', async t => {
  const { informer, source } = start(t, new ScriptedSource(initial('7')))
  await settle()
  const told: string[] = []
  const outer = informer.addHandler({ onAdd: () => { outer.remove(); informer.addHandler(recording(told)) } })
  source.last.event('ADDED', object('a', '8'))
  await settle()
  t.same(told, ['add a@8 initial'])
})

t.test('a resync tells those who asked for it, in their own time, of every object as it is', async t => {
  const { informer, clock } = start(t, new ScriptedSource(initial('7', object('a', '3'))))
  const [fast, slow, none]: [string[], string[], string[]] = [[], [], []]
  informer.addHandler(recording(fast), { resyncMs: 2_000 })
  informer.addHandler(recording(slow), { resyncMs: 3_000 })
  informer.addHandler(recording(none))
  await clock.advance(6_000)
  t.same(fast.slice(1), ['update a@3 a@3', 'update a@3 a@3', 'update a@3 a@3'])
  t.equal(slow.length, 3)
  t.same(none, ['add a@3 initial'])
})

t.test('it runs as long as one of its users does, and again after that', async t => {
  const { informer, source, stop, ended, clock } = start(t, new ScriptedSource(initial('7', object('a', '3'))))
  const second = new AbortController()
  const alsoEnded = informer.run(second.signal)
  await settle()
  stop.abort()
  await ended
  source.last.event('MODIFIED', object('a', '8'))
  await settle()
  t.same(informer.lister.list().map(version), ['a@8'], 'the other still runs it')
  second.abort()
  await alsoEnded
  t.ok(source.last.closed)
  t.equal(clock.timers, 0)
  source.append(initial('40', object('b', '39')))
  const third = new AbortController()
  const endedAgain = informer.run(third.signal)
  await settle()
  t.same(informer.lister.list().map(version), ['b@39'])
  third.abort()
  await endedAgain
})

t.test('waiting for it to sync ends with the signal', async t => {
  const { informer } = start(t, new ScriptedSource(new FakeWatch()))
  const signal = new AbortController()
  const synced = informer.whenSynced(signal.signal)
  signal.abort()
  t.equal(await synced, false)
})

t.test('what is stored can be made smaller', async t => {
  const { informer, source } = start(t, new ScriptedSource(initial('7', object('a', '3', { big: 'x' }))), { transform: o => ({ ...o, metadata: { ...o.metadata, labels: {} } }) })
  await settle()
  source.last.event('ADDED', object('b', '8', { big: 'y' }))
  await settle()
  t.same(informer.lister.list().map(o => o.metadata.labels), [{}, {}])
})

t.test('the lister finds by namespace, label and index, as objects come, change and go', async t => {
  const indexer = new Indexer<KubeObject>({ color: o => o.metadata.labels?.['color'] === undefined ? [] : [o.metadata.labels['color']] })
  const names = (found: KubeObject[]): string[] => found.map(o => o.metadata.name!).sort()
  indexer.set(object('a', '1', { color: 'red' }))
  indexer.set(object('b', '1', { color: 'blue' }))
  indexer.set(object('a', '1', { color: 'red' }, 'other'))
  indexer.set(object('c', '1'))
  t.same(names(indexer.list({ namespace: 'ns' })), ['a', 'b', 'c'])
  t.same(names(indexer.list({ namespace: 'ns', labelSelector: 'color in (red, blue)' })), ['a', 'b'])
  t.equal(indexer.byIndex('color', 'red').length, 2)
  indexer.set(object('a', '2', { color: 'blue' }))
  t.same(names(indexer.byIndex('color', 'blue')), ['a', 'b'])
  indexer.delete(object('a', '2', {}, 'other'))
  t.same(indexer.byIndex('color', 'red'), [])
  t.same(indexer.indexValues('color'), ['blue'], 'empty values are not kept')
  indexer.addIndexers({ version: o => [o.metadata.resourceVersion!] })
  t.same(names(indexer.byIndex('version', '1')), ['b', 'c'])
  t.throws(() => indexer.byIndex('size', '1'), { message: 'there is no index size' })
  t.throws(() => { indexer.addIndexers({ color: () => [] }) }, { message: 'there is already an index color' })
})
