import { promisify } from 'node:util'
import { gunzip as gunzipCallback } from 'node:zlib'
import type { Answer } from '../responses/respond.js'
import { labelsInMemory } from './label-budget.js'
import { MessageError } from './message-error.js'
import { OtlpCodec, type OtlpEncoding } from './otlp-messages.js'
import { otlpSeries, type OtlpPoint } from './otlp-series.js'
import { ProtocolError } from './protocol-error.js'
import type { SeriesMemory } from './series-memory.js'
import { TimeSlice } from './time-slice.js'
import { WriteResult } from './write-result.js'
import type { WrittenSeries } from './written-series.js'

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
    const slice = new TimeSlice()
    const result = new WriteResult()
    const counts = { points: 0, rejected: 0 }
    await this.#memory.write(namespace, seriesOf(await this.#read(encoding, plain, slice), result, counts), { result, slice })
    observe([result])
    const { message } = result
    if (message !== undefined && counts.rejected === counts.points) throw new ProtocolError(400, message)
    return {
      status: 200,
      contentType: mediaTypes[encoding],
      body: this.#codec.response(encoding, message === undefined ? undefined : { rejectedDataPoints: counts.rejected, errorMessage: message })
    }
  }

  /**
   * All points of a request that is whole: nothing is taken of one that turns out to be none in the middle. Those of a large one are made
   * once more when they are written, for a histogram of a few bytes becomes tens of series.
   * @throws ProtocolError 400
   */
  async #read (encoding: OtlpEncoding, body: Buffer, slice: TimeSlice): Promise<Iterable<OtlpPoint>> {
    try {
      const request = this.#codec.decode(encoding, body)
      let kept: OtlpPoint[] | undefined = []
      let labels = 0
      for (const point of otlpSeries(request)) {
        if ('series' in point) for (const series of point.series) labels += series.labels.size
        if (labels > labelsInMemory.labels) kept = undefined
        kept?.push(point)
        if (slice.over) await slice.next()
      }
      return kept ?? otlpSeries(request)
    } catch (error) {
      throw error instanceof MessageError ? new ProtocolError(400, error.message, { cause: error }) : error
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

/** The series of points, to be written one after the other: a point is rejected when one of its series has been refused by then. */
function * seriesOf (points: Iterable<OtlpPoint>, result: WriteResult, counts: { points: number; rejected: number }): Iterable<WrittenSeries> {
  for (const point of points) {
    counts.points++
    if ('refused' in point) {
      counts.rejected++
      result.refuse('malformed', () => point.refused)
      continue
    }
    yield * point.series
    let rejected = false
    // They are not needed any more, and there may be very many.
    for (const series of point.series) if (result.refusedSeries.delete(series)) rejected = true
    if (rejected) counts.rejected++
  }
}

/** @throws ProtocolError 415 */
function encodingOf (contentType: string | undefined): OtlpEncoding {
  const type = contentType?.split(';')[0]?.trim().toLowerCase()
  const found = (Object.keys(mediaTypes) as OtlpEncoding[]).find(e => mediaTypes[e] === type)
  if (found === undefined) throw new ProtocolError(415, `the Content-Type ${JSON.stringify(contentType ?? '')} is not supported; supported are application/x-protobuf and application/json`)
  return found
}
