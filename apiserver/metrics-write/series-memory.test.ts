import fc from 'fast-check'
import t from 'tap'
import type { MetricMapping, MetricMappingSpec } from '../../registry/metrics.example.com/metricmappings/types.js'
import { DescribedKinds } from '../metrics-api/described-kinds.js'
import { LiveSamples } from '../metrics-api/live-samples.js'
import { compileMapping, type CompiledMapping } from './compiled-mapping.js'
import { SeriesMemory, type SeriesLimits } from './series-memory.js'
import { TimeSlice } from './time-slice.js'
import { seriesKey, type WrittenSeries } from './written-series.js'

const kinds = new DescribedKinds([])
const start = Date.parse('2026-05-06T07:00:00Z')

function mapping (name: string, spec: Partial<MetricMappingSpec>, { namespace = 'shop', generation = 1, created = 0 } = {}): CompiledMapping {
  return compileMapping({
    apiVersion: 'metrics.example.com/v1alpha1', kind: 'MetricMapping',
    metadata: { name, namespace, uid: `uid-${name}`, generation, creationTimestamp: new Date(start - 3_600_000 + created * 1000).toISOString() },
    spec: { series: { name: 'm' }, metric: { name: 'm' }, ...spec }
  } as MetricMapping, kinds)
}

/** A memory whose clock the test sets; times are in seconds from its start. */
function memory (limits: Partial<SeriesLimits> = {}): { memory: SeriesMemory; values: () => Record<string, string>; hidden: () => string[]; write: (...samples: [labels: Record<string, string>, ...points: [number, number | 'stale'][]][]) => Promise<string | undefined>; at: (seconds: number) => Promise<void> } {
  const live = new LiveSamples()
  let now = start
  const made = new SeriesMemory({ limits: { perMapping: 100, perNamespace: 100, total: 100, ...limits }, live, ttlMs: 300_000, clockSkewMs: 60_000, now: () => now })
  return {
    memory: made,
    values: () => Object.fromEntries([...live.keys()].flatMap(key => {
      const sample = live.at(key)
      return sample === undefined || sample === 'hidden' ? [] : [[`${sample.metric}${sample.described === undefined ? '' : `/${sample.described.name}`}${sample.labelsKey === '[]' ? '' : sample.labelsKey}`, sample.valueText]]
    }).sort(([a], [b]) => a! < b! ? -1 : 1) as [string, string][]),
    hidden: () => [...live.keys()].filter(key => live.at(key) === 'hidden'),
    write: async (...samples) => (await made.write('shop', samples.map(([labels, ...points]): WrittenSeries => ({
      labels: new Map(Object.entries({ __name__: 'm', ...labels })),
      points: points.map(([seconds, value]) => ({ timestampMs: start + seconds * 1000, value: value === 'stale' ? NaN : value, stale: value === 'stale' }))
    })))).message,
    at: async seconds => {
      now = start + seconds * 1000
      await made.sweep()
    }
  }
}

/** Gives way wherever it may. */
function alwaysOver (): TimeSlice {
  let ms = 0
  return new TimeSlice(() => ms++)
}

t.test('A series is the same in whatever order its labels come, and another one with any other label', async () => {
  const labels = fc.dictionary(fc.string({ maxLength: 3 }), fc.string({ maxLength: 3 }), { maxKeys: 4 })
  const pairs = (of: Record<string, string>): [string, string][] => Object.entries(of).sort(([a], [b]) => a < b ? -1 : 1)
  fc.assert(fc.property(labels, labels, (a, b) => {
    const same = JSON.stringify(pairs(a)) === JSON.stringify(pairs(b))
    return seriesKey(new Map(pairs(a))) === seriesKey(new Map(pairs(a).reverse())) && same === (seriesKey(new Map(pairs(a))) === seriesKey(new Map(pairs(b))))
  }))
})

t.test('Every function, of series that fall together', async t => {
  for (const [name, expected] of [['Latest', '50'], ['Rate', '1334m'], ['Increase', '40'], ['Sum', '120'], ['Avg', '20'], ['Max', '40']] as const) {
    const { memory: m, write, values } = memory()
    m.setMapping(mapping('x', { function: name, ...(name !== 'Latest' && { windowSeconds: 60 }) }))
    t.equal(await write([{ a: '1' }, [-30, 10], [-15, 20], [0, 40]], [{ a: '2' }, [-30, 40], [-15, 0], [0, 10]]), undefined)
    t.equal(values()['m'], expected, name)
  }
})

