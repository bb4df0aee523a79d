import { pino } from 'pino'
import { newDatabaseControllers } from './database/database-operator.js'
import type { ControllerInitializer } from './manager/controller-context.js'
import { managerFlagTable, readManagerCommand } from './manager/manager-options.js'
import { newWebAppController } from './webapp/controller.js'

/** Every controller of `annex controller-manager`; a new one is a line here, and a flag for how many objects it works on at once. */
export const initializers: readonly ControllerInitializer[] = [
  { name: 'webapp', create: newWebAppController },
  { name: 'database', create: newDatabaseControllers }
]

const names = initializers.map(i => i.name)

/** The flags as Markdown, for the README. */
export const flagTable = (): string => managerFlagTable(names)

/** `annex controller-manager`: runs until SIGTERM or SIGINT; a second one does not wait. @returns the exit code: 0 stopped, 1 failed or the lease was lost, 2 the command line is wrong */
export async function controllerManager (args: readonly string[], { version, columns }: { readonly version: string, readonly columns?: number | undefined }): Promise<number> {
  const parsed = await readManagerCommand(args, names, { columns })
  if (parsed.kind === 'help') { process.stdout.write(parsed.text); return 0 }
  if (parsed.kind === 'errors') {
    process.stderr.write(parsed.errors.map(e => `annex controller-manager: ${e}\n`).join('') + 'See annex controller-manager --help.\n')
    return 2
  }
  const { config } = parsed
  const log = pino({ level: config.verbosity >= 4 ? 'debug' : config.verbosity >= 2 ? 'info' : 'warn' }, pino.destination({ fd: 2, sync: false }))
  const stop = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (stop.signal.aborted) process.exit(1)
      stop.abort()
    })
  }
  const { runManager } = await import('./manager/manager.js')
  try {
    const ended = await runManager(config, {
      initializers, version, log,
      onServing: port => { process.stdout.write(`annex controller-manager serves /healthz, /readyz and /metrics on port ${port}\n`) }
    }, stop.signal)
    if (ended === 'lost') process.stderr.write('annex controller-manager: the lease was lost\n')
    return ended === 'lost' ? 1 : 0
  } catch (error) {
    process.stderr.write(`annex controller-manager: ${error instanceof Error ? error.message : String(error)}\n`)
    return 1
  }
}
