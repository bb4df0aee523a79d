import { promisify } from 'node:util'
import { gunzip as gunzipCallback } from 'node:zlib'
import type { Answer } from '../responses/respond.js'
import { MessageError } from './message-error.js'
import { OtlpCodec, type OtlpEncoding } from './otlp-messages.js'
import { otlpSeries, type OtlpPointSeries } from './otlp-series.js'
import { ProtocolError } from './protocol-error.js'
import type { SeriesMemory } from './series-memory.js'
import { TimeSlice } from './time-slice.js'
import type { WriteResult } from './write-result.js'

const gunzip = promisify(gunzipCallback)
const mediaTypes: Readonly<Record<OtlpEncoding, string>> = { protobuf: 'application/x-protobuf', json: 'application/json' }
/** Codes of google.rpc.Code. */
const [invalidArgument, resourceExhausted] = [3, 8]

/**
 * OTLP over HTTP, metrics, in protobuf and JSON. Points that are refused are counted in the answer's `partialSuccess`; a request of
 * which nothing can be taken is a 400, which tells the sender not to repeat it.
 * Source: opentelemetry.io/docs/specs/otlp, OTLP/HTTP.
 */
export class Otlp {
  readonly #memory: SeriesMemory
  readonly #codec = new OtlpCodec()
  readonly #decompressedBytes: number

  constructor (options: { memory: SeriesMemory; decompressedBytes: number }) {
    this.#memory = options.memory
    this.#decompressedBytes = options.decompressedBytes
  }

  /**
   * Gives way to other requests once the message is read; the next one begins when this one has ended.
   * @param body as it came
   * @param observe told of the results before the answer
   * @throws ProtocolError 400, 413, 415
   */
  async handle (namespace: string, body: Buffer, headers: { contentType: string | undefined; contentEncoding: string | undefined }, observe: (results: readonly WriteResult[]) => void): Promise<Answer> {
    const encoding = encodingOf(headers.contentType)
    const plain = await this.#decompress(body, headers.contentEncoding)
    const points: OtlpPointSeries[] = []
    const slice = new TimeSlice()
    try {
      for (const series of otlpSeries(this.#codec.decode(encoding, plain))) {
        points.push(series)
        if (slice.over) await slice.next()
      }
    } catch (error) {
      throw error instanceof MessageError ? new ProtocolError(400, error.message, { cause: error }) : error
    }
    const result = await this.#memory.write(namespace, points.flat(), { slice })
    observe([result])
    const rejectedDataPoints = points.filter(series => series.some(s => result.refusedSeries.has(s))).length
    const { message } = result
    if (message !== undefined && rejectedDataPoints === points.length) throw new ProtocolError(400, message)
    return {
      status: 200,
      contentType: mediaTypes[encoding],
      body: this.#codec.response(encoding, message === undefined ? undefined : { rejectedDataPoints, errorMessage: message })
    }
  }

  /** A failure as senders expect it: a `google.rpc.Status` in the encoding of the request. */
  failure (status: number, message: string, contentType: string | undefined): Answer {
    const encoding = contentType?.split(';')[0]?.trim().toLowerCase() === mediaTypes.json ? 'json' : 'protobuf'
    return { status, contentType: mediaTypes[encoding], headers: { 'x-content-type-options': 'nosniff' }, body: this.#codec.status(encoding, { code: status === 413 ? resourceExhausted : invalidArgument, message }) }
  }

  async #decompress (body: Buffer, contentEncoding: string | undefined): Promise<Buffer> {
    const encoding = (contentEncoding ?? '').trim().toLowerCase()
    if (encoding === '' || encoding === 'identity') return body
    if (encoding !== 'gzip') throw new ProtocolError(415, `the Content-Encoding ${JSON.stringify(contentEncoding)} is not supported; supported is gzip`)
    try {
      return await gunzip(body, { maxOutputLength: this.#decompressedBytes })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw new ProtocolError(413, `the body has more than ${this.#decompressedBytes} bytes when it is decompressed`, { cause: error })
      throw new ProtocolError(400, `the body is not compressed with gzip: ${(error as Error).message}`, { cause: error })
    }
  }
}

/** @throws ProtocolError 415 */
function encodingOf (contentType: string | undefined): OtlpEncoding {
  const type = contentType?.split(';')[0]?.trim().toLowerCase()
  const found = (Object.keys(mediaTypes) as OtlpEncoding[]).find(e => mediaTypes[e] === type)
  if (found === undefined) throw new ProtocolError(415, `the Content-Type ${JSON.stringify(contentType ?? '')} is not supported; supported are application/x-protobuf and application/json`)
  return found
}
