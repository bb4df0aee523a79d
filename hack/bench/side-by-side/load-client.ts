// The process that makes the load: started by load.ts, told over IPC which case to prepare and when to run it.
import { Connection, type ConnectionOptions } from './connection.js'
import { loadCases } from './load-cases.js'
import { scaleLoad, type ScaleOptions, type ScaleResult } from './scale-load.js'
import { inParallel, seedObjects, type LoadCase } from './scene.js'
import { watchListStart } from './watch-cases.js'

export type Command =
  | { readonly do: 'connect'; readonly options: ConnectionOptions }
  /** Creates the objects with the numbers from `from` up to, but not with, `to`. */
  | { readonly do: 'seed'; readonly from: number; readonly to: number }
  | { readonly do: 'prepare'; readonly name: string; readonly run: number; readonly operations: number; readonly stored: number }
  | { readonly do: 'run' }
  | { readonly do: 'finish' }
  | { readonly do: 'scale'; readonly options: ScaleOptions }

export interface Measured {
  readonly seconds: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
}

export type Reply = { readonly error: string } | { readonly measured?: Measured; readonly scale?: ScaleResult }

let connection: Connection | undefined
let prepared: { readonly run: () => Promise<void>; readonly finish?: () => Promise<void> } | undefined
let latencies: number[] = []

async function handle (command: Command): Promise<Exclude<Reply, { error: string }>> {
  switch (command.do) {
    case 'connect': connection = new Connection(command.options); return {}
    case 'seed': await seedObjects(connection!, command.from, command.to); return {}
    case 'prepare': prepared = await prepare(command); return {}
    case 'run': return { measured: await run() }
    case 'finish': await prepared?.finish?.(); connection?.close(); return {}
    case 'scale': return { scale: await scaleLoad(connection!, command.options) }
  }
}

function prepare ({ name, run, operations, stored }: Extract<Command, { do: 'prepare' }>): ReturnType<LoadCase['prepare']> {
  const found = [...loadCases, watchListStart].find(c => c.name === name)!
  latencies = []
  const note = (ms: number): void => { latencies.push(ms) }
  return found.prepare({
    connection: connection!, run, operations, stored, note,
    many: (concurrency, operation) => inParallel(operations, concurrency, async i => {
      const began = performance.now()
      await operation(i)
      note(performance.now() - began)
    })
  })
}

async function run (): Promise<Measured> {
  latencies = []
  const began = performance.now()
  await prepared!.run()
  const seconds = (performance.now() - began) / 1000
  latencies.sort((a, b) => a - b)
  const at = (q: number): number => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * q))] ?? 0
  return { seconds, p50: at(0.5), p99: at(0.99) }
}

process.once('disconnect', () => { process.exit() })
process.on('message', (command: Command) => {
  handle(command).then(
    reply => { process.send!(reply) },
    (error: unknown) => { process.send!({ error: error instanceof Error ? error.stack ?? error.message : String(error) } satisfies Reply) }
  )
})
