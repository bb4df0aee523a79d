import { createRequire } from 'node:module'
import type { IField, INamespace, Reader, Type } from 'protobufjs'
import { MessageError } from './message-error.js'
import { maxItems, MessageItems } from './message-items.js'
import type { WireInteger } from './wire-number.js'

const require = createRequire(import.meta.url)

export type OtlpEncoding = 'protobuf' | 'json'

const repeated = (type: string, id: number): IField & { rule: 'repeated' } => ({ rule: 'repeated', type, id })
const attributes = (id: number): IField & { rule: 'repeated' } => repeated('KeyValue', id)
const time = { type: 'fixed64', id: 3 }

/**
 * What is read of the messages; other fields (exemplars, descriptions, units, minima) are skipped.
 * Source: open-telemetry/opentelemetry-proto, collector/metrics/v1, metrics/v1, common/v1, resource/v1; google/rpc/status.proto.
 */
export const otlpDescriptors: INamespace = {
  nested: {
    ExportMetricsServiceRequest: { fields: { resourceMetrics: repeated('ResourceMetrics', 1) } },
    ResourceMetrics: { fields: { resource: { type: 'Resource', id: 1 }, scopeMetrics: repeated('ScopeMetrics', 2) } },
    Resource: { fields: { attributes: attributes(1) } },
    ScopeMetrics: { fields: { scope: { type: 'InstrumentationScope', id: 1 }, metrics: repeated('Metric', 2) } },
    InstrumentationScope: { fields: { name: { type: 'string', id: 1 }, version: { type: 'string', id: 2 } } },
    KeyValue: { fields: { key: { type: 'string', id: 1 }, value: { type: 'AnyValue', id: 2 } } },
    AnyValue: { fields: { stringValue: { type: 'string', id: 1 }, boolValue: { type: 'bool', id: 2 }, intValue: { type: 'int64', id: 3 }, doubleValue: { type: 'double', id: 4 } } },
    Metric: {
      fields: {
        name: { type: 'string', id: 1 }, gauge: { type: 'Gauge', id: 5 }, sum: { type: 'Sum', id: 7 }, histogram: { type: 'Histogram', id: 9 },
        exponentialHistogram: { type: 'ExponentialHistogram', id: 10 }, summary: { type: 'Summary', id: 11 }
      }
    },
    Gauge: { fields: { dataPoints: repeated('NumberDataPoint', 1) } },
    Sum: { fields: { dataPoints: repeated('NumberDataPoint', 1), aggregationTemporality: { type: 'int32', id: 2 } } },
    Histogram: { fields: { dataPoints: repeated('HistogramDataPoint', 1), aggregationTemporality: { type: 'int32', id: 2 } } },
    ExponentialHistogram: { fields: { dataPoints: repeated('ExponentialHistogramDataPoint', 1), aggregationTemporality: { type: 'int32', id: 2 } } },
    Summary: { fields: { dataPoints: repeated('SummaryDataPoint', 1) } },
    NumberDataPoint: { fields: { attributes: attributes(7), timeUnixNano: time, asDouble: { type: 'double', id: 4 }, asInt: { type: 'sfixed64', id: 6 }, flags: { type: 'uint32', id: 8 } } },
    HistogramDataPoint: {
      fields: {
        attributes: attributes(9), timeUnixNano: time, count: { type: 'fixed64', id: 4 }, sum: { type: 'double', id: 5 },
        bucketCounts: repeated('fixed64', 6), explicitBounds: repeated('double', 7), flags: { type: 'uint32', id: 10 }
      }
    },
    ExponentialHistogramDataPoint: { fields: { attributes: attributes(1), timeUnixNano: time, count: { type: 'fixed64', id: 4 }, sum: { type: 'double', id: 5 }, flags: { type: 'uint32', id: 10 } } },
    SummaryDataPoint: { fields: { attributes: attributes(7), timeUnixNano: time, count: { type: 'fixed64', id: 4 }, sum: { type: 'double', id: 5 }, quantileValues: repeated('ValueAtQuantile', 6), flags: { type: 'uint32', id: 8 } } },
    ValueAtQuantile: { fields: { quantile: { type: 'double', id: 1 }, value: { type: 'double', id: 2 } } },
    ExportMetricsServiceResponse: { fields: { partialSuccess: { type: 'ExportMetricsPartialSuccess', id: 1 } } },
    ExportMetricsPartialSuccess: { fields: { rejectedDataPoints: { type: 'int64', id: 1 }, errorMessage: { type: 'string', id: 2 } } },
    Status: { fields: { code: { type: 'int32', id: 1 }, message: { type: 'string', id: 2 } } }
  }
}

