import { canonicalQuantity, parseQuantity } from '../../registry/meta/quantity.js'
import type { KubeObject } from '../../registry/meta/object-meta.js'
import type { Problem } from '../children/problem.js'

/** What annotations of a Database say, for its spec has no place for it. */
export interface DatabaseSettings {
  readonly paused: boolean
  /** What becomes of claims and credentials when the Database is deleted. */
  readonly deletionPolicy: 'Retain' | 'Delete'
  /** Whether claims and credentials that an earlier Database of this name left may be taken over. */
  readonly adoptsRetained: boolean
  /** Of each instance: requested. */
  readonly cpu: string
  /** Of each instance: requested, and its limit. */
  readonly memory: string
  /** The first annotation that makes no sense; its default counts. */
  readonly problem?: Problem | undefined
}

/** Reads `<group>/paused`, `deletion-policy`, `adopt-retained`, `cpu` and `memory`. */
export function settingsOf (group: string, { metadata: { annotations = {} } }: KubeObject): DatabaseSettings {
  const problems: Problem[] = []
  const read = <T>(name: string, fallback: T, parse: (text: string) => T | undefined, expected: string): T => {
    const text = annotations[`${group}/${name}`]
    if (text === undefined) return fallback
    const value = parse(text)
    if (value === undefined) problems.push({ reason: 'InvalidAnnotation', message: `annotation ${group}/${name} is ${JSON.stringify(text)}: expected ${expected}; ${JSON.stringify(fallback)} is used` })
    return value ?? fallback
  }
  return {
    paused: read('paused', false, flag, 'true or false'),
    deletionPolicy: read('deletion-policy', 'Retain', text => text === 'Retain' || text === 'Delete' ? text : undefined, 'Retain or Delete'),
    adoptsRetained: read('adopt-retained', false, flag, 'true or false'),
    cpu: read('cpu', '250m', amount, 'a positive quantity such as 500m'),
    memory: read('memory', '1Gi', amount, 'a positive quantity such as 2Gi'),
    problem: problems[0]
  }
}

const flag = (text: string): boolean | undefined => text === 'true' ? true : text === 'false' ? false : undefined

function amount (text: string): string | undefined {
  const quantity = parseQuantity(text)
  return quantity === undefined || quantity.unscaled <= 0n ? undefined : canonicalQuantity(quantity)
}
