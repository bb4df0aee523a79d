import { sortedKeys } from '../../registry/codec/json-print.js'
import type { JsonObject, JsonValue } from '../../registry/codec/value.js'

/** Just enough of the protobuf wire format to write JSON-like values by a declared mapping. */
export interface ProtobufType {
  readonly wire: 0 | 1 | 2
  /** The payload: of a length-delimited type without its length. */
  readonly encode: (value: JsonValue) => Buffer
  /** A value that proto3 leaves out. */
  readonly isDefault: (value: JsonValue) => boolean
}

export interface ProtobufField {
  readonly number: number
  readonly type: ProtobufType
  /** How the member's value becomes that of the field: one item each time the field is written. */
  readonly items?: (value: JsonValue) => JsonValue[]
}

/** The base-128 varint of an integer; negative ones as 64-bit two's complement. */
export function varint (value: bigint | number): Buffer {
  let rest = BigInt.asUintN(64, BigInt(value))
  const bytes: number[] = []
  do {
    const low = Number(rest & 0x7fn)
    rest >>= 7n
    bytes.push(rest > 0n ? low | 0x80 : low)
  } while (rest > 0n)
  return Buffer.from(bytes)
}

export const string: ProtobufType = { wire: 2, encode: v => Buffer.from(String(v)), isDefault: v => v === '' }
export const bool: ProtobufType = { wire: 0, encode: v => varint(v === true ? 1 : 0), isDefault: v => v === false }
export const int64: ProtobufType = { wire: 0, encode: v => varint(v as number | bigint), isDefault: v => Number(v) === 0 }
export const double: ProtobufType = {
  wire: 1,
  encode: v => {
    const bytes = Buffer.alloc(8)
    bytes.writeDoubleLE(Number(v))
    return bytes
  },
  isDefault: v => v === 0
}

/** A field of the value as it is. */
export const field = (number: number, type: ProtobufType): ProtobufField => ({ number, type })
/** A repeated field of an array. */
export const repeated = (number: number, type: ProtobufType): ProtobufField => ({ number, type, items: v => v as JsonValue[] })

/** A message of an object: its members by name; the others go where `rest` says. Fields are written in the order of their numbers. */
export function message (fields: () => Record<string, ProtobufField>, rest?: (name: string) => ProtobufField | undefined): ProtobufType {
  let known: Record<string, ProtobufField> | undefined
  return {
    wire: 2,
    isDefault: () => false,
    encode: value => {
      known ??= fields()
      const parts: { number: number; bytes: Buffer }[] = []
      for (const name of sortedKeys(value as JsonObject)) {
        const member = (value as JsonObject)[name] as JsonValue
        const own = Object.hasOwn(known, name) ? known[name] : undefined
        const used = own ?? rest?.(name)
        if (used === undefined) continue
        const subject = own === undefined ? { name, value: member } : member
        const items = used.items?.(subject) ?? (used.type.isDefault(subject) ? [] : [subject])
        for (const item of items) parts.push({ number: used.number, bytes: encodeField(used.number, used.type, item) })
      }
      return Buffer.concat(parts.sort((a, b) => a.number - b.number).map(p => p.bytes))
    }
  }
}

/** A message with one field of those that a choice offers. */
export const oneOf = (choose: (value: JsonValue) => ProtobufField): ProtobufType => ({
  wire: 2,
  isDefault: () => false,
  encode: value => {
    const { number, type } = choose(value)
    return encodeField(number, type, value)
  }
})

/** The entry of a map that gnostic writes as a list: `name` and `value`. */
export const named = (type: ProtobufType): ProtobufType => message(() => ({ name: field(1, string), value: field(2, type) }))

/** The members of an object, as entries in the order of their names. */
export const entries = (value: JsonValue): JsonValue[] => sortedKeys(value as JsonObject).map(name => ({ name, value: (value as JsonObject)[name] as JsonValue }))

function encodeField (number: number, type: ProtobufType, value: JsonValue): Buffer {
  const payload = type.encode(value)
  const tag = varint(number << 3 | type.wire)
  return Buffer.concat(type.wire === 2 ? [tag, varint(payload.length), payload] : [tag, payload])
}
