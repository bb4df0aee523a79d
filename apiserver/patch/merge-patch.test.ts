import fc from 'fast-check'
import { readFileSync } from 'node:fs'
import t from 'tap'
import { equalJson } from '../../registry/codec/json-equal.js'
import { parseJson } from '../../registry/codec/json-parse.js'
import { printJson } from '../../registry/codec/json-print.js'
import { isObject, type JsonObject, type JsonValue } from '../../registry/codec/value.js'
import { applyMergePatch, mergePatch } from './merge-patch.js'
import { PatchError } from './patch-error.js'

// The first row is the document, the others are patches and what gopkg.in/evanphx/json-patch.v4 makes of it with them.
type Row = { patch: string; result?: string; error?: string }
const [document, ...rows] = JSON.parse(readFileSync(new URL('testdata/merge-patch.json', import.meta.url), 'utf8')) as [string, ...Row[]]

t.test('patches do what they do upstream', t => {
  for (const { patch, result, error } of rows) {
    const target = parseJson(document).value as JsonObject
    if (error !== undefined) {
      t.throws(() => applyMergePatch(target, patch, { strict: false }), { name: 'PatchError', kind: 'decode', message: error }, patch)
    } else {
      const patched = applyMergePatch(target, Buffer.from(patch), { strict: false })
      t.equal(patched.text(), result, patch)
      t.ok(equalJson(patched.value, parseJson(result!).value), patch)
    }
    t.equal(printJson(target), document, 'the target is as it was')
  }
  t.end()
})

t.test('a strict patch is decoded first, and its duplicates are told', t => {
  const strict = { strict: true }
  const refused: Array<[string, string]> = [
    ['', 'error decoding patch: unexpected end of JSON input'], ['hello', "error decoding patch: invalid character 'h' looking for beginning of value"],
    ['[]', 'error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}'], ['"x"', 'error decoding patch: json: cannot unmarshal string into Go value of type map[string]interface {}'],
    ['5', 'error decoding patch: json: cannot unmarshal number into Go value of type map[string]interface {}'], ['true', 'error decoding patch: json: cannot unmarshal bool into Go value of type map[string]interface {}'],
    ['null', 'Invalid JSON Patch'], ['{"a":1e400}', 'error decoding patch: json: cannot unmarshal number 1e400 into Go value of type float64']
  ]
  for (const [patch, message] of refused) t.throws(() => applyMergePatch({}, patch, strict), { kind: 'decode', message }, patch)
  t.strictSame(applyMergePatch({}, '{"a":1,"a":2}', strict).strictErrors, ['duplicate field "a"'])
  t.strictSame(applyMergePatch({ a: {} }, '{"a":[{"b":1,"b":2}]}', strict).strictErrors, ['duplicate field "a[0].b"', 'duplicate field "a[0].b"'], 'the array is put in as it was written')
  t.strictSame(applyMergePatch({}, '{"a":1,"a":2}', { strict: false }).strictErrors, [])
  t.end()
})

t.test('without strictness a number out of range is for the decoder of the result', t => {
  const patched = applyMergePatch({ b: 1 }, '{"a":1e400}', { strict: false })
  t.equal(patched.rangeError, 'json: cannot unmarshal number 1e400 into Go value of type float64')
  t.equal(patched.text(), '{"a":1e400,"b":1}')
  t.end()
})

const json = fc.jsonValue().map(value => parseJson(printJson(value as JsonValue)).value)
const object = fc.dictionary(fc.string({ maxLength: 3 }), json).map(value => parseJson(printJson(value as JsonObject)).value as JsonObject)

// Nulls inside an array are kept if it replaces an object, and vanish if it replaces an array.
const withoutArrays = (value: JsonValue): JsonValue => Array.isArray(value) ? 'list' : isObject(value) ? Object.fromEntries(Object.entries(value).map(([key, member]) => [key, withoutArrays(member)])) : value

t.test('a patch without arrays does what RFC 7386 says', t => {
  const reference = (target: JsonValue, patch: JsonValue): JsonValue => {
    if (!isObject(patch)) return patch
    const result = new Map<string, JsonValue>(isObject(target) ? Object.entries(target) : [])
    for (const [key, value] of Object.entries(patch)) {
      if (value === null) result.delete(key)
      else result.set(key, reference(result.get(key) ?? null, value))
    }
    return parseJson(`{${[...result].map(([key, value]) => `${printJson(key)}:${printJson(value)}`).join(',')}}`).value
  }
  fc.assert(fc.property(object, object, (target, any) => {
    const patch = withoutArrays(any)
    t.ok(equalJson(mergePatch(target, patch), reference(target, patch)))
  }), { numRuns: 300 })
  t.end()
})

t.test('the same patch again changes nothing, and an empty one nothing at all', t => {
  fc.assert(fc.property(object, object, (target, any) => {
    const patch = withoutArrays(any)
    const before = printJson(target)
    const once = applyMergePatch(target, printJson(patch), { strict: true })
    t.ok(equalJson(applyMergePatch(once.value as JsonObject, printJson(patch), { strict: true }).value, once.value))
    t.ok(equalJson(applyMergePatch(target, '{}', { strict: true }).value, target))
    t.equal(printJson(target), before)
    t.ok(equalJson(parseJson(once.text()).value, once.value))
  }), { numRuns: 300 })
  t.end()
})

t.test('the result may be changed without changing the target', t => {
  const target = { a: { b: [1] } }
  const { value } = applyMergePatch(target, '{"c":1}', { strict: true })
  ;(value as { a: { b: number[] } }).a.b.push(2)
  t.strictSame(target, { a: { b: [1] } })
  t.throws(() => applyMergePatch(target, '[', { strict: true }), PatchError)
  t.end()
})