t.test('Objects, labels and names come from the series', async t => {
  const { memory: m, write, values } = memory()
  m.setMapping(mapping('x', { series: { matchers: [{ label: '__name__', operator: '=~', value: 'm|n' }] }, metric: { name: '${__name__}_of_${job}' }, describedObject: { kind: 'Pod', nameLabel: 'pod' }, labels: ['verb', 'none'] }))
  await write([{ pod: 'p', job: 'j', verb: 'GET', path: '/a' }, [0, 1]], [{ pod: 'p', job: 'j', verb: 'GET', path: '/b' }, [0, 2]], [{ pod: 'p', job: 'j', verb: 'PUT' }, [0, 5]], [{ __name__: 'n', pod: 'q', job: 'j' }, [0, 7]], [{ __name__: 'other', pod: 'p', job: 'j' }, [0, 9]], [{ job: 'j' }, [0, 9]])
  t.same(values(), { 'm_of_j/p[["verb","GET"]]': '3', 'm_of_j/p[["verb","PUT"]]': '5', 'n_of_j/q': '7' })
  t.match([...m.state('shop', 'x')!.problems.states(start)], [{ type: 'LabelMissing', present: true, message: 'm{job="j"} has no label pod, which names the described Pod' }])
})

t.test('Series expire by their latest sample, and the rest is computed anew', async t => {
  const { memory: m, write, values, at } = memory()
  m.setMapping(mapping('x', { ttlSeconds: 60 }))
  await write([{ a: '1' }, [0, 1]], [{ a: '2' }, [30, 2]])
  t.same([values(), m.size], [{ m: '3' }, 2])
  await at(61)
  t.same([values(), m.size], [{ m: '2' }, 1])
  await at(91)
  t.same([values(), m.size], [{ m: '2' }, 0], 'the last value stays, for the reader to say that it expired')
  await at(91 + 601)
  t.same([values(), m.state('shop', 'x')!.metrics.size], [{}, 0])
  t.equal(await write([{ a: '1' }, [0, 5]]), undefined, 'what would be forgotten at once is no mistake')
  t.equal(m.size, 0)
})

t.test('A stale marker ends its series at once', async t => {
  const { memory: m, write, values } = memory()
  m.setMapping(mapping('x', {}))
  await write([{ a: '1' }, [0, 1]], [{ a: '2' }, [0, 2]])
  t.equal(await write([{ a: '1' }, [10, 'stale']]), undefined)
  t.same(values(), { m: '2' })
  t.equal(await write([{ a: '2' }, [-10, 'stale']]), undefined, 'an old one ends nothing')
  t.same(values(), { m: '2' })
  await write([{ a: '2' }, [10, 'stale']])
  t.same([values(), m.size], [{}, 0])
  await write([{ a: '2' }, [20, 7]])
  t.same(values(), { m: '7' })
})

t.test('Limits refuse new series, of a mapping, a namespace and the server', async t => {
  for (const [limits, message] of [[{ perMapping: 2 }, /one more than the 2 series that a MetricMapping may hold/], [{ perNamespace: 2 }, /one more than the 2 series that a namespace may hold/], [{ total: 2 }, /one more than the 2 series that this server holds/]] as const) {
    const { memory: m, write, values, at } = memory(limits)
    m.setMapping(mapping('x', { ttlSeconds: 60 }))
    t.match(await write([{ a: '1' }, [0, 1]], [{ a: '2' }, [0, 2]], [{ a: '3' }, [0, 4]]), message)
    t.same(values(), { m: '3' })
    t.equal(await write([{ a: '1' }, [1, 8]]), undefined, 'those that are there go on')
    t.same(values(), { m: '10' })
    await at(100)
    t.equal(await write([{ a: '3' }, [100, 4]]), undefined, 'room again')
  }
})

