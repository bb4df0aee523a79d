const minInt64 = -(2n ** 63n)
const maxInt64 = 2n ** 63n - 1n

/**
 * A JSON number as Go's unstructured decoder keeps it: an int64 where it is written as an integer and fits (a bigint if a double could not
 * hold it), otherwise the nearest double; undefined if that would be infinite.
 */
export function parseGoNumber (literal: string): number | bigint | undefined {
  const n = Number(literal)
  if (Number.isSafeInteger(n)) return n === 0 ? 0 : n // kube-apiserver writes -0 and -0.0 as 0
  if (/^-?[0-9]+$/.test(literal) && literal.length <= 20) {
    const big = BigInt(literal)
    if (big >= minInt64 && big <= maxInt64) return big
  }
  return Number.isFinite(n) ? n : undefined
}

/** Whether an int64 can hold the number. */
export const isInt64 = (n: number | bigint): boolean =>
  typeof n === 'bigint' ? n >= minInt64 && n <= maxInt64 : Number.isInteger(n) && n >= -9223372036854775808 && n < 9223372036854775808
