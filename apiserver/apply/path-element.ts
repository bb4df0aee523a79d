import { compareUtf8, printJson } from '../../registry/codec/json-print.js'
import { isObject, type JsonObject, type JsonValue } from '../../registry/codec/value.js'
import { goQuote } from '../../registry/meta/go-format.js'
import { goNumber } from './go-value-format.js'

/**
 * One step from a value to a part of it, in the spelling of FieldsV1, which is canonical so that equal elements are equal strings:
 *
 * - `f:name`              the field or map key `name`
 * - `k:{"port":80}`       the item of a list of type map whose keys have these values; names sorted
 * - `v:"text"`            the item of a list of type set with this value
 * - `i:3`                 the item of an atomic list at this index
 *
 * Source: structured-merge-diff, `fieldpath/serialize-pe.go`.
 */
export type PathElement = string
/** From the root of an object to one of its fields. The empty path is the object itself, which nobody owns. */
export type Path = readonly PathElement[]

export const fieldElement = (name: string): PathElement => 'f:' + name
export const valueElement = (value: JsonValue): PathElement => 'v:' + printJson(value)
export const indexElement = (index: number): PathElement => 'i:' + index
/** @param keys key names with their values, in any order */
export const keyElement = (keys: JsonObject): PathElement => 'k:' + printJson(keys)

/** A path of field names only. */
export const fieldPath = (...names: string[]): Path => names.map(fieldElement)

/** Elements that are surely canonical: one simple key, simple values. */
const plainElement = /^(?:k:\{"[\w.-]+":(?:"[\w ./:@-]*"|0|-?[1-9]\d{0,14})\}$|v:(?:"[\w ./:@-]*"|0|-?[1-9]\d{0,14})$)/

/**
 * Reads an element that a client may have written.
 * @returns its canonical spelling, or undefined for a kind of element that a later version may know (those are dropped)
 * @throws SyntaxError when it is none
 */
export function parseElement (text: string): PathElement | undefined {
  if (text.startsWith('f:') || plainElement.test(text)) return text
  if (text.length < 2) throw new SyntaxError('key must be 2 characters long:')
  if (text.charCodeAt(1) !== 0x3a) throw new SyntaxError(`missing colon: ${text}`)
  switch (text[0]) {
    case 'v': return valueElement(elementValue(text))
    case 'k': return keyElement(elementKeys(text))
    case 'i': {
      if (!/^[+-]?\d+$/.test(text.slice(2))) throw new SyntaxError(`parsing ${goQuote(text.slice(2))}: invalid syntax`)
      return indexElement(Number(text.slice(2)))
    }
    default: return undefined
  }
}

/** The keys of a `k:` element. */
export function elementKeys (element: PathElement): JsonObject {
  const keys = parseJson(element.slice(2))
  if (!isObject(keys)) throw new SyntaxError(`expect { in ${element}`)
  return keys
}

/** The value of a `v:` element. */
export const elementValue = (element: PathElement): JsonValue => parseJson(element.slice(2))

/** JSON with whole numbers of any size kept exactly; keys and set items are flat, so a number is never inside a string here. */
function parseJson (text: string): JsonValue {
  if (!/\d{16}/.test(text)) return JSON.parse(text) as JsonValue
  const big: bigint[] = []
  const marked = text.replace(/"(?:[^"\\]|\\.)*"|-?\d{16,}(?![\d.eE])/g, token => {
    if (token[0] === '"' || Number.isSafeInteger(Number(token))) return token
    return `{"big":${big.push(BigInt(token)) - 1}}`
  })
  const restore = (v: JsonValue): JsonValue => isObject(v) && typeof v.big === 'number' ? big[v.big] ?? null : v
  const value = restore(JSON.parse(marked) as JsonValue)
  return isObject(value) ? Object.fromEntries(Object.entries(value).map(([k, v]) => [k, restore(v)])) : value
}

const rank = (e: PathElement): number => 'fkvi'.indexOf(e[0] ?? '')

/** The order in which messages list elements: fields, keys, values, indexes; each by its own value. */
export function compareElements (a: PathElement, b: PathElement): number {
  if (a === b) return 0
  if (a[0] !== b[0]) return rank(a) - rank(b)
  switch (a[0]) {
    case 'f': return compareUtf8(a, b)
    case 'k': return compareKeys(elementKeys(a), elementKeys(b))
    case 'v': return compareValues(elementValue(a), elementValue(b))
    default: return Number(a.slice(2)) - Number(b.slice(2))
  }
}

function compareKeys (a: JsonObject, b: JsonObject): number {
  const names = Object.keys(a).sort(compareUtf8)
  const others = Object.keys(b).sort(compareUtf8)
  for (let i = 0; i < names.length && i < others.length; i++) {
    const order = compareUtf8(names[i]!, others[i]!) || compareValues(a[names[i]!]!, b[others[i]!]!)
    if (order !== 0) return order
  }
  return names.length - others.length
}

const kinds = ['number', 'string', 'boolean', 'list', 'map', 'null'] as const
const kindOf = (v: JsonValue): typeof kinds[number] =>
  v === null ? 'null' : Array.isArray(v) ? 'list' : typeof v === 'object' ? 'map' : typeof v === 'bigint' || typeof v === 'number' ? 'number' : typeof v === 'string' ? 'string' : 'boolean'

function compareValues (a: JsonValue, b: JsonValue): number {
  const kind = kindOf(a)
  if (kind !== kindOf(b)) return kinds.indexOf(kind) - kinds.indexOf(kindOf(b))
  switch (kind) {
    case 'number': return (a as number) < (b as number) ? -1 : (a as number) > (b as number) ? 1 : 0
    case 'string': return compareUtf8(a as string, b as string)
    case 'boolean': return Number(a) - Number(b)
    default: return compareUtf8(printJson(a), printJson(b))
  }
}

/** An element as messages write it: `.name`, `[port=80,protocol="TCP"]`, `[="text"]`, `[3]`. */
export function formatElement (element: PathElement): string {
  switch (element[0]) {
    case 'f': return '.' + element.slice(2)
    case 'k': {
      const keys = elementKeys(element)
      return `[${Object.keys(keys).sort(compareUtf8).map(name => `${name}=${formatValue(keys[name]!)}`).join(',')}]`
    }
    case 'v': return `[=${formatValue(elementValue(element))}]`
    default: return `[${element.slice(2)}]`
  }
}

/** A path as messages write it: `.spec.ports[port=80].name`. */
export const formatPath = (path: Path): string => path.map(formatElement).join('')

function formatValue (v: JsonValue): string {
  if (typeof v === 'string') return goQuote(v)
  if (typeof v === 'number') return goNumber(v)
  if (Array.isArray(v)) return `[${v.map(formatValue).join(',')}]`
  if (isObject(v)) return Object.entries(v).map(([k, x]) => `${k}=${formatValue(x)}`).join('')
  return String(v)
}