t.test('Of mappings that make the same metric the oldest counts, whichever came first', async t => {
  const { memory: m, write, values, hidden } = memory()
  m.setMapping(mapping('young', { function: 'Max', windowSeconds: 60 }, { created: 2 }))
  await write([{ a: '1' }, [0, 1]], [{ a: '2' }, [0, 2]])
  t.same(values(), { m: '2' })
  m.setMapping(mapping('old', {}, { created: 1 }))
  await write([{ a: '1' }, [1, 1]], [{ a: '2' }, [1, 2]])
  t.same([values(), hidden().length], [{ m: '3' }, 1])
  t.match([...m.state('shop', 'young')!.problems.states(start)], [{ type: 'Conflicting', message: 'the metric m is made by the older MetricMapping old already, whose value counts' }])
  m.deleteMapping('shop', 'old')
  t.same([values(), hidden().length], [{ m: '2' }, 0])
})

t.test('A mapping has received what it cannot take, for its status is to say why', async t => {
  const { memory: m, write } = memory()
  m.setMapping(mapping('x', { describedObject: { kind: 'Pod', nameLabel: 'pod' } }))
  m.setMapping(mapping('y', {}))
  await write([{ a: '1' }, [3600, 1]])
  t.same(['x', 'y'].map(name => [m.state('shop', name)!.receivedMs, m.state('shop', name)!.lastSampleMs]), [[start, undefined], [start, undefined]])
})

t.test('A younger mapping goes on when the series of the oldest have expired, until they come back', async t => {
  const { memory: m, write, hidden, at } = memory()
  m.setMapping(mapping('old', { series: { name: 'm', matchers: [{ label: 'from', value: 'old' }] }, ttlSeconds: 60 }))
  m.setMapping(mapping('young', { series: { name: 'm', matchers: [{ label: 'from', value: 'young' }] }, ttlSeconds: 60 }, { created: 1 }))
  const made = (name: string): string => [...m.state('shop', name)!.metrics.values()][0]!.sampleKey
  const counts = (name: string): boolean => m.counts([...m.state('shop', name)!.metrics.values()][0]!)
  await write([{ from: 'old' }, [0, 1]], [{ from: 'young' }, [0, 2]])
  t.same(hidden(), [made('young')])
  await at(50)
  await write([{ from: 'young' }, [50, 3]])
  t.same(hidden(), [made('young')])
  await at(61)
  t.same(hidden(), [], 'at once, without another sample')
  t.same([counts('old'), counts('young')], [false, true])
  await write([{ from: 'young' }, [60, 4]])
  t.same(hidden(), [])
  await write([{ from: 'old' }, [61, 5]])
  t.same(hidden(), [made('young')])
  t.same([counts('old'), counts('young')], [true, false])
})

t.test('A value that is no number leaves nothing, until the next one', async t => {
  const { memory: m, write, values, hidden } = memory()
  m.setMapping(mapping('x', {}))
  await write([{ a: '1' }, [0, 1]], [{ a: '2' }, [0, NaN]])
  t.same([values(), hidden().length], [{}, 1])
  await write([{ a: '2' }, [1, 1e16]])
  t.same([values(), hidden().length], [{}, 1], 'more than an autoscaler can count')
  await write([{ a: '2' }, [2, 4]])
  t.same([values(), hidden().length], [{ m: '5' }, 0])
})

t.test('The same generation again changes nothing, another one begins anew', async t => {
  const { memory: m, write, values } = memory()
  m.setMapping(mapping('x', {}))
  await write([{}, [0, 1]])
  m.setMapping(mapping('x', {}))
  t.same(values(), { m: '1' })
  m.setMapping(mapping('x', { metric: { name: 'n' } }, { generation: 2 }))
  t.same(values(), {})
  await write([{}, [1, 2]])
  t.same(values(), { n: '2' })
})

t.test('A request that is sent again changes nothing; time goes forward only', async t => {
  const { memory: m, write, values } = memory()
  m.setMapping(mapping('x', { function: 'Sum', windowSeconds: 60 }))
  const request = async (): Promise<string | undefined> => await write([{}, [0, 1], [1, 2], [2, 4]])
  t.same([await request(), await request(), values()], [undefined, undefined, { m: '7' }])
  t.match(await write([{}, [1.5, 9]]), /out of order: 2026-05-06T07:00:01.500Z after 2026-05-06T07:00:02.000Z/)
  t.match(await write([{}, [2, 9]]), /two samples at 2026-05-06T07:00:02.000Z: 4 and 9/)
  t.match(await write([{}, [61, 9]]), /lies 61s ahead \(more than 60s of clock skew\)/)
  t.equal(await write([{}, [60, 9]]), undefined)
})

