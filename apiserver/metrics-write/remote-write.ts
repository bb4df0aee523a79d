import type { Answer } from '../responses/respond.js'
import { MessageError } from './message-error.js'
import { ProtocolError } from './protocol-error.js'
import { RemoteWriteDecoder, type RemoteWriteRequest, type RemoteWriteVersion } from './remote-write-messages.js'
import type { SeriesMemory } from './series-memory.js'
import { SnappyError, uncompressSnappy } from './snappy-block.js'
import { TimeSlice } from './time-slice.js'
import { WriteResult } from './write-result.js'

/** The messages that a `Content-Type` may name. */
const messages: Readonly<Record<string, RemoteWriteVersion>> = { 'prometheus.WriteRequest': '1.0', 'io.prometheus.write.v2.Request': '2.0' }

/**
 * Prometheus remote write, 1.0 and 2.0. What is wrong with a request or a sample is a 400, which tells the sender not to repeat it; the
 * other samples of the request are taken over nevertheless.
 * Source: prometheus.io/docs/specs/prw/remote_write_spec and remote_write_spec_2_0.
 */
export class RemoteWrite {
  readonly #memory: SeriesMemory
  readonly #decoder = new RemoteWriteDecoder()
  readonly #decompressedBytes: number

  constructor (options: { memory: SeriesMemory; decompressedBytes: number }) {
    this.#memory = options.memory
    this.#decompressedBytes = options.decompressedBytes
  }

  /**
   * Gives way to other requests all the time; the next one begins when this one has ended.
   * @param body as it came
   * @param observe told of the results before the answer
   * @throws ProtocolError 400, 413, 415
   */
  async handle (namespace: string, body: Buffer, headers: { contentType: string | undefined; contentEncoding: string | undefined }, observe: (results: readonly WriteResult[]) => void): Promise<Answer> {
    const version = messageVersion(headers.contentType)
    if (!['', 'snappy'].includes((headers.contentEncoding ?? '').trim().toLowerCase())) {
      throw new ProtocolError(415, `the Content-Encoding ${JSON.stringify(headers.contentEncoding)} is not supported; remote write is compressed with snappy`)
    }
    const results = { samples: new WriteResult(), histograms: new WriteResult() }
    const slice = new TimeSlice()
    const request = await this.#decode(version, body, results, slice)
    await this.#memory.write(namespace, request.samples, { result: results.samples, slice })
    await this.#memory.write(namespace, request.histograms, { result: results.histograms, slice })
    observe([results.samples, results.histograms])
    const written = {
      'x-prometheus-remote-write-samples-written': String(results.samples.accepted),
      // Two series, its count and its sum, are made of each.
      'x-prometheus-remote-write-histograms-written': String(Math.floor(results.histograms.accepted / 2)),
      'x-prometheus-remote-write-exemplars-written': String(request.exemplars)
    }
    const message = [results.samples.message, results.histograms.message].filter(m => m !== undefined).join('; ')
    if (message === '') return { status: 204, headers: written }
    return { status: 400, contentType: 'text/plain; charset=utf-8', headers: { ...written, 'x-content-type-options': 'nosniff' }, body: Buffer.from(`${message}\n`) }
  }

  async #decode (version: RemoteWriteVersion, body: Buffer, results: { samples: WriteResult; histograms: WriteResult }, slice: TimeSlice): Promise<RemoteWriteRequest> {
    try {
      return await this.#decoder.decode(version, uncompressSnappy(body, this.#decompressedBytes), results, slice)
    } catch (error) {
      if (error instanceof SnappyError) throw new ProtocolError(error.tooLarge ? 413 : 400, error.message, { cause: error })
      if (error instanceof MessageError) throw new ProtocolError(400, error.message, { cause: error })
      throw error
    }
  }
}

/** None is 1.0, as senders of that time left it out. @throws ProtocolError 415 */
function messageVersion (contentType: string | undefined): RemoteWriteVersion {
  const unsupported = (): ProtocolError => new ProtocolError(415,
    `the Content-Type ${JSON.stringify(contentType)} is not supported; supported are application/x-protobuf with proto=prometheus.WriteRequest (the default) or proto=io.prometheus.write.v2.Request`)
  if (contentType === undefined || contentType.trim() === '') return '1.0'
  const [type = '', ...parameters] = contentType.split(';').map(p => p.trim())
  if (type.toLowerCase() !== 'application/x-protobuf') throw unsupported()
  const proto = parameters.find(p => /^proto\s*=/i.test(p))
  if (proto === undefined) return '1.0'
  const name = proto.slice(proto.indexOf('=') + 1).trim().replace(/^"(.*)"$/, '$1')
  const version = Object.hasOwn(messages, name) ? messages[name] : undefined
  if (version === undefined) throw unsupported()
  return version
}
