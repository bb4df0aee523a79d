import { printInOrder, printJson } from '../../registry/codec/json-print.js'
import { ageColumn } from '../../registry/generic/define-resource.js'
import type { ColumnDefinition } from '../../registry/generic/resource-definition.js'
import type { ResourceVersion } from '../../registry/generic/resource.js'
import type { ServedObject } from '../../registry/generic/served-object.js'
import { fieldErrorText, invalid } from '../../registry/meta/field-error.js'
import { asJson } from '../../registry/meta/object-meta.js'
import { newBadRequest } from '../../registry/meta/status-error.js'
import { keptText } from '../../storage/kept-bytes.js'
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

/** A version's columns, compiled once, and the rows of its objects. */
interface Columns {
  readonly headers: readonly TableColumn[]
  readonly headerJson: string
  readonly compiled: readonly CellColumn[]
  readonly rows: WeakMap<ServedObject, Row>
}

/** A row up to its object: JSON that stays, between the pieces dates whose ages are written, and how it was sent the last time. */
interface Row {
  readonly pieces: readonly string[]
  readonly dates: readonly Since[]
  readonly ages: string[]
  /** Begins by ending the row before: `},{"cells":[…],"object":`. Absent until the row is first sent. */
  bytes: Buffer | undefined
}

const columnsOf = new WeakMap<ResourceVersion, Columns>()

function columns (version: ResourceVersion): Columns {
  let found = columnsOf.get(version)
  if (found === undefined) {
    const headers = [nameColumn, ...version.columns.map(headerOf)]
    found = { headers, headerJson: printInOrder(headers), compiled: version.columns.map(compileColumn), rows: new WeakMap() }
    columnsOf.set(version, found)
  }
  return found
}

export const columnDefinitions = (version: ResourceVersion): readonly TableColumn[] => columns(version).headers

/** Ages at one moment. Many objects of a list are equally old. */
class Ages {
  readonly #now: Date
  readonly #known = new Map<Since, string>()

  constructor (now: Date) { this.#now = now }

  of (since: Since): string {
    let age = this.#known.get(since)
    if (age === undefined) this.#known.set(since, age = ageSince(since, this.#now))
    return age
  }
}

/** Ages are digits and letters, but for `<unknown>` and `<invalid>`. */
const ageJson = (age: string): string => age.startsWith('<') ? printJson(age) : `"${age}"`

/** No cell that stays depends on the time. */
const epoch = new Date(0)

const rowBegin = '},{"cells":['

function makeRow (object: ServedObject, version: ResourceVersion, compiled: readonly CellColumn[]): Row {
  const json = asJson(object.object(version))
  const pieces: string[] = []
  const dates: Since[] = []
  let piece = rowBegin + printJson(object.name)
  for (const column of compiled) {
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
  return { pieces, dates, ages: dates.map(() => ''), bytes: undefined }
}

/** The row at the moment of the ages; the bytes of the last time while no age has become another. */
function rowBytes (row: Row, ages: Ages): Buffer {
  const { dates, pieces } = row
  let bytes = row.bytes
  for (let i = 0; i < dates.length; i++) {
    const age = ages.of(dates[i]!)
    if (age === row.ages[i]) continue
    row.ages[i] = age
    bytes = undefined
  }
  if (bytes !== undefined) return bytes
  let text = pieces[0]!
  for (let i = 0; i < dates.length; i++) text += ageJson(row.ages[i]!) + pieces[i + 1]!
  return row.bytes = keptText(text)
}

const noObject = Buffer.from('null')

/** A Table of objects, in pieces. Rows are made once per object, and again when an age in them has changed. */
export function tableBytes (objects: readonly ServedObject[], meta: ListMeta, p: Presentation, options: { headers: boolean } = { headers: true }): Buffer[] {
  const { version, now, format } = p
  const view = format.view!
  const include = p.table?.includeObject ?? 'Metadata'
  const { headerJson, compiled, rows } = columns(version)
  const ages = new Ages(now)
  const pieces: Buffer[] = [Buffer.from(`{"kind":"Table","apiVersion":"meta.k8s.io/${view.version}","metadata":${typedListMeta(meta)},"columnDefinitions":${options.headers ? headerJson : 'null'},"rows":[`)]
  for (const object of objects) {
    let row = rows.get(object)
    if (row === undefined) rows.set(object, row = makeRow(object, version, compiled))
    const bytes = rowBytes(row, ages)
    // The first has no row before it.
    pieces.push(pieces.length === 1 ? bytes.subarray(2) : bytes, include === 'None' ? noObject : include === 'Object' ? object.bytes(version) : metadataBytes(object, view))
  }
  pieces.push(Buffer.from(objects.length === 0 ? ']}' : '}]}'))
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
