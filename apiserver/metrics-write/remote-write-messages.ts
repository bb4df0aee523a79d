import { createRequire } from 'node:module'
import type { IField, INamespace, Reader, Type } from 'protobufjs'
import { LabelBudget, labelsInMemory, tooManyLabels } from './label-budget.js'
import { MessageError } from './message-error.js'
import { MessageItems } from './message-items.js'
import { doubleOfBits, integer, type WireInteger } from './wire-number.js'
import { nameLabel } from '../../registry/metrics.example.com/metricmappings/label-matcher.js'
import type { TimeSlice } from './time-slice.js'
import type { WriteResult } from './write-result.js'
import type { Point, WrittenSeries } from './written-series.js'

const require = createRequire(import.meta.url)

/** The messages of remote write: `prometheus.WriteRequest` of 1.0, `io.prometheus.write.v2.Request` of 2.0. */
export type RemoteWriteVersion = '1.0' | '2.0'

/** The wire type of strings and messages. */
const lengthDelimited = 2
const repeated = (type: string, id: number): IField & { rule: 'repeated' } => ({ rule: 'repeated', type, id })
// The values are doubles; they are read as raw bits, for a stale marker is a NaN among others.
const sample = { fields: { value: { type: 'fixed64', id: 1 }, timestamp: { type: 'int64', id: 2 } } }
// Of a native histogram its count and sum are used.
const histogram = { fields: { countInt: { type: 'uint64', id: 1 }, countFloat: { type: 'fixed64', id: 2 }, sum: { type: 'fixed64', id: 3 }, timestamp: { type: 'int64', id: 15 } } }
const exemplar = { fields: {} }

/**
 * What is read of the messages; other fields are skipped. Source: prometheus/prometheus prompb/remote.proto, prompb/types.proto,
 * prompb/io/prometheus/write/v2/types.proto, and the remote write specifications 1.0 and 2.0.
 */
export const remoteWriteDescriptors: INamespace = {
  nested: {
    v1: {
      nested: {
        WriteRequest: { fields: { timeseries: repeated('TimeSeries', 1) } },
        TimeSeries: { fields: { labels: repeated('Label', 1), samples: repeated('Sample', 2), exemplars: repeated('Exemplar', 3), histograms: repeated('Histogram', 4) } },
        Label: { fields: { name: { type: 'string', id: 1 }, value: { type: 'string', id: 2 } } },
        Sample: sample,
        Exemplar: exemplar,
        Histogram: histogram
      }
    },
    v2: {
      nested: {
        Request: { fields: { symbols: repeated('string', 4), timeseries: repeated('TimeSeries', 5) } },
        TimeSeries: { fields: { labelsRefs: repeated('uint32', 1), samples: repeated('Sample', 2), histograms: repeated('Histogram', 3), exemplars: repeated('Exemplar', 4) } },
        Sample: sample,
        Exemplar: exemplar,
        Histogram: histogram
      }
    }
  }
}

interface SampleMessage { value?: WireInteger; timestamp?: WireInteger }
interface HistogramMessage { countInt?: WireInteger; countFloat?: WireInteger; sum?: WireInteger; timestamp?: WireInteger }
interface TimeSeriesMessage { labels?: { name: string; value: string }[]; labelsRefs?: number[]; samples: SampleMessage[]; histograms: HistogramMessage[]; exemplars: object[] }

export interface RemoteWriteRequest {
  readonly samples: readonly WrittenSeries[]
  /** Two series of each native histogram: its count and its sum. */
  readonly histograms: readonly WrittenSeries[]
  /** How many exemplars there were; nothing is done with them. */
  readonly exemplars: number
}

/** Where the parts of a request are. */
interface Layout { readonly symbols: number | undefined; readonly timeseries: number; readonly series: Type; readonly items: MessageItems }

/** Reads the messages of remote write. Made once, as the readers are generated from the descriptors. */
export class RemoteWriteDecoder {
  readonly #layouts: Readonly<Record<RemoteWriteVersion, Layout>>
  readonly #reader: (body: Buffer) => Reader

  constructor () {
    // Loaded with the first message: most servers get none.
    const protobuf = require('protobufjs') as typeof import('protobufjs')
    const root = protobuf.Root.fromJSON(remoteWriteDescriptors)
    const layout = (request: string, series: string): Layout => {
      const id = (field: string): number | undefined => root.lookupType(request).fields[field]?.id
      return { symbols: id('symbols'), timeseries: id('timeseries')!, series: root.lookupType(series), items: new MessageItems(root.lookupType(request), protobuf.types.basic) }
    }
    this.#layouts = { '1.0': layout('v1.WriteRequest', 'v1.TimeSeries'), '2.0': layout('v2.Request', 'v2.TimeSeries') }
    this.#reader = body => protobuf.Reader.create(body)
  }

