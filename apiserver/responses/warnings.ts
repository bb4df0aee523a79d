/**
 * Warning headers of one answer: each text once, in order; when they are more than 4096 characters together each is cut to 256.
 * Source: `k8s.io/apiserver/pkg/endpoints/filters/warning.go`, RFC 7234 §5.5.
 */
export class Warnings {
  readonly #texts = new Set<string>()

  add (text: string): void { if (text !== '') this.#texts.add(text) }

  get empty (): boolean { return this.#texts.size === 0 }

  /** `299 - "…"` values, as bytes in latin1 so that UTF-8 passes through a header. */
  headers (): string[] {
    const texts = [...this.#texts]
    const total = texts.reduce((n, t) => n + t.length, 0)
    return texts
      .map(t => total > 4096 ? [...t].slice(0, 256).join('') : t)
      // eslint-disable-next-line no-control-regex -- a control character cannot be in a header; such a warning is dropped as upstream drops it
      .filter(t => !/[\u0000-\u001f\u007f]/.test(t))
      .map(t => `299 - "${Buffer.from(t.replace(/["\\]/g, c => '\\' + c)).toString('latin1')}"`)
  }
}