/** A message as it came: of protobuf it has the right types, of JSON it may have any. */
export interface OtlpAttribute { key?: string; value?: { stringValue?: string; boolValue?: boolean; intValue?: WireInteger; doubleValue?: number | string } | null }
export interface OtlpDataPoint {
  attributes?: OtlpAttribute[]
  timeUnixNano?: WireInteger
  flags?: number
  asDouble?: number | string
  asInt?: WireInteger
  count?: WireInteger
  sum?: number | string | null
  bucketCounts?: WireInteger[]
  explicitBounds?: (number | string)[]
  quantileValues?: { quantile?: number | string; value?: number | string }[]
}
export interface OtlpData { dataPoints?: OtlpDataPoint[]; aggregationTemporality?: number }
export interface OtlpMetric { name?: string; gauge?: OtlpData | null; sum?: OtlpData | null; histogram?: OtlpData | null; exponentialHistogram?: OtlpData | null; summary?: OtlpData | null }
export interface OtlpRequest {
  resourceMetrics?: { resource?: { attributes?: OtlpAttribute[] } | null; scopeMetrics?: { scope?: { name?: string; version?: string } | null; metrics?: OtlpMetric[] }[] }[]
}

/** What did not go well, of a request that was taken. */
export interface PartialSuccess { readonly rejectedDataPoints: number; readonly errorMessage: string }

/** Reads and writes the messages of OTLP in either encoding. Made once, as the readers are generated from the descriptors. */
export class OtlpCodec {
  readonly #reader: (body: Buffer) => Reader
  readonly #items: MessageItems
  readonly #request: Type
  readonly #response: Type
  readonly #status: Type

  constructor () {
    // Loaded with the first message: most servers get none.
    const protobuf = require('protobufjs') as typeof import('protobufjs')
    const root = protobuf.Root.fromJSON(otlpDescriptors)
    this.#reader = body => protobuf.Reader.create(body)
    this.#request = root.lookupType('ExportMetricsServiceRequest')
    this.#items = new MessageItems(this.#request, protobuf.types.basic)
    this.#response = root.lookupType('ExportMetricsServiceResponse')
    this.#status = root.lookupType('Status')
  }

  /** @throws MessageError */
  decode (encoding: OtlpEncoding, body: Buffer): OtlpRequest {
    try {
      if (encoding === 'protobuf') {
        this.#items.check(this.#reader(body))
        return this.#request.decode(body) as unknown as OtlpRequest
      }
      checkItemsOfJson(body)
      const value = JSON.parse(body.toString()) as unknown
      if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new TypeError('it is no object')
      return value
    } catch (error) {
      if (error instanceof MessageError) throw error
      throw new MessageError(`the body is no ExportMetricsServiceRequest: ${(error as Error).message}`, { cause: error })
    }
  }

  /** The answer to a request that was taken, in part where `partial` is given. */
  response (encoding: OtlpEncoding, partial: PartialSuccess | undefined): Buffer {
    if (encoding === 'protobuf') return Buffer.from(this.#response.encode(this.#response.fromObject(partial === undefined ? {} : { partialSuccess: partial })).finish())
    // int64 is a text in JSON.
    return Buffer.from(JSON.stringify(partial === undefined ? {} : { partialSuccess: { rejectedDataPoints: String(partial.rejectedDataPoints), errorMessage: partial.errorMessage } }))
  }

  /** A `google.rpc.Status`, the body of every failure. */
  status (encoding: OtlpEncoding, status: { code: number; message: string }): Buffer {
    return Buffer.from(encoding === 'json' ? JSON.stringify(status) : this.#status.encode(this.#status.fromObject(status)).finish())
  }
}

/** Every object and every list has a brace of its own, and every item but the first a comma. */
function checkItemsOfJson (body: Buffer): void {
  let items = 0
  for (let i = 0; i < body.length; i++) {
    const byte = body[i]
    if (byte === comma || byte === brace || byte === bracket) items++
  }
  // An object's members have commas, too.
  if (items > 4 * maxItems) throw new MessageError(`the request holds more than ${4 * maxItems} objects, lists and members; send less at once`)
}

const [comma, brace, bracket] = [0x2c, 0x7b, 0x5b]
