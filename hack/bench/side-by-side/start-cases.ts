import { join } from 'node:path'
import { cpuMs, residentMb } from './process-usage.js'
import type { CaseResult, Sample } from './report.js'
import { embeddedServer, etcdServer, goServer, type BenchServer, type ServerName, type ServerOptions } from './servers.js'

export const coldStartName = 'cold start to ready'

export const make: Record<ServerName, (options: ServerOptions) => Promise<BenchServer>> = { go: goServer, etcd: etcdServer, embedded: embeddedServer }

export type Shared = Pick<ServerOptions, 'controlPlane' | 'etcd'>

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
      const sample = { operations: 1, seconds: ms / 1000, p50: ms, p99: ms, cpuMs: cpuMs(server.process.pid!), etcdCpuMs: 0, residentMb: residentMb(server.process.pid!) }
      ;(samples[server.name] ??= []).push(sample)
      await server.process.stop()
    }
  }
  return { name: coldStartName, unit: 'start', samples }
}

/** Where a server has the objects of a case. */
export const storeOf = ({ controlPlane }: Shared, name: ServerName, what: string): string => name === 'embedded' ? join(controlPlane.directory, `store-${what}`) : `/bench-${what}/${name}`
