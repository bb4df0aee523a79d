import t, { type Test } from 'tap'
import type { KubeObject, OwnerReference } from '../registry/meta/object-meta.js'
import { Controller, type ControllerOptions } from './controller.js'
import { Informer } from './informer/informer.js'
import { LeadershipLostError } from './leader-election/leadership-lost-error.js'
import { TerminalError } from './reconciler.js'
import { controllerReference, mapped, objectsOf, ownersOf } from './sources.js'
import { FakeClock, settle } from './testing/fake-clock.js'
import { FakeWatch, ScriptedSource } from './testing/scripted-source.js'

const object = (name: string, resourceVersion = '1', ownerReferences: OwnerReference[] = []): KubeObject => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'ns', resourceVersion, uid: `uid-${name}`, ownerReferences } })
const initial = (...objects: KubeObject[]): FakeWatch => {
  const watch = new FakeWatch()
  objects.forEach(o => { watch.event('ADDED', o) })
  return watch.event('BOOKMARK', { apiVersion: 'v1', kind: 'ConfigMap', metadata: { resourceVersion: '7', annotations: { 'k8s.io/initial-events-end': 'true' } } })
}
interface Started { clock: FakeClock, source: ScriptedSource, controller: Controller, stop: AbortController, ended: Promise<void> }

function start (t: Test, source: ScriptedSource, options: Pick<ControllerOptions, 'reconcile'> & Partial<ControllerOptions>): Started {
  const clock = new FakeClock()
  const informer = new Informer<KubeObject>({ source, clock })
  const controller = new Controller({ name: 'test', sources: [objectsOf(informer)], clock, ...options })
  const stop = new AbortController()
  const ended = controller.run(stop.signal)
  t.teardown(async () => { stop.abort(new LeadershipLostError('over')); await ended })
  return { clock, source, controller, stop, ended }
}

t.test('every object is reconciled once the caches are full, and then whenever it changes or goes', async t => {
  const seen: string[] = []
  const { source } = start(t, new ScriptedSource(new FakeWatch()), { reconcile: async ({ namespace, name }) => { seen.push(`${namespace}/${name}`) } })
  await settle()
  source.last.event('ADDED', object('a'))
  await settle()
  t.same(seen, [], 'not before')
  source.last.event('BOOKMARK', { apiVersion: 'v1', kind: 'ConfigMap', metadata: { resourceVersion: '7', annotations: { 'k8s.io/initial-events-end': 'true' } } })
  await settle()
  source.last.event('MODIFIED', object('a', '8')).event('ADDED', object('b', '9'))
  await settle()
  source.last.event('DELETED', object('b', '10'))
  await settle()
  t.same(seen, ['ns/a', 'ns/a', 'ns/b', 'ns/b'])
})

t.test('what fails is tried again, later each time; success forgets the failures', async t => {
  const times: number[] = []
  const { clock } = start(t, new ScriptedSource(initial(object('a'))), {
    reconcile: async () => {
      times.push(Math.round(clock.monotonicMs()))
      if (times.length <= 4) throw new Error('not yet')
      return times.length === 5 ? { requeueAfterMs: 1000 } : undefined
    }
  })
  await clock.advance(5_000)
  t.same(times, [0, 5, 15, 35, 75, 1075])
})

t.test('a reconcile that asks for it is repeated later each time, as if it had failed, until it does not ask any more', async t => {
  const times: number[] = []
  const { clock } = start(t, new ScriptedSource(initial(object('a'))), {
    reconcile: async () => ({ backoff: times.push(Math.round(clock.monotonicMs())) <= 3 })
  })
  await clock.advance(60_000)
  t.same(times, [0, 5, 15, 35])
})

t.test('a TerminalError is not tried again until the object changes', async t => {
  let calls = 0
  const { clock, source } = start(t, new ScriptedSource(initial(object('a'))), { reconcile: async () => { calls++; throw new TerminalError('never') } })
  await clock.advance(120_000)
  t.equal(calls, 1)
  source.last.event('MODIFIED', object('a', '8'))
  await settle()
  t.equal(calls, 2)
})

