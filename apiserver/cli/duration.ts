/** Units of Go's time.ParseDuration, in milliseconds. */
const units: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, 'µs': 1e-3, 'μs': 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/**
 * Reads a Go duration such as `1h30m`, `1.5s` or `0`, in milliseconds.
 * @throws Error with the text of Go's time.ParseDuration
 */
export function parseDuration (text: string): number {
  const sign = text.startsWith('-') ? -1 : 1
  const rest = text.replace(/^[+-]/, '')
  if (rest === '0') return 0
  const invalid = (): Error => new Error(`time: invalid duration ${JSON.stringify(text)}`)
  if (rest === '') throw invalid()
  let total = 0
  const part = /(\d+\.?\d*|\.\d+)([^\d.]*)/y
  while (part.lastIndex < rest.length) {
    const match = part.exec(rest)
    if (match === null) throw invalid()
    if (match[2] === '') throw new Error(`time: missing unit in duration ${JSON.stringify(text)}`)
    const unit = units[match[2]!]
    if (unit === undefined) throw new Error(`time: unknown unit ${JSON.stringify(match[2])} in duration ${JSON.stringify(text)}`)
    total += Number(match[1]) * unit
  }
  // Go counts int64 nanoseconds, about 292 years.
  if (total > 9_223_372_036_854.775) throw invalid()
  return sign * total || 0
}

/** Writes milliseconds as Go prints a duration: `1m0s`, `1.5s`, `300ms`. */
export function formatDuration (ms: number): string {
  if (ms === 0) return '0s'
  const sign = ms < 0 ? '-' : ''
  const abs = Math.abs(ms)
  if (abs < 1e-3) return `${sign}${trim(abs * 1e6)}ns`
  if (abs < 1) return `${sign}${trim(abs * 1e3)}µs`
  if (abs < 1000) return `${sign}${trim(abs)}ms`
  const hours = Math.floor(abs / 3_600_000)
  const minutes = Math.floor(abs % 3_600_000 / 60_000)
  const seconds = `${trim(abs % 60_000 / 1000)}s`
  return sign + (hours > 0 ? `${hours}h${minutes}m${seconds}` : minutes > 0 ? `${minutes}m${seconds}` : seconds)
}

const trim = (n: number): string => String(Number(n.toFixed(9)))
