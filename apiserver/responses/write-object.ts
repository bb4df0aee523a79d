import { indentJson } from '../../registry/codec/json-indent.js'
import { parseJson } from '../../registry/codec/json-parse.js'
import { printInOrder, printJson } from '../../registry/codec/json-print.js'
import type { JsonValue } from '../../registry/codec/value.js'
import { printYaml } from '../../registry/codec/yaml.js'
import { statusObject, StatusError, type Status } from '../../registry/meta/status-error.js'
import { negotiateError, type OutputFormat } from '../negotiation/accept.js'
import type { RequestContext } from '../request-context.js'
import { respond, type Answer } from './respond.js'

const newline = Buffer.from('\n')

/** Whether the encoding is the JSON that objects are kept as, and a line's end. */
export const isPlainJson = (format: OutputFormat): boolean => format.encoding === 'json' && !format.pretty

/** JSON bytes that exist already, in the wanted encoding. */
export function encodeBytes (pieces: readonly Buffer[], format: OutputFormat): Pick<Answer, 'contentType' | 'body'> {
  if (isPlainJson(format)) return { contentType: 'application/json', body: [...pieces, newline] }
  const text = Buffer.concat(pieces).toString()
  if (format.encoding === 'json') return { contentType: 'application/json', body: Buffer.from(indentJson(text)) }
  return encodeValue(parseJson(text).value, format)
}

/** A value in the wanted encoding. */
export function encodeValue (value: JsonValue, format: OutputFormat): Pick<Answer, 'contentType' | 'body'> {
  if (format.encoding === 'yaml') return { contentType: 'application/yaml', body: Buffer.from(printYaml(value)) }
  const text = format.pretty ? indentJson(printJson(value)) : printJson(value) + '\n'
  return { contentType: 'application/json', body: Buffer.from(text) }
}

/** A Status keeps the order in which Go writes its members. */
export function encodeStatus (status: Status, format: OutputFormat): Pick<Answer, 'contentType' | 'body'> {
  if (format.encoding === 'yaml') return encodeValue(statusObject(status), format)
  return { contentType: 'application/json', body: Buffer.from(format.pretty ? printInOrder(status, 2) : printInOrder(status) + '\n') }
}

/** Sends a failure. What is not a StatusError is a fault of ours: 500 with nothing of its text, for the log has it. */
export async function respondError (context: RequestContext, error: unknown, log: (error: unknown) => void): Promise<void> {
  const status = statusOf(error, context, log)
  const format = negotiateError({ accept: context.header('accept'), userAgent: context.header('user-agent'), query: context.query })
  context.audit?.setResponseObject(statusObject(status))
  const headers: Record<string, string> = {}
  if (status.details?.retryAfterSeconds) headers['retry-after'] = String(status.details.retryAfterSeconds)
  if (status.code === 403) headers['x-content-type-options'] = 'nosniff'
  await respond(context, { status: status.code ?? 500, ...encodeStatus(status, format), headers })
}

function statusOf (error: unknown, context: RequestContext, log: (error: unknown) => void): Status {
  if (error instanceof StatusError) return error.status
  if (context.aborted instanceof StatusError) return context.aborted.status
  log(error)
  const message = `Internal error occurred: see the server's log, audit id ${context.auditId}`
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason: 'InternalError', details: { causes: [{ message }] }, code: 500 }
}

