import fc from 'fast-check'
import t from 'tap'
import { cloneJson } from './json-clone.js'
import { equalJson } from './json-equal.js'
import { printJson } from './json-print.js'
import { parseJson } from './json-parse.js'
import type { JsonValue } from './value.js'

t.test('values are equal that mean the same', t => {
  const table: Array<[JsonValue, JsonValue, boolean]> = [
    [1, 1n, true], [1n, 1, true], [0, -0, true], [1.5, 1n, false], [9007199254740992, 9007199254740993n, false], [1, '1', false], [1n, '1', false], [0, false, false],
    [null, 0, false], [null, {}, false], [[], {}, false], [{}, [], false], ['', null, false], [{ a: 1, b: 2 }, { b: 2n, a: 1 }, true], [{ a: 1 }, { a: 1, b: null }, false],
    [{ a: 1, b: null }, { a: 1 }, false], [[1, 2], [2, 1], false], [[1], [1, 1], false], [{ toString: 1 }, { a: 1 }, false], [[{ a: [1n] }], [{ a: [1] }], true]
  ]
  for (const [a, b, equal] of table) t.equal(equalJson(a, b), equal, `${printJson(a)} and ${printJson(b)}`)
  t.end()
})

t.test('a clone is equal and shares nothing', t => {
  fc.assert(fc.property(fc.jsonValue(), value => {
    const original = value as JsonValue
    const copy = cloneJson(original)
    t.ok(equalJson(copy, original))
    t.equal(shared(copy, original), false)
  }), { numRuns: 200 })
  t.end()
})

t.test('a clone keeps exact integers and an own "__proto__"', t => {
  const { value } = parseJson('{"__proto__":{"a":9007199254740993}}')
  const copy = cloneJson(value)
  t.ok(equalJson(copy, value))
  t.equal(printJson(copy), '{"__proto__":{"a":9007199254740993}}')
  t.equal(Object.getPrototypeOf(copy), Object.prototype)
  t.end()
})

function shared (a: JsonValue, b: JsonValue): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  return a === b || Object.keys(a).some(key => shared((a as Record<string, JsonValue>)[key]!, (b as Record<string, JsonValue>)[key]!))
}
