import { MessageError } from './message-error.js'

const maxLabels = 128
const maxText = 8 * 1024
/** What the labels of all series of a request may come to: a request can say a label once and mean it a million times. */
export interface LabelLimits { readonly labels: number; readonly text: number }

/** Of series that are all in memory at the same time. */
export const labelsInMemory: LabelLimits = { labels: 1_000_000, text: 64 * 1024 * 1024 }
/** Of series that are made one after the other: a limit of work. 8,192 histograms of 16 buckets and 22 labels have 3,400,000 labels. */
export const labelsInAll: LabelLimits = { labels: 8_000_000, text: 256 * 1024 * 1024 }

/** What is too much about the labels of one series, whose text is kept in memory; undefined for labels that are within the bounds. */
export function tooManyLabels (labels: ReadonlyMap<string, string>): string | undefined {
  return labels.size > maxLabels || textOf(labels) > maxText ? `a series has more than ${maxLabels} labels, or more than ${maxText} characters in them` : undefined
}

/** Counts what the series of one request hold together. */
export class LabelBudget {
  readonly #limits: LabelLimits
  #labels = 0
  #text = 0

  constructor (limits: LabelLimits) { this.#limits = limits }

  /** @param series how many series have these labels. @throws MessageError when the request holds too much */
  take (labels: ReadonlyMap<string, string>, series: number): void {
    this.#labels += (labels.size + 1) * series
    this.#text += textOf(labels) * series
    const { labels: most, text } = this.#limits
    if (this.#labels > most || this.#text > text) throw new MessageError(`the series of a request have more than ${most} labels, or ${text} characters in them; send less at once`)
  }
}

function textOf (labels: ReadonlyMap<string, string>): number {
  let text = 0
  for (const [name, value] of labels) text += name.length + value.length
  return text
}
