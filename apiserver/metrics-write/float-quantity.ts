import { parseQuantity, quantityOf, type Quantity } from '../../registry/meta/quantity.js'

const int64 = { max: 2n ** 63n - 1n, min: -(2n ** 63n) }

/**
 * The quantity of a measured number: thousandths, rounded up, as adapters make it and autoscalers compute with it.
 * @returns undefined for what is no number, or beyond the 64 bits in which autoscalers count thousandths
 */
export function quantityOfFloat (value: number): Quantity | undefined {
  if (!Number.isFinite(value)) return undefined
  // The shortest decimal that is this number: 0.07 is 70m and not the 71m that its binary form would be rounded up to.
  const exact = parseQuantity(String(value))
  if (exact === undefined) return undefined
  const thousandths = roundedUp(exact)
  return thousandths > int64.max || thousandths < int64.min ? undefined : quantityOf(thousandths, -3)
}

/** Whether a measured number is a quantity; cheaper than to make it. */
export const isQuantity = (value: number): boolean => Math.abs(value) < 9e15 || quantityOfFloat(value) !== undefined

function roundedUp ({ unscaled, scale }: Quantity): bigint {
  if (scale >= -3) return unscaled * 10n ** BigInt(scale + 3)
  const divisor = 10n ** BigInt(-3 - scale)
  const quotient = unscaled / divisor
  return unscaled > 0n && unscaled % divisor !== 0n ? quotient + 1n : quotient
}
