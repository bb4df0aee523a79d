import type { ServerName } from './servers.js'

/** What one server did in one round of one case. */
export interface Sample {
  readonly seconds: number
  readonly p50: number
  readonly p99: number
  /** Of the server process. */
  readonly cpuMs: number
  /** Of the etcd that it uses, or 0. */
  readonly etcdCpuMs: number
  readonly residentMb: number
}

export interface CaseResult {
  readonly name: string
  readonly unit: string
  readonly operations: number
  readonly samples: Partial<Record<ServerName, readonly Sample[]>>
}

/** Medians over the rounds of a case, per operation. */
export interface Line {
  readonly server: ServerName
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
  readonly cpuMs: number
  readonly etcdCpuMs: number
  readonly residentMb: number
  /** CPU against Go's; of the embedded store against Go's and its etcd's. Absent without a Go server. */
  readonly ratio: number | undefined
}

const serverNames: readonly ServerName[] = ['go', 'etcd', 'embedded']

export function median (values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2
}

export function linesOf (result: CaseResult): Line[] {
  const of = (samples: readonly Sample[], value: (s: Sample) => number): number => median(samples.map(value))
  const line = (server: ServerName, samples: readonly Sample[]): Omit<Line, 'ratio'> => ({
    server,
    perSecond: of(samples, s => result.operations / s.seconds),
    p50: of(samples, s => s.p50),
    p99: of(samples, s => s.p99),
    cpuMs: of(samples, s => s.cpuMs / result.operations),
    etcdCpuMs: of(samples, s => s.etcdCpuMs / result.operations),
    residentMb: of(samples, s => s.residentMb)
  })
  const lines = serverNames.flatMap(name => result.samples[name] === undefined ? [] : [line(name, result.samples[name])])
  const go = lines.find(l => l.server === 'go')
  return lines.map(l => ({
    ...l,
    ratio: go === undefined ? undefined : l.server === 'embedded' ? l.cpuMs / (go.cpuMs + go.etcdCpuMs) : l.cpuMs / go.cpuMs
  }))
}

const columns = ['case', 'server', 'ops/s', 'p50 ms', 'p99 ms', 'CPU µs/op', 'etcd CPU µs/op', 'RSS MB', 'ratio'] as const
const titles: Record<ServerName, string> = { go: 'sample-apiserver', etcd: 'annex, etcd', embedded: 'annex, embedded' }
const widths = [36, 17, 9, 9, 9, 11, 15, 8, 7]

const row = (cells: readonly string[]): string => cells.map((c, i) => i < 2 ? c.padEnd(widths[i]!) : c.padStart(widths[i]!)).join(' ').trimEnd()

export const header = (): string => row(columns)

/** A case as lines of the table. */
export function table (result: CaseResult): string {
  return linesOf(result).map((l, i) => row([
    i === 0 ? `${result.name}` : '', titles[l.server], round(l.perSecond), round(l.p50), round(l.p99), round(l.cpuMs * 1000), l.etcdCpuMs === 0 ? '' : round(l.etcdCpuMs * 1000), round(l.residentMb),
    l.server === 'go' || l.ratio === undefined ? '' : l.ratio.toFixed(2)
  ])).join('\n')
}

const round = (n: number): string => n >= 100 ? n.toFixed(0) : n >= 10 ? n.toFixed(1) : n.toFixed(2)

/** Ratios of a run, by case and server: what is stored as the baseline. */
export type Ratios = Record<string, Partial<Record<ServerName, number>>>

export function ratiosOf (results: readonly CaseResult[]): Ratios {
  const ratios: Ratios = {}
  for (const result of results) {
    for (const { server, ratio } of linesOf(result)) if (server !== 'go' && ratio !== undefined) (ratios[result.name] ??= {})[server] = Number(ratio.toFixed(3))
  }
  return ratios
}

/** Below this a ratio is mostly noise. */
const floor = 0.02

/** What has become twice as expensive as the baseline says; what only one of them knows is left out. */
export function regressions (now: Ratios, baseline: Ratios): string[] {
  return Object.entries(now).flatMap(([name, servers]) => (Object.entries(servers) as [ServerName, number][]).flatMap(([server, ratio]) => {
    const before = baseline[name]?.[server]
    return before !== undefined && ratio > 2 * Math.max(before, floor) ? [`${name} (${titles[server]}): ratio ${ratio} against ${before}`] : []
  }))
}
