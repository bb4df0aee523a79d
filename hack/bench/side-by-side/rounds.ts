import type { Load } from './load.js'
import { cpuMs, residentMb } from './process-usage.js'
import type { CaseResult, Sample } from './report.js'
import type { LoadCase } from './scene.js'
import type { BenchServer, ServerName } from './servers.js'

/** A server that runs, and the client that loads it. */
export interface Compared { readonly server: BenchServer; readonly load: Load; readonly etcdPid: number | undefined }

/** CPU time of the server that a round should take: /proc counts in steps of 10 ms. */
const roundCpuMs = 500
/** CPU time of the server before its first round: what is compared is compiled code, not just-in-time compilers. Or so much time has gone. */
const warmUpCpuMs = 1200
const warmUpMs = 12_000

let runNumber = 0

/** The rounds of one case, each on every server in turn, after each of them has warmed up for the same CPU time. */
export async function measure (one: LoadCase, compared: readonly Compared[], rounds: number, stored: number): Promise<CaseResult> {
  const operations = new Map<ServerName, number>()
  for (const each of compared) operations.set(each.server.name, await warmUp(one, each, stored))
  const samples: Partial<Record<ServerName, Sample[]>> = {}
  for (let round = 0; round < rounds; round++) {
    // Nobody is always first.
    for (const each of round % 2 === 0 ? compared : compared.toReversed()) {
      (samples[each.server.name] ??= []).push(await sample(one, each, operations.get(each.server.name)!, stored))
    }
  }
  return { name: one.name, unit: one.unit, samples }
}

/** Runs the case until the server is warm. Answers how many operations make a round. */
async function warmUp (one: LoadCase, each: Compared, stored: number): Promise<number> {
  const until = performance.now() + warmUpMs
  let operations = one.operations
  for (let spent = 0; ;) {
    const { cpuMs } = await sample(one, each, operations, stored)
    spent += cpuMs
    operations = roundOperations(one, cpuMs / operations)
    if (spent >= (one.warmUpCpuMs ?? warmUpCpuMs) || performance.now() > until) return operations
  }
}

/** How many operations make a round that can be measured, if one costs so much CPU time. */
export function roundOperations ({ operations, most = operations * 10 }: Pick<LoadCase, 'operations' | 'most'>, msEach: number): number {
  return Math.max(operations, Math.min(most, Math.ceil(roundCpuMs / Math.max(msEach, 1e-6))))
}

async function sample (one: LoadCase, { server, load, etcdPid }: Compared, operations: number, stored: number): Promise<Sample> {
  await load.command({ do: 'prepare', name: one.name, run: runNumber++, operations, stored })
  await settle()
  const pid = server.process.pid!
  const before = { server: cpuMs(pid), etcd: etcdPid === undefined ? 0 : cpuMs(etcdPid) }
  const { measured } = await load.command({ do: 'run' })
  // What the last operations left to do belongs to them.
  await settle()
  const result = {
    ...measured!,
    operations,
    cpuMs: cpuMs(pid) - before.server,
    etcdCpuMs: etcdPid === undefined ? 0 : cpuMs(etcdPid) - before.etcd,
    residentMb: residentMb(pid)
  }
  await load.command({ do: 'finish' })
  return result
}

function settle (): Promise<void> { return new Promise(resolve => { setTimeout(resolve, 150) }) }