  /**
   * Reads a request one series after the other and gives way to other requests meanwhile.
   * @param results take the samples, and the native histograms, of series that are malformed. @throws MessageError
   */
  async decode (version: RemoteWriteVersion, body: Buffer, results: { samples: WriteResult; histograms: WriteResult }, slice: TimeSlice): Promise<RemoteWriteRequest> {
    const layout = this.#layouts[version]
    const request = { samples: [] as WrittenSeries[], histograms: [] as WrittenSeries[], exemplars: 0 }
    const budget = new LabelBudget(labelsInMemory)
    const symbols: string[] = []
    const take = (series: TimeSeriesMessage): void => {
      request.exemplars += series.exemplars.length
      const labels = version === '1.0' ? labelsOf(series.labels ?? []) : labelsOf(referenced(series.labelsRefs ?? [], symbols))
      if (typeof labels === 'string') {
        if (series.samples.length > 0) results.samples.refuse('malformed', () => labels, series.samples.length)
        if (series.histograms.length > 0) results.histograms.refuse('malformed', () => labels, series.histograms.length)
        return
      }
      budget.take(labels, 1)
      if (series.samples.length > 0) request.samples.push({ labels, points: series.samples.map(s => ({ timestampMs: integer(s.timestamp), ...doubleOfBits(s.value) })) })
      if (series.histograms.length > 0) request.histograms.push(countOf(labels, series.histograms), sumOf(labels, series.histograms))
    }
    try {
      layout.items.check(this.#reader(body))
      // Series refer to symbols, which may come after them.
      if (layout.symbols !== undefined) await this.#each(body, layout.symbols, reader => { symbols.push(reader.string()) }, slice)
      if (symbols.length > 0 && symbols[0] !== '') throw new MessageError('the first symbol of a request must be empty')
      await this.#each(body, layout.timeseries, reader => { take(layout.series.decode(reader, reader.uint32()) as unknown as TimeSeriesMessage) }, slice)
    } catch (error) {
      if (error instanceof MessageError) throw error
      throw new MessageError(`the body is no ${version === '1.0' ? 'prometheus.WriteRequest' : 'io.prometheus.write.v2.Request'}: ${(error as Error).message}`, { cause: error })
    }
    return request
  }

  /** Reads one field of a message, again and again, and skips the others. @throws Error for bytes that are no message */
  async #each (body: Buffer, field: number, read: (reader: Reader) => void, slice: TimeSlice): Promise<void> {
    const reader = this.#reader(body)
    while (reader.pos < reader.len) {
      const tag = reader.uint32()
      if (tag === ((field << 3) | lengthDelimited)) read(reader)
      else reader.skipType(tag & 7)
      if (slice.over) await slice.next()
    }
  }
}

const countOf = (labels: Map<string, string>, histograms: readonly HistogramMessage[]): WrittenSeries =>
  partOf(labels, '_count', histograms, h => doubleOfBits(h.countFloat).value || integer(h.countInt))
const sumOf = (labels: Map<string, string>, histograms: readonly HistogramMessage[]): WrittenSeries =>
  partOf(labels, '_sum', histograms, h => doubleOfBits(h.sum).value)

const partOf = (labels: Map<string, string>, suffix: string, histograms: readonly HistogramMessage[], value: (h: HistogramMessage) => number): WrittenSeries => ({
  labels: new Map(labels).set(nameLabel, labels.get(nameLabel)! + suffix),
  points: histograms.map((h): Point => ({ timestampMs: integer(h.timestamp), value: value(h), stale: doubleOfBits(h.sum).stale }))
})

function * referenced (references: readonly number[], symbols: readonly string[]): Iterable<{ name: string | undefined; value: string | undefined }> {
  for (let i = 0; i < references.length; i += 2) yield { name: symbols[references[i]!], value: symbols[references[i + 1]!] }
}

/** What identifies a series, or what is wrong with it. An empty label is an absent one. */
function labelsOf (pairs: Iterable<{ name: string | undefined; value: string | undefined }>): Map<string, string> | string {
  const labels = new Map<string, string>()
  for (const { name, value } of pairs) {
    if (name === undefined || value === undefined) return 'a series refers to symbols that are not there'
    if (name === '') return 'a series has a label without a name'
    if (labels.has(name)) return `a series has the label ${JSON.stringify(name.slice(0, 100))} twice`
    if (value !== '') labels.set(name, value)
  }
  return labels.has(nameLabel) ? tooManyLabels(labels) ?? labels : `a series has no name (label ${nameLabel})`
}
