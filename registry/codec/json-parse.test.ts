import fc from 'fast-check'
import { readFileSync } from 'node:fs'
import t from 'tap'
import { JsonSyntaxError, JsonTypeError, maxNestingDepth, parseJson } from './json-parse.js'
import { printJson } from './json-print.js'
import { scanJson } from './json-scan.js'
import type { JsonValue } from './value.js'

// What sigs.k8s.io/json's UnmarshalStrict answers to each text, printed by encoding/json.
interface Row { text?: string; hex?: string; json?: string; error?: string; duplicates?: string[] }
const rows = JSON.parse(readFileSync(new URL('testdata/json-parse.json', import.meta.url), 'utf8')) as Row[]

/** A test name: what TAP would take for a line break, a directive or a control character is escaped. */
const label = (text: string): string => text.replace(/[^ -~]|[#\\]/gu, c => `\\u{${c.codePointAt(0)!.toString(16)}}`)

t.test('values, errors and duplicates are those of the Go decoder', t => {
  for (const row of rows) {
    const input = row.text === undefined ? Buffer.from(row.hex!, 'hex') : Buffer.from(row.text)
    t.same(attempt(() => parseJson(input)), { json: row.json, error: row.error, duplicates: row.duplicates ?? [] }, label(row.text ?? row.hex!))
  }
  t.end()
})

function attempt (parse: () => { value: JsonValue; duplicates: string[] }): Row {
  try {
    const { value, duplicates } = parse()
    return { json: printJson(value), error: undefined as never, duplicates }
  } catch (error) {
    return { json: undefined as never, error: (error as Error).message, duplicates: [] }
  }
}

t.test('a string and its bytes are decoded alike', t => {
  for (const { text } of rows) if (text !== undefined) t.same(attempt(() => parseJson(text)), attempt(() => parseJson(Buffer.from(text))), label(text))
  t.end()
})

t.test('integers are exact within int64 and doubles elsewhere', t => {
  const cases: Array<[string, JsonValue]> = [
    ['9007199254740991', 9007199254740991], ['9007199254740992', 9007199254740992n], ['-9007199254740993', -9007199254740993n],
    ['9223372036854775807', 9223372036854775807n], ['9223372036854775808', 9223372036854775808], ['9007199254740993.0', 9007199254740992], ['1e3', 1000]
  ]
  for (const [text, value] of cases) t.equal(parseJson(text).value, value, text)
  t.equal(Object.is(parseJson('-0').value, 0), true, '-0 is 0')
  t.end()
})

t.test('a number out of range is found after everything else, and the rest of the value is told', t => {
  t.throws(() => parseJson('[1e400,'), JsonSyntaxError)
  try {
    parseJson('{"kind":"Widget","spec":{"a":1e400,"b":-1e500}}')
    t.fail('no error')
  } catch (error) {
    t.match(error, { name: 'JsonTypeError', message: 'json: cannot unmarshal number 1e400 into Go value of type float64' })
    t.same((error as JsonTypeError).value, { kind: 'Widget', spec: { a: null, b: null } })
  }
  t.end()
})

t.test('names that objects inherit are ordinary, and none changes a prototype', t => {
  for (const text of ['{"__proto__":{"polluted":true},"constructor":1}', '{"__proto__":1,"__proto__":{"polluted":true},"constructor":1}']) {
    const value = parseJson(text).value as Record<string, unknown>
    t.strictSame(Object.keys(value), ['__proto__', 'constructor'])
    t.equal(Object.getPrototypeOf(value), Object.prototype)
    t.equal((value as { polluted?: unknown }).polluted, undefined)
  }
  t.end()
})

t.test('nesting is limited, with the text of the Go limit', t => {
  const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)
  t.equal(printJson(parseJson(nested(maxNestingDepth)).value), nested(maxNestingDepth))
  t.throws(() => parseJson(nested(maxNestingDepth + 1)), { message: "invalid character '[' exceeded max depth" })
  t.throws(() => parseJson('{"a":'.repeat(100_000)), { message: "invalid character '{' exceeded max depth" })
  t.throws(() => parseJson('[[1]]', { maxDepth: 1 }), { message: "invalid character '[' exceeded max depth" })
  t.end()
})

t.test('of many duplicates each is told once and only the first hundred', t => {
  const many = Array.from({ length: 150 }, (_, i) => `"k${i}":1,"k${i}":2,"k${i}":3`).join(',')
  const { duplicates } = parseJson(`{${many}}`)
  t.equal(duplicates.length, 100)
  t.equal(duplicates[0], 'duplicate field "k0"')
  t.equal(duplicates[99], 'duplicate field "k99"')
  t.end()
})

t.test('any text is decoded as the built-in parser would, but for what that loses', t => {
  const spaces = fc.constantFrom(undefined, 1, '\t', '\r\n')
  fc.assert(fc.property(fc.jsonValue(), spaces, (value, indent) => {
    const text = JSON.stringify(value, null, indent)
    const expected = JSON.stringify(JSON.parse(text.replace(/(?<=^|[[,:\s])-0(?=$|[\],}\s])/g, '0')))
    const lossy = /\\ud[89a-f]/.test(text) || /\d{16}/.test(text) || /-0/.test(text)
    if (lossy) parseJson(text)
    else t.equal(JSON.stringify(parseJson(text).value), expected)
    t.same(parseJson(text), scanJson(text, { maxDepth: maxNestingDepth }))
  }), { numRuns: 300 })
  t.end()
})

t.test('any bytes are either decoded or refused with a typed error', t => {
  const soup = fc.array(fc.constantFrom(...'{}[]",:\\u0129aef-+. \n\ttrue null'.split(''), '\xff', 'é', '"a"', '1e400'), { maxLength: 40 })
  fc.assert(fc.property(fc.oneof(soup.map(parts => Buffer.from(parts.join(''), 'latin1')), fc.uint8Array({ maxLength: 30 }).map(b => Buffer.from(b))), bytes => {
    try {
      const { value } = parseJson(bytes)
      t.same(parseJson(printJson(value)).value, value)
    } catch (error) {
      if (!(error instanceof JsonSyntaxError) && !(error instanceof JsonTypeError)) throw error
    }
  }), { numRuns: 1000 })
  t.end()
})
