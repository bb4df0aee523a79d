import { fieldErrorText, invalid, type FieldError } from './field-error.js'
import { isLabelValue, isQualifiedName } from './names.js'
import type { JsonValue } from '../codec/value.js'

/** One term of a label selector. Values of `In` and `NotIn` are a set; the others have one value or none. */
export interface LabelRequirement {
  readonly key: string
  readonly operator: '=' | '==' | '!=' | 'in' | 'notin' | 'exists' | '!' | 'gt' | 'lt'
  readonly values: readonly string[]
}

/** A parsed selector: all requirements must hold; none means everything. */
export interface LabelSelector {
  readonly requirements: readonly LabelRequirement[]
  matches: (labels: Readonly<Record<string, string>> | undefined) => boolean
}

type Token = 'end' | 'identifier' | 'error' | ')' | ',' | '!' | '==' | '=' | '>' | 'in' | '<' | '!=' | 'notin' | '('
interface Lexeme { readonly token: Token; readonly literal: string }

const special = new Set(['=', '!', '(', ')', ',', '>', '<'])
const space = new Set([' ', '\t', '\r', '\n'])
const operators = new Set(['==', '=', '!=', '!', '>', '<', '(', ')', ','])
const binaryOperators = ['in', 'notin', '=', '==', '!=', 'gt', 'lt'] as const
const int64 = /^[+-]?[0-9]+$/

/** What is wrong with a selector; the message is the one that clients of kube-apiserver see. */
export class SelectorError extends Error { override readonly name = 'SelectorError' }

/**
 * Parses the syntax of `kubectl -l`: `k`, `!k`, `k=v`, `k==v`, `k!=v`, `k in (a,b)`, `k notin (a,b)`, `k>1`, `k<1`, joined by commas.
 * @throws SelectorError with upstream's text. Source: `k8s.io/apimachinery/pkg/labels/selector.go`.
 */
export function parseLabelSelector (text: string): LabelSelector {
  const requirements = new Parser(lex(text)).parse()
  requirements.sort((a, b) => a.key < b.key ? -1 : a.key > b.key ? 1 : 0)
  return { requirements, matches: labels => requirements.every(r => requirementMatches(r, labels)) }
}

/** Whether one requirement holds for a set of labels. */
export function requirementMatches (r: LabelRequirement, labels: Readonly<Record<string, string>> | undefined): boolean {
  const has = labels !== undefined && Object.hasOwn(labels, r.key)
  switch (r.operator) {
    case '=': case '==': case 'in': return has && r.values.includes(labels[r.key]!)
    case '!=': case 'notin': return !has || !r.values.includes(labels[r.key]!)
    case 'exists': return has
    case '!': return !has
    default: {
      const [left, right] = [has ? labels[r.key]! : '', r.values[0]!]
      if (!isInt64(left) || !isInt64(right)) return false
      return r.operator === 'gt' ? BigInt(left) > BigInt(right) : BigInt(left) < BigInt(right)
    }
  }
}

const isInt64 = (s: string): boolean => int64.test(s) && s.length <= 20 && BigInt.asIntN(64, BigInt(s.replace(/^\+/, ''))) === BigInt(s.replace(/^\+/, ''))

function lex (text: string): Lexeme[] {
  const out: Lexeme[] = []
  let i = 0
  for (;;) {
    while (i < text.length && space.has(text[i]!)) i++
    if (i >= text.length) { out.push({ token: 'end', literal: '' }); return out }
    const start = i
    if (special.has(text[i]!)) {
      // The longest run of special characters that is an operator.
      let last = ''
      while (i < text.length && special.has(text[i]!)) {
        const longer = text.slice(start, i + 1)
        if (operators.has(longer)) last = longer
        else if (last !== '') break
        i++
      }
      if (last === '') out.push({ token: 'error', literal: `error expected: keyword found '${text.slice(start, i)}'` })
      else out.push({ token: last as Token, literal: last })
    } else {
      while (i < text.length && !special.has(text[i]!) && !space.has(text[i]!)) i++
      const literal = text.slice(start, i)
      out.push({ token: literal === 'in' || literal === 'notin' ? literal : 'identifier', literal })
    }
  }
}

