/** How a quantity is written: `12M`, `12Mi` or `12e6`. It is printed in the family it was read in. */
export type QuantityFormat = 'DecimalSI' | 'BinarySI' | 'DecimalExponent'

/** An exact amount, `unscaled × 10^scale`; the unscaled number does not end in a zero, and zero has scale 0. */
export interface Quantity {
  readonly unscaled: bigint
  readonly scale: number
  readonly format: QuantityFormat
}

/** A text that is no quantity; the message is the one of Go's ParseQuantity. */
export class QuantityError extends Error { override readonly name = 'QuantityError' }

const wrongFormat = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
const wrongNumber = 'unable to parse numeric part of quantity'
const wrongSuffix = "unable to parse quantity's suffix"

// No two neighbours take the same character, so that a text that is no quantity is refused in linear time.
const shape = /^([+-]?)(0*)((?:[1-9][0-9]*)?)(?:\.([0-9]*))?((?:[eEinumkKMGTP]+[-+]?[0-9]*|[-+][0-9]*)?)$/
const decimalSuffixes: ReadonlyMap<string, number> = new Map([['n', -9], ['u', -6], ['m', -3], ['', 0], ['k', 3], ['M', 6], ['G', 9], ['T', 12], ['P', 15], ['E', 18]])
const decimalSuffixOf: ReadonlyMap<number, string> = new Map([...decimalSuffixes].map(([suffix, exponent]) => [exponent, suffix]))
const binarySuffixes = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei']
const nano = -9
const zeroDigit = 48
const int64 = { max: 2n ** 63n - 1n, min: -(2n ** 63n) }

/**
 * A quantity of a number and a power of ten: `quantityOf(15n, -1)` is 1.5.
 * @param format the family it is printed in
 */
export function quantityOf (unscaled: bigint, scale = 0, format: QuantityFormat = 'DecimalSI'): Quantity {
  if (unscaled === 0n) return { unscaled, scale: 0, format }
  const digits = unscaled.toString()
  let end = digits.length
  while (digits.charCodeAt(end - 1) === zeroDigit) end--
  return { unscaled: end === digits.length ? unscaled : BigInt(digits.slice(0, end)), scale: scale + digits.length - end, format }
}

/**
 * Reads a quantity such as `100m`, `1.5Gi`, `12e3`: what is finer than a nano is rounded away from zero, and an amount with a binary
 * suffix is capped at ±(2^63-1).
 * @throws QuantityError with upstream's text. Source: `k8s.io/apimachinery/pkg/api/resource` ParseQuantity.
 */
export function readQuantity (text: string): Quantity {
  const parts = text === '' ? null : shape.exec(text)
  if (parts === null) throw new QuantityError(wrongFormat)
  const [, sign, zeros = '', whole = '', fraction = '', suffix = ''] = parts
  const { base, exponent, format } = readSuffix(suffix)
  // Without a digit it is zero, unless Go has to leave its 64-bit path for it.
  if (zeros + whole + fraction === '' && (base === 2 ? exponent >= 50 : exponent < nano)) throw new QuantityError(wrongNumber)
  const digits = BigInt(whole + fraction || '0')
  const magnitude = base === 2 ? digits << BigInt(exponent) : digits
  let amount = roundedUp(quantityOf(magnitude, (base === 10 ? exponent : 0) - fraction.length, format), nano)
  if (format === 'BinarySI') {
    const cap = quantityOf(int64.max, 0, format)
    if (compareQuantities(amount, cap) > 0) amount = cap
    if (amount.unscaled !== 0n && compareQuantities(amount, quantityOf(1n)) < 0) amount = { ...amount, format: 'DecimalSI' }
  }
  return sign === '-' ? { ...amount, unscaled: -amount.unscaled } : amount
}

/** The same for those who only ask whether it is one: undefined when the text is none. */
export function parseQuantity (text: string): Quantity | undefined {
  try {
    return readQuantity(text)
  } catch (error) {
    if (error instanceof QuantityError) return undefined
    throw error
  }
}

function readSuffix (suffix: string): { base: 2 | 10; exponent: number; format: QuantityFormat } {
  const decimal = decimalSuffixes.get(suffix)
  if (decimal !== undefined) return { base: 10, exponent: decimal, format: 'DecimalSI' }
  const binary = binarySuffixes.indexOf(suffix)
  if (binary > 0) return { base: 2, exponent: binary * 10, format: 'BinarySI' }
  if (!/^[eE][+-]?[0-9]+$/.test(suffix)) throw new QuantityError(wrongSuffix)
  const exponent = BigInt(suffix.slice(1).replace('+', ''))
  if (exponent > int64.max || exponent < int64.min) throw new QuantityError(wrongSuffix)
  return { base: 10, exponent: Number(BigInt.asIntN(32, exponent)), format: 'DecimalExponent' }
}

