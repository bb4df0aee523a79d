const pattern = /^([+-]?)([0-9]*)(?:\.([0-9]*))?((?:[KMGTPE]i)|[numkMGTPE]|[eE][+-]?[0-9]+)?$/
const decimal: Readonly<Record<string, number>> = { n: -9, u: -6, m: -3, '': 0, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 }
const binary: Readonly<Record<string, bigint>> = { Ki: 10n, Mi: 20n, Gi: 30n, Ti: 40n, Pi: 50n, Ei: 60n }
/** Beyond this no suffix goes; a longer exponent is a mistake, not a number to compute. */
const maxExponent = 100

/** A quantity's exact value, as a fraction: `numerator / denominator`, the denominator a power of ten. */
export interface Quantity { readonly numerator: bigint; readonly denominator: bigint }

/**
 * Reads a quantity such as `100m`, `1.5Gi`, `12e3`.
 * @returns undefined when the text is none. Source: `k8s.io/apimachinery/pkg/api/resource` quantity grammar.
 */
export function parseQuantity (text: string): Quantity | undefined {
  const m = pattern.exec(text)
  if (m === null) return undefined
  const [, sign, whole = '', fraction = '', suffix = ''] = m
  if (whole === '' && fraction === '') return undefined
  let numerator = BigInt(whole + fraction || '0') * (sign === '-' ? -1n : 1n)
  let exponent = -fraction.length
  const shift = binary[suffix]
  if (shift !== undefined) numerator <<= shift
  else if (/^[eE]./.test(suffix)) exponent += Number(suffix.slice(1))
  else exponent += decimal[suffix]!
  if (Math.abs(exponent) > maxExponent + fraction.length) return undefined
  return exponent >= 0 ? { numerator: numerator * 10n ** BigInt(exponent), denominator: 1n } : { numerator, denominator: 10n ** BigInt(-exponent) }
}

/** Negative when `a` is smaller, 0 when equal. */
export function compareQuantities (a: Quantity, b: Quantity): number {
  const difference = a.numerator * b.denominator - b.numerator * a.denominator
  return difference < 0n ? -1 : difference > 0n ? 1 : 0
}
