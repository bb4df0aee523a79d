import type { Reader, Type } from 'protobufjs'
import { MessageError } from './message-error.js'

/**
 * How many messages and items of lists a request may hold. Decoded, each takes a hundred bytes and more, of which two may have been
 * sent: a small compressed body could fill the memory. 8,192 histograms of 22 attributes and 16 buckets, which is what a Collector sends at
 * once, have 620,000.
 */
export const maxItems = 1_000_000

/** Which fields are walked into, and which are counted. */
interface Shape { readonly fields: ReadonlyMap<number, { readonly itemBytes: number; readonly below: Shape | undefined }> }

/** Counts what a message will become before anything is made of it. */
export class MessageItems {
  readonly #shape: Shape
  readonly #max: number

  /** @param type of a root whose types have been resolved */
  constructor (type: Type, max = maxItems) {
    this.#shape = shapeOf(type, new Map())
    this.#max = max
  }

  /** @throws MessageError when the message holds too much; Error for bytes that are no message */
  check (reader: Reader): void { this.#count(reader, reader.len, this.#shape, 0) }

  #count (reader: Reader, end: number, { fields }: Shape, before: number): number {
    let items = before
    while (reader.pos < end) {
      const tag = reader.uint32()
      const field = fields.get(tag >>> 3)
      if (field === undefined || (tag & 7) !== lengthDelimited) {
        if (field !== undefined) items++
        reader.skipType(tag & 7)
      } else {
        const length = reader.uint32()
        items += field.itemBytes === 0 ? 1 : length / field.itemBytes
        if (field.below === undefined) reader.skip(length)
        else items = this.#count(reader, reader.pos + length, field.below, items)
      }
      if (items > this.#max) throw new MessageError(`the request holds more than ${this.#max} messages and items of lists; send less at once`)
    }
    return items
  }
}

/** Of messages and packed lists. */
const lengthDelimited = 2
const eightBytes = new Set(['double', 'fixed64', 'sfixed64'])

function shapeOf (type: Type, known: Map<Type, Shape>): Shape {
  const fields = new Map<number, { itemBytes: number; below: Shape | undefined }>()
  const shape: Shape = { fields }
  known.set(type, shape)
  for (const field of type.fieldsArray) {
    const message = field.resolve().resolvedType as Type | null
    if (message === null && !field.repeated) continue
    // A list of numbers comes as one field.
    const itemBytes = message !== null || field.type === 'string' ? 0 : eightBytes.has(field.type) ? 8 : 1
    const below = message === null ? undefined : known.get(message) ?? shapeOf(message, known)
    fields.set(field.id, { itemBytes, below: below?.fields.size === 0 ? undefined : below })
  }
  return shape
}
