/** A text that is no RFC 3339 time; the message is the one of Go's time.Parse. */
export class TimeParseError extends Error {
  override readonly name = 'TimeParseError'
}

/** A point in time as metav1.Time has it. */
export interface GoTime {
  /** In UTC and whole seconds: `2026-01-01T00:00:00Z`. */
  readonly text: string
  /** The zero time, 0001-01-01T00:00:00Z, which metav1.Time prints as null. */
  readonly isZero: boolean
}

const layout = '2006-01-02T15:04:05Z07:00'

/**
 * Reads a time as Go's time.Parse(time.RFC3339, …) does, which is a little wider than RFC 3339 (one digit of hours, a comma before the
 * fraction, offsets up to 24:60), and writes it as metav1.Time does. Throws TimeParseError.
 */
export function parseGoTime (input: string): GoTime {
  const parser = new TimeParser(input)
  const year = parser.year()
  parser.literal('-')
  const month = parser.number('01', 'month', { fixed: true, from: 1, to: 12 })
  parser.literal('-')
  const day = parser.number('02', 'day', { fixed: true, from: 0, to: 99 })
  parser.literal('T')
  const hour = parser.number('15', 'hour', { fixed: false, from: 0, to: 23 })
  parser.literal(':')
  const minute = parser.number('04', 'minute', { fixed: true, from: 0, to: 59 })
  parser.literal(':')
  const second = parser.number('05', 'second', { fixed: true, from: 0, to: 59 })
  const isWhole = parser.fraction()
  const offsetMinutes = parser.zone()
  parser.end()
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) throw parser.error(': day out of range')
  date.setUTCHours(hour, minute - offsetMinutes, second)
  return { text: format(date), isZero: isWhole && date.getTime() === zeroTime }
}

const zeroTime = -62135596800000

function format (date: Date): string {
  const year = date.getUTCFullYear()
  return `${year < 0 ? '-' : ''}${String(Math.abs(year)).padStart(4, '0')}-${two(date.getUTCMonth() + 1)}-${two(date.getUTCDate())}T${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}Z`
}

const two = (n: number): string => String(n).padStart(2, '0')

interface NumberRange { readonly fixed: boolean; readonly from: number; readonly to: number }

class TimeParser {
  /** One character for each byte of UTF-8, as Go cuts strings. */
  readonly #whole: string
  #rest: string

  constructor (input: string) {
    this.#whole = this.#rest = Buffer.from(input).toString('latin1')
  }

  year (): number {
    if (!/^[0-9]{4}/.test(this.#rest)) throw this.#cannotParse('2006')
    return Number(this.#cut(4))
  }

  literal (text: string): void {
    if (!this.#rest.startsWith(text)) throw this.#cannotParse(text)
    this.#cut(1)
  }

  number (element: string, what: string, range: NumberRange): number {
    const digits = /^[0-9]{1,2}/.exec(this.#rest)?.[0] ?? ''
    if (digits.length < (range.fixed ? 2 : 1)) throw this.#cannotParse(element)
    this.#cut(digits.length)
    const n = Number(digits)
    if (n < range.from || n > range.to) throw this.error(`: ${what} out of range`)
    return n
  }

  /** Skips a fraction of the second; false if there was one other than zero. */
  fraction (): boolean {
    const fraction = /^[.,][0-9]+/.exec(this.#rest)?.[0] ?? ''
    this.#cut(fraction.length)
    return !/[1-9]/.test(fraction.slice(0, 10))
  }

  zone (): number {
    if (this.#rest.startsWith('Z')) {
      this.#cut(1)
      return 0
    }
    const zone = /^([+-])([0-9]{2}):([0-9]{2})/.exec(this.#rest)
    if (zone === null) {
      // The sign is looked at last.
      const unsigned = /^[^]([0-9]{2}):([0-9]{2})/.exec(this.#rest)
      if (unsigned !== null) this.#checkOffset(Number(unsigned[1]), Number(unsigned[2]))
      throw this.#cannotParse('Z07:00')
    }
    const hours = Number(zone[2])
    const minutes = Number(zone[3])
    this.#checkOffset(hours, minutes)
    this.#cut(zone[0].length)
    return (zone[1] === '-' ? -1 : 1) * (hours * 60 + minutes)
  }

  #checkOffset (hours: number, minutes: number): void {
    if (minutes > 60) throw this.error(': time zone offset minute out of range')
    if (hours > 24) throw this.error(': time zone offset hour out of range')
  }

  end (): void {
    if (this.#rest !== '') throw this.error(`: extra text: ${quote(this.#rest)}`)
  }

  error (message: string): TimeParseError {
    return new TimeParseError(`parsing time ${quote(this.#whole)}${message}`)
  }

  #cannotParse (element: string): TimeParseError {
    return this.error(` as "${layout}": cannot parse ${quote(this.#rest)} as "${element}"`)
  }

  #cut (n: number): string {
    const head = this.#rest.slice(0, n)
    this.#rest = this.#rest.slice(n)
    return head
  }
}

/** Go's package time quotes by bytes, unlike strconv. */
const quote = (bytes: string): string =>
  `"${bytes.replace(/["\\]|[^\x20-\x7f]/g, c => c === '"' || c === '\\' ? `\\${c}` : `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`)}"`
