import t, { type Test } from 'tap'
import type { KubeObject } from '../../registry/meta/object-meta.js'
import { newForbidden, newResourceExpired, newStatusError, newTooLargeResourceVersion, newTooManyRequests } from '../../registry/meta/status-error.js'
import { ConnectionError } from '../client/errors.js'
import type { ObjectList } from '../client/interfaces.js'
import { FakeClock, settle } from '../testing/fake-clock.js'
import { FakeWatch, ScriptedSource } from '../testing/scripted-source.js'
import { Reflector, type ReflectorOptions } from './reflector.js'

const object = (name: string, resourceVersion: string): KubeObject => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'ns', resourceVersion } })
const bookmark = (resourceVersion: string, end = false): KubeObject => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { resourceVersion, ...(end && { annotations: { 'k8s.io/initial-events-end': 'true' } }) } })
const listOf = (resourceVersion: string, ...items: KubeObject[]): ObjectList<KubeObject> => ({ resourceVersion, items })
const initial = (resourceVersion: string, ...objects: KubeObject[]): FakeWatch => {
  const watch = new FakeWatch()
  objects.forEach(o => { watch.event('ADDED', o) })
  return watch.event('BOOKMARK', bookmark(resourceVersion, true))
}
const expired = newResourceExpired('too old resource version: 5 (10)')
const refused = new ConnectionError('connect ECONNREFUSED', { code: 'ECONNREFUSED' })
const unknownOption = newStatusError({ code: 422, reason: 'Invalid', message: 'sendInitialEvents: Forbidden' })

/** Runs a reflector over a script; the store is told as lines of text. */
function start (t: Test, source: ScriptedSource, options: Partial<ReflectorOptions<KubeObject>> = {}): { clock: FakeClock, source: ScriptedSource, reflector: Reflector<KubeObject>, told: string[], stop: AbortController, ended: Promise<void> } {
  const clock = new FakeClock()
  const told: string[] = []
  const tell = (what: string) => (o: KubeObject): void => { told.push(`${what} ${o.metadata.name}@${o.metadata.resourceVersion}`) }
  const store = { add: tell('add'), update: tell('update'), delete: tell('delete'), replace: (objects: readonly KubeObject[]): void => { told.push(`replace ${objects.map(o => o.metadata.name).join(',')}`) } }
  const reflector = new Reflector<KubeObject>({ source, store, clock, random: () => 0, ...options })
  const stop = new AbortController()
  const ended = reflector.run(stop.signal)
  t.teardown(async () => {
    stop.abort()
    await ended
  })
  return { clock, source, reflector, told, stop, ended }
}

t.test('the initial objects come as a stream, which goes on as the watch', async t => {
  const { source, told, reflector } = start(t, new ScriptedSource(initial('7', object('a', '3'), object('b', '2'))))
  await settle()
  t.same(source.requests, [{ verb: 'watch', resourceVersion: '', resourceVersionMatch: 'NotOlderThan', sendInitialEvents: true, timeoutSeconds: 300, allowWatchBookmarks: true }])
  t.same(told, ['replace a,b'])
  t.equal(reflector.lastSyncResourceVersion, '7')
  source.last.event('MODIFIED', object('a', '8')).event('DELETED', object('b', '9')).event('ADDED', object('c', '10')).event('BOOKMARK', bookmark('12'))
  await settle()
  t.same(told.slice(1), ['update a@8', 'delete b@9', 'add c@10'])
  t.equal(reflector.lastSyncResourceVersion, '12')
  t.equal(source.requests.length, 1)
})

t.test('changes during the initial stream are applied to what is being collected', async t => {
  const watch = new FakeWatch().event('ADDED', object('a', '3')).event('ADDED', object('b', '4')).event('MODIFIED', object('a', '5')).event('DELETED', object('b', '6')).event('BOOKMARK', bookmark('6', true))
  const { told } = start(t, new ScriptedSource(watch))
  await settle()
  t.same(told, ['replace a'])
})

t.test('a server that does not stream is listed, from its cache, and watched from there', async t => {
  const { source, told } = start(t, new ScriptedSource(unknownOption, listOf('7', object('a', '3'))))
  await settle()
  t.match(source.requests, [{ verb: 'watch', sendInitialEvents: true }, { verb: 'list', resourceVersion: '0' }, { verb: 'watch', resourceVersion: '7', sendInitialEvents: undefined, allowWatchBookmarks: true }])
  t.same(told, ['replace a'])
})

