import { seedEtcd } from './etcd-seed.js'
import { Load } from './load.js'
import { loadCases } from './load-cases.js'
import { cpuMs, residentMb } from './process-usage.js'
import { cpuPerOperation, type CaseResult, type Finding, type Sample } from './report.js'
import { measure, type Compared } from './rounds.js'
import type { LoadCase } from './scene.js'
import type { BenchServer, ServerName } from './servers.js'
import { make, storeOf, type Shared } from './start-cases.js'
import { watchCases, watchListStart } from './watch-cases.js'

const sizes = [0, 1_000, 10_000, 20_000, 100_000] as const
type Size = typeof sizes[number]
const largest = 100_000
const watchers = 5_000

const named = (objects: number): string => `${objects.toLocaleString('en')} objects`
const memoryName = (objects: number): string => `memory, ${named(objects)}`
/** What must cost the same however much is stored. */
const constant: readonly LoadCase[] = ['get HTTP/2', 'watch, 300 watchers'].map(name => [...loadCases, ...watchCases].find(c => c.name === name)!)
const growthName = (one: LoadCase): string => `${one.name}: ${named(largest)} / 1,000`
export const watchListName = `WatchList start, ${named(10_000)}`
export const scaleName = `scale: ${named(largest)}, ${watchers.toLocaleString('en')} watchers`

export const memoryNames: readonly string[] = sizes.filter(size => size !== 1_000).map(memoryName)
export const growthNames: readonly string[] = constant.map(growthName)

interface Plan {
  readonly memory: boolean
  readonly cases: readonly LoadCase[]
  readonly watchList: boolean
  readonly scale: boolean
}

function planOf (size: Size, wanted: (name: string) => boolean): Plan {
  return {
    memory: size !== 1_000 && wanted(memoryName(size)),
    cases: size === 1_000 || size === 10_000 || size === largest ? constant.filter(c => wanted(growthName(c))) : [],
    watchList: size === 10_000 && wanted(watchListName),
    scale: size === largest && wanted(scaleName)
  }
}

const isEmpty = ({ memory, cases, watchList, scale }: Plan): boolean => !memory && cases.length === 0 && !watchList && !scale

export interface Growth {
  readonly servers: readonly ServerName[]
  readonly rounds: number
  readonly wanted: (name: string) => boolean
  readonly report: (result: CaseResult) => void
  readonly find: (finding: Finding) => void
}

/**
 * One store of each server that grows from nothing to 100,000 objects: at each size its server starts anew and is measured.
 * Those on etcd are filled through etcd, which is ten times faster; the embedded one through its API.
 */
export async function growth (shared: Shared & { readonly etcdPid: number }, { servers, rounds, wanted, report, find }: Growth): Promise<void> {
  const last = sizes.findLast(size => !isEmpty(planOf(size, wanted)))
  if (last === undefined) return
  const made = await Promise.all(servers.map(name => make[name]({ ...shared, label: '-growth', store: storeOf(shared, name, 'growth') })))
  const results: CaseResult[] = []
  for (const [index, size] of sizes.entries()) {
    if (size > last) break
    const plan = planOf(size, wanted)
    const memory: Partial<Record<ServerName, Sample[]>> = {}
    const compared: Compared[] = []
    for (const server of made) {
      await fill(shared, server, sizes[index - 1] ?? 0, size)
      if (isEmpty(plan)) continue
      const ms = await server.start()
      const load = await Load.start({ url: server.url, ...server.admin })
      compared.push({ server, load, etcdPid: server.name === 'embedded' ? undefined : shared.etcdPid })
      if (plan.memory) memory[server.name] = [await residentAfterReads(server, load, size, ms)]
    }
    if (plan.memory) report({ name: memoryName(size), unit: 'start and reads', samples: memory })
    for (const one of plan.cases) {
      const result = { ...await measure(one, compared, rounds, size), name: `${one.name}, ${named(size)}` }
      results.push(result)
      report(result)
    }
    if (plan.watchList) report({ ...await measure(watchListStart, compared, Math.min(rounds, 3), size), name: watchListName })
    if (size === largest) for (const one of plan.cases) for (const name of servers) find(growthOf(one, name, results))
    for (const { server, load } of compared) {
      if (plan.scale && server.name !== 'go') find(await scale(server, load))
      load.stop()
      await server.process.stop()
    }
  }
}

async function fill (shared: Shared, server: BenchServer, from: number, to: number): Promise<void> {
  if (from === to) return
  const ask = async (first: number, end: number): Promise<void> => {
    await server.start()
    const load = await Load.start({ url: server.url, ...server.admin })
    await load.command({ do: 'seed', from: first, to: end })
    load.stop()
    await server.process.stop()
  }
  if (server.name === 'embedded') return ask(from, to)
  if (from === 0) await ask(0, 1)
  await seedEtcd(shared.etcd, storeOf(shared, server.name, 'growth'), Math.max(from, 1), to)
}

/** Resident memory after a start that has listed everything, and some reads. */
async function residentAfterReads (server: BenchServer, load: Load, stored: number, startMs: number): Promise<Sample> {
  const reads = stored === 0 ? [] : [['get HTTP/2', 2000], ['list 500', 100]] as const
  for (const [name, operations] of reads) {
    await load.command({ do: 'prepare', name, run: 0, operations, stored })
    await load.command({ do: 'run' })
    await load.command({ do: 'finish' })
  }
  await new Promise(resolve => { setTimeout(resolve, 2000) })
  const pid = server.process.pid!
  return { operations: 1, seconds: startMs / 1000, p50: startMs, p99: startMs, cpuMs: cpuMs(pid), etcdCpuMs: 0, residentMb: residentMb(pid) }
}

function growthOf (one: LoadCase, server: ServerName, results: readonly CaseResult[]): Finding {
  const at = (objects: number): number => cpuPerOperation(results.find(r => r.name === `${one.name}, ${named(objects)}`)!, server)
  const [small, middle, large] = [at(1_000), at(10_000), at(largest)]
  return { name: growthName(one), server, value: large / small, text: `CPU µs: ${[small, middle, large].map(ms => (ms * 1000).toFixed(1)).join(', ')} at 1,000, 10,000, 100,000` }
}

async function scale (server: BenchServer, load: Load): Promise<Finding> {
  const before = cpuMs(server.process.pid!)
  const { scale: result } = await load.command({ do: 'scale', options: { stored: largest, watchers, seconds: 30 } })
  const { requests, failed, firstFailure, writes, delivery, p50, p99, openSeconds, seconds } = result!
  const wrong = delivery.lost + delivery.duplicate + delivery.outOfOrder + delivery.unexpected
  return {
    name: scaleName, server: server.name, value: failed + wrong,
    text: `${requests} requests, ${failed} failed${firstFailure === undefined ? '' : ` (first: ${firstFailure})`}; ${writes} writes made ${delivery.events} events, ${delivery.lost} lost, ` +
      `${delivery.duplicate} duplicate, ${delivery.outOfOrder} out of order, ${delivery.unexpected} unexpected; p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(0)} ms; ` +
      `opened in ${openSeconds.toFixed(1)} s; CPU ${((cpuMs(server.process.pid!) - before) / 1000).toFixed(1)} s in ${seconds.toFixed(1)} s, RSS ${residentMb(server.process.pid!).toFixed(0)} MB`
  }
}
