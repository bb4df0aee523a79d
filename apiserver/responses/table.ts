import { printInOrder, printJson } from '../../registry/codec/json-print.js'
import { ageColumn } from '../../registry/generic/define-resource.js'
import type { ColumnDefinition } from '../../registry/generic/resource-definition.js'
import type { ResourceVersion } from '../../registry/generic/resource.js'
import type { ServedObject } from '../../registry/generic/served-object.js'
import { fieldErrorText, invalid } from '../../registry/meta/field-error.js'
import { asJson } from '../../registry/meta/object-meta.js'
import { newBadRequest } from '../../registry/meta/status-error.js'
import { ageSince, cellFor, compileColumn, dateOf, type CellColumn, type Since } from '../../registry/schema/table-cell.js'
import type { Scale } from '../handlers/scale-object.js'
import { metadataBytes, typedListMeta, type ListMeta, type Presentation, type TableOptions } from './presentation.js'

/** @throws StatusError 400 */
export function tableOptions (query: URLSearchParams): TableOptions {
  const value = query.get('includeObject') ?? ''
  if (!['', 'None', 'Metadata', 'Object'].includes(value)) {
    throw newBadRequest(`Unable to convert to Table as requested: ${fieldErrorText(invalid('includeObject', value, "must be 'Metadata', 'Object', 'None', or empty"))}`)
  }
  return { includeObject: (value || 'Metadata') as TableOptions['includeObject'] }
}

/** `metav1.TableColumnDefinition`. */
export interface TableColumn { name: string; type: string; format: string; description: string; priority: number }

const nameColumn: TableColumn = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description: 'Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and configuration definition. Cannot be updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names',
  priority: 0
}

const headerOf = (c: ColumnDefinition): TableColumn =>
  ({ name: c.name, type: c.type, format: c.format ?? '', description: c.description || `Custom resource definition column (in JSONPath format): ${c.jsonPath}`, priority: c.priority ?? 0 })

/** A version's columns, compiled once. */
interface Columns { readonly headers: readonly TableColumn[]; readonly headerJson: string; readonly compiled: readonly CellColumn[] }

const columnsOf = new WeakMap<ResourceVersion, Columns>()

function columns (version: ResourceVersion): Columns {
  let found = columnsOf.get(version)
  if (found === undefined) {
    const headers = [nameColumn, ...version.columns.map(headerOf)]
    found = { headers, headerJson: printInOrder(headers), compiled: version.columns.map(compileColumn) }
    columnsOf.set(version, found)
  }
  return found
}

export const columnDefinitions = (version: ResourceVersion): readonly TableColumn[] => columns(version).headers

/** A row's cells: JSON that stays, and between the pieces the dates whose ages are written at each reading. */
interface Cells { readonly pieces: readonly string[]; readonly dates: readonly Since[] }

const cellsOf = new WeakMap<ServedObject, Map<string, Cells>>()

function cells (object: ServedObject, version: ResourceVersion): Cells {
  let byVersion = cellsOf.get(object)
  if (byVersion === undefined) cellsOf.set(object, byVersion = new Map())
  let found = byVersion.get(version.name)
  if (found === undefined) byVersion.set(version.name, found = makeCells(object, version))
  return found
}

/** Ages are digits and letters, but for `<unknown>` and `<invalid>`. */
function ageJson (since: Since, now: Date): string {
  const text = ageSince(since, now)
  return text.startsWith('<') ? printJson(text) : `"${text}"`
}

/** No cell that stays depends on the time. */
const epoch = new Date(0)

function makeCells (object: ServedObject, version: ResourceVersion): Cells {
  const json = asJson(object.object(version))
  const pieces: string[] = []
  const dates: Since[] = []
  let piece = '{"cells":[' + printJson(object.name)
  for (const column of columns(version).compiled) {
    const date = dateOf(column, json)
    if (date === undefined) {
      piece += ',' + printJson(cellFor(column, json, epoch))
    } else {
      pieces.push(piece + ',')
      dates.push(date)
      piece = ''
    }
  }
  pieces.push(piece + '],"object":')
  return { pieces, dates }
}

/** A Table of objects, in pieces. Rows are made once per object; only ages are new. */
export function tableBytes (objects: readonly ServedObject[], meta: ListMeta, p: Presentation, options: { headers: boolean } = { headers: true }): Buffer[] {
  const { version, now, format } = p
  const view = format.view!
  const include = p.table?.includeObject ?? 'Metadata'
  const head = `{"kind":"Table","apiVersion":"meta.k8s.io/${view.version}","metadata":${typedListMeta(meta)},"columnDefinitions":${options.headers ? columns(version).headerJson : 'null'},"rows":[`
  const pieces: Buffer[] = []
  let text = head
  objects.forEach((object, i) => {
    const row = cells(object, version)
    if (i > 0) text += ','
    text += row.pieces[0]!
    for (let d = 0; d < row.dates.length; d++) text += ageJson(row.dates[d]!, now) + row.pieces[d + 1]!
    if (include === 'None') {
      text += 'null}'
      return
    }
    pieces.push(Buffer.from(text), include === 'Object' ? object.bytes(version) : metadataBytes(object, view))
    text = '}'
  })
  pieces.push(Buffer.from(text + ']}'))
  return pieces
}

/** The one-row Table that a bookmark is in a Table watch. */
export function tableBookmark (version: ResourceVersion, tableVersion: string, resourceVersion: string, object: object, columnDefinitions: readonly TableColumn[] | null): object {
  const empty = ['', ...version.columns.map(() => null)]
  return { kind: 'Table', apiVersion: `meta.k8s.io/${tableVersion}`, metadata: { resourceVersion }, columnDefinitions, rows: [{ cells: empty, object }] }
}

const scaleColumns: readonly ColumnDefinition[] = [
  { name: 'Desired', type: 'integer', description: 'Number of desired replicas', jsonPath: '.spec.replicas' },
  { name: 'Available', type: 'integer', description: 'Number of actual replicas', jsonPath: '.status.replicas' },
  ageColumn
]

/** A Scale as a Table of one row. */
export function scaleTable (scale: Scale, tableVersion: string, options: TableOptions, now: Date): object {
  const json = asJson(scale as never)
  const compiled = scaleColumns.map(compileColumn)
  const row = compiled.map(c => cellFor(c, json, now))
  const object = options.includeObject === 'None' ? null : options.includeObject === 'Object' ? scale : { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${tableVersion}`, metadata: scale.metadata }
  return {
    kind: 'Table',
    apiVersion: `meta.k8s.io/${tableVersion}`,
    metadata: { ...(scale.metadata.resourceVersion && { resourceVersion: scale.metadata.resourceVersion }) },
    columnDefinitions: [nameColumn, ...scaleColumns.map(headerOf)],
    rows: [{ cells: [scale.metadata.name ?? '', ...row], object }]
  }
}
