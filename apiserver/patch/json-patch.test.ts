import fc from 'fast-check'
import { readFileSync } from 'node:fs'
import t from 'tap'
import { equalJson } from '../../registry/codec/json-equal.js'
import { parseJson } from '../../registry/codec/json-parse.js'
import { printJson } from '../../registry/codec/json-print.js'
import type { JsonObject, JsonValue } from '../../registry/codec/value.js'
import { applyJsonPatch } from './json-patch.js'
import { PatchError } from './patch-error.js'

// The first row is the document, the others are patches and what gopkg.in/evanphx/json-patch.v4 makes of it with them.
type Row = { patch: string; result?: string; error?: string }
const [document, ...rows] = JSON.parse(readFileSync(new URL('testdata/json-patch.json', import.meta.url), 'utf8')) as [string, ...Row[]]
const lax = { strict: false }
const strict = { strict: true }

t.test('patches do what they do upstream', t => {
  for (const { patch, result, error } of rows) {
    const target = parseJson(document).value as JsonObject
    if (error !== undefined) {
      const decode = error.startsWith('decode: ')
      t.throws(() => applyJsonPatch(target, patch, lax), { name: 'PatchError', kind: decode ? 'decode' : 'apply', message: error.replace(/^decode: /, '') }, patch)
    } else {
      const patched = applyJsonPatch(target, Buffer.from(patch), lax)
      t.equal(patched.text(), result, patch)
      t.ok(equalJson(patched.value, parseJson(result!).value), patch)
    }
    t.equal(printJson(target), printJson(parseJson(document).value), 'the target is as it was')
  }
  t.end()
})

t.test('a strict patch is decoded first, with the texts of that', t => {
  const refused: Array<[string, string]> = [
    ['', 'unexpected end of JSON input'], ['hello', "invalid character 'h' looking for beginning of value"], ['{}', 'json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp'],
    ['"x"', 'json: cannot unmarshal string into Go value of type []handlers.jsonPatchOp'], ['["x"]', 'json: cannot unmarshal string into Go value of type handlers.jsonPatchOp'],
    ['[{"op":5,"path":"/a"}]', 'json: cannot unmarshal number into Go struct field jsonPatchOp.op of type string'], ['[{"op":"add","path":{},"value":1}]', 'json: cannot unmarshal object into Go struct field jsonPatchOp.path of type string'],
    ['[{"op":"add","path":"/a","value":1E400}]', 'json: cannot unmarshal number 1E400 into Go struct field jsonPatchOp.value of type float64'], ['[{"from":[],"value":1e400},5]', 'json: cannot unmarshal array into Go struct field jsonPatchOp.from of type string']
  ]
  for (const [patch, message] of refused) t.throws(() => applyJsonPatch({}, patch, strict), { kind: 'decode', message: `error decoding patch: ${message}` }, patch)
  t.end()
})

t.test('strict errors of the patch come before those of the patched text', t => {
  const table: Array<[string, string[]]> = [
    ['[{"op":"add","path":"/a","value":1,"foo":{"x":1,"x":2},"bar":1}]', ['json patch unknown field "[0].foo"', 'json patch unknown field "[0].bar"']],
    ['[{"op":"test","op":"add","path":"/a","value":1}]', ['json patch duplicate field "[0].op"']],
    ['[{"op":"add","path":"/a","value":{"b":1,"b":2}}]', ['json patch duplicate field "[0].value.b"', 'duplicate field "a.b"']],
    ['[{"op":"add","path":"/a","value":[{"b":1,"b":2}]},{"op":"remove","path":"/a"}]', ['json patch duplicate field "[0].value[0].b"']]
  ]
  for (const [patch, errors] of table) {
    t.strictSame(applyJsonPatch({}, patch, strict).strictErrors, errors, patch)
    t.strictSame(applyJsonPatch({}, patch, lax).strictErrors, [], patch)
  }
  t.end()
})

t.test('without strictness a number out of range is for the decoder of the result', t => {
  const patched = applyJsonPatch({}, '[{"op":"add","path":"/a","value":{"b":[1E400]}}]', lax)
  t.equal(patched.rangeError, 'json: cannot unmarshal number 1E400 into Go value of type float64')
  t.equal(patched.text(), '{"a":{"b":[1E400]}}')
  t.equal(applyJsonPatch({}, '[{"op":"add","path":"/a","value":1E400},{"op":"remove","path":"/a"}]', lax).rangeError, undefined)
  t.end()
})

t.test('ten thousand operations are allowed and no more', t => {
  const patch = (n: number): string => JSON.stringify(Array.from({ length: n }, () => ({ op: 'test', path: '/a', value: 1 })))
  t.strictSame(applyJsonPatch({ a: 1 }, patch(10_000), strict).value, { a: 1 })
  t.throws(() => applyJsonPatch({ a: 1 }, patch(10_001), strict), { kind: 'tooLarge', message: 'The allowed maximum operations in a JSON patch is 10000, got 10001' })
  t.end()
})

