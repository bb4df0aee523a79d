import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import protobuf from 'protobufjs'
import t from 'tap'
import { decodeCompareAndSwap, decodeRange, encodeCompareAndSwap, encodeRange } from './kv-messages.js'

// The definitions that the etcd3 package brings say what is right.
const root = new protobuf.Root()
const protos = join(dirname(createRequire(import.meta.url).resolve('etcd3')), '../proto')
root.resolvePath = (_origin, target) => join(protos, target.replace(/.*\//, ''))
root.loadSync('rpc.proto', { keepCase: true })
const asObject = (type: string, bytes: Buffer): unknown => root.lookupType(`etcdserverpb.${type}`).toObject(root.lookupType(`etcdserverpb.${type}`).decode(bytes), { longs: String, enums: String, bytes: Buffer as unknown as ArrayConstructor })
const asBytes = (type: string, object: object): Buffer => {
  const message = root.lookupType(`etcdserverpb.${type}`)
  return Buffer.from(message.encode(message.fromObject(object)).finish())
}

const same = (found: unknown, wanted: unknown): void => { assert.deepEqual(found, wanted) }

const bytes = fc.uint8Array({ maxLength: 300 }).map(b => Buffer.from(b))
const key = fc.uint8Array({ minLength: 1, maxLength: 200 }).map(b => Buffer.from(b))
const revision = fc.oneof(fc.bigInt(0n, 300n), fc.bigInt(0n, 2n ** 63n - 1n)).map(String)

t.test('requests are what protobufjs makes of etcd\'s definitions', async t => {
  t.doesNotThrow(() => fc.assert(fc.property(key, fc.option(key, { nil: undefined }), fc.nat(), revision, fc.boolean(), (key, range_end, limit, revision, count_only) => {
    const encoded = asObject('RangeRequest', encodeRange({ key, ...(range_end && { range_end }), limit, revision, count_only }))
    same(encoded, { key, ...(range_end && { range_end }), ...(limit > 0 && { limit: String(limit) }), ...(revision !== '0' && { revision }), ...(count_only && { count_only }) })
  })))
  t.doesNotThrow(() => fc.assert(fc.property(key, fc.option(bytes, { nil: undefined }), revision, (key, value, modRevision) => {
    same(asObject('TxnRequest', encodeCompareAndSwap({ key, value, modRevision })), {
      compare: [{ target: 'Mod', key, mod_revision: modRevision }],
      success: [value === undefined ? { request_delete_range: { key } } : { request_put: { key, value } }],
      failure: [{ request_range: { key } }]
    })
  })))
})

const keyValue = fc.record({ key, create_revision: revision, mod_revision: revision, version: revision, value: bytes, lease: revision }, { noNullPrototype: true })
const header = fc.record({ cluster_id: fc.bigInt(0n, 2n ** 64n - 1n).map(String), member_id: fc.bigInt(0n, 2n ** 64n - 1n).map(String), revision, raft_term: revision }, { noNullPrototype: true })

t.test('replies are read as protobufjs reads them', async t => {
  t.doesNotThrow(() => fc.assert(fc.property(header, fc.array(keyValue, { maxLength: 4 }), fc.boolean(), revision, (header, kvs, more, count) => {
    const reply = decodeRange(asBytes('RangeResponse', { header, kvs, more, count }))
    same([reply.header.revision, reply.kvs, reply.more, reply.count], [header.revision, kvs, more, count])
  })))
  t.doesNotThrow(() => fc.assert(fc.property(header, fc.option(keyValue, { nil: undefined }), revision, (header, kv, deleted) => {
    same(decodeCompareAndSwap(asBytes('TxnResponse', { header, succeeded: true, responses: [{ response_put: { header } }, { response_delete_range: { deleted } }] })), { succeeded: true, revision: header.revision, current: undefined })
    same(decodeCompareAndSwap(asBytes('TxnResponse', { header, responses: [{ response_range: { header, kvs: kv === undefined ? [] : [kv] } }] })), { succeeded: false, revision: header.revision, current: kv })
  })))
})

t.test('a message that is cut off is an error, not a wrong answer', async t => {
  const whole = asBytes('RangeResponse', { header: { revision: '7' }, kvs: [{ key: Buffer.from('k'), value: Buffer.from('value') }] })
  for (const cut of [1, 3]) t.throws(() => decodeRange(whole.subarray(0, -cut)), RangeError)
})