t.test('workers reconcile different names at once, never one name twice', async t => {
  const running = new Map<string, () => void>()
  const { source } = start(t, new ScriptedSource(initial(object('a'), object('b'), object('c'))), {
    workers: 2,
    reconcile: async ({ name }) => {
      if (running.has(name)) throw new Error('twice')
      await new Promise<void>(resolve => { running.set(name, resolve) })
      running.delete(name)
    }
  })
  await settle()
  t.same([...running.keys()], ['a', 'b'])
  source.last.event('MODIFIED', object('a', '8'))
  await settle()
  t.same([...running.keys()], ['a', 'b'])
  running.get('b')!()
  await settle()
  t.same([...running.keys()], ['a', 'c'])
  running.get('a')!()
  await settle()
  t.same([...running.keys()].sort(), ['a', 'c'], 'a again, as it changed meanwhile')
  for (let i = 0; i < 3; i++) { running.forEach(resolve => { resolve() }); await settle() }
})

t.test('stopping', async t => {
  t.test('waits for what is under way, and takes nothing more', async t => {
    const seen: string[] = []
    let finish = (): void => undefined
    const { stop, ended, source } = start(t, new ScriptedSource(initial(object('a'), object('b'))), {
      reconcile: async ({ name }, signal) => {
        await new Promise<void>(resolve => { finish = resolve })
        seen.push(`${name} ${signal.aborted}`)
      }
    })
    await settle()
    stop.abort()
    let over = false
    void ended.then(() => { over = true })
    await settle()
    t.notOk(over)
    finish()
    await ended
    t.same(seen, ['a false'])
    t.ok(source.last.closed)
  })
  t.test('aborts what takes longer than the grace period', async t => {
    const { clock, stop, ended } = start(t, new ScriptedSource(initial(object('a'))), {
      stopGraceMs: 500,
      reconcile: async (_request, signal) => { await new Promise((_resolve, reject) => { signal.addEventListener('abort', () => { reject(signal.reason) }) }) }
    })
    await settle()
    stop.abort()
    await clock.advance(499)
    t.equal(clock.timers, 1)
    await clock.advance(1)
    await ended
  })
  t.test('aborts at once when the leadership was lost', async t => {
    let reason: unknown
    const { stop, ended } = start(t, new ScriptedSource(initial(object('a'))), {
      reconcile: async (_request, signal) => { await new Promise<void>(resolve => { signal.addEventListener('abort', () => { reason = signal.reason; resolve() }) }) }
    })
    await settle()
    stop.abort(new LeadershipLostError('lost'))
    await ended
    t.type(reason, LeadershipLostError)
  })
  t.test('works before the caches are full', async t => {
    const { stop, ended } = start(t, new ScriptedSource(new FakeWatch()), { reconcile: async () => { t.fail('nothing to reconcile') } })
    await settle()
    stop.abort()
    await ended
  })
  t.test('is no end: it can run again', async t => {
    const seen: string[] = []
    const { controller, source, stop, ended } = start(t, new ScriptedSource(initial(object('a'))), { reconcile: async ({ name }) => { seen.push(name) } })
    await settle()
    stop.abort()
    await ended
    source.append(initial(object('a'), object('b', '9')))
    const again = new AbortController()
    const endedAgain = controller.run(again.signal)
    await settle()
    again.abort()
    await endedAgain
    t.same(seen, ['a', 'a', 'b'])
  })
})

t.test('a change of an owned object reconciles its controller, of an update the old and the new one', async t => {
  const clock = new FakeClock()
  const owner = (name: string): KubeObject => ({ apiVersion: 'example.com/v1', kind: 'WebApp', metadata: { name, namespace: 'ns', uid: `uid-${name}` } })
  const [one, two] = [controllerReference(owner('one')), controllerReference(owner('two'))]
  const source = new ScriptedSource(initial(
    object('a', '1', [{ ...one, controller: false }, two]), object('b', '2', [{ ...one, kind: 'Other' }]), object('c', '3', [{ ...one, apiVersion: 'other.com/v1' }]), object('d', '4')
  ))
  const informer = new Informer<KubeObject>({ source, clock })
  const seen: string[] = []
  const { controller } = start(t, source, {
    sources: [ownersOf(informer, { group: 'example.com', kind: 'WebApp' }), mapped(informer, o => o.metadata.name === 'd' ? [{ name: 'mapped' }] : [])],
    reconcile: async ({ name }) => { seen.push(name) }
  })
  await settle()
  t.same(seen.splice(0), ['two', 'mapped'])
  source.last.event('MODIFIED', object('a', '8', [one]))
  await settle()
  t.same(seen.splice(0), ['two', 'one'])
  controller.enqueue({ name: 'by hand' })
  await settle()
  t.same(seen, ['by hand'])
  t.throws(() => controllerReference({ apiVersion: 'v1', kind: 'X', metadata: { name: 'a' } }), TypeError)
})
