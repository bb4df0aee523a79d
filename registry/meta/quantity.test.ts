import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import t from 'tap'
import { addQuantities, canonicalQuantity, compareQuantities, milliValue, parseQuantity, plainNumber, QuantityError, quantityOf, readQuantity, type QuantityFormat } from './quantity.js'

interface Vector { in: string; error?: string; out?: string; milli?: string; family?: string; plus?: string; sum?: string }
/** Computed with apimachinery 0.36.3 (hack/tools/quantities): ParseQuantity, CanonicalizeBytes, MilliValue and Add. */
const vectors = JSON.parse(readFileSync(new URL('testdata/quantities.json', import.meta.url), 'utf8')) as Vector[]
const milliOf = new Map(vectors.map(v => [v.in, v.milli]))
const int64 = (n: bigint): boolean => BigInt.asIntN(64, n) === n

t.test('Quantities are read, printed and rounded to thousandths as apimachinery does it', t => {
  for (const v of vectors) {
    if (v.error !== undefined) {
      t.throws(() => readQuantity(v.in), new QuantityError(v.error), JSON.stringify(v.in))
      t.equal(parseQuantity(v.in), undefined)
      continue
    }
    const q = readQuantity(v.in)
    t.equal(q.format, v.family, `${v.in}: family`)
    // Go prints a decimal amount of 1000E and more without its suffix.
    if (q.format === 'DecimalExponent' || q.scale < 21) t.equal(canonicalQuantity(q), v.out, v.in)
    // Go's MilliValue wraps where it does not fit, and is wrong about negative amounts that it holds as big decimals: they mirror the positive.
    const milli = milliValue(q)
    const positive = v.in.startsWith('-') ? milliOf.get(v.in.slice(1)) : undefined
    if (int64(milli) && int64(-milli)) t.equal(milli, positive === undefined ? BigInt(v.milli!) : -BigInt(positive), `${v.in}: milli`)
  }
  t.end()
})

t.test('Sums are those of apimachinery', t => {
  for (const { in: text, plus, sum } of vectors) {
    if (plus === undefined) continue
    const added = addQuantities(readQuantity(text), readQuantity(plus))
    if (added.format === 'DecimalExponent' || added.scale < 21) t.equal(canonicalQuantity(added), sum, `${text} + ${plus}`)
  }
  t.end()
})

t.test('The examples of the documentation hold', t => {
  const table: [string, string][] = [
    ['1.5', '1500m'], ['1000m', '1'], ['1000', '1k'], ['2048000', '2048k'], ['0.1', '100m'], ['0.0001', '100u'], ['0.1n', '1n'], ['1024Ki', '1Mi'],
    ['1.5Gi', '1536Mi'], ['0.5Ki', '512'], ['1024', '1024'], ['1e3', '1e3'], ['1.5e3', '1500'], ['.5', '500m'], ['-1.5', '-1500m'],
    ['+5', '5'], ['5.', '5'], ['Ki', '0'], ['1e400', '10e399'], ['1000E', '1000E'], ['9Ei', '9223372036854775807']
  ]
  for (const [text, canonical] of table) t.equal(canonicalQuantity(readQuantity(text)), canonical, text)
  for (const wrong of ['1K', '', ' 1', '1 ', '1.2.3', '0x10', '１', 'abc']) t.equal(parseQuantity(wrong), undefined, JSON.stringify(wrong))
  t.equal(milliValue(readQuantity('1n')), 1n)
  t.equal(milliValue(readQuantity('-1n')), -1n)
  t.equal(milliValue(readQuantity('10500u')), 11n)
  t.equal(milliValue(readQuantity('10E')), 10n ** 22n)
  t.end()
})

t.test('A plain number has neither suffix nor exponent', t => {
  for (const [text, plain] of [['10500m', '10.5'], ['-1m', '-0.001'], ['12k', '12000'], ['1Ki', '1024'], ['0', '0'], ['100n', '0.0000001'], ['1.25', '1.25']] as const) t.equal(plainNumber(readQuantity(text)), plain, text)
  t.end()
})

t.test('A long text that is no quantity is refused at once', t => {
  for (const text of [`${'0'.repeat(100_000)}e1.5`, `${'1'.repeat(100_000)}e1.5`, `0${'.'.repeat(100_000)}`, `1${'e'.repeat(100_000)}1.5`]) t.throws(() => readQuantity(text), QuantityError)
  t.end()
})

t.test('Huge exponents cost nothing', t => {
  const [huge, larger, tiny] = ['1e2000000000', '2e2000000000', '1e-2000000000'].map(readQuantity)
  t.ok(compareQuantities(huge!, larger!) < 0)
  t.ok(compareQuantities(huge!, readQuantity('9e1999999999')) > 0)
  t.ok(compareQuantities(quantityOf(-1n, 2_000_000_000), tiny!) < 0)
  t.equal(canonicalQuantity(huge!), '100e1999999998')
  t.equal(canonicalQuantity(tiny!), '1e-9')
  t.end()
})

const formats: QuantityFormat[] = ['DecimalSI', 'BinarySI', 'DecimalExponent']
const amounts = fc.record({ unscaled: fc.bigInt({ min: -(10n ** 18n), max: 10n ** 18n }), scale: fc.integer({ min: -9, max: 0 }), format: fc.constantFrom(...formats) })
  .map(({ unscaled, scale, format }) => quantityOf(unscaled, scale, format))

t.test('The canonical form is read back as the same amount and is its own canonical form', t => {
  fc.assert(fc.property(amounts, q => {
    const text = canonicalQuantity(q)
    const read = readQuantity(text)
    // A binary amount that needs no suffix reads as a decimal one, which may have another form (1024000 and 1024k), as in Go.
    return compareQuantities(read, q) === 0 && (read.format !== q.format || canonicalQuantity(read) === text)
  }), { numRuns: 1000 })
  t.end()
})

t.test('Comparison is the order of the numbers, whatever the family', t => {
  fc.assert(fc.property(amounts, amounts, (a, b) => {
    const [x, y] = [a, b].map(q => q.unscaled * 10n ** BigInt(q.scale + 9)) as [bigint, bigint]
    return Math.sign(compareQuantities(a, b)) === (x < y ? -1 : x > y ? 1 : 0)
  }), { numRuns: 1000 })
  t.end()
})

t.test('Thousandths are the nearest ones away from zero', t => {
  fc.assert(fc.property(amounts, q => {
    const nanos = q.unscaled * 10n ** BigInt(q.scale + 9)
    const milli = milliValue(q) * 1_000_000n
    const away = nanos >= 0n ? milli - nanos : nanos - milli
    return away >= 0n && away < 1_000_000n
  }), { numRuns: 1000 })
  t.end()
})

// In time that grows with the square of the length these would take hours.
t.test('very long numbers are read in time that grows with their length', t => {
  const zeros = '0'.repeat(500_000)
  t.equal(canonicalQuantity(readQuantity(`1${zeros}1`)).length, 500_002)
  t.same(readQuantity(`0.${zeros}1`), quantityOf(1n, -9), 'finer than a nano is rounded up')
  t.same(readQuantity(`1.${zeros}`), quantityOf(1n))
  t.equal(parseQuantity(`1${zeros}x`), undefined)
  t.end()
})
