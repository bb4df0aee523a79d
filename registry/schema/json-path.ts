import { sortedKeys } from '../codec/json-print.js'
import { isObject, type JsonObject, type JsonValue } from '../codec/value.js'
import { isInt64 } from './number-rules.js'
import { JsonPathSyntaxError, parseJsonPath, type Path, type Step } from './json-path-parser.js'

export { JsonPathSyntaxError }

/** A path cannot be applied to an object: an index into what is no list or beyond its end, a comparison of different types. */
export class JsonPathEvaluationError extends Error {
  override readonly name = 'JsonPathEvaluationError'
}

export interface JsonPath {
  /** What stands at the path, in order; nothing where a key is missing. @throws JsonPathEvaluationError */
  evaluate (object: JsonValue): JsonValue[]
}

/**
 * Compiles kubectl's JSONPath, as `additionalPrinterColumns` and `selectableFields` use it (no braces).
 * Wildcards over objects follow the order of keys, where kube-apiserver's is random.
 * @throws JsonPathSyntaxError
 * Source: `client-go/util/jsonpath`.
 */
export function compileJsonPath (text: string): JsonPath {
  const path = parseJsonPath(text)
  const names = path.every(s => s.type === 'field') ? path.map(s => s.name) : undefined
  return { evaluate: names === undefined ? object => walk([object], path) : object => walkFields(object, names) }
}

/** The common case: names only. */
function walkFields (object: JsonValue, names: readonly string[]): JsonValue[] {
  let at = object
  for (const name of names) {
    if (!isObject(at) || !Object.hasOwn(at, name)) return []
    at = at[name]!
  }
  return [at]
}

function walk (values: readonly JsonValue[], path: Path): JsonValue[] {
  return path.reduce((found, step) => applyStep(found, step), [...values])
}

function applyStep (values: readonly JsonValue[], step: Step): JsonValue[] {
  switch (step.type) {
    case 'field': return values.flatMap(v => isObject(v) && Object.hasOwn(v, step.name) ? [v[step.name]!] : [])
    case 'wildcard': return values.flatMap(members)
    case 'recursive': return values.flatMap(withDescendants)
    case 'slice': return applySlice(values, step)
    case 'union': return step.paths.flatMap(p => walk(values, p))
    case 'filter': return values.flatMap(v => applyFilter(v, step))
    case 'literal': return values.map(() => step.value)
    case 'identifier': throw new JsonPathEvaluationError(`unrecognized identifier ${step.name}`)
  }
}

function members (value: JsonValue): JsonValue[] {
  if (Array.isArray(value)) return value
  if (isObject(value)) return sortedKeys(value).map(k => (value as JsonObject)[k]!)
  return typeof value === 'string' ? [...Buffer.from(value)] : []
}

/** Every value that has members, outermost first. */
function withDescendants (value: JsonValue): JsonValue[] {
  const below = members(value)
  return below.length === 0 ? [] : [value, ...below.flatMap(withDescendants)]
}

function applySlice (values: readonly JsonValue[], { start = 0, end, step = 1, single }: Step & { type: 'slice' }): JsonValue[] {
  const found: JsonValue[] = []
  for (const value of values) {
    if (value === null) continue
    if (!Array.isArray(value)) throw new JsonPathEvaluationError(`${typeof value} is not array or slice`)
    const { length } = value
    const from = start < 0 ? start + length : start
    let to = end ?? (single ? start + 1 : length)
    if (to < 0 || (to === 0 && single)) to += length
    // Nothing wanted is nothing found, and ends the walk.
    if (to === from) return found
    if (from >= length || from < 0) throw new JsonPathEvaluationError(`array index out of bounds: index ${from}, length ${length}`)
    if (to > length || to < 0) throw new JsonPathEvaluationError(`array index out of bounds: index ${to - 1}, length ${length}`)
    if (from > to) throw new JsonPathEvaluationError(`starting index ${from} is greater than ending index ${to}`)
    if (step <= 0) throw new JsonPathEvaluationError('step must be > 0')
    for (let i = from; i < to; i += step) found.push(value[i]!)
  }
  return found
}

function applyFilter (value: JsonValue, { left, operator, right }: Step & { type: 'filter' }): JsonValue[] {
  if (!Array.isArray(value)) throw new JsonPathEvaluationError(`${typeof value} is not array or slice and cannot be filtered`)
  if (operator === 'exists') return value.filter(item => exists(item, left))
  return value.filter(item => {
    const a = one(walk([item], left))
    if (a === undefined) return false
    const b = one(walk([item], right))
    if (b === undefined) return false
    return compare(a, operator, b, isFloatLiteral(left), isFloatLiteral(right))
  })
}

/** A path that fails counts as one that leads somewhere. */
function exists (item: JsonValue, path: Path): boolean {
  try {
    return walk([item], path).length > 0
  } catch (error) {
    if (error instanceof JsonPathEvaluationError) return true
    throw error
  }
}

function one (values: readonly JsonValue[]): JsonValue | undefined {
  if (values.length > 1) throw new JsonPathEvaluationError('can only compare one element at a time')
  return values[0]
}

const isFloatLiteral = (path: Path): boolean => {
  const last = path.at(-1)
  return last?.type === 'literal' && last.float
}

function compare (a: JsonValue, operator: string, b: JsonValue, floatA: boolean, floatB: boolean): boolean {
  const kind = kindOf(a, floatA)
  if (kind !== kindOf(b, floatB)) throw new JsonPathEvaluationError('incompatible types for comparison')
  if (operator === '==') return a === b
  if (operator === '!=') return a !== b
  if (!['<', '>', '<=', '>='].includes(operator)) throw new JsonPathEvaluationError(`unrecognized filter operator ${operator}`)
  if (kind === 'boolean') throw new JsonPathEvaluationError('invalid type for comparison')
  const [x, y] = [a, b] as [string | number | bigint, string | number | bigint]
  if (operator === '<') return x < y
  if (operator === '<=') return x <= y
  return operator === '>' ? x > y : x >= y
}

function kindOf (value: JsonValue, float: boolean): string {
  if (value === null || typeof value === 'object') throw new JsonPathEvaluationError('invalid type for comparison')
  return typeof value === 'number' || typeof value === 'bigint' ? isInt64(value) && !float ? 'int' : 'float' : typeof value
}
