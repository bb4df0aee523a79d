import fc from 'fast-check'
import t from 'tap'
import { DescribedKinds, groupResourceOf } from './described-kinds.js'
import { MetricIndex } from './metric-index.js'
import { sampleOf, type Sample } from './sample.js'

const kinds = new DescribedKinds([])

const samples: fc.Arbitrary<Sample> = fc.record({
  name: fc.constantFrom('a', 'b', 'c', 'd'),
  namespace: fc.constantFrom('one', 'two'),
  metric: fc.constantFrom('m', 'M', 'n'),
  about: fc.constantFrom(undefined, 'Pod/x', 'Pod/y', 'Node/x', 'Deployment/x'),
  value: fc.integer({ min: 0, max: 9 })
}).map(({ name, namespace, metric, about, value }) => sampleOf({
  apiVersion: '', kind: '', metadata: { name, namespace }, metric: { name: metric }, value,
  ...(about !== undefined && { describedObject: { kind: about.split('/')[0]!, name: about.split('/')[1]! } })
}, kinds)!)

const operations = fc.array(fc.oneof(
  { weight: 3, arbitrary: samples.map(set => ({ set })) },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom('one', 'two'), fc.constantFrom('a', 'b', 'c', 'd')).map(([ns, n]) => ({ remove: `${ns}/${n}` })) }
), { maxLength: 40 })

t.test('After any writes, lookups find what a search of all samples finds, and changes of names are told', t => {
  fc.assert(fc.property(operations, list => {
    const namesOf = (all: Iterable<Sample>): string => JSON.stringify([...new Set([...all].map(s => s.described === undefined ? s.metric.toLowerCase() : `${groupResourceOf(s.described.resource)}/${s.metric}`))].sort())
    const model = new Map<string, Sample>()
    let told = 0
    const index = new MetricIndex(() => { told++ })
    for (const operation of list) {
      const before = namesOf(model.values())
      told = 0
      if ('set' in operation) {
        model.set(operation.set.key, operation.set)
        index.set(operation.set)
      } else {
        model.delete(operation.remove)
        index.delete(operation.remove)
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
