import { createRequire } from 'node:module'
import type { RE2JS as Pattern } from 're2js'
import type { MatchOperator } from './types.js'

const require = createRequire(import.meta.url)

/** The label that holds a series' name. */
export const nameLabel = '__name__'

/** A condition on one label. A label that a series does not have is empty. */
export interface LabelMatcher {
  readonly label: string
  readonly operator: MatchOperator
  readonly matches: (value: string) => boolean
}

/** A regular expression that RE2 does not take. */
export class MatcherError extends Error { override readonly name = 'MatcherError' }

/**
 * Compiles a matcher as Prometheus understands it: regular expressions are RE2's, match the whole value, and their dot matches newlines.
 * They run in linear time, so that no expression can stop the server.
 * @throws MatcherError
 */
export function labelMatcher (label: string, operator: MatchOperator, value: string): LabelMatcher {
  if (operator === '=') return { label, operator, matches: v => v === value }
  if (operator === '!=') return { label, operator, matches: v => v !== value }
  // Loaded with the first expression.
  const { RE2JS, RE2JSException } = require('re2js') as typeof import('re2js')
  let pattern: Pattern
  try {
    pattern = RE2JS.compile(value, RE2JS.DOTALL)
  } catch (error) {
    throw error instanceof RE2JSException ? new MatcherError(error.message.replace('`(?s)', '`'), { cause: error }) : error
  }
  return { label, operator, matches: operator === '=~' ? v => pattern.matches(v) : v => !pattern.matches(v) }
}