t.test('a stream that ends before its bookmark changes nothing, and is tried again', async t => {
  const { source, told, clock } = start(t, new ScriptedSource(new FakeWatch().event('ADDED', object('a', '3')).end(), initial('9', object('b', '4'))))
  await settle()
  t.same(told, [])
  await clock.advance(800)
  t.same(told, ['replace b'])
  t.equal(source.requests.length, 2)
})

t.test('a server that never says where the initial events end is listed', async t => {
  const { source, told, clock } = start(t, new ScriptedSource(new FakeWatch().event('ADDED', object('a', '3')), listOf('7', object('a', '3'))))
  await clock.advance(29_000)
  t.equal(source.requests.length, 1)
  await clock.advance(2_000)
  t.match(source.requests.slice(1), [{ verb: 'list' }, { verb: 'watch', resourceVersion: '7' }])
  t.same(told, ['replace a'])
})

for (const [name, change, version] of [
  ['the last event', (w: FakeWatch) => w.event('MODIFIED', object('a', '8')), '8'],
  ['the last bookmark', (w: FakeWatch) => w.event('MODIFIED', object('a', '8')).event('BOOKMARK', bookmark('20')), '20'],
  ['the initial bookmark, if nothing came since', (w: FakeWatch) => w, '7']
] as const) {
  t.test(`a watch that the server ends is resumed from ${name}`, async t => {
    const { source, clock, told } = start(t, new ScriptedSource(initial('7', object('a', '3'))))
    await clock.advance(5_000)
    change(source.last).end()
    await clock.advance(800)
    t.match(source.requests[1], { verb: 'watch', resourceVersion: version, sendInitialEvents: undefined })
    t.equal(told.filter(x => x.startsWith('replace')).length, 1, 'nothing is listed again')
  })
}

t.test('410', async t => {
  for (const [how, fail] of [
    ['as an event of the watch', async (s: ScriptedSource) => { s.last.fail(expired) }],
    ['as the answer to opening the watch', async (s: ScriptedSource) => {
      s.append(expired)
      s.last.end()
    }]
  ] as const) {
    t.test(`${how}: everything again, no older than what was seen`, async t => {
      const { source, clock, told } = start(t, new ScriptedSource(initial('7', object('a', '3'))))
      await clock.advance(5_000)
      await fail(source)
      await settle()
      source.append(initial('30', object('b', '28')))
      await clock.advance(2_000)
      t.match(source.requests.at(-1), { verb: 'watch', sendInitialEvents: true, resourceVersion: '7' })
      t.same(told, ['replace a', 'replace b'])
    })
  }
  t.test('for that too: everything, whatever its version', async t => {
    const { source, clock, told } = start(t, new ScriptedSource(initial('7', object('a', '3'))))
    await clock.advance(5_000)
    source.append(expired, initial('30', object('b', '28')))
    source.last.fail(expired)
    await clock.advance(800)
    t.same(source.requests.slice(1).map(r => [r.verb, r.resourceVersion]), [['watch', '7'], ['watch', '']])
    t.same(told, ['replace a', 'replace b'])
  })
})

for (const [name, error] of [['expired', expired], ['too large', newTooLargeResourceVersion(99n, 5n, 1)]] as const) {
  t.test(`a list from a version that is ${name} is repeated without one, and later lists start from what that returned`, async t => {
    const { source, clock } = start(t, new ScriptedSource(listOf('10', object('a', '3'))), { useWatchList: false })
    await clock.advance(5_000)
    source.append(error, listOf('12'), new FakeWatch().fail(expired), listOf('14'))
    source.last.fail(expired)
    await clock.advance(5_000)
    t.same(source.requests.filter(r => r.verb === 'list').map(r => r.resourceVersion), ['0', '10', '', '12'])
  })
}

t.test('a version that can be listed and not be watched is not listed for ever', async t => {
  const { source, clock, told } = start(t, new ScriptedSource(listOf('10', object('a', '3'))), { useWatchList: false })
  await clock.advance(5_000)
  // A server without a cache lists exactly what it is asked for; its watches begin later.
  source.append(listOf('10', object('a', '3')), new FakeWatch().fail(expired), listOf('30', object('b', '28')))
  source.last.fail(expired)
  await clock.advance(10_000)
  t.same(source.requests.filter(r => r.verb === 'list').map(r => r.resourceVersion), ['0', '10', ''])
  t.same(source.requests.at(-1)?.resourceVersion, '30')
  t.same(told, ['replace a', 'replace a', 'replace b'])
})

