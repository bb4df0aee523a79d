import { MessageError } from './message-error.js'

const maxLabels = 128
const maxText = 8 * 1024
/** Of all series of a request together: a request can say a label once and mean it a million times. */
const perRequest = { labels: 1_000_000, text: 64 * 1024 * 1024 }

/** What is too much about the labels of one series, whose text is kept in memory; undefined for labels that are within the bounds. */
export function tooManyLabels (labels: ReadonlyMap<string, string>): string | undefined {
  return labels.size > maxLabels || textOf(labels) > maxText ? `a series has more than ${maxLabels} labels, or more than ${maxText} characters in them` : undefined
}

/** Counts what the series of one request hold together. */
export class LabelBudget {
  #labels = 0
  #text = 0

  /** @param series how many series have these labels. @throws MessageError when the request holds too much */
  take (labels: ReadonlyMap<string, string>, series: number): void {
    this.#labels += (labels.size + 1) * series
    this.#text += textOf(labels) * series
    if (this.#labels > perRequest.labels || this.#text > perRequest.text) {
      throw new MessageError(`the series of a request have more than ${perRequest.labels} labels, or ${perRequest.text} characters in them`)
    }
  }
}

function textOf (labels: ReadonlyMap<string, string>): number {
  let text = 0
  for (const [name, value] of labels) text += name.length + value.length
  return text
}
