import fc from 'fast-check'
import t from 'tap'
import { DescribedKinds, groupResourceOf } from './described-kinds.js'
import { LiveSamples } from './live-samples.js'
import { MetricIndex } from './metric-index.js'
import { sampleOf, type Sample } from './sample.js'

const kinds = new DescribedKinds([])

const samples: fc.Arbitrary<Sample> = fc.record({
  name: fc.constantFrom('a', 'b', 'c', 'd'),
  namespace: fc.constantFrom('one', 'two'),
  metric: fc.constantFrom('m', 'M', 'n'),
  about: fc.constantFrom(undefined, 'Pod/x', 'Pod/y', 'Node/x', 'Deployment/x'),
  value: fc.integer({ min: 0, max: 9 }),
  timestamp: fc.constantFrom('2026-05-06T07:00:00Z', '2026-05-06T07:00:01Z')
}).map(({ name, namespace, metric, about, value, timestamp }) => sampleOf({
  apiVersion: '', kind: '', metadata: { name, namespace }, metric: { name: metric }, value, timestamp,
  ...(about !== undefined && { describedObject: { kind: about.split('/')[0]!, name: about.split('/')[1]! } })
}, kinds)!)

const operations = fc.array(fc.oneof(
  { weight: 3, arbitrary: samples.map(set => ({ set })) },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom('one', 'two'), fc.constantFrom('a', 'b', 'c', 'd')).map(([ns, n]) => ({ remove: `${ns}/${n}` })) },
  { weight: 2, arbitrary: samples.map(live => ({ live })) },
  { weight: 1, arbitrary: fc.tuple(samples, fc.constantFrom('hide', 'release')).map(([{ key }, how]) => ({ key, how })) }
), { maxLength: 40 })

t.test('After any writes, of stored and of live samples, lookups find what a search of all samples finds, and changes of names are told', t => {
  fc.assert(fc.property(operations, list => {
    const namesOf = (all: Iterable<Sample>): string => JSON.stringify([...new Set([...all].map(s => s.described === undefined ? s.metric.toLowerCase() : `${groupResourceOf(s.described.resource)}/${s.metric}`))].sort())
    const stored = new Map<string, Sample>()
    const inFront = new Map<string, Sample | 'hidden'>()
    const model = new Map<string, Sample>()
    let told = 0
    const live = new LiveSamples()
    const index = new MetricIndex(() => { told++ }, live)
    for (const operation of list) {
      const before = namesOf(model.values())
      told = 0
      if ('set' in operation) {
        stored.set(operation.set.key, operation.set)
        index.set(operation.set)
      } else if ('remove' in operation) {
        stored.delete(operation.remove)
        index.delete(operation.remove)
      } else if ('live' in operation) {
        inFront.set(operation.live.key, operation.live)
        live.set(operation.live.key, operation.live)
      } else if (operation.how === 'hide') {
        inFront.set(operation.key, 'hidden')
        live.set(operation.key, 'hidden')
      } else {
        inFront.delete(operation.key)
        live.delete(operation.key)
      }
      model.clear()
      for (const [key, sample] of [...stored, ...inFront]) {
        const [live, behind] = [inFront.get(key), stored.get(key)]
        const newer = live === undefined || live === 'hidden' || behind === undefined ? undefined : behind.timestampMs > live.timestampMs ? behind : live
        if (live !== 'hidden' && (newer ?? sample) === sample && sample !== 'hidden') model.set(key, sample)
      }
      if ((before !== namesOf(model.values())) !== (told > 0)) return false
    }
    const sorted = (found: Iterable<Sample>): string => [...found].map(s => s.key + s.valueText).sort().join()
    const all = [...model.values()]
    const lookups: boolean[] = [index.size === all.length]
    for (const metric of ['m', 'M', 'n']) {
      for (const namespace of ['one', 'two']) {
        lookups.push(sorted(index.external(namespace, metric)) === sorted(all.filter(s => s.described === undefined && s.namespace === namespace && s.metric.toLowerCase() === metric.toLowerCase())))
      }
      for (const text of ['pods', 'nodes', 'deployments.apps']) {
        const resource = index.resolve(text)
        for (const namespace of ['one', 'two', undefined]) {
          for (const object of ['x', 'y', undefined]) {
            const wanted = all.filter(s => s.described !== undefined && groupResourceOf(s.described.resource) === text && s.metric === metric && (namespace ?? s.namespace) === s.namespace && (object ?? s.described.name) === s.described.name)
            lookups.push(sorted(resource === undefined ? [] : index.custom(resource, metric, { namespace, object })) === sorted(wanted))
          }
        }
      }
    }
    return lookups.every(Boolean)
  }), { numRuns: 500 })
  t.end()
})

t.test('A metric with one sample stays in discovery when that sample changes', t => {
  let told = 0
  const index = new MetricIndex(() => { told++ })
  const sample = (value: number): Sample => sampleOf({ apiVersion: '', kind: '', metadata: { name: 'a', namespace: 'one' }, value }, kinds)!
  index.set(sample(1))
  index.set(sample(2))
  t.equal(told, 1)
  t.same(index.externalNames(), ['a'])
  index.delete('one/a')
  t.equal(told, 2)
  t.same(index.externalNames(), [])
  t.end()
})

t.test('An index that is filled later has the live samples, until it is closed', async t => {
  const live = new LiveSamples()
  const sample = (key: string): Sample => sampleOf({ apiVersion: '', kind: '', metadata: { name: key, namespace: 'one' }, metric: { name: 'm' }, value: 1 }, kinds)!
  live.set('one/a', sample('a'))
  const [first, second] = [new MetricIndex(() => {}, live), new MetricIndex(() => {}, live)]
  t.same([first.size, second.size], [1, 1])
  first.close()
  live.set('one/b', sample('b'))
  t.same([first.size, second.size], [1, 2])
})
