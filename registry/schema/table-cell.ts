import { goNumber } from '../meta/go-format.js'
import { printJson } from '../codec/json-print.js'
import type { JsonValue } from '../codec/value.js'
import { humanDuration } from './human-duration.js'
import { compileJsonPath, JsonPathEvaluationError, type JsonPath } from './json-path.js'
import { parseRfc3339 } from './rfc3339.js'

/** A printer column ready for use. */
export interface CellColumn {
  readonly type: 'integer' | 'number' | 'string' | 'boolean' | 'date'
  readonly path: JsonPath
}

/** @throws JsonPathSyntaxError */
export function compileColumn (column: { readonly type: CellColumn['type']; readonly jsonPath: string }): CellColumn {
  return { type: column.type, path: compileJsonPath(column.jsonPath) }
}

/**
 * One cell of a Table: the first value that the column's path finds, or null where there is none or it has another type. A string
 * column prints whatever it finds, a date column how long ago it was.
 * Source: `apiextensions-apiserver/pkg/registry/customresource/tableconvertor`.
 */
export function cellFor (column: CellColumn, object: JsonValue, now: Date): JsonValue {
  const value = firstValue(column.path, object)
  if (value === undefined) return null
  if (column.type === 'string') return printCell(value)
  switch (column.type) {
    case 'integer': return typeof value === 'bigint' ? value : typeof value === 'number' ? toInteger(value) : null
    case 'number': return typeof value === 'number' ? value : typeof value === 'bigint' ? Number(value) : null
    case 'boolean': return typeof value === 'boolean' ? value : null
    case 'date': return typeof value === 'string' ? age(value, now) : null
  }
}

function firstValue (path: JsonPath, object: JsonValue): JsonValue | undefined {
  try {
    return path.evaluate(object)[0]
  } catch (error) {
    if (error instanceof JsonPathEvaluationError) return undefined
    throw error
  }
}

/** Go's conversion to int64: what does not fit becomes the lowest one (amd64). */
const toInteger = (value: number): number | bigint => Math.abs(value) < 2 ** 63 ? Math.trunc(value) + 0 : -(2n ** 63n)

function printCell (value: JsonValue): string {
  if (value === null) return '<no value>'
  if (typeof value === 'object') return printJson(value)
  return typeof value === 'number' ? goNumber(value) : String(value)
}

/** How long ago a timestamp was: `5d`, `<unknown>` for none, `<invalid>` for what is none or lies ahead. */
export const age = (timestamp: string, now: Date): string => ageSince(readTimestamp(timestamp), now)

/** A timestamp read once: milliseconds since the epoch, or what is shown instead of an age. */
export type Since = number | '<unknown>' | '<invalid>'

export const ageSince = (since: Since, now: Date): string => typeof since === 'string' ? since : humanDuration(now.getTime() - since)

export function readTimestamp (timestamp: string): Since {
  if (timestamp === '' || timestamp === 'null') return '<unknown>'
  const parsed = parseRfc3339(timestamp)
  if ('error' in parsed) return '<invalid>'
  return parsed.ms === zeroTime ? '<unknown>' : parsed.ms
}

/** 0001-01-01T00:00:00Z, Go's zero time. */
const zeroTime = -62135596800000

/** What a date column finds, to be shown as an age: undefined for other columns, and where there is no text. */
export function dateOf (column: CellColumn, object: JsonValue): Since | undefined {
  if (column.type !== 'date') return undefined
  const value = firstValue(column.path, object)
  return typeof value === 'string' ? readTimestamp(value) : undefined
}
