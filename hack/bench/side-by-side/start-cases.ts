import { join } from 'node:path'
import { Load } from './load.js'
import { cpuMs, residentMb } from './process-usage.js'
import type { CaseResult, Sample } from './report.js'
import { embeddedServer, etcdServer, goServer, type BenchServer, type ServerName, type ServerOptions } from './servers.js'

const make: Record<ServerName, (options: ServerOptions) => Promise<BenchServer>> = { go: goServer, etcd: etcdServer, embedded: embeddedServer }

type Shared = Pick<ServerOptions, 'controlPlane' | 'etcd'>

/** A new process each round, on a store that is there already; the operation is the start. */
export async function coldStart (shared: Shared, servers: readonly ServerName[], rounds: number): Promise<CaseResult> {
  const samples: Partial<Record<ServerName, Sample[]>> = {}
  const made = await Promise.all(servers.map(name => make[name]({ ...shared, label: '-cold', store: storeOf(shared, name, 'cold') })))
  for (const server of made) {
    // Certificates and the store are made by the first start, which is another case.
    await server.start()
    await server.process.stop()
  }
  for (let round = 0; round < rounds; round++) {
    for (const server of made) {
      const ms = await server.start()
      const sample = { seconds: ms / 1000, p50: ms, p99: ms, cpuMs: cpuMs(server.process.pid!), etcdCpuMs: 0, residentMb: residentMb(server.process.pid!) }
      ;(samples[server.name] ??= []).push(sample)
      await server.process.stop()
    }
  }
  return { name: 'cold start to ready', unit: 'start', operations: 1, samples }
}

/** Resident memory with so many objects in the store: once filled, and again after a fresh start that has listed all of them. */
export async function memory (shared: Shared, servers: readonly ServerName[], objects: number): Promise<CaseResult> {
  const samples: Partial<Record<ServerName, Sample[]>> = {}
  for (const name of servers) {
    const server = await make[name]({ ...shared, label: `-memory-${objects}`, store: storeOf(shared, name, `memory-${objects}`) })
    await server.start()
    if (objects > 0) {
      const load = await Load.start({ url: server.url, ...server.admin })
      await load.command({ do: 'seed', objects })
      load.stop()
    }
    await server.process.stop()
    const ms = await server.start()
    const load = await Load.start({ url: server.url, ...server.admin })
    for (const [run, read] of ['get HTTP/2', 'list 500'].entries()) {
      if (objects < 2000) break
      await load.command({ do: 'prepare', name: read, run })
      await load.command({ do: 'run' })
      await load.command({ do: 'finish' })
    }
    load.stop()
    await new Promise(resolve => { setTimeout(resolve, 2000) })
    const pid = server.process.pid!
    samples[name] = [{ seconds: ms / 1000, p50: ms, p99: ms, cpuMs: cpuMs(pid), etcdCpuMs: 0, residentMb: residentMb(pid) }]
    await server.process.stop()
  }
  return { name: `memory, ${objects.toLocaleString('en')} objects`, unit: 'start and 2,100 reads', operations: 1, samples }
}

const storeOf = ({ controlPlane }: Shared, name: ServerName, what: string): string => name === 'embedded' ? join(controlPlane.directory, `store-${what}`) : `/bench-${what}/${name}`
