import fc from 'fast-check'
import t from 'tap'
import { compareUtf8, printInOrder, printJson, sortedKeys } from './json-print.js'
import { parseJson } from './json-parse.js'
import type { JsonValue } from './value.js'

t.test('values are printed as encoding/json prints them', t => {
  const table: Array<[JsonValue | undefined, string]> = [
    [null, 'null'], [undefined, 'null'], [true, 'true'], [0, '0'], [-0, '-0'], [1.5, '1.5'], [1e21, '1e+21'], [1e20, '100000000000000000000'], [1e-6, '0.000001'], [1e-7, '1e-7'],
    [NaN, 'null'], [Infinity, 'null'], [9223372036854775807n, '9223372036854775807'], ['', '""'],
    ['<a> & b\u2028\u2029', '"\\u003ca\\u003e \\u0026 b\\u2028\\u2029"'], ['\b\f\n\r\t\u0000\u001f\u007f"\\/', '"\\b\\f\\n\\r\\t\\u0000\\u001f\u007f\\"\\\\/"'],
    ['\ud800x', '"\ufffdx"'], ['\\ud800', '"\\\\ud800"'], ['\u{1f600}', '"\u{1f600}"'], [[], '[]'], [{}, '{}'], [[1, 'a', null], '[1,"a",null]'],
    [{ b: 1, a: { d: [1n], c: -0 } }, '{"a":{"c":-0,"d":[1]},"b":1}'], [{ 10: 1, 9: 2, a: 3 }, '{"10":1,"9":2,"a":3}'], [{ a: '<', b: '\\<' }, '{"a":"\\u003c","b":"\\\\\\u003c"}'],
    [{ '\u{1f600}': 1, '\uffff': 2 }, '{"\uffff":2,"\u{1f600}":1}'], [{ '<': '\ud800', b: 1 }, '{"\\u003c":"\ufffd","b":1}'], [{ a: undefined as never, b: 1 }, '{"b":1}']
  ]
  for (const [value, text] of table) t.equal(printJson(value), text, text)
  t.end()
})

t.test("Go's own types keep the order of their members, and escape as all else", t => {
  t.equal(printInOrder({ b: '<nil> & "x" \\ud800', a: ['\u2028\ud800'] }), String.raw`{"b":"\u003cnil\u003e \u0026 \"x\" \\ud800","a":["\u2028` + '\ufffd"]}')
  t.equal(printInOrder({ b: 1, a: '>' }, 2), '{\n  "b": 1,\n  "a": "\\u003e"\n}')
  t.end()
})

t.test('an own "__proto__" is printed', t => {
  t.equal(printJson(parseJson('{"b":1,"__proto__":{"a":1}}').value), '{"__proto__":{"a":1},"b":1}')
  t.end()
})

t.test('keys are sorted by their UTF-8 bytes', t => {
  fc.assert(fc.property(fc.dictionary(fc.string({ unit: 'binary', maxLength: 4 }), fc.integer()), object => {
    const bytewise = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))
    t.strictSame(sortedKeys(object), Object.keys(object).sort(bytewise))
    for (const a of Object.keys(object)) for (const b of Object.keys(object)) t.equal(Math.sign(compareUtf8(a, b)), bytewise(a, b))
  }), { numRuns: 100 })
  t.end()
})

t.test('whatever is printed can be read again, and the order of members does not show', t => {
  fc.assert(fc.property(fc.jsonValue(), value => {
    const text = printJson(value as JsonValue)
    t.equal(printJson(parseJson(text).value), text.replace(/-0(?=[\],}]|$)/g, '0'))
    t.equal(printJson(reversed(value as JsonValue)), text)
  }), { numRuns: 300 })
  t.end()
})

function reversed (value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(reversed)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).reverse().map(([key, member]) => [key, reversed(member)]))
}
