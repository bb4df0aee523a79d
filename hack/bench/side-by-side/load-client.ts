// The process that makes the load: started by load.ts, told over IPC which case to prepare and when to run it.
import { Connection, type ConnectionOptions } from './connection.js'
import { loadCases } from './load-cases.js'
import { inParallel, seedObjects, type LoadCase } from './scene.js'

export type Command =
  | { readonly do: 'connect'; readonly options: ConnectionOptions }
  | { readonly do: 'seed'; readonly objects: number }
  | { readonly do: 'prepare'; readonly name: string; readonly run: number }
  | { readonly do: 'run' }
  | { readonly do: 'finish' }

export interface Measured {
  readonly seconds: number
  /** Milliseconds. */
  readonly p50: number
  readonly p99: number
}

export type Reply = { readonly error: string } | { readonly measured?: Measured }

let connection: Connection | undefined
let prepared: { readonly run: () => Promise<void>; readonly finish?: () => Promise<void> } | undefined
let latencies: number[] = []

async function handle (command: Command): Promise<Measured | undefined> {
  switch (command.do) {
    case 'connect': connection = new Connection(command.options); return undefined
    case 'seed': await seedObjects(connection!, command.objects); return undefined
    case 'prepare': prepared = await prepare(command.name, command.run); return undefined
    case 'run': return run()
    case 'finish': await prepared?.finish?.(); connection?.close(); return undefined
  }
}

function prepare (name: string, runNumber: number): ReturnType<LoadCase['prepare']> {
  const found = loadCases.find(c => c.name === name)!
  latencies = []
  const note = (ms: number): void => { latencies.push(ms) }
  return found.prepare({
    connection: connection!, run: runNumber, operations: found.operations, note,
    many: (concurrency, operation) => inParallel(found.operations, concurrency, async i => {
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
    measured => { process.send!({ ...(measured && { measured }) } satisfies Reply) },
    (error: unknown) => { process.send!({ error: error instanceof Error ? error.stack ?? error.message : String(error) } satisfies Reply) }
  )
})
