/** A double, or the float32 nearest to it, as Go's strconv.FormatFloat writes it with format 'g' and as few digits as possible. */
export function formatFloat (n: number, bits: 32 | 64 = 64): string {
  if (Number.isNaN(n)) return 'NaN'
  const value = bits === 32 ? Math.fround(n) : n
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf'
  if (value === 0) return Object.is(value, -0) ? '-0' : '0'
  const [mantissa, exponent] = (bits === 32 ? shortestFloat32(value) : value.toExponential()).split('e') as [string, string]
  const e = Number(exponent)
  if (e < -4 || e >= 6) return `${mantissa}e${e < 0 ? '-' : '+'}${String(Math.abs(e)).padStart(2, '0')}`
  return String(Number(`${mantissa}e${exponent}`))
}

function shortestFloat32 (n: number): string {
  for (let digits = 0; digits < 9; digits++) {
    const text = n.toExponential(digits)
    if (Math.fround(Number(text)) === n) return text
  }
  return n.toExponential()
}
