/** A 64-bit number as protobufjs gives it, or as JSON has it. */
export type WireInteger = { readonly low: number; readonly high: number; readonly unsigned: boolean } | number | string

const float = new Float64Array(1)
const words = new Uint32Array(float.buffer)

/** Prometheus marks the end of a series with this NaN. Source: prometheus/prometheus model/value. */
const staleNaN = { high: 0x7ff00000, low: 2 }

/**
 * A double that was read as 64 raw bits: JavaScript may change the payload of a NaN, which is where the stale marker is.
 */
export function doubleOfBits (bits: WireInteger | undefined): { readonly value: number; readonly stale: boolean } {
  if (typeof bits !== 'object') return { value: 0, stale: false }
  words[0] = bits.low
  words[1] = bits.high
  return { value: float[0]!, stale: bits.high >>> 0 === staleNaN.high && bits.low >>> 0 === staleNaN.low }
}

/** The nearest number; 0 for an absent one. @throws RangeError for what is no integer */
export function integer (value: WireInteger | null | undefined): number {
  if (value === undefined || value === null) return 0
  if (typeof value === 'object') {
    // JSON may hold any object where protobuf has two words.
    if ((value.low | 0) !== value.low || (value.high | 0) !== value.high) throw new RangeError('an object is no integer')
    return (value.unsigned ? value.high >>> 0 : value.high) * 2 ** 32 + (value.low >>> 0)
  }
  if (typeof value === 'string' && !/^-?[0-9]{1,20}$/.test(value)) throw new RangeError(`${JSON.stringify(value.slice(0, 40))} is no integer`)
  const number = Number(value)
  if (!Number.isInteger(number)) throw new RangeError(`${number} is no integer`)
  return number
}