class Parser {
  readonly #lexemes: readonly Lexeme[]
  #at = 0
  constructor (lexemes: readonly Lexeme[]) { this.#lexemes = lexemes }

  parse (): LabelRequirement[] {
    const out: LabelRequirement[] = []
    for (;;) {
      const next = this.#peek()
      if (next.token === 'end') return out
      if (next.token !== 'identifier' && next.token !== '!') throw new SelectorError(`found '${next.literal}', expected: !, identifier, or 'end of string'`)
      try {
        out.push(this.#requirement())
      } catch (error) {
        throw error instanceof SelectorError ? new SelectorError(`unable to parse requirement: ${error.message}`) : error
      }
      const separator = this.#take()
      if (separator.token === 'end') return out
      if (separator.token !== ',') throw new SelectorError(`found '${separator.literal}', expected: ',' or 'end of string'`)
      const after = this.#peek()
      if (after.token !== 'identifier' && after.token !== '!') throw new SelectorError(`found '${after.literal}', expected: identifier after ','`)
    }
  }

  /** Inside values and keys, `in` and `notin` are ordinary words. */
  #peek (): Lexeme {
    const l = this.#lexemes[Math.min(this.#at, this.#lexemes.length - 1)]!
    return l.token === 'in' || l.token === 'notin' ? { token: 'identifier', literal: l.literal } : l
  }

  #take (): Lexeme { const l = this.#peek(); this.#at++; return l }

  #requirement (): LabelRequirement {
    let l = this.#take()
    const negated = l.token === '!'
    if (negated) l = this.#take()
    if (l.token !== 'identifier') throw new SelectorError(`found '${l.literal}', expected: identifier`)
    const key = l.literal
    const wrong = isQualifiedName(key)
    if (wrong.length > 0) throw new SelectorError(fieldErrorText(invalid('<nil>', key, wrong.join('; '))))
    const next = this.#peek().token
    if (negated) return checked({ key, operator: '!', values: [] })
    if (next === 'end' || next === ',') return checked({ key, operator: 'exists', values: [] })
    const op = this.#lexemes[this.#at++]!
    switch (op.token) {
      case 'in': case 'notin': return checked({ key, operator: op.token, values: this.#values() })
      case '=': case '==': case '!=': return checked({ key, operator: op.token, values: [this.#exactValue()] })
      case '>': return checked({ key, operator: 'gt', values: [this.#exactValue()] })
      case '<': return checked({ key, operator: 'lt', values: [this.#exactValue()] })
      default: throw new SelectorError(`found '${op.literal}', expected: ${binaryOperators.join(', ')}`)
    }
  }

  #exactValue (): string {
    const next = this.#peek().token
    if (next === 'end' || next === ',') return ''
    const l = this.#take()
    if (l.token !== 'identifier') throw new SelectorError(`found '${l.literal}', expected: identifier`)
    return l.literal
  }

  #values (): string[] {
    const open = this.#take()
    if (open.token !== '(') throw new SelectorError(`found '${open.literal}' expected: '('`)
    const first = this.#peek()
    if (first.token === ')') { this.#take(); return [''] }
    if (first.token !== 'identifier' && first.token !== ',') throw new SelectorError(`found '${first.literal}', expected: ',', ')' or identifier`)
    const values = this.#identifiers()
    if (this.#take().token !== ')') throw new SelectorError(`found '${first.literal}', expected: ')'`)
    return [...values].sort()
  }

  /** Commas without a word between them stand for the empty value. */
  #identifiers (): Set<string> {
    const out = new Set<string>()
    for (;;) {
      const l = this.#take()
      if (l.token === 'identifier') {
        out.add(l.literal)
        const next = this.#peek()
        if (next.token === ')') return out
        if (next.token !== ',') throw new SelectorError(`found '${next.literal}', expected: ',' or ')'`)
      } else if (l.token === ',') {
        if (out.size === 0) out.add('')
        const next = this.#peek().token
        if (next === ')' || next === ',') out.add('')
        if (next === ')') return out
      } else {
        throw new SelectorError(`found '${l.literal}', expected: ',', or identifier`)
      }
    }
  }
}

function checked (r: LabelRequirement): LabelRequirement {
  const errors: FieldError[] = []
  if ((r.operator === 'gt' || r.operator === 'lt') && !isInt64(r.values[0]!)) errors.push(invalid('values[0]', r.values[0]!, "for 'Gt', 'Lt' operators, the value must be an integer"))
  r.values.forEach((v, i) => {
    const wrong = isLabelValue(v)
    if (wrong.length > 0) errors.push(invalid(`values[${i}][${r.key}]`, v, wrong.join('; ')))
  })
  if (errors.length > 0) {
    const texts = [...new Set(errors.map(fieldErrorText))]
    throw new SelectorError(texts.length === 1 ? texts[0]! : `[${texts.join(', ')}]`)
  }
  return r
}

/** A selector from a `metav1.LabelSelector` value ({matchLabels, matchExpressions}), as objects hold it. */
export function labelSelectorOf (value: { matchLabels?: Record<string, string>; matchExpressions?: { key: string; operator: string; values?: string[] }[] }): LabelSelector {
  const named = { In: 'in', NotIn: 'notin', Exists: 'exists', DoesNotExist: '!' } as const
  const requirements: LabelRequirement[] = Object.entries(value.matchLabels ?? {}).map(([key, v]) => ({ key, operator: '=', values: [v] }))
  for (const e of value.matchExpressions ?? []) {
    const operator = named[e.operator as keyof typeof named]
    if (operator === undefined) throw new SelectorError(`${JSON.stringify(e.operator satisfies JsonValue)} is not a valid label selector operator`)
    requirements.push({ key: e.key, operator, values: e.values ?? [] })
  }
  return { requirements, matches: labels => requirements.every(r => requirementMatches(r, labels)) }
}
