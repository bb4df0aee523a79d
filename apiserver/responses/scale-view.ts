import { printInOrder } from '../../registry/codec/json-print.js'
import type { JsonValue } from '../../registry/codec/value.js'
import { newNotAcceptable } from '../../registry/meta/status-error.js'
import type { OutputFormat } from '../negotiation/accept.js'
import type { Scale } from '../handlers/scale-object.js'
import type { Answer } from './respond.js'
import { encodeValue } from './write-object.js'
import { tableOptions, scaleTable } from './table.js'

/** A Scale, whole or as the asked view. @throws StatusError 406 */
export function presentScale (scale: Scale, format: OutputFormat, query: URLSearchParams): Pick<Answer, 'contentType' | 'body'> {
  const { view } = format
  const asValue = (v: unknown): JsonValue => v as JsonValue
  const text = (v: unknown): Pick<Answer, 'contentType' | 'body'> =>
    format.encoding === 'json' ? { contentType: 'application/json', body: Buffer.from(printInOrder(v as object, format.pretty ? 2 : undefined) + (format.pretty ? '' : '\n')) } : encodeValue(asValue(v), format)
  switch (view?.kind) {
    case undefined: return text(scale)
    case 'PartialObjectMetadata': return text({ kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${view.version}`, metadata: scale.metadata })
    case 'Table': return text(scaleTable(scale, view.version, tableOptions(query), new Date()))
    default: throw newNotAcceptable('you requested PartialObjectMetadataList, but the requested object is not a list (*v1.Scale)')
  }
}