t.test('copies are limited in size, and the result in depth', t => {
  const doubling = JSON.stringify(Array.from({ length: 30 }, (_, i) => ({ op: 'copy', from: '/a', path: `/a/c${i}` })))
  t.throws(() => applyJsonPatch({ a: { b: 'x'.repeat(100) } }, doubling, lax), { kind: 'apply', message: /^Unable to complete the copy, the accumulated size increase of copy is \d+, exceeding the limit 3145728$/ })
  let path = '/a'
  const deepening = Array.from({ length: 12 }, () => {
    const operation = { op: 'copy', from: '/a', path: `${path}/a` }
    path += path
    return operation
  })
  t.throws(() => applyJsonPatch({ a: {} }, JSON.stringify(deepening), lax), { kind: 'apply', message: 'exceeded max depth' })
  const steps = Array.from({ length: 600 }, (_, i) => ({ op: 'add', path: '/a'.repeat(i + 1), value: {} }))
  t.throws(() => applyJsonPatch({}, JSON.stringify(steps), lax), { name: 'PatchError', kind: 'apply' })
  const shifting = JSON.stringify(Array.from({ length: 10_000 }, () => ({ op: 'add', path: '/a/0', value: 1 })))
  t.throws(() => applyJsonPatch({ a: Array(200_000).fill(0) as number[] }, shifting, lax), { kind: 'apply', message: 'the patch is too much work' })
  t.end()
})

t.test('the result may be changed without changing the target or the text', t => {
  const target = { a: { b: [1] } }
  const patched = applyJsonPatch(target, '[{"op":"add","path":"/c","value":1}]', strict)
  ;(patched.value as { a: { b: number[] } }).a.b.push(2)
  t.strictSame(target, { a: { b: [1] } })
  t.equal(patched.text(), '{"a":{"b":[1]},"c":1}')
  t.end()
})

t.test('no path reaches a prototype', t => {
  for (const path of ['/__proto__/polluted', '/constructor/prototype/polluted', '/a/__proto__/polluted', '/toString/polluted']) {
    t.throws(() => applyJsonPatch({ a: {} }, JSON.stringify([{ op: 'add', path, value: 1 }]), strict), { name: 'PatchError', kind: 'apply' }, path)
  }
  const { value } = applyJsonPatch({}, '[{"op":"add","path":"/__proto__","value":{"polluted":1}}]', strict)
  t.equal((value as { polluted?: unknown }).polluted, undefined)
  t.equal(printJson(value), '{"__proto__":{"polluted":1}}')
  t.end()
})

const key = fc.constantFrom('a', 'b', 'c', 'x/y', '~', '')
const json = fc.jsonValue().map(value => parseJson(printJson(value as JsonValue)).value)
const object = fc.dictionary(key, json).map(value => value as JsonObject)
const pointer = (...tokens: string[]): string => tokens.map(token => '/' + token.replace(/~/g, '~0').replace(/\//g, '~1')).join('')
const run = (target: JsonObject, ...operations: JsonObject[]): JsonValue => applyJsonPatch(target, printJson(operations as JsonValue), strict).value

t.test('the operations keep the laws of RFC 6902', t => {
  fc.assert(fc.property(object, key, key, json, (target, a, b, value) => {
    const added = run(target, { op: 'add', path: pointer(a), value }) as JsonObject
    t.ok(equalJson(added, { ...target, [a]: value }), 'add sets a member')
    t.ok(equalJson(run(added, { op: 'remove', path: pointer(a) }), run({ ...target, [a]: 1 }, { op: 'remove', path: pointer(a) })), 'remove takes it away')
    t.ok(equalJson(run(added, { op: 'replace', path: pointer(a), value: 1 }), { ...target, [a]: 1 }), 'replace is add to a member')
    t.ok(equalJson(run(added, { op: 'copy', from: pointer(a), path: pointer(b) }), { ...added, [b]: value }), 'copy is add of what is there')
    const moved = run(added, { op: 'move', from: pointer(a), path: pointer(b) })
    t.ok(equalJson(moved, run(added, { op: 'remove', path: pointer(a) }, { op: 'add', path: pointer(b), value })), 'move is remove and add')
  }), { numRuns: 200 })
  t.end()
})

t.test('operations on arrays insert, remove and count from the end', t => {
  fc.assert(fc.property(fc.array(fc.integer(), { maxLength: 6 }), fc.integer({ min: -8, max: 8 }), (list, i) => {
    const at = (from: number): number => i < 0 ? i + from : i
    const inserted = at(list.length + 1)
    if (inserted >= 0 && inserted <= list.length) t.strictSame(run({ list }, { op: 'add', path: `/list/${i}`, value: 99 }), { list: list.toSpliced(inserted, 0, 99) })
    else t.throws(() => run({ list }, { op: 'add', path: `/list/${i}`, value: 99 }), PatchError)
    const removed = at(list.length)
    if (removed >= 0 && removed < list.length) t.strictSame(run({ list }, { op: 'remove', path: `/list/${i}` }), { list: list.toSpliced(removed, 1) })
    else t.throws(() => run({ list }, { op: 'remove', path: `/list/${i}` }), PatchError)
  }), { numRuns: 200 })
  t.end()
})

t.test('any sequence of operations is applied or refused, and never touches the target', t => {
  const path = fc.array(fc.constantFrom('a', 'b', '0', '1', '-', '-1', 'x', '__proto__', 'length'), { maxLength: 3 }).map(tokens => pointer(...tokens))
  const operation = fc.record({ op: fc.constantFrom('add', 'remove', 'replace', 'move', 'copy', 'test'), path, from: path, value: json }, { requiredKeys: ['op'] })
  fc.assert(fc.property(fc.record({ a: json, b: fc.array(json) }), fc.array(operation, { maxLength: 6 }), (target, operations) => {
    const before = printJson(target)
    try {
      const patched = applyJsonPatch(target, printJson(operations as JsonValue), strict)
      t.ok(equalJson(parseJson(patched.text()).value, patched.value))
    } catch (error) {
      if (!(error instanceof PatchError)) throw error
    }
    t.equal(printJson(target), before)
  }), { numRuns: 500 })
  t.end()
})
