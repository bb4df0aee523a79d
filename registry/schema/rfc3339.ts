import { daysIn } from './formats.js'

/**
 * Reads a timestamp as Go's time.Parse(time.RFC3339) does: an hour of one digit and a comma before the fraction pass.
 * @returns milliseconds since the epoch (the fraction is dropped), or Go's text of what is wrong
 * Source: `time.Parse`.
 */
export function parseRfc3339 (text: string): { readonly ms: number } | { readonly error: string } {
  const state = { rest: text }
  const cannot = (value: string, element: string): { error: string } => ({ error: `parsing time ${quote(text)} as "${layout}": cannot parse ${quote(value)} as ${quote(element)}` })
  const numbers: number[] = []
  for (const { before, element, pattern, min, max, name } of elements) {
    if (!state.rest.startsWith(before)) return cannot(state.rest, before)
    state.rest = state.rest.slice(before.length)
    const found = pattern.exec(state.rest)?.[0]
    if (found === undefined) return cannot(state.rest, element)
    state.rest = state.rest.slice(found.length)
    const n = Number(found)
    if (n < min || n > max) return { error: `parsing time ${quote(text)}: ${name} out of range` }
    numbers.push(n)
  }
  state.rest = state.rest.replace(/^[.,][0-9]+/, '')
  const zone = /^(?:Z|([+-])([0-9]{2}):([0-9]{2}))/.exec(state.rest)
  if (zone === null) return cannot(state.rest, 'Z07:00')
  const [hours, minutes] = [Number(zone[2] ?? 0), Number(zone[3] ?? 0)]
  if (minutes > 60) return { error: `parsing time ${quote(text)}: time zone offset minute out of range` }
  if (hours > 24) return { error: `parsing time ${quote(text)}: time zone offset hour out of range` }
  const extra = state.rest.slice(zone[0].length)
  if (extra !== '') return { error: `parsing time ${quote(text)}: extra text: ${quote(extra)}` }
  const [year, month, day, hour, minute, second] = numbers as [number, number, number, number, number, number]
  if (day < 1 || day > daysIn(year, month)) return { error: `parsing time ${quote(text)}: day out of range` }
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  date.setUTCHours(hour, minute, second)
  return { ms: date.getTime() - (zone[1] === '-' ? -1 : 1) * (hours * 60 + minutes) * 60_000 }
}

const layout = '2006-01-02T15:04:05Z07:00'
const twoDigits = /^[0-9]{2}/
const elements = [
  { before: '', element: '2006', pattern: /^[0-9]{4}/, min: 0, max: 9999, name: '' },
  { before: '-', element: '01', pattern: twoDigits, min: 1, max: 12, name: 'month' },
  { before: '-', element: '02', pattern: twoDigits, min: 0, max: 99, name: 'day' },
  { before: 'T', element: '15', pattern: /^[0-9]{1,2}/, min: 0, max: 23, name: 'hour' },
  { before: ':', element: '04', pattern: twoDigits, min: 0, max: 59, name: 'minute' },
  { before: ':', element: '05', pattern: twoDigits, min: 0, max: 59, name: 'second' }
]

/** Quoted as Go's time package quotes: bytes that are no printable ASCII as `\\x..`. */
function quote (text: string): string {
  let out = '"'
  for (const byte of Buffer.from(text)) {
    const c = String.fromCharCode(byte)
    out += byte >= 0x80 || byte < 0x20 ? `\\x${byte.toString(16).padStart(2, '0')}` : c === '"' || c === '\\' ? `\\${c}` : c
  }
  return `${out}"`
}

/** Seconds in UTC, as Kubernetes writes every timestamp. */
export const formatRfc3339 = (ms: number): string => `${new Date(Math.floor(ms / 1000) * 1000).toISOString().slice(0, 19)}Z`
