import protobuf from 'protobufjs'
import t from 'tap'
import { maxItems } from './message-items.js'
import { OtlpCodec, otlpDescriptors } from './otlp-messages.js'
import { RemoteWriteDecoder, type RemoteWriteVersion } from './remote-write-messages.js'
import { TimeSlice } from './time-slice.js'
import { WriteResult } from './write-result.js'

const codec = new OtlpCodec()
const decoder = new RemoteWriteDecoder()
const tooMany = { name: 'MessageError', message: /^the request holds more than \d+ .*; send less at once$/ }

/** A field that holds bytes. */
function field (id: number, body: Buffer): Buffer {
  const head = protobuf.Writer.create().uint32(id << 3 | 2).uint32(body.length).finish()
  return Buffer.concat([head, body])
}

/** So many empty messages, of two bytes each. */
const empty = (id: number, count: number): Buffer => Buffer.alloc(2 * count, Buffer.from([id << 3 | 2, 0]))

const decode = async (version: RemoteWriteVersion, body: Buffer): Promise<unknown> =>
  await decoder.decode(version, body, { samples: new WriteResult(), histograms: new WriteResult() }, new TimeSlice())

t.test('a request of remote write that holds too much is refused before it is read', async t => {
  const places: [string, RemoteWriteVersion, number, number][] = [['samples', '1.0', 1, 2], ['exemplars', '1.0', 1, 3], ['histograms', '1.0', 1, 4], ['labels', '1.0', 1, 1], ['samples', '2.0', 5, 2], ['histograms', '2.0', 5, 3]]
  for (const [what, version, series, id] of places) await t.rejects(decode(version, field(series, empty(id, maxItems))), tooMany, `${what} of ${version}`)
  await t.rejects(decode('2.0', empty(4, maxItems + 1)), tooMany, 'symbols')
  await t.rejects(decode('2.0', field(5, field(1, Buffer.alloc(maxItems)))), tooMany, 'references to symbols')
  await t.resolves(decode('1.0', field(1, empty(2, maxItems - 1))))
})

t.test('a request of OTLP that holds too much is refused before it is read', async t => {
  const points = (metric: number, body: Buffer): Buffer => field(1, field(2, field(2, field(metric, body))))
  for (const metric of [5, 7, 9, 10, 11]) t.throws(() => codec.decode('protobuf', points(metric, empty(1, maxItems))), tooMany)
  t.throws(() => codec.decode('protobuf', points(5, field(1, empty(7, maxItems)))), tooMany, 'attributes')
  t.throws(() => codec.decode('protobuf', points(9, field(1, field(6, Buffer.alloc(8 * maxItems))))), tooMany, 'buckets')
  t.throws(() => codec.decode('protobuf', empty(1, maxItems + 1)), tooMany, 'resources')
  t.throws(() => codec.decode('json', Buffer.from(`{"resourceMetrics":[${'{},'.repeat(2_500_000)}{}]}`)), tooMany)
  t.throws(() => codec.decode('protobuf', Buffer.from([0x0a, 0xff])), { name: 'MessageError', message: /^the body is no ExportMetricsServiceRequest/ })
})

// The decoder does not look at wire types: it would read what is counted as something else.
t.test('a field of another wire type is refused, and hides nothing', async t => {
  const attribute = Buffer.from([9 << 3 | 2, 0])
  const point = (id: number, body: Buffer, wireType: number): Buffer => Buffer.concat([protobuf.Writer.create().uint32(id << 3 | wireType).uint32(body.length).finish(), body])
  for (const wireType of [0, 1, 5]) {
    const body = [1, 9, 2, 2, 1].reduce<Buffer>((inner, id) => point(id, inner, wireType), Buffer.alloc(2 * 100, attribute))
    t.throws(() => codec.decode('protobuf', body), { message: /^the body is no ExportMetricsServiceRequest: field 1 has the wire type \d instead of 2$/ })
  }
  // A time, 64 bits, that says it were a text of many attributes.
  const time = field(1, field(2, field(2, field(9, field(1, field(3, Buffer.alloc(2 * 100, attribute)))))))
  t.throws(() => codec.decode('protobuf', time), { message: /field 3 has the wire type 2 instead of 1$/ })
  await t.rejects(decode('1.0', field(1, Buffer.from([2 << 3, 0]))), { message: /field 2 has the wire type 0 instead of 2$/ })
})

t.test('what a Collector sends at once is taken', async t => {
  const attributes = Array.from({ length: 22 }, (_, i) => ({ key: `k${i}`, value: { stringValue: 'v' } }))
  const dataPoints = Array.from({ length: 8_192 }, () => ({ attributes, bucketCounts: Array.from({ length: 16 }, () => 1), explicitBounds: Array.from({ length: 15 }, (_, i) => i) }))
  const request = { resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name: 'm', histogram: { dataPoints } }] }] }] }
  const type = protobuf.Root.fromJSON(otlpDescriptors).lookupType('ExportMetricsServiceRequest')
  for (const decoded of [codec.decode('protobuf', Buffer.from(type.encode(type.fromObject(request)).finish())), codec.decode('json', Buffer.from(JSON.stringify(request)))]) {
    t.equal(decoded.resourceMetrics?.[0]?.scopeMetrics?.[0]?.metrics?.[0]?.histogram?.dataPoints?.length, 8_192)
  }
})
