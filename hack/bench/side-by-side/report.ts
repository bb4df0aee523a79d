import type { ServerName } from './servers.js'
import { describeTarget, isMet, targetsOf, verdict, type Target } from './targets.js'

/** What one server did in one round of one case. */
export interface Sample {
  readonly operations: number
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

/** What a case found out about one server that is not a comparison. */
export interface Finding {
  readonly name: string
  readonly server: ServerName
  readonly value: number
  readonly text: string
}

const serverNames: readonly ServerName[] = ['go', 'etcd', 'embedded']

export function median (values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2
}

const medianOf = (samples: readonly Sample[], value: (s: Sample) => number): number => median(samples.map(value))

/** CPU milliseconds of one operation on a server. */
export const cpuPerOperation = (result: CaseResult, server: ServerName): number => medianOf(result.samples[server] ?? [], s => s.cpuMs / s.operations)

export function linesOf (result: CaseResult): Line[] {
  const line = (server: ServerName, samples: readonly Sample[]): Omit<Line, 'ratio'> => ({
    server,
    perSecond: medianOf(samples, s => s.operations / s.seconds),
    p50: medianOf(samples, s => s.p50),
    p99: medianOf(samples, s => s.p99),
    cpuMs: cpuPerOperation(result, server),
    etcdCpuMs: medianOf(samples, s => s.etcdCpuMs / s.operations),
    residentMb: medianOf(samples, s => s.residentMb)
  })
  const lines = serverNames.flatMap(name => result.samples[name] === undefined ? [] : [line(name, result.samples[name])])
  const go = lines.find(l => l.server === 'go')
  return lines.map(l => ({
    ...l,
    ratio: go === undefined ? undefined : l.server === 'embedded' ? l.cpuMs / (go.cpuMs + go.etcdCpuMs) : l.cpuMs / go.cpuMs
  }))
}

/** A target and what was reached. */
export interface Judged { readonly target: Target; readonly value: number }

/** What a case says about the targets. */
export function judge (result: CaseResult): Judged[] {
  const lines = linesOf(result)
  const go = lines.find(l => l.server === 'go')
  return lines.flatMap(line => targetsOf(result.name, line.server).flatMap(target => {
    const value = valueOf(target, line, go)
    return value === undefined ? [] : [{ target, value }]
  }))
}

export const judgeFinding = ({ name, server, value }: Finding): Judged[] => targetsOf(name, server).map(target => ({ target, value }))

function valueOf ({ quantity }: Target, line: Line, go: Line | undefined): number | undefined {
  switch (quantity) {
    case 'CPU ratio': return line.ratio
    case 'memory ratio': return go && line.residentMb / go.residentMb
    case 'operations a second': return line.perSecond
    case 'seconds': return line.p50 / 1000
    case 'growth': case 'failures': return undefined
  }
}

const columns = ['case', 'server', 'ops/s', 'p50 ms', 'p99 ms', 'CPU µs/op', 'etcd CPU µs/op', 'RSS MB', 'ratio', 'target', 'result'] as const
export const titles: Record<ServerName, string> = { go: 'sample-apiserver', etcd: 'annex, etcd', embedded: 'annex, embedded' }
const widths = [44, 17, 8, 8, 8, 10, 15, 7, 6, 10, 0]

const row = (cells: readonly string[]): string => cells.map((c, i) => i < 2 || i > 9 ? c.padEnd(widths[i]!) : c.padStart(widths[i]!)).join(' ').trimEnd()

export const header = (): string => row(columns)

/** A case as lines of the table. A line with more than one target goes on below. */
export function table (result: CaseResult): string {
  const judged = judge(result)
  return linesOf(result).flatMap((l, i) => {
    const [first, ...more] = judged.filter(j => j.target.server === l.server).map(j => [describeTarget(j.target), verdict(j.target, j.value)] as const)
    return [
      row([
        i === 0 ? result.name : '', titles[l.server], round(l.perSecond), round(l.p50), round(l.p99), round(l.cpuMs * 1000), l.etcdCpuMs === 0 ? '' : round(l.etcdCpuMs * 1000), round(l.residentMb),
        l.server === 'go' || l.ratio === undefined ? '' : l.ratio.toFixed(2), ...(first ?? [])
      ]),
      ...more.map(cells => row([...Array<string>(9).fill(''), ...cells]))
    ]
  }).join('\n')
}

/** A finding as lines of the table. */
export function findingTable (finding: Finding): string {
  const [judged] = judgeFinding(finding)
  const cells = judged === undefined ? [] : [describeTarget(judged.target), verdict(judged.target, judged.value)]
  return `${row([finding.name, titles[finding.server], ...Array<string>(6).fill(''), round(finding.value), ...cells])}\n    ${finding.text}`
}

/** How many targets are met, and the missed ones. */
export function summary (judged: readonly Judged[]): string {
  const missed = judged.filter(j => !isMet(j.target, j.value))
  return [
    `${judged.length - missed.length} of ${judged.length} targets met`,
    ...missed.map(({ target, value }) => `  ${target.case}, ${titles[target.server]}: ${target.quantity} ${round(value)}, target ${describeTarget(target)}`)
  ].join('\n')
}

const round = (n: number): string => n >= 100 || n === 0 ? n.toFixed(0) : n >= 10 ? n.toFixed(1) : n.toFixed(2)
