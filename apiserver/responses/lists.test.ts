import t from 'tap'
import { defineResource } from '../../registry/generic/define-resource.js'
import { ServedObject } from '../../registry/generic/served-object.js'
import type { KubeObject } from '../../registry/meta/object-meta.js'
import type { OutputFormat, OutputView } from '../negotiation/accept.js'
import type { Presentation, TableOptions } from './presentation.js'
import { presentList } from './views.js'

const resource = defineResource({
  group: 'example.com',
  names: { plural: 'things', singular: 'thing', kind: 'Thing' },
  scope: 'Namespaced',
  versions: [{
    name: 'v1', storage: true,
    schema: { type: 'object', properties: { spec: { type: 'object', properties: { until: { type: 'string' } } } } },
    columns: [{ name: 'Until', type: 'date', jsonPath: '.spec.until' }, { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' }]
  }]
})

const created = Date.parse('2026-01-01T00:00:00Z')
const at = (seconds: number): Date => new Date(created + seconds * 1000)

const thing = (name: string, createdAfter: number, until?: string): ServedObject => ServedObject.of(resource, {
  apiVersion: 'example.com/v1', kind: 'Thing',
  metadata: { name, namespace: 'default', uid: name, creationTimestamp: at(createdAfter).toISOString().slice(0, 19) + 'Z' },
  ...(until !== undefined && { spec: { until } })
} as unknown as KubeObject, 7n)

const meta = { resourceVersion: '9', continueToken: '', remainingItemCount: undefined }

function listed (objects: readonly ServedObject[], now: Date, view?: OutputView, format: Partial<OutputFormat> = {}, includeObject?: TableOptions['includeObject']): string {
  const presentation: Presentation = { version: resource.storageVersion, format: { encoding: 'json', pretty: false, view, ...format } as OutputFormat, table: includeObject && { includeObject }, now }
  const { body } = presentList(objects, meta, presentation, 'ThingList')
  return Array.isArray(body) ? Buffer.concat(body as Buffer[]).toString() : (body as Buffer).toString()
}

interface Table { rows: { cells: unknown[]; object: { metadata: { name: string } } | null }[] }
const table: OutputView = { kind: 'Table', version: 'v1' }
const cellsAt = (objects: readonly ServedObject[], seconds: number, include?: TableOptions['includeObject']): unknown[][] =>
  (JSON.parse(listed(objects, at(seconds), table, {}, include)) as Table).rows.map(r => r.cells)

t.test('a row is sent again as it is until one of its ages changes', async t => {
  const [one, two, three] = [thing('one', 0, '2026-01-01T00:00:30Z'), thing('two', 0), thing('three', 40, 'never')]
  const objects = [one!, two!, three!]
  t.same(cellsAt(objects, 100), [['one', '70s', '100s'], ['two', null, '100s'], ['three', '<invalid>', '60s']])
  t.same(cellsAt(objects, 100), [['one', '70s', '100s'], ['two', null, '100s'], ['three', '<invalid>', '60s']])
  t.same(cellsAt(objects, 101), [['one', '71s', '101s'], ['two', null, '101s'], ['three', '<invalid>', '61s']], 'a second later')
  t.same(cellsAt(objects, 100), [['one', '70s', '100s'], ['two', null, '100s'], ['three', '<invalid>', '60s']], 'a request that began before')
  t.same(cellsAt(objects, 3600), [['one', '59m', '60m'], ['two', null, '60m'], ['three', '<invalid>', '59m']])
  t.same(cellsAt(objects, 3629), [['one', '59m', '60m'], ['two', null, '60m'], ['three', '<invalid>', '59m']])
  t.same(cellsAt(objects, 3630), [['one', '60m', '60m'], ['two', null, '60m'], ['three', '<invalid>', '59m']], 'the first of two ages alone')
  t.same(cellsAt([two!, one!], 3630), [['two', null, '60m'], ['one', '60m', '60m']], 'any row may be the first')
})

t.test('rows carry what they are asked to', async t => {
  const objects = [thing('one', 0), thing('two', 0)]
  for (const [include, keys] of [['Object', ['apiVersion', 'kind', 'metadata']], ['Metadata', ['apiVersion', 'kind', 'metadata']], ['None', undefined]] as const) {
    const { rows } = JSON.parse(listed(objects, at(5), table, {}, include)) as Table
    t.same(rows.map(r => r.cells), [['one', null, '5s'], ['two', null, '5s']])
    t.same(rows.map(r => r.object && Object.keys(r.object).sort()), keys === undefined ? [null, null] : [keys, keys])
  }
  t.same((JSON.parse(listed([], at(5), table)) as Table).rows, [])
})

t.test('a list is its objects, whatever their number and the encoding', async t => {
  for (const count of [0, 1, 3]) {
    const objects = Array.from({ length: count }, (_, i) => thing(`thing-${i}`, 0))
    const items = objects.map(o => o.bytes(resource.storageVersion).toString()).join(',')
    const text = `{"apiVersion":"example.com/v1","items":[${items}],"kind":"ThingList","metadata":{"continue":"","resourceVersion":"9"}}`
    t.equal(listed(objects, at(0)), `${text}\n`)
    t.same(JSON.parse(listed(objects, at(0), undefined, { pretty: true })), JSON.parse(text))
    t.match(listed(objects, at(0), undefined, { encoding: 'yaml' } as Partial<OutputFormat>), /^apiVersion: example.com\/v1\nitems:/)
    const partial = JSON.parse(listed(objects, at(0), { kind: 'PartialObjectMetadataList', version: 'v1' })) as { items: { metadata: { name: string } }[] | null }
    t.same(partial.items?.map(i => i.metadata.name) ?? [], objects.map(o => o.name))
  }
})
