import { plainNumber } from '../../registry/meta/quantity.js'
import { humanDuration } from '../../registry/schema/human-duration.js'
import type { OutputView } from '../negotiation/accept.js'
import type { TableOptions } from '../responses/presentation.js'
import type { TableColumn } from '../responses/table.js'
import type { Reading } from './metrics-reader.js'

const column = (name: string, type: string, description: string, priority = 0, format = ''): TableColumn => ({ name, type, format, description, priority })
const valueColumns = [
  column('Value', 'string', 'The value as a plain number, without a suffix.'),
  column('Age', 'string', 'How long ago the value was measured.'),
  column('Fresh For', 'string', 'How much longer the value is served if nobody writes a new one.'),
  column('Window', 'string', 'Over which time the value was measured.', 1)
]
const customColumns = [column('Name', 'string', 'The object that the metric is about.', 0, 'name'), column('Kind', 'string', 'The kind of the object.'), column('Metric', 'string', 'The name of the metric.'), ...valueColumns]
const externalColumns = [column('Name', 'string', 'The name of the metric.', 0, 'name'), column('Labels', 'string', 'The labels of the series.'), ...valueColumns]

/**
 * Readings as a Table for a person.
 * @param items what rows carry when they are asked to carry their objects, in the order of the readings
 */
export function metricsTable (readings: readonly Reading[], items: readonly object[], view: OutputView, options: TableOptions, nowMs: number): object {
  const custom = readings[0]?.object !== undefined
  const apiVersion = `meta.k8s.io/${view.version}`
  return {
    kind: 'Table',
    apiVersion,
    metadata: {},
    columnDefinitions: custom ? customColumns : externalColumns,
    rows: readings.map((r, i) => ({
      cells: [
        ...(r.object === undefined ? [r.metric, labelsText(r.labels)] : [r.object.name, r.object.kind, r.metric]),
        plainNumber(r.value),
        humanDuration(Math.max(0, nowMs - r.timestampMs)),
        humanDuration(Math.max(0, r.expiresMs - nowMs)),
        r.windowSeconds === undefined ? '<none>' : humanDuration(r.windowSeconds * 1000)
      ],
      object: options.includeObject === 'None' ? null : options.includeObject === 'Object' ? items[i] : {
        kind: 'PartialObjectMetadata', apiVersion,
        metadata: { name: r.object?.name ?? r.metric, ...(r.object?.namespace && { namespace: r.object.namespace }) }
      }
    }))
  }
}

const labelsText = (labels: Readonly<Record<string, string>>): string => Object.entries(labels).map(([k, v]) => `${k}=${v}`).sort().join(',') || '<none>'
