import fc from 'fast-check'
import t from 'tap'
import { requestV2Bytes, writeRequestBytes, type SentSeries } from '../../test/fixtures/remote-write.js'
import { MessageError } from './message-error.js'
import { RemoteWriteDecoder, type RemoteWriteRequest } from './remote-write-messages.js'
import { TimeSlice } from './time-slice.js'
import { WriteResult } from './write-result.js'

const decoder = new RemoteWriteDecoder()
const decode = async (version: '1.0' | '2.0', bytes: Buffer): Promise<{ request: RemoteWriteRequest; results: { samples: WriteResult; histograms: WriteResult } }> => {
  const results = { samples: new WriteResult(), histograms: new WriteResult() }
  return { request: await decoder.decode(version, bytes, results, new TimeSlice()), results }
}

const label = fc.string({ minLength: 1, maxLength: 8, unit: 'grapheme' })
const timestamp = fc.integer({ min: -(2 ** 52), max: 2 ** 52 })
const value = fc.oneof({ weight: 5, arbitrary: fc.double() }, { weight: 1, arbitrary: fc.constant('stale' as const) })
const series: fc.Arbitrary<SentSeries> = fc.record({
  labels: fc.tuple(label, fc.dictionary(label.filter(l => l !== '__proto__'), label, { maxKeys: 5 })).map(([name, labels]) => ({ ...labels, __name__: name })),
  samples: fc.array(fc.tuple(timestamp, value), { maxLength: 5 }),
  histograms: fc.array(fc.record({ timestamp, count: fc.nat(), sum: fc.double({ noNaN: true }) }), { maxLength: 2 }),
  exemplars: fc.nat({ max: 2 })
})

t.test('What a sender has encoded is read, in both versions', async () => {
  await fc.assert(fc.asyncProperty(fc.array(series, { maxLength: 5 }), async sent => {
    const text = (labels: Iterable<readonly [string, string]>): string => JSON.stringify([...labels].sort(([a], [b]) => a < b ? -1 : 1))
    const number = (v: number): string => Object.is(v, -0) ? '-0' : String(v)
    const expected = JSON.stringify([
      sent.filter(s => s.samples!.length > 0).map(s => [text(Object.entries(s.labels)), s.samples!.map(([at, v]) => [at, v === 'stale' ? 'NaN' : number(v), v === 'stale'])]),
      sent.filter(s => s.histograms!.length > 0).flatMap(s => [['_count', (h: { count: number }) => h.count], ['_sum', (h: { sum: number }) => h.sum]].map(([suffix, get]) =>
        [text(Object.entries({ ...s.labels, __name__: s.labels['__name__']! + (suffix as string) })), s.histograms!.map(h => [h.timestamp, number((get as (h: object) => number)(h)), false])])),
      sent.reduce((n, s) => n + s.exemplars!, 0)
    ])
    return [await decode('1.0', writeRequestBytes(sent)), await decode('2.0', requestV2Bytes(sent))].every(({ request, results }) => {
      const read = (all: typeof request.samples): unknown => all.map(s => [text(s.labels), s.points.map(p => [p.timestampMs, number(p.value), p.stale])])
      return results.samples.refusedCount === 0 && JSON.stringify([read(request.samples), read(request.histograms), request.exemplars]) === expected
    })
  }))
})

t.test('Malformed series are refused one by one', async t => {
  const good: SentSeries = { labels: { __name__: 'x' }, samples: [[1, 1]] }
  const nameless: SentSeries = { labels: { a: 'b' }, samples: [[1, 1], [2, 2]], histograms: [{ timestamp: 1, count: 1, sum: 1 }] }
  for (const [version, bytes] of [['1.0', writeRequestBytes([nameless, good])], ['2.0', requestV2Bytes([nameless, good])]] as const) {
    const { request, results } = await decode(version, bytes)
    t.equal(request.samples.length, 1)
    t.same([...results.samples.refused, ...results.histograms.refused].map(r => [r.reason, r.count, r.example]), [['malformed', 2, 'a series has no name (label __name__)'], ['malformed', 1, 'a series has no name (label __name__)']])
  }
  const many = Object.fromEntries(Array.from({ length: 129 }, (_, i) => [`k${i}`, 'v']))
  t.match((await decode('1.0', writeRequestBytes([{ labels: { __name__: 'x', ...many }, samples: [[1, 1]] }]))).results.samples.refused, [{ example: /more than 128 labels/ }])
  const long = Array.from({ length: 9_000 }, (_, i): SentSeries => ({ labels: { __name__: 'x', i: String(i), text: 'v'.repeat(8_000) }, samples: [[1, 1]] }))
  await t.rejects(decode('2.0', requestV2Bytes(long)), MessageError, 'one symbol that thousands of series refer to')
  // labels: a="b" twice, and an empty name
  const twice = Buffer.from('0a120a060a01611201620a060a01611201621200', 'hex')
  t.match((await decode('1.0', twice)).results.samples.refused, [{ example: 'a series has the label "a" twice' }])
  // symbols "", references 1 and 2 that are not there, one sample
  const dangling = Buffer.from('22002a060a0201021200', 'hex')
  t.match((await decode('2.0', dangling)).results.samples.refused, [{ example: 'a series refers to symbols that are not there' }])
  // the symbols "", "__name__", "x" after the series that refers to them
  const late = Buffer.from('2a060a020102120022002208' + Buffer.from('__name__').toString('hex') + '220178', 'hex')
  t.same((await decode('2.0', late)).request.samples.map(s => [...s.labels]), [[['__name__', 'x']]])
  // symbols "x"
  await t.rejects(decode('2.0', Buffer.from('220178', 'hex')), new MessageError('the first symbol of a request must be empty'))
})

t.test('No bytes at all do anything but decode or fail', async () => {
  const bytes = fc.oneof(fc.uint8Array({ maxLength: 100 }), fc.tuple(fc.array(series, { maxLength: 2 }), fc.nat(), fc.nat({ max: 255 })).map(([sent, at, byte]) => {
    const made = writeRequestBytes(sent)
    made[at % made.length] = byte
    return made
  }))
  await fc.assert(fc.asyncProperty(bytes, fc.constantFrom('1.0' as const, '2.0' as const), async (message, version) => {
    try {
      await decode(version, Buffer.from(message))
      return true
    } catch (error) {
      return error instanceof MessageError
    }
  }), { numRuns: 2000 })
})
