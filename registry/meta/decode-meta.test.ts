import fc from 'fast-check'
import { readFileSync } from 'node:fs'
import t from 'tap'
import { parseJson } from '../codec/json-parse.js'
import { printJson } from '../codec/json-print.js'
import type { JsonValue } from '../codec/value.js'
import { decodeObjectMeta, isMetaError } from './decode-meta.js'

// What apiextensions-apiserver's schemaobjectmeta makes of each metadata.
interface Row { metadata: string; meta?: string; error?: string; unknown?: string[] }
const rows = JSON.parse(readFileSync(new URL('testdata/decode-meta.json', import.meta.url), 'utf8')) as Row[]

/** A test name: what TAP would take for a line break, a directive or a control character is escaped. */
const label = (text: string): string => text.replace(/[^ -~]|[#\\]/gu, c => `\\u{${c.codePointAt(0)!.toString(16)}}`)

t.test('metadata is decoded as kube-apiserver decodes that of custom resources', t => {
  for (const row of rows) {
    const metadata = parseJson(row.metadata).value
    if (row.error !== undefined) {
      t.throws(() => decodeObjectMeta(metadata), { message: row.error }, label(row.metadata))
    } else {
      const { meta, unknown } = decodeObjectMeta(metadata)
      t.equal(printJson(meta as unknown as JsonValue), row.meta, label(row.metadata))
      t.strictSame(unknown, row.unknown ?? [], label(row.metadata))
    }
  }
  t.end()
})

t.test('unknown members of embedded metadata are named by its path', t => {
  t.strictSame(decodeObjectMeta({ foo: 1, ownerReferences: [{ bar: 2 }] }, 'spec.template.metadata').unknown, ['spec.template.metadata.foo', 'spec.template.metadata.ownerReferences[0].bar'])
  t.end()
})

t.test('decoding is idempotent, leaves its input alone and fails only with a typed error', t => {
  const value = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom('2020-01-01T00:00:00.5+01:00', null, 5))
  const names = ['name', 'uid', 'generation', 'creationTimestamp', 'deletionTimestamp', 'labels', 'finalizers', 'ownerReferences', 'managedFields', 'x', '__proto__']
  fc.assert(fc.property(fc.dictionary(fc.constantFrom(...names), value), dictionary => {
    const metadata = JSON.parse(JSON.stringify(dictionary)) as JsonValue
    const before = printJson(metadata)
    try {
      const { meta } = decodeObjectMeta(metadata)
      const again = decodeObjectMeta(meta as unknown as JsonValue)
      t.strictSame(again, { meta, unknown: [] })
    } catch (error) {
      if (!isMetaError(error)) throw error
    }
    t.equal(printJson(metadata), before)
  }), { numRuns: 500 })
  t.end()
})
