/**
 * The `duration` format: what Go's time.ParseDuration takes, or any text with a number and a unit in it (`1 week`, `about 5 minutes`).
 * Source: `time.ParseDuration`, `kube-openapi/pkg/validation/strfmt/duration.go`.
 */
export function isDuration (text: string): boolean {
  if ((text.length <= 16 && commonDuration.test(text)) || isGoDuration(text)) return true
  let found = false
  for (const [, , count, unit] of text.matchAll(/((?<!\d)(\d+)[\t\n\f\r ]*([A-Za-zµ]+))/g)) {
    if (BigInt(count!) > maxInt64) return false
    found ||= isLongUnit(unit!.toLowerCase())
  }
  return found
}

/** Short ones cannot be too long a time. */
const commonDuration = /^(?:[0-9]{1,6}(?:ms|s|m|h))+$/
const maxInt64 = 2n ** 63n - 1n

/** Each unit's short names, and the stem its long names begin with. */
const longUnits: readonly (readonly [short: readonly string[], stem: string])[] = [
  [['ns'], 'nano'], [['us', 'µs'], 'micro'], [['ms'], 'milli'], [['s'], 'sec'], [['m'], 'min'], [['h', 'hr'], 'hour'], [['d'], 'day'], [['w', 'wk'], 'week']
]
const isLongUnit = (unit: string): boolean => longUnits.some(([short, stem]) => short.includes(unit) || unit.startsWith(stem))

const nanoseconds: Readonly<Record<string, bigint>> = {
  ns: 1n, us: 1000n, 'µs': 1000n, 'μs': 1000n, ms: 1_000_000n, s: 1_000_000_000n, m: 60_000_000_000n, h: 3_600_000_000_000n
}

/** `-1h2m3.5s`, `0`; not beyond 290 years, which int64 nanoseconds cannot hold. */
function isGoDuration (text: string): boolean {
  const [, sign, rest] = /^([-+]?)(.*)$/s.exec(text) as unknown as [string, string, string]
  if (rest === '0') return true
  if (rest === '') return false
  let total = 0n
  const part = /([0-9]*)(?:\.([0-9]*))?([^.0-9]+)/ys
  while (part.lastIndex < rest.length) {
    const match = part.exec(rest)
    if (match === null) return false
    const [, digits, fraction = '', unitName] = match as unknown as [string, string, string | undefined, string]
    if ((digits === '' && fraction === '') || !Object.hasOwn(nanoseconds, unitName)) return false
    const unit = nanoseconds[unitName]!
    // Beyond int64's 19 digits of a fraction Go ignores the rest.
    const kept = fraction.slice(0, 18)
    total += BigInt(digits) * unit + BigInt(kept === '' ? 0 : kept) * unit / 10n ** BigInt(kept.length)
    if (total > maxInt64 + 1n) return false
  }
  return total <= (sign === '-' ? maxInt64 + 1n : maxInt64)
}