t.test('lists are paged only where that costs the server nothing', async t => {
  for (const { name, first, pageSize, limits } of [
    { name: 'the server serves lists from its cache', first: listOf('10'), pageSize: undefined, limits: [undefined, 0] },
    { name: 'the server has no cache, as it pages at once', first: { ...listOf('10'), paginated: true }, pageSize: undefined, limits: [undefined, undefined] },
    { name: 'the page size is ours to say', first: listOf('10'), pageSize: 2, limits: [2, 0] }
  ]) {
    t.test(name, async t => {
      const { source, clock } = start(t, new ScriptedSource(first), { useWatchList: false, ...(pageSize !== undefined && { pageSize }) })
      await clock.advance(5_000)
      source.append(listOf('11'))
      source.last.fail(expired)
      await clock.advance(2_000)
      t.same(source.requests.filter(r => r.verb === 'list').map(r => r.limit), limits)
    })
  }
})

for (const [name, error] of [['refuses connections', refused], ['has too much to do', newTooManyRequests('later', 1)], ['resets connections', new ConnectionError('reset', { code: 'ECONNRESET' })]] as const) {
  t.test(`while the server ${name}, the watch waits longer and longer and nothing is listed`, async t => {
    const { source, clock, told } = start(t, new ScriptedSource(initial('7', object('a', '3'))))
    await clock.advance(200_000)
    const before = source.requests.length
    source.append(...Array.from({ length: 8 }, () => error))
    source.last.end()
    await settle()
    const waits: number[] = []
    while (source.requests.length < before + 9) {
      const asked = source.requests.length
      const start = clock.monotonicMs()
      while (source.requests.length === asked) await clock.advanceToNextTimer()
      waits.push(clock.monotonicMs() - start)
    }
    t.same(waits, [800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000])
    t.ok(source.requests.slice(before).every(r => r.verb === 'watch' && r.resourceVersion === '7' && !('sendInitialEvents' in r)))
    t.same(told, ['replace a'])
  })
}

t.test('a watch that ends at once and empty is opened again after a wait, from the same version', async t => {
  const { source, clock } = start(t, new ScriptedSource(initial('7')))
  await clock.advance(5_000)
  source.append(new FakeWatch().end(), new FakeWatch().end())
  source.last.end()
  await settle()
  t.equal(source.requests.length, 2, 'the first had lasted')
  await clock.advance(799)
  t.equal(source.requests.length, 2)
  await clock.advance(1)
  t.equal(source.requests.length, 3)
  await clock.advance(1_600)
  t.same(source.requests.slice(1).map(r => r.resourceVersion), ['7', '7', '7'])
})

t.test('an error that is not about the connection starts everything again, after a wait that grows and is forgotten in two good minutes', async t => {
  const forbidden = newForbidden({ group: '', resource: 'configmaps' }, '', 'no')
  const { source, clock, told } = start(t, new ScriptedSource(forbidden, forbidden, forbidden, forbidden, initial('7')))
  await clock.advance(799)
  t.equal(source.requests.length, 2)
  await clock.advance(1)
  t.equal(source.requests.length, 4)
  await clock.advance(1_599)
  t.equal(source.requests.length, 4)
  await clock.advance(1)
  t.same(told, ['replace '])
  await clock.advance(130_000)
  source.append(forbidden, forbidden)
  source.last.fail(forbidden)
  await clock.advance(800)
  t.equal(source.requests.length, 7, 'after 800 ms again')
})

t.test('a watch over which nothing comes is opened again; bookmarks keep it for an idle hour, until its time is over', async t => {
  const { source, clock } = start(t, new ScriptedSource(initial('7')))
  await clock.advance(179_000)
  t.equal(source.requests.length, 1)
  const first = source.last
  await clock.advance(2_000)
  t.equal(source.requests.length, 2)
  t.ok(first.closed)
  t.match(source.requests[1], { verb: 'watch', resourceVersion: '7' })
  let opened = 0
  for (let minute = 1; minute <= 60; minute++) {
    const before = source.last
    source.last.event('BOOKMARK', bookmark(String(100 + minute)))
    await clock.advance(60_000)
    if (source.last !== before) opened++
  }
  t.equal(opened, 11, 'a server that does not keep the 300 s that it was asked for is left 10 s later')
  t.ok(source.requests.every(r => r.verb === 'watch'))
})

