import type { ServerResponse } from 'node:http'
import { promisify } from 'node:util'
import { constants, gzip as gzipCallback } from 'node:zlib'
import { isMetricRead } from '../metrics-api/metric-groups.js'
import type { RequestContext } from '../request-context.js'
import { bodyMemory } from './body-memory.js'

const gzip = promisify(gzipCallback)
const gzipThreshold = 128 * 1024

/** A whole answer: a body in one or more pieces that are sent as they are. */
export interface Answer {
  readonly status: number
  readonly contentType?: string | undefined
  readonly body?: Buffer | readonly Buffer[] | undefined
  readonly headers?: Readonly<Record<string, string | readonly string[]>> | undefined
  /** Whether a large body may be gzipped for a client that accepts it (default true). */
  readonly compressible?: boolean
}

/** The headers that every answer has, streams too. */
export function commonHeaders (context: RequestContext): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = { 'audit-id': context.auditId, 'cache-control': 'no-cache, private' }
  if (!context.warnings.empty) headers['warning'] = context.warnings.headers()
  return headers
}

/**
 * Sends an answer. The only writer of bodies beside the watch stream. Does nothing when the client is gone or was answered already.
 */
export async function respond (context: RequestContext, answer: Answer): Promise<void> {
  const { res } = context
  if (res.headersSent || res.destroyed) return
  if (context.audit?.wantsResponseObject === true && answer.contentType === 'application/json' && answer.body !== undefined) {
    context.audit.setResponseBytes(Array.isArray(answer.body) ? Buffer.concat(answer.body as readonly Buffer[]) : answer.body as Buffer)
  }
  const headers: Record<string, string | string[] | number> = commonHeaders(context)
  for (const [k, v] of Object.entries(answer.headers ?? {})) headers[k] = typeof v === 'string' ? v : [...v]
  if (headers['retry-after'] !== undefined && isMetricRead(context.info)) delete headers['retry-after']
  if (answer.contentType !== undefined) headers['content-type'] = answer.contentType
  let pieces: readonly Buffer[] = answer.body === undefined ? [] : Array.isArray(answer.body) ? answer.body as readonly Buffer[] : [answer.body as Buffer]
  let length = 0
  for (const p of pieces) length += p.length
  if (length > gzipThreshold && answer.compressible !== false && acceptsGzip(context.header('accept-encoding'))) {
    const plain = inOnePiece(pieces, length)
    pieces = [await gzip(plain, { level: constants.Z_BEST_SPEED })]
    bodyMemory.giveBack(plain)
    length = pieces[0]!.length
    headers['content-encoding'] = 'gzip'
    headers['vary'] = headers['vary'] === undefined ? 'Accept-Encoding' : `${String(headers['vary'])}, Accept-Encoding`
    if (res.headersSent || res.destroyed) return
  }
  if (answer.status !== 304) headers['content-length'] = length
  context.statusCode = answer.status
  context.responseBytes = length
  res.writeHead(answer.status, headers as Record<string, string>)
  if (length === 0 || context.req.method === 'HEAD') return void res.end()
  const body = inOnePiece(pieces, length)
  if (!bodyMemory.isLent(body)) return void res.end(body)
  // Only a success says that every byte has been handed on; what a stream that was reset still holds, the garbage collector knows.
  const written = (error?: Error | null): void => { if (error === undefined || error === null) bodyMemory.giveBack(body) }
  ;(res as ServerResponse).write(body, written) // the compatible response of HTTP/2 takes the same
  res.end()
}

function inOnePiece (pieces: readonly Buffer[], length: number): Buffer {
  if (pieces.length === 1) return pieces[0]!
  const body = bodyMemory.take(length)
  let at = 0
  for (const piece of pieces) {
    body.set(piece, at)
    at += piece.length
  }
  return body
}

const acceptsGzip = (header: string | undefined): boolean =>
  header !== undefined && header.split(',').some(e => /^\s*gzip\s*(;\s*q=(?!0(\.0*)?\s*$).*)?$/i.test(e))
