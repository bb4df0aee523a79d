/** A name with `${label}` in it. */
export interface NameTemplate {
  /** The labels that it needs. */
  readonly labels: readonly string[]
  /** The name; undefined when a label is absent. */
  readonly expand: (value: (label: string) => string | undefined) => string | undefined
}

/** A text that is no template. */
export class TemplateError extends Error { override readonly name = 'TemplateError' }

/**
 * Reads a literal name or one with `${label}` in it; a dollar sign that no brace follows stands for itself.
 * @throws TemplateError
 */
export function nameTemplate (text: string): NameTemplate {
  const parts: (string | { readonly label: string })[] = []
  let at = 0
  for (let open = text.indexOf('${'); open >= 0; open = text.indexOf('${', at)) {
    const close = text.indexOf('}', open)
    if (close < 0) throw new TemplateError('has a ${ that no } follows')
    const label = text.slice(open + 2, close)
    if (label === '') throw new TemplateError('has a ${} that names no label')
    parts.push(text.slice(at, open), { label })
    at = close + 1
  }
  parts.push(text.slice(at))
  const labels = parts.filter(p => typeof p === 'object').map(p => p.label)
  return {
    labels,
    expand: value => {
      let name = ''
      for (const part of parts) {
        const found = typeof part === 'string' ? part : value(part.label)
        if (found === undefined) return undefined
        name += found
      }
      return name
    }
  }
}
