import { readFileSync, writeFileSync } from 'node:fs'
import { linesOf, titles, type CaseResult, type Sample } from './report.js'
import type { ServerName } from './servers.js'

/** Ratios of a run, by case and server: what is stored as the baseline. */
export type Ratios = Record<string, Partial<Record<ServerName, number>>>

/** What `--check` measures: cheap to measure, and whatever makes the server slower shows in one of them. */
export const checkedCases: readonly string[] = ['get HTTP/2', 'list all', 'create', 'merge patch', 'watch, 300 watchers']

export const baselineFile = new URL('../baseline.json', import.meta.url)

/** The stored baseline; nothing if there is none. @throws Error if it cannot be read */
export function readBaseline (file = baselineFile): Ratios {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Ratios
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {}
    throw error
  }
}

/** Puts ratios into the stored baseline; cases that were not measured keep theirs. */
export function updateBaseline (ratios: Ratios, file = baselineFile): void {
  writeFileSync(file, `${JSON.stringify({ ...readBaseline(file), ...ratios }, null, 2)}\n`)
}

export function ratiosOf (results: readonly CaseResult[]): Ratios {
  const ratios: Ratios = {}
  for (const result of results) {
    for (const { server, ratio } of linesOf(result)) if (server !== 'go' && ratio !== undefined) (ratios[result.name] ??= {})[server] = Number(ratio.toFixed(3))
  }
  return ratios
}

/** Below this a ratio is mostly noise. */
const floor = 0.02

export interface Regression { readonly name: string; readonly server: ServerName; readonly ratio: number; readonly before: number }

/** What has become twice as expensive as the baseline says; what only one of them knows is left out. */
export function regressions (now: Ratios, baseline: Ratios): Regression[] {
  return Object.entries(now).flatMap(([name, servers]) => (Object.entries(servers) as [ServerName, number][]).flatMap(([server, ratio]) => {
    const before = baseline[name]?.[server]
    return before !== undefined && ratio > 2 * Math.max(before, floor) ? [{ name, server, ratio, before }] : []
  }))
}

export const describeRegression = ({ name, server, ratio, before }: Regression): string => `${name} (${titles[server]}): ratio ${ratio} against ${before}`

/** The cheapest round of each server: other users of a machine make rounds dearer, never cheaper, while what a server does it does in each. */
export function cheapest (result: CaseResult): CaseResult {
  const of = (samples: readonly Sample[]): Sample[] => [samples.reduce((a, b) => b.cpuMs / b.operations < a.cpuMs / a.operations ? b : a)]
  return { ...result, samples: Object.fromEntries(Object.entries(result.samples).map(([name, samples]) => [name, of(samples)])) }
}

/**
 * Which regressions stay when their cases are measured again, by the cheapest round then: once is an accident on a machine with other users.
 * @param again measures a case with more rounds
 */
export async function confirmed (results: readonly CaseResult[], baseline: Ratios, again: (name: string) => Promise<CaseResult>): Promise<Regression[]> {
  const suspects = new Set(regressions(ratiosOf(results), baseline).map(r => r.name))
  const repeated: CaseResult[] = []
  for (const name of suspects) repeated.push(await again(name))
  // Only what was suspected is judged, and by the second measurement alone.
  return regressions(ratiosOf(repeated.map(cheapest)), baseline)
}
