import { goNumber } from '../meta/go-format.js'
import { badFactor, outOfBounds, outOfFloatBounds, pathless, type Finding, type Findings } from './findings.js'
import type { SchemaNode } from './schema-node.js'

/**
 * Ranges, bounds and multiples of numbers. Integers (int64) and floats are compared in their own arithmetic, as Go does; bounds come as
 * floats and are truncated for integers, on amd64 to the lowest int64 where they do not fit.
 * Source: `kube-openapi/pkg/validation/validate/{validator,values}.go`, `go-openapi/swag` IsFloat64AJSONInteger.
 */
export function checkNumber (node: SchemaNode, value: number | bigint, path: string, findings: Findings): void {
  const { maximum, minimum, multipleOf } = node.schema
  const outside = rangeProblem(node, value, 'Checked', path)
  if (outside !== undefined) findings.push(outside)
  if (multipleOf !== undefined) {
    const unfit = rangeProblem(node, multipleOf, 'MultipleOf', path)
    if (unfit !== undefined) findings.push(unfit)
    const finding = isInt64(value) && unfit === undefined ? checkIntMultiple(value, multipleOf, path) : checkFloatMultiple(Number(value), multipleOf, path)
    if (finding !== undefined) findings.push(finding)
  }
  if (minimum !== undefined) checkBound(node, value, { bound: minimum, exclusive: node.schema.exclusiveMinimum === true, side: 'Minimum' }, path, findings)
  if (maximum !== undefined) checkBound(node, value, { bound: maximum, exclusive: node.schema.exclusiveMaximum === true, side: 'Maximum' }, path, findings)
}

interface Bound { readonly bound: number; readonly exclusive: boolean; readonly side: 'Minimum' | 'Maximum' }

function checkBound (node: SchemaNode, value: number | bigint, { bound, exclusive, side }: Bound, path: string, findings: Findings): void {
  const unfit = rangeProblem(node, bound, `${side} boundary`, path)
  if (unfit !== undefined) findings.push(unfit)
  const exact = isInt64(value) && unfit === undefined
  const [actual, limit] = exact ? [value, toInt64(bound)] : [Number(value), bound]
  const beyond = side === 'Minimum' ? actual < limit : actual > limit
  if (!beyond && !(exclusive && actual == limit)) return // eslint-disable-line eqeqeq -- a bigint may equal a number
  const rule = `should be ${side === 'Minimum' ? 'greater' : 'less'} than ${exclusive ? '' : 'or equal to '}`
  findings.push(exact
    ? outOfBounds(path, rule + BigInt(limit).toString(), value)
    : outOfFloatBounds(path, rule + goNumber(limit, { float: true }), Number(value)))
}

const int64Limit = 2 ** 63

/** Whether Go's decoder would have made this number an int64. A float written as `1.0` cannot be told from `1` here and counts as one. */
export const isInt64 = (value: number | bigint): boolean => typeof value === 'bigint' || Number.isSafeInteger(value)

/** Go reads the shortest decimal of a float here, and that of -2^63 lies outside. */
const fitsInt64 = (value: number | bigint): boolean => typeof value === 'bigint' || (Number.isInteger(value) && Math.abs(value) < int64Limit)

const toInt64 = (bound: number): number => bound >= int64Limit || bound < -int64Limit ? -int64Limit : Math.trunc(bound) + 0

/** Whether a number fits the type and format that the schema gives it. Only a single type counts. */
function rangeProblem (node: SchemaNode, value: number | bigint, what: string, path: string): Finding | undefined {
  const type = node.types.length === 1 ? node.types[0]! : ''
  if (type === 'integer') {
    if (fitsInt64(value) && (node.format !== 'int32' || (value >= -2147483648 && value <= 2147483647))) return undefined
  } else if (node.format !== 'float' || Number.isFinite(Math.fround(Number(value)))) {
    return undefined
  }
  return pathless(`${what} value must be of type ${type} ${node.format === '' ? '(default format)' : `with format ${node.format}`} in ${path}`)
}

function checkIntMultiple (value: number | bigint, multipleOf: number, path: string): Finding | undefined {
  const factor = toInt64(multipleOf)
  if (factor <= 0) return badFactor(path, factor, String(factor))
  const rest = Number.isSafeInteger(value) && Number.isSafeInteger(factor) ? Number(value) % factor : BigInt(value) % BigInt(factor)
  return rest == 0 ? undefined : outOfBounds(path, `should be a multiple of ${BigInt(factor)}`, value) // eslint-disable-line eqeqeq -- 0 or 0n
}

function checkFloatMultiple (value: number, factor: number, path: string): Finding | undefined {
  if (factor <= 0) return badFactor(path, factor, goNumber(factor, { float: true }))
  const quotient = factor < 1 ? 1 / factor * value : value / factor
  return isJsonInteger(quotient) ? undefined : outOfFloatBounds(path, `should be a multiple of ${goNumber(factor, { float: true })}`, value)
}

/** Whether a float is an integer or, above zero, within a relative 1e-9 of the one below it. */
export function isJsonInteger (value: number): boolean {
  if (!Number.isFinite(value) || Math.abs(value) > Number.MAX_SAFE_INTEGER) return false
  const whole = Math.trunc(value)
  if (whole === value) return true
  if (value < 0 || whole === 0) return false
  return (value - whole) / (value + whole) < 1e-9
}
