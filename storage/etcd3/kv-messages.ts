import type { IKeyValue, IRangeResponse } from 'etcd3'

/**
 * The messages of etcd's KV service that every read and write is made of, in protocol buffers' wire format
 * (https://protobuf.dev/programming-guides/encoding). Field numbers are those of etcd's rpc.proto and kv.proto. Everything else goes through
 * the etcd3 package, whose general encoder costs several times as much.
 */

export interface RangeFields {
  readonly key: Buffer
  readonly range_end?: Buffer
  readonly limit?: number
  readonly revision?: string
  readonly count_only?: boolean
}

/** Writes the change if the key's mod revision is `modRevision` (0: there is no such key), else reads the key. */
export interface CompareAndSwapFields {
  readonly key: Buffer
  readonly modRevision: string
  /** Undefined deletes the key. */
  readonly value: Buffer | undefined
}

export interface CompareAndSwapReply {
  readonly succeeded: boolean
  readonly revision: string
  /** Of a swap that did not succeed: what the key holds. */
  readonly current: IKeyValue | undefined
}

const [varintType, bytesType] = [0, 2]

export const encodeRange = (fields: RangeFields): Buffer => Buffer.concat(rangeParts(fields))

export function encodeCompareAndSwap ({ key, modRevision, value }: CompareAndSwapFields): Buffer {
  // Compare: EQUAL and MOD; an absent mod_revision would not choose the member of the oneof, so 0 is written too.
  const compare = [...varintField(2, 2n), ...bytesField(3, key), tag(6, varintType), varint(BigInt(modRevision))]
  const change = value === undefined ? messageField(3, bytesField(1, key)) : messageField(2, [...bytesField(1, key), ...bytesField(2, value)])
  return Buffer.concat([...messageField(1, compare), ...messageField(2, change), ...messageField(3, messageField(1, rangeParts({ key })))])
}

function rangeParts ({ key, range_end: rangeEnd, limit, revision, count_only: countOnly }: RangeFields): Buffer[] {
  return [
    ...bytesField(1, key), ...rangeEnd === undefined ? [] : bytesField(2, rangeEnd), ...varintField(3, BigInt(limit ?? 0)), ...varintField(4, BigInt(revision ?? 0)),
    ...varintField(9, countOnly === true ? 1n : 0n)
  ]
}

export function decodeRange (bytes: Buffer): IRangeResponse {
  const reader = new Reader(bytes)
  let header: Buffer | undefined
  const kvs: IKeyValue[] = []
  let more = false
  let count = '0'
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    switch (field) {
      case 1: header = reader.bytes(); break
      case 2: kvs.push(decodeKeyValue(reader.bytes())); break
      case 3: more = reader.integer() === '1'; break
      case 4: count = reader.integer(); break
      default: reader.skip()
    }
  }
  return { header: { cluster_id: '0', member_id: '0', raft_term: '0', revision: headerRevision(header) }, kvs, more, count }
}

export function decodeCompareAndSwap (bytes: Buffer): CompareAndSwapReply {
  const reader = new Reader(bytes)
  let revision = '0'
  let succeeded = false
  let current: IKeyValue | undefined
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    switch (field) {
      case 1: revision = headerRevision(reader.bytes()); break
      case 2: succeeded = reader.integer() === '1'; break
      case 3: current ??= rangeOf(reader.bytes())?.kvs[0]; break
      default: reader.skip()
    }
  }
  return { succeeded, revision, current: succeeded ? undefined : current }
}

/** The range reply of a ResponseOp, if it has one. */
function rangeOf (bytes: Buffer): IRangeResponse | undefined {
  const reader = new Reader(bytes)
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 1) return decodeRange(reader.bytes())
    reader.skip()
  }
  return undefined
}

function headerRevision (bytes: Buffer | undefined): string {
  if (bytes === undefined) return '0'
  const reader = new Reader(bytes)
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    if (field === 3) return reader.integer()
    reader.skip()
  }
  return '0'
}

function decodeKeyValue (bytes: Buffer): IKeyValue {
  const reader = new Reader(bytes)
  const kv: IKeyValue = { key: none, create_revision: '0', mod_revision: '0', version: '0', value: none, lease: '0' }
  for (let field = reader.next(); field !== 0; field = reader.next()) {
    switch (field) {
      case 1: kv.key = reader.bytes(); break
      case 2: kv.create_revision = reader.integer(); break
      case 3: kv.mod_revision = reader.integer(); break
      case 4: kv.version = reader.integer(); break
      case 5: kv.value = reader.bytes(); break
      case 6: kv.lease = reader.integer(); break
      default: reader.skip()
    }
  }
  return kv
}

const none = Buffer.alloc(0)

/** Reads the fields of one message in turn. What it hands out is a view of the message. @throws RangeError for bytes that are no message */
class Reader {
  readonly #bytes: Buffer
  #at = 0
  #type = 0

  constructor (bytes: Buffer) { this.#bytes = bytes }

  /** The number of the next field; 0 at the end. */
  next (): number {
    if (this.#at >= this.#bytes.length) return 0
    const key = Number(this.#varint())
    this.#type = key & 7
    return key >>> 3
  }

  integer (): string { return this.#varint().toString() }

  bytes (): Buffer {
    const length = Number(this.#varint())
    const end = this.#at + length
    if (end > this.#bytes.length) throw new RangeError('a message of etcd is cut off')
    const view = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return view
  }

  skip (): void {
    switch (this.#type) {
      case 0: this.#varint(); break
      case 1: this.#at += 8; break
      case 2: this.bytes(); break
      case 5: this.#at += 4; break
      default: throw new RangeError(`a message of etcd has a field of the type ${this.#type}`)
    }
  }

  #varint (): number | bigint {
    let low = 0
    // Seven bytes are 49 bits, which a double holds.
    for (let i = 0, unit = 1; i < 7; i++, unit *= 128) {
      const byte = this.#bytes[this.#at++]
      if (byte === undefined) throw new RangeError('a message of etcd is cut off')
      low += (byte & 0x7f) * unit
      if (byte < 0x80) return low
    }
    let value = BigInt(low)
    for (let shift = 49n; ; shift += 7n) {
      const byte = this.#bytes[this.#at++]
      if (byte === undefined || shift > 63n) throw new RangeError('a message of etcd is cut off')
      value += BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return BigInt.asUintN(64, value)
    }
  }
}

const bytesField = (number: number, value: Buffer): Buffer[] => [tag(number, bytesType), varint(BigInt(value.length)), value]

function messageField (number: number, parts: readonly Buffer[]): Buffer[] {
  let length = 0
  for (const part of parts) length += part.length
  return [tag(number, bytesType), varint(BigInt(length)), ...parts]
}

/** Zero is the default, which is not written. */
const varintField = (number: number, value: bigint): Buffer[] => value === 0n ? [] : [tag(number, varintType), varint(value)]

/** Field numbers here are below 16: one byte. */
const tags = Array.from({ length: 128 }, (_, key) => Buffer.from([key]))
const tag = (number: number, type: number): Buffer => tags[number << 3 | type]!

function varint (value: bigint): Buffer {
  if (value < 128n) return tags[Number(value)]!
  const bytes: number[] = []
  let rest = BigInt.asUintN(64, value)
  for (; rest >= 128n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
  bytes.push(Number(rest))
  return Buffer.from(bytes)
}