t.test('a watch is asked to end after five to ten minutes', async t => {
  for (const [random, seconds] of [[0, 300], [0.5, 450], [0.999, 599]] as const) {
    const { source } = start(t, new ScriptedSource(initial('7')), { random: () => random })
    await settle()
    t.equal((source.requests[0] as { timeoutSeconds: number }).timeoutSeconds, seconds)
  }
})

t.test('a request that is never answered is given up', async t => {
  const source = new ScriptedSource()
  const opened: AbortSignal[] = []
  source.watch = async (_options, { signal }) => {
    opened.push(signal!)
    return await new Promise((_resolve, reject) => { signal!.addEventListener('abort', () => { reject(new Error('aborted')) }) })
  }
  const { clock } = start(t, source)
  await clock.advance(30_000)
  t.ok(opened[0]!.aborted)
  await clock.advance(800)
  t.equal(opened.length, 2)
})

t.test('stopping ends it in every state, and leaves no timer', async t => {
  for (const [name, source, ms] of [
    ['streaming the initial objects', new ScriptedSource(new FakeWatch()), 0],
    ['watching', new ScriptedSource(initial('7')), 5_000],
    ['waiting after an error', new ScriptedSource(newForbidden({ group: '', resource: 'x' }, '', ''), newForbidden({ group: '', resource: 'x' }, '', '')), 0],
    ['waiting for the server', new ScriptedSource(refused), 0]
  ] as const) {
    const { clock, stop, ended } = start(t, source)
    await clock.advance(ms)
    stop.abort()
    await ended
    t.equal(clock.timers, 0, name)
    t.ok(source.last.closed || source.requests.length > 0)
  }
})

t.test('selectors are asked for with every request', async t => {
  const { source } = start(t, new ScriptedSource(unknownOption, listOf('7')), { select: { namespace: 'ns', labelSelector: 'a=b', fieldSelector: 'metadata.name=x' } })
  await settle()
  t.equal(source.requests.length, 3)
  for (const request of source.requests) t.match(request, { namespace: 'ns', labelSelector: 'a=b', fieldSelector: 'metadata.name=x' })
})

t.test('whatever fails between, the store ends with what the server said last', async t => {
  const broken = newForbidden({ group: '', resource: 'configmaps' }, '', 'not now')
  const [a, b, c] = [object('a', '3'), object('b', '8'), object('c', '9')]
  for (const { name, script, expected } of [
    { name: 'nothing', script: [listOf('7', a), new FakeWatch().event('ADDED', b)], expected: ['a@3', 'b@8'] },
    { name: 'the first list', script: [broken, listOf('7', a), new FakeWatch().event('DELETED', object('a', '8'))], expected: [] },
    { name: 'opening the watch', script: [listOf('7', a), broken, listOf('9', b), new FakeWatch().event('ADDED', c)], expected: ['b@8', 'c@9'] },
    { name: 'the watch, after events', script: [listOf('7', a), new FakeWatch().event('ADDED', b).fail(broken), listOf('9', a, b, c)], expected: ['a@3', 'b@8', 'c@9'] },
    { name: 'the watch, and the list after it', script: [listOf('7', a), new FakeWatch().event('ADDED', b).fail(broken), broken, refused, listOf('9', c)], expected: ['c@9'] },
    { name: 'the connection, which takes no list', script: [listOf('7', a), new FakeWatch().event('ADDED', b).fail(refused), refused, new FakeWatch().event('ADDED', c).event('DELETED', object('a', '10'))], expected: ['b@8', 'c@9'] },
    { name: 'the version, twice', script: [listOf('7', a), new FakeWatch().fail(expired), expired, listOf('20', b), new FakeWatch().fail(expired), listOf('21', c)], expected: ['c@9'] }
  ] as const) {
    const stored = new Map<string, string>()
    const set = (o: KubeObject): void => { stored.set(o.metadata.name!, o.metadata.resourceVersion!) }
    const { clock } = start(t, new ScriptedSource<KubeObject>(...script), {
      useWatchList: false,
      store: { add: set, update: set, delete: o => { stored.delete(o.metadata.name!) }, replace: objects => { stored.clear(); objects.forEach(set) } }
    })
    await clock.advance(60_000)
    t.same([...stored].map(([key, version]) => `${key}@${version}`).sort(), expected, name)
  }
})
