import { SelectorError } from './label-selector.js'

export interface FieldRequirement { readonly field: string; readonly operator: '=' | '!='; readonly value: string }

/** A parsed field selector: all requirements must hold; none means everything. */
export interface FieldSelector {
  readonly requirements: readonly FieldRequirement[]
  /** @param fieldOf the value of a field, empty when it has none */
  matches: (fieldOf: (field: string) => string) => boolean
}

/**
 * Parses `f=v`, `f==v`, `f!=v` joined by commas; `\\`, `\,` and `\=` escape in values.
 * @throws SelectorError with upstream's text. Source: `k8s.io/apimachinery/pkg/fields/selector.go`.
 */
export function parseFieldSelector (text: string): FieldSelector {
  const requirements: FieldRequirement[] = []
  for (const term of splitTerms(text).sort()) {
    if (term === '') continue
    const found = /!=|==|=/.exec(term)
    if (found === null) throw new SelectorError(`invalid selector: '${text}'; can't understand '${term}'`)
    const value = unescapeValue(term.slice(found.index + found[0].length))
    requirements.push({ field: term.slice(0, found.index), operator: found[0] === '!=' ? '!=' : '=', value })
  }
  return { requirements, matches: fieldOf => requirements.every(r => (fieldOf(r.field) === r.value) === (r.operator === '=')) }
}

/** The value that a field must have, if the selector says exactly one. */
export const requiredValue = (selector: FieldSelector, field: string): string | undefined =>
  selector.requirements.find(r => r.field === field && r.operator === '=')?.value

function splitTerms (text: string): string[] {
  const out: string[] = []
  let start = 0
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '\\') i++
    else if (text[i] === ',') { out.push(text.slice(start, i)); start = i + 1 }
  }
  out.push(text.slice(start))
  return out
}

function unescapeValue (s: string): string {
  let out = ''
  for (let i = 0; i < s.length; i++) {
    const c = s[i]!
    if (c === '\\') {
      const next = s[++i]
      if (next !== '\\' && next !== ',' && next !== '=') throw new SelectorError(`invalid field selector: invalid escape sequence: \\${next ?? ''}`)
      out += next
    } else if (c === ',' || c === '=') {
      throw new SelectorError(`invalid field selector: unescaped character in value: ${c.codePointAt(0)}`)
    } else {
      out += c
    }
  }
  return out
}
