import { compareUtf8 } from '../../registry/codec/json-print.js'
import { isObject, type JsonValue } from '../../registry/codec/value.js'
import { goQuote } from '../../registry/meta/go-format.js'

/**
 * Values as the texts of apply's errors show them. kube-apiserver prints its value wrapper with Go's `%v` and `%#v`, so clients see
 * `&{text}` and `&value.valueUnstructured{Value:"text"}`; both are taken over because kubectl users search for these texts.
 */

/** `%v` of the wrapper: `&{x}`, `&{map[a:1]}`. */
export const wrapped = (v: JsonValue): string => `&{${plain(v)}}`
/** `%#v` of the wrapper: `&value.valueUnstructured{Value:"x"}`. */
export const wrappedSyntax = (v: JsonValue): string => `&value.valueUnstructured{Value:${syntax(v)}}`

/** `%T`: the Go type that a decoded JSON value has. */
export function goType (v: JsonValue): string {
  if (v === null) return '<nil>'
  if (Array.isArray(v)) return '[]interface {}'
  switch (typeof v) {
    case 'object': return 'map[string]interface {}'
    case 'string': return 'string'
    case 'boolean': return 'bool'
    case 'bigint': return 'int64'
    default: return Number.isInteger(v) ? 'int64' : 'float64'
  }
}

const byKey = ([a]: [string, JsonValue], [b]: [string, JsonValue]): number => compareUtf8(a, b)

function plain (v: JsonValue): string {
  if (v === null) return '<nil>'
  if (Array.isArray(v)) return `[${v.map(plain).join(' ')}]`
  if (isObject(v)) return `map[${Object.entries(v).sort(byKey).map(([k, x]) => `${k}:${plain(x)}`).join(' ')}]`
  return typeof v === 'number' ? goNumber(v) : String(v)
}

function syntax (v: JsonValue): string {
  if (v === null) return 'interface {}(nil)'
  if (Array.isArray(v)) return `[]interface {}{${v.map(syntax).join(', ')}}`
  if (isObject(v)) return `map[string]interface {}{${Object.entries(v).sort(byKey).map(([k, x]) => `${goQuote(k)}:${syntax(x)}`).join(', ')}}`
  return typeof v === 'string' ? goQuote(v) : typeof v === 'number' ? goNumber(v) : String(v)
}

/** A number with `%v`: whole ones are int64 after decoding, others are float64 and turn to exponents below 1e-4 and from 1e6 on. */
export function goNumber (n: number): string {
  if (Number.isInteger(n) && Math.abs(n) < 2 ** 63) return Object.is(n, -0) ? '0' : BigInt(n).toString()
  const abs = Math.abs(n)
  return abs < 1e-4 || abs >= 1e6 ? n.toExponential().replace(/e([+-])(\d)$/, 'e$10$2') : String(n)
}