t.test('Requests are answered while samples are written, and a metric changes when all of them are in', async t => {
  const { memory: m, write, values } = memory()
  m.setMapping(mapping('x', {}))
  m.setMapping(mapping('young', { series: { name: 'n' } }, { created: 2 }))
  const of = (labels: Record<string, string>, value: number): WrittenSeries => ({ labels: new Map(Object.entries({ __name__: 'm', ...labels })), points: [{ timestampMs: start + value, value }] })
  await write([{ a: '1' }, [0, 1]], [{ a: '2' }, [0, 1]])
  const seen: string[] = []
  const writing = async (...written: WrittenSeries[]): Promise<void> => {
    let done = false
    const end = m.write('shop', written, { slice: alwaysOver() }).then(() => { done = true })
    for (let turns = 0; !done; turns++) {
      seen.push(JSON.stringify(values()))
      await new Promise(resolve => { setImmediate(resolve) })
    }
    await end
  }
  await writing(of({ a: '1' }, 10), of({ a: '2' }, 10))
  t.ok(seen.length > 2, `${seen.length} turns`)
  t.same([...new Set(seen)], ['{"m":"2"}'], 'never the sum of an old and a new value')
  t.same(values(), { m: '20' })
  m.deleteMapping('shop', 'x')
  await writing(of({ __name__: 'n' }, 1))
  m.setMapping(mapping('x', {}, { created: 1 }))
  seen.length = 0
  await writing(of({ __name__: 'n' }, 2), of({ a: '1' }, 3))
  t.same([...new Set(seen)], ['{"m":"1"}', '{"m":"2"}'], 'one that takes a metric over leaves no gap')
  t.same(values(), { m: '3' })
})

t.test('What a mapping made that goes in the midst of a request is not served', async t => {
  const { memory: m, values, hidden } = memory()
  for (const change of [() => { m.deleteMapping('shop', 'x') }, () => { m.setMapping(mapping('x', { metric: { name: 'other' } }, { generation: 2 })) }]) {
    for (let turns = 0; turns < 8; turns++) {
      m.deleteMapping('shop', 'x')
      m.setMapping(mapping('x', {}))
      const writing = m.write('shop', ['1', '2'].map(a => ({ labels: new Map([['__name__', 'm'], ['a', a]]), points: [{ timestampMs: start, value: 1 }] })), { slice: alwaysOver() })
      for (let i = 0; i < turns; i++) await new Promise(resolve => { setImmediate(resolve) })
      change()
      t.equal(values()['m'], undefined)
      await writing
      t.equal(values()['m'], undefined, `after ${turns} turns`)
      t.same(hidden(), [])
    }
  }
  m.deleteMapping('shop', 'x')
  t.equal(m.size, 0)
})

t.test('In whatever pieces samples come, and whatever else comes with them, the values are the same', async () => {
  const sample = fc.record({ series: fc.constantFrom('1', '2', '3'), value: fc.integer({ min: 0, max: 100 }) })
  await fc.assert(fc.asyncProperty(fc.array(sample, { maxLength: 30 }), fc.array(fc.nat({ max: 5 }), { minLength: 1, maxLength: 10 }), fc.constantFrom('Latest', 'Increase', 'Sum', 'Max', 'Avg'), async (samples, sizes, reduce) => {
    const spec: Partial<MetricMappingSpec> = { function: reduce, ...(reduce !== 'Latest' && { windowSeconds: 20 }) }
    const [one, many] = [memory(), memory()]
    for (const { memory: m } of [one, many]) m.setMapping(mapping('x', spec))
    const timed = samples.map(({ series, value }, i): [Record<string, string>, [number, number]] => [{ a: series }, [i, value]])
    await one.write(...timed)
    for (let i = 0, at = 0; at < timed.length; i++) {
      const size = sizes[i % sizes.length]! + 1
      // What comes before is sent again, and what nobody can use is sent too.
      await many.write(...timed.slice(Math.max(0, at - 1), at + size), [{ a: '1' }, [3600, 1]])
      at += size
    }
    return JSON.stringify(one.values()) === JSON.stringify(many.values())
  }))
})
