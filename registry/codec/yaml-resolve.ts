import { YamlError } from './yaml-reader.js'

/** A scalar with the Go type that yaml.v2 gives it; `uint` holds what is too big for an int64. */
export type Scalar =
  | { readonly type: 'null' }
  | { readonly type: 'bool', readonly value: boolean }
  | { readonly type: 'int' | 'uint', readonly value: bigint }
  | { readonly type: 'float', readonly value: number }
  | { readonly type: 'string', readonly value: string }

const prefix = 'tag:yaml.org,2002:'

const words: ReadonlyMap<string, Scalar> = new Map<string, Scalar>([
  ...['y', 'Y', 'yes', 'Yes', 'YES', 'true', 'True', 'TRUE', 'on', 'On', 'ON'].map((word): [string, Scalar] => [word, { type: 'bool', value: true }]),
  ...['n', 'N', 'no', 'No', 'NO', 'false', 'False', 'FALSE', 'off', 'Off', 'OFF'].map((word): [string, Scalar] => [word, { type: 'bool', value: false }]),
  ...['', '~', 'null', 'Null', 'NULL'].map((word): [string, Scalar] => [word, { type: 'null' }]),
  ...['.nan', '.NaN', '.NAN'].map((word): [string, Scalar] => [word, { type: 'float', value: NaN }]),
  ...['.inf', '.Inf', '.INF', '+.inf', '+.Inf', '+.INF'].map((word): [string, Scalar] => [word, { type: 'float', value: Infinity }]),
  ...['-.inf', '-.Inf', '-.INF'].map((word): [string, Scalar] => [word, { type: 'float', value: -Infinity }])
])

/**
 * What a plain scalar means in yaml.v2: YAML 1.1's booleans, octal with a leading zero, underscores between digits, and no times, which stay
 * strings. Of the tags only the scalar ones of YAML are looked at. Throws YamlError if text and tag do not agree.
 */
export function resolveScalar (tag: string, text: string): Scalar {
  if (tag === `${prefix}str` || !/^(?:tag:yaml\.org,2002:(?:bool|int|float|null|timestamp))?$/.test(tag)) return { type: 'string', value: text }
  const short = tag.replace(prefix, '!!')
  if (tag === '' || short === '!!timestamp') {
    if (isTimestamp(text)) return { type: 'string', value: text }
  }
  const resolved = resolvePlain(text)
  if (tag === '') return resolved
  const found = resolved.type === 'string' ? '!!str' : resolved.type === 'uint' ? '!!int' : `!!${resolved.type}`
  if (found === short) return resolved
  if (short === '!!float' && resolved.type === 'int') return { type: 'float', value: Number(resolved.value) }
  throw new YamlError(`cannot decode ${found} \`${text}\` as a ${short}`)
}

/** Whether a string, written plainly, would be read as something else. */
export const looksLikeOtherType = (text: string): boolean => isTimestamp(text) || resolvePlain(text).type !== 'string'

function resolvePlain (text: string): Scalar {
  const word = words.get(text)
  if (word !== undefined) return word
  if (text.startsWith('.')) {
    const n = /^\.[0-9]+(?:[eE][-+]?[0-9]+)?$/.test(text) ? Number(text) : NaN
    if (Number.isFinite(n)) return { type: 'float', value: n }
  } else if (/^[-+0-9]/.test(text)) {
    return resolveNumber(text.replaceAll('_', '')) ?? { type: 'string', value: text }
  }
  return { type: 'string', value: text }
}

const minInt64 = -(2n ** 63n)
const maxInt64 = 2n ** 63n - 1n
const maxUint64 = 2n ** 64n - 1n

function resolveNumber (text: string): Scalar | undefined {
  const n = parseInteger(text)
  if (n !== undefined && n >= minInt64 && n <= maxInt64) return { type: 'int', value: n }
  if (n !== undefined && n <= maxUint64 && /^[0-9]/.test(text)) return { type: 'uint', value: n }
  if (/^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/.test(text)) {
    const float = Number(text)
    if (Number.isFinite(float)) return { type: 'float', value: float }
  }
  return undefined
}

/** An integer as Go's strconv.ParseInt reads it with base 0; a sign between `0b` and the digits is a quirk of yaml.v2's. */
function parseInteger (text: string): bigint | undefined {
  const match = /^([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|([1-9][0-9]*|0)|0b([-+][01]+))$/.exec(text)
  if (match === null) return undefined
  const [, sign, hex, binary, octal, decimal, signedBinary] = match
  if (signedBinary !== undefined) {
    if (sign !== '') return undefined
    const magnitude = BigInt(`0b${signedBinary.slice(1)}`)
    return signedBinary.startsWith('-') ? -magnitude : magnitude
  }
  const magnitude = BigInt(hex !== undefined ? `0x${hex}` : binary !== undefined ? `0b${binary}` : octal !== undefined ? `0o${octal}` : decimal as string)
  return sign === '-' ? -magnitude : magnitude
}

/** Whether yaml.v2 would read a text as a time: a date alone, or with a time after T, t or a space. */
function isTimestamp (text: string): boolean {
  const match = /^([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})(?:[Tt]([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?:[.,][0-9]+)?(?:Z|[-+]([0-9]{2}):([0-9]{2}))| ([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})(?:[.,][0-9]+)?)?$/.exec(text)
  if (match === null) return false
  const [year, month, day, hour, minute, second, zoneHour, zoneMinute] = [1, 2, 3, 4, 5, 6, 7, 8].map(i => Number(match[i] ?? (i >= 4 && i <= 6 ? match[i + 5] : undefined) ?? 0)) as [number, number, number, number, number, number, number, number]
  if (month < 1 || month > 12 || hour > 23 || minute > 59 || second > 59 || zoneHour > 24 || zoneMinute > 60) return false
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  return day >= 1 && date.getUTCMonth() === month - 1 && date.getUTCDate() === day
}