/** Negative when `a` is smaller, 0 when equal, whatever they are written like. */
export function compareQuantities (a: Quantity, b: Quantity): number {
  const [signA, signB] = [signOf(a), signOf(b)]
  if (signA !== signB) return signA - signB
  if (signA === 0) return 0
  // The number of digits decides before powers of ten are computed, for exponents may be huge.
  const longer = digitsOf(a) + a.scale - (digitsOf(b) + b.scale)
  if (longer !== 0) return longer > 0 ? signA : -signA
  const shift = a.scale - b.scale
  const [x, y] = [a.unscaled * 10n ** BigInt(Math.max(0, shift)), b.unscaled * 10n ** BigInt(Math.max(0, -shift))]
  return x < y ? -1 : x > y ? 1 : 0
}

/** The exact sum, in the family of the first that is not zero. */
export function addQuantities (a: Quantity, b: Quantity): Quantity {
  const scale = Math.min(a.scale, b.scale)
  const at = (q: Quantity): bigint => q.unscaled * 10n ** BigInt(q.scale - scale)
  return quantityOf(at(a) + at(b), scale, a.unscaled === 0n ? b.format : a.format)
}

/**
 * The one spelling of an amount: no fraction, the largest exponent that loses nothing, in the family of the quantity: `1500m`, `1536Mi`,
 * `10e399`. Where Go drops a suffix that does not exist (1000E prints as 1 there) the digits are written out.
 * Source: `k8s.io/apimachinery/pkg/api/resource` CanonicalizeBytes.
 */
export function canonicalQuantity (q: Quantity): string {
  if (q.unscaled === 0n) return '0'
  if (q.format === 'BinarySI') {
    const small = compareQuantities(q, quantityOf(-1024n)) > 0 && compareQuantities(q, quantityOf(1024n)) < 0
    if (!small && q.scale >= 0) return binaryText(q.unscaled * 10n ** BigInt(q.scale))
  }
  let exponent = Math.floor(q.scale / 3) * 3
  if (q.format === 'DecimalExponent') return `${padded(q, exponent)}${exponent === 0 ? '' : `e${exponent}`}`
  exponent = Math.min(exponent, 18)
  return padded(q, exponent) + decimalSuffixOf.get(exponent)!
}

const padded = (q: Quantity, exponent: number): string => q.unscaled.toString() + '0'.repeat(q.scale - exponent)

function binaryText (amount: bigint): string {
  let power = 0
  while (amount % 1024n === 0n && power < binarySuffixes.length - 1) {
    amount /= 1024n
    power++
  }
  return amount.toString() + binarySuffixes[power]!
}

/** The amount in thousandths, rounded away from zero, unbounded: what an autoscaler computes with (in an int64, where it would wrap). */
export function milliValue (q: Quantity): bigint {
  const { unscaled, scale } = roundedUp(q, -3)
  return unscaled * 10n ** BigInt(scale + 3)
}

/** For a column: the plain number, `10.5` for `10500m`. Never an exponent. */
export function plainNumber (q: Quantity): string {
  if (q.scale >= 0) return q.unscaled.toString() + '0'.repeat(q.scale)
  const digits = (q.unscaled < 0n ? -q.unscaled : q.unscaled).toString().padStart(1 - q.scale, '0')
  return `${q.unscaled < 0n ? '-' : ''}${digits.slice(0, q.scale)}.${digits.slice(q.scale)}`
}

/** To a multiple of a power of ten, away from zero. */
function roundedUp (q: Quantity, scale: number): Quantity {
  if (q.scale >= scale || q.unscaled === 0n) return q
  const sign = q.unscaled < 0n ? -1n : 1n
  const drop = scale - q.scale
  // Less than one unit is one unit; dividing by a huge power of ten would take for ever.
  if (drop > digitsOf(q)) return quantityOf(sign, scale, q.format)
  // The unscaled number does not end in zero, so something is always lost.
  return quantityOf(q.unscaled / 10n ** BigInt(drop) + sign, scale, q.format)
}

const signOf = (q: Quantity): number => q.unscaled > 0n ? 1 : q.unscaled < 0n ? -1 : 0
const digitsOf = (q: Quantity): number => (q.unscaled < 0n ? -q.unscaled : q.unscaled).toString().length
