const maxCharacters = 4096
const maxCharactersOfOne = 256

/**
 * Warning headers of one answer: each text once, in order. When they are more than 4096 characters together each is cut to 256, and
 * nothing is added any more once the cut ones are as many: with a header that no client takes a write would look failed.
 * Source: `k8s.io/apiserver/pkg/endpoints/filters/warning.go`, RFC 7234 §5.5.
 */
export class Warnings {
  readonly #texts = new Set<string>()
  #characters = 0
  #cut = false

  add (text: string): void {
    // A control character cannot be in a header; such a warning is dropped as upstream drops it.
    if (text === '' || this.#isFull || this.#texts.has(text) || /\p{Cc}/u.test(text)) return
    this.#texts.add(text)
    this.#characters += charactersOf(this.#cut ? shortened(text) : text)
    if (this.#cut || this.#characters <= maxCharacters) return
    this.#cut = true
    this.#characters = 0
    for (const t of this.#texts) this.#characters += charactersOf(shortened(t))
  }

  get empty (): boolean { return this.#texts.size === 0 }

  /** `299 - "…"` values, as bytes in latin1 so that UTF-8 passes through a header. */
  headers (): string[] {
    return [...this.#texts]
      .map(t => this.#cut ? shortened(t) : t)
      .map(t => `299 - "${Buffer.from(t.replace(/["\\]/g, c => '\\' + c)).toString('latin1')}"`)
  }

  get #isFull (): boolean { return this.#cut && this.#characters >= maxCharacters }
}

function charactersOf (text: string): number {
  let n = 0
  for (const _ of text) n++
  return n
}

function shortened (text: string): string {
  let end = 0
  for (let n = 0; n < maxCharactersOfOne && end < text.length; n++) end += text.codePointAt(end)! > 0xffff ? 2 : 1
  return text.slice(0, end)
}
