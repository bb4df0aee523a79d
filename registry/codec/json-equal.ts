import type { JsonValue } from './value.js'

/**
 * Whether two values mean the same JSON: the order of members does not matter, and 1, 1n and 1.0 are one number.
 * @param sameNumber decides of numbers that are not identical, one of them a bigint
 */
export function equalJson (a: JsonValue, b: JsonValue, sameNumber: (a: number | bigint, b: number | bigint) => boolean = isExactly): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return isNumber(a) && isNumber(b) && sameNumber(a, b)
  if (Array.isArray(a)) {
    if (!Array.isArray(b) || a.length !== b.length) return false
    for (let i = 0; i < a.length; i++) if (!equalJson(a[i] as JsonValue, b[i] as JsonValue, sameNumber)) return false
    return true
  }
  if (Array.isArray(b)) return false
  let members = 0
  for (const key in a) {
    if (!Object.hasOwn(b, key) || !equalJson(a[key] as JsonValue, b[key] as JsonValue, sameNumber)) return false
    members++
  }
  return members === Object.keys(b).length
}

const isNumber = (v: JsonValue): v is number | bigint => typeof v === 'number' || typeof v === 'bigint'
const isExactly = (a: number | bigint, b: number | bigint): boolean => a == b // eslint-disable-line eqeqeq -- 1 == 1n
