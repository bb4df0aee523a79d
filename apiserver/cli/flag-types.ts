import { formatDuration, parseDuration } from './duration.js'

/** One flag: how its values are read, kept and shown. */
export interface Flag<T> {
  readonly name: string
  /** One letter, e.g. `v`. */
  readonly shorthand?: string | undefined
  readonly section: string
  readonly help: string
  readonly default: T
  /** pflag's word for the type, shown behind the name; empty for bools. */
  readonly typeName: string
  /** A bool may stand without a value. */
  readonly isBool: boolean
  /** Takes a value as typed; `previous` is undefined at the first time, so a list replaces its default. @throws Error saying what is wrong */
  parse (text: string, previous: T | undefined): T
  /** The default as `--help` shows it; empty if it goes without saying. */
  formatDefault (): string
}

/** Any flag; the type of its values does not matter for parsing. */
export type AnyFlag = Flag<never> | Flag<unknown>

interface FlagInit<T> { readonly default: T; readonly help: string; readonly shorthand?: string; readonly typeName?: string }

const define = <T>(section: string, name: string, init: FlagInit<T>, kind: Pick<Flag<T>, 'parse' | 'typeName' | 'isBool' | 'formatDefault'>): Flag<T> => ({
  ...kind,
  name,
  section,
  help: init.help,
  default: init.default,
  ...(init.typeName !== undefined && { typeName: init.typeName }),
  ...(init.shorthand !== undefined && { shorthand: init.shorthand })
})

const quoted = (text: string): string => text === '' ? '' : JSON.stringify(text)

/** Declares flags of one section of `--help`. */
export function flagSection (section: string) {
  return {
    string: (name: string, init: FlagInit<string>): Flag<string> =>
      define(section, name, init, { typeName: 'string', isBool: false, parse: text => text, formatDefault: () => quoted(init.default) }),

    bool: (name: string, init: FlagInit<boolean>): Flag<boolean> =>
      define(section, name, init, { typeName: '', isBool: true, parse: parseBool, formatDefault: () => init.default ? 'true' : '' }),

    int: (name: string, init: FlagInit<number>): Flag<number> =>
      define(section, name, init, { typeName: 'int', isBool: false, parse: parseInteger, formatDefault: () => init.default === 0 ? '' : String(init.default) }),

    float: (name: string, init: FlagInit<number>): Flag<number> =>
      define(section, name, init, { typeName: 'float', isBool: false, parse: parseFloat64, formatDefault: () => init.default === 0 ? '' : String(init.default) }),

    /** A Go duration, kept in milliseconds. */
    duration: (name: string, init: FlagInit<number>): Flag<number> =>
      define(section, name, init, { typeName: 'duration', isBool: false, parse: text => parseDuration(text), formatDefault: () => init.default === 0 ? '' : formatDuration(init.default) }),

    /** Comma separated, and repeatable; a value with a comma is quoted as in CSV. */
    strings: (name: string, init: FlagInit<readonly string[]>): Flag<readonly string[]> =>
      define(section, name, init, {
        typeName: 'strings',
        isBool: false,
        parse: (text, previous) => [...previous ?? [], ...splitCsv(text)],
        formatDefault: () => init.default.length === 0 ? '' : `[${init.default.join(',')}]`
      }),

    /** Repeatable; commas are part of the value. */
    stringArray: (name: string, init: FlagInit<readonly string[]>): Flag<readonly string[]> =>
      define(section, name, init, {
        typeName: 'stringArray',
        isBool: false,
        parse: (text, previous) => [...previous ?? [], text],
        formatDefault: () => init.default.length === 0 ? '' : `[${init.default.join(',')}]`
      }),

    /** `key=value` pairs, comma separated and repeatable. */
    map: (name: string, init: FlagInit<Readonly<Record<string, string>>>): Flag<Readonly<Record<string, string>>> =>
      define(section, name, init, {
        typeName: 'stringToString',
        isBool: false,
        parse: (text, previous) => ({ ...previous, ...Object.fromEntries(splitCsv(text).map(parsePair)) }),
        formatDefault: () => Object.keys(init.default).length === 0 ? '' : `[${Object.entries(init.default).map(([k, v]) => `${k}=${v}`).join(',')}]`
      })
  }
}

function parseBool (text: string): boolean {
  if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(text)) return true
  if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(text)) return false
  throw new Error(`strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`)
}

/** Go's strconv.ParseInt with base 0 reads more notations; nobody types ports in hexadecimal, so they are refused. */
function parseInteger (text: string): number {
  if (!/^[+-]?\d+$/.test(text)) throw new Error(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`)
  const value = Number(text)
  if (!Number.isSafeInteger(value)) throw new Error(`strconv.ParseInt: parsing ${JSON.stringify(text)}: value out of range`)
  return value
}

function parseFloat64 (text: string): number {
  if (!/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text)) throw new Error(`strconv.ParseFloat: parsing ${JSON.stringify(text)}: invalid syntax`)
  return Number(text)
}

function parsePair (text: string): [string, string] {
  const at = text.indexOf('=')
  if (at < 0) throw new Error(`${text} must be formatted as key=value`)
  return [text.slice(0, at), text.slice(at + 1)]
}

/** One line of CSV (RFC 4180), as pflag's slices are read. */
function splitCsv (text: string): string[] {
  if (text === '') return []
  const fields: string[] = []
  const pattern = /(?:"((?:[^"]|"")*)"|([^,"]*))(,|$)/y
  for (;;) {
    const match = pattern.exec(text)
    if (match === null) throw new Error('parse error: bare " in non-quoted field')
    fields.push(match[1] === undefined ? match[2]! : match[1].replaceAll('""', '"'))
    if (match[3] === '') return fields
  }
}
