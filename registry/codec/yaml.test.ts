import fc from 'fast-check'
import { readFileSync } from 'node:fs'
import t from 'tap'
import { JsonSyntaxError } from './json-errors.js'
import { equalJson } from './json-equal.js'
import { parseJson } from './json-parse.js'
import { printJson } from './json-print.js'
import { parseYaml, printYaml, UnsupportedYamlError, YamlError } from './yaml.js'
import type { JsonObject, JsonValue } from './value.js'

const fixture = <T>(name: string): T => JSON.parse(readFileSync(new URL(`testdata/${name}.json`, import.meta.url), 'utf8')) as T

/** A test name: what TAP would take for a line break, a directive or a control character is escaped. */
const label = (text: string): string => text.replace(/[^ -~]|[#\\]/gu, c => `\\u{${c.codePointAt(0)!.toString(16)}}`)

t.test('texts are decoded, refused and criticised as by sigs.k8s.io/yaml', t => {
  interface Row { text?: string; hex?: string; json?: string; error?: string; duplicates?: string }
  for (const row of fixture<Row[]>('yaml-parse')) {
    const name = label(row.text ?? row.hex!)
    const input = row.text === undefined ? Buffer.from(row.hex!, 'hex') : row.text
    if (row.error !== undefined) {
      t.throws(() => parseYaml(input), { message: row.error }, name)
    } else {
      const { value, duplicates } = parseYaml(input)
      t.equal(printJson(value), row.json, name)
      t.strictSame(duplicates, row.duplicates === undefined ? [] : [row.duplicates], name)
    }
  }
  t.end()
})

t.test('bodies that were sent to kube-apiserver mean what it took them for', t => {
  interface Row { body: string; error?: string; duplicates?: string[]; free?: JsonObject; labels?: JsonObject }
  for (const row of fixture<Row[]>('yaml-bodies')) {
    if (row.error !== undefined) {
      t.throws(() => parseYaml(row.body), { message: row.error }, label(row.body))
      continue
    }
    const { value, duplicates } = parseYaml(row.body)
    if (row.duplicates !== undefined) t.strictSame(duplicates[0]?.split('\n').slice(1).map(line => line.trim()), row.duplicates, label(row.body))
    const object = value as unknown as { spec: { free: JsonValue }, metadata: { labels: JsonValue } }
    if (row.free !== undefined) t.ok(equalJson(object.spec.free, row.free), label(row.body))
    if (row.labels !== undefined) t.ok(equalJson(object.metadata.labels, row.labels), label(row.body))
  }
  t.end()
})

t.test('aliases that expand to too much are refused', t => {
  const levels = Array.from({ length: 12 }, (_, i) => `l${i}: &l${i} [${i === 0 ? 'x' : Array(10).fill(`*l${i - 1}`).join(', ')}]`).join('\n')
  t.throws(() => parseYaml(levels), { name: 'YamlError', message: 'yaml: document contains excessive aliasing' })
  const long = `a: &a "${'x'.repeat(1_000_000)}"\nb: [${Array(50).fill('*a').join(', ')}]`
  t.throws(() => parseYaml(long), { message: 'yaml: document contains excessive aliasing' })
  t.end()
})

t.test('nesting is limited, whatever it is made of', t => {
  const nests = ['['.repeat(100_000), '{a: '.repeat(100_000), '- '.repeat(100_000), '? '.repeat(100_000), Array.from({ length: 2000 }, (_, i) => ' '.repeat(i) + 'a:').join('\n'),
    Array.from({ length: 200 }, (_, i) => `${'  '.repeat(i)}- a:`).join('\n') + ' ' + '['.repeat(400) + ']'.repeat(400)]
  for (const text of nests) t.throws(() => parseYaml(text), { message: /max depth/ }, text.slice(0, 20))
  t.equal(printJson(parseYaml('['.repeat(500) + ']'.repeat(500)).value).length, 1000)
  t.end()
})

t.test('keys that objects inherit are ordinary, and none changes a prototype', t => {
  const { value } = parseYaml('__proto__: {polluted: true}\nconstructor: 1\n<<: {toString: 2}')
  t.equal(printJson(value), '{"__proto__":{"polluted":true},"constructor":1,"toString":2}')
  t.equal(Object.getPrototypeOf(value), Object.prototype)
  t.end()
})

t.test('JSON is YAML', t => {
  fc.assert(fc.property(fc.jsonValue(), value => {
    const text = printJson(value as JsonValue)
    if (/[\u007f-\u009f\ufeff\ufffe\uffff]|"<<":/.test(text.replaceAll('\\u003c', '<')) || text.length > 1000) return
    t.ok(equalJson(parseYaml(text).value, parseJson(text).value), label(text))
  }), { numRuns: 300 })
  t.end()
})

t.test('what is printed is read again', t => {
  fc.assert(fc.property(fc.jsonValue(), value => {
    const json = parseJson(printJson(value as JsonValue)).value
    const text = printYaml(json)
    if (/^ *(?:- )*<<:/m.test(text) || printJson(json).length > 1000) return // upstream prints this key bare, too
    t.ok(equalJson(parseYaml(text).value, json), label(text))
  }), { numRuns: 300 })
  t.end()
})

t.test('any text is either decoded or refused with a typed error', t => {
  const parts = fc.array(fc.constantFrom('a', ':', ' ', '\n', '  ', '- ', '[', ']', '{', '}', ',', '"', "'", '|', '>', '&a ', '*a', '!!int ', '#', '? ', '5', '~', '\t', '%YAML 1.1', '---\n', '<<: ', '\\', '\u2028', '😀', '\u0000'), { maxLength: 30 })
  fc.assert(fc.property(parts, words => {
    try {
      const { value } = parseYaml(words.join(''))
      printJson(value)
    } catch (error) {
      if (!(error instanceof YamlError) && !(error instanceof UnsupportedYamlError) && !(error instanceof JsonSyntaxError)) throw error
      t.match(error.message, /^(?:yaml: |json: |unsupported map key |invalid character )/)
    }
  }), { numRuns: 2000 })
  t.end()
})
