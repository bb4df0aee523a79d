import type { Reader, Type } from 'protobufjs'
import { MessageError } from './message-error.js'

/**
 * How many messages and items of lists a request may hold. Decoded, each takes a hundred bytes and more, of which two may have been
 * sent: a small compressed body could fill the memory. 8,192 histograms of 22 attributes and 16 buckets, which is what a Collector sends at
 * once, have 620,000.
 */
export const maxItems = 1_000_000

/** What a field is on the wire, what its items count, and what is inside of them. */
interface FieldShape {
  readonly wireType: number
  /** A list of numbers may come as one field; how many bytes each has at least. */
  readonly packedBytes: number | undefined
  readonly counts: boolean
  readonly below: Shape | undefined
}
type Shape = ReadonlyMap<number, FieldShape>

/** Counts what a message will become before anything is made of it. */
export class MessageItems {
  readonly #shape: Shape
  readonly #max: number

  /** @param wireTypes of what is no message: protobufjs' `types.basic` */
  constructor (type: Type, wireTypes: Readonly<Record<string, number>>, max = maxItems) {
    this.#shape = shapeOf(type, wireTypes)
    this.#max = max
  }

  /**
   * Refuses known fields of another wire type, too: the decoder reads them as what they should be, and would find other fields than are
   * counted here. @throws MessageError when the message holds too much; Error for bytes that are no message
   */
  check (reader: Reader): void { this.#count(reader, reader.len, this.#shape, 0) }

  #count (reader: Reader, end: number, shape: Shape, before: number): number {
    let items = before
    while (reader.pos < end) {
      const tag = reader.uint32()
      const [id, wireType] = [tag >>> 3, tag & 7]
      const field = shape.get(id)
      if (field === undefined) {
        reader.skipType(wireType)
        continue
      }
      const isPacked = field.packedBytes !== undefined && wireType === lengthDelimited
      if (wireType !== field.wireType && !isPacked) throw new Error(`field ${id} has the wire type ${wireType} instead of ${field.wireType}`)
      if (isPacked || field.below !== undefined) {
        const length = reader.uint32()
        items += isPacked ? length / field.packedBytes! : 1
        if (field.below === undefined) reader.skip(length)
        else items = this.#count(reader, reader.pos + length, field.below, items)
      } else {
        if (field.counts) items++
        reader.skipType(wireType)
      }
      if (items > this.#max) throw new MessageError(`the request holds more than ${this.#max} messages and items of lists; send less at once`)
    }
    return items
  }
}

/** Of texts, messages and packed lists. */
const lengthDelimited = 2
const bytesOf: Readonly<Record<number, number>> = { 0: 1, 1: 8, 5: 4 }

function shapeOf (type: Type, wireTypes: Readonly<Record<string, number>>): Shape {
  return new Map(type.fieldsArray.map(field => {
    const message = field.resolve().resolvedType as Type | null
    const wireType = message === null ? wireTypes[field.type]! : lengthDelimited
    return [field.id, {
      wireType,
      packedBytes: field.repeated ? bytesOf[wireType] : undefined,
      counts: field.repeated || message !== null,
      below: message === null ? undefined : shapeOf(message, wireTypes)
    }]
  }))
}
