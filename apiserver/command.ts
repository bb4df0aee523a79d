import { pino, type Logger } from 'pino'
import { formatCertificates, inspectDirectory } from '../certs/inspect.js'
import { ensurePki } from '../certs/pki-directory.js'
import { bindPlainly } from './async-binding.js'
import { packageVersion } from './cli/package-version.js'
import type { Terminal } from './install/terminal.js'
import { readApiserverCommand, urlOf, type ApiserverConfig } from './options/apiserver-options.js'
import type { ApiServer } from './server.js'
import type { Channel, PrimaryLink } from './workers/primary-link.js'
import { boundYoungGeneration } from './young-generation.js'

const usage = `annex serves Kubernetes APIs of your own, with storage of their own.

Usage: annex <command> [flags]

Commands:
  apiserver            the API server; standalone without a cluster
  controller-manager   the operators of its kinds, on a cluster
  install              put it into a cluster
  uninstall            take it out again, its APIServices first
  doctor               say which link between the cluster and the store is broken, and how to mend it
  certs                make or inspect the certificates of a data directory: annex certs [make|inspect] [--data-dir=.annex]
  version              print the version

annex <command> --help tells more.
`

/** Not for people: what `annex apiserver --workers` starts. */
const workerCommand = 'apiserver-worker'

const terminal: Terminal = {
  out: text => { process.stdout.write(text) },
  err: text => { process.stderr.write(text) },
  columns: process.stdout.columns,
  environment: { env: process.env }
}

/** What `annex ARGS...` does. Answers the exit code: 0 done, 1 failed, 2 the command line is wrong. */
export async function run (args: readonly string[]): Promise<number> {
  bindPlainly()
  const [command, ...rest] = args
  switch (command) {
    case 'apiserver': return apiserver(rest)
    case workerCommand: return apiserverWorker(rest)
    case 'install': return (await import('./install/install.js')).install(rest, terminal)
    case 'uninstall': return (await import('./install/uninstall.js')).uninstall(rest, terminal)
    case 'doctor': return (await import('./doctor/doctor.js')).doctor(rest, terminal)
    case 'certs': return certs(rest)
    case 'controller-manager': return (await import('../controllers/main.js')).controllerManager(rest, { version: packageVersion(), columns: process.stdout.columns })
    case 'version': case '--version': process.stdout.write(`annex ${packageVersion()}\n`); return 0
    case undefined: case 'help': case '--help': case '-h': process.stdout.write(usage); return command === undefined ? 2 : 0
    default: process.stderr.write(`annex: unknown command ${JSON.stringify(command)}\n\n${usage}`); return 2
  }
}

async function apiserver (args: readonly string[]): Promise<number> {
  const config = await configOf(args)
  if (typeof config === 'number') return config
  const log = logOf(config)
  if (config.workers > 1) return primary(config, args, log)
  const server = await started(config, log)
  if (server === undefined) return 1
  announce(config, server.port)
  await new Promise<void>(resolve => { onSignals(resolve, () => process.exit(1)) }) // a second signal does not wait
  await server.close()
  return 0
}

/** The process of several workers. */
async function primary (config: ApiserverConfig, args: readonly string[], log: Logger): Promise<number> {
  const { Primary } = await import('./workers/primary.js')
  const command = { file: process.argv[1]!, args: [workerCommand, ...args] }
  const running = new Primary({ config, command, log, announce: port => { announce(config, port) } })
  onSignals(() => { running.stop() }, () => { running.stop() })
  try {
    return await running.run()
  } catch (error) {
    return failed(error)
  }
}

/** One of several workers: it is told to end by its primary, or by a signal of its own. */
async function apiserverWorker (args: readonly string[]): Promise<number> {
  if (process.send === undefined) {
    process.stderr.write('annex: a worker is started by annex apiserver --workers\n')
    return 2
  }
  const { PrimaryLink } = await import('./workers/primary-link.js')
  const link = new PrimaryLink(process as Channel)
  onSignals(() => { link.end() }, () => process.exit(1))
  const config = await configOf(args)
  if (typeof config === 'number') return config
  const server = await started(config, logOf(config), link)
  if (server !== undefined) {
    link.ready()
    await link.ended
    link.draining()
    await server.close()
  }
  link.close()
  return server === undefined ? 1 : 0
}

/** The config of a command line, or the exit code if there is nothing to run. */
async function configOf (args: readonly string[]): Promise<ApiserverConfig | number> {
  const parsed = await readApiserverCommand(args, { columns: process.stdout.columns, env: process.env })
  if (parsed.kind === 'config') return parsed.config
  if (parsed.kind === 'help') { process.stdout.write(parsed.text); return 0 }
  process.stderr.write(parsed.errors.map(e => `annex apiserver: ${e}\n`).join('') + 'See annex apiserver --help.\n')
  return 2
}

const logOf = (config: ApiserverConfig): Logger => pino({ level: config.verbosity >= 4 ? 'debug' : config.verbosity >= 2 ? 'info' : 'warn' }, pino.destination({ fd: 2, sync: false }))

/** A server whose caches are filled, or undefined if it was said why there is none. */
async function started (config: ApiserverConfig, log: Logger, link?: PrimaryLink): Promise<ApiServer | undefined> {
  boundYoungGeneration()
  const { ApiServer: Server } = await import('./server.js')
  try {
    const server = await Server.start(config, { log, ...(link && { primary: link }) })
    await filled(server, log)
    return server
  } catch (error) {
    failed(error)
    return undefined
  }
}

function failed (error: unknown): 1 {
  process.stderr.write(`annex apiserver: ${error instanceof Error ? error.message : String(error)}\n`)
  return 1
}

function announce (config: ApiserverConfig, port: number): void {
  const tried = config.crdFiles.length > 0 ? 'api-resources' : 'apply -f hack/examples/ && kubectl get databases,webapps,custommetrics'
  process.stdout.write(`annex apiserver is listening on ${urlOf(config, port)}\n`)
  if (config.cluster === undefined) process.stdout.write(`The admin kubeconfig is ${config.kubeconfigFile}; try:\n` +
    `  export KUBECONFIG=${config.kubeconfigFile}\n  kubectl ${tried}\n`)
}

/** SIGTERM and SIGINT, each the first time and again. */
function onSignals (first: () => void, again: () => void): void {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    let seen = false
    process.on(signal, () => {
      if (seen) again()
      else first()
      seen = true
    })
  }
}

/** How long a store that is there takes to be read, at most; without one the server begins all the same. */
const storeWaitMs = 1_000

/** Waits for the caches, but not for a store that is not there: that is said, and again when it is. */
async function filled (server: ApiServer, log: Logger): Promise<void> {
  const { storage } = server.config
  const store = storage.type === 'etcd' ? `etcd at ${storage.servers.join(', ')}` : storage.directory
  await server.ready(AbortSignal.timeout(storeWaitMs)).catch(() => {
    log.warn({ store }, 'the store is not available yet; requests are answered with 503 until it is')
    server.ready().then(() => { log.warn({ store }, 'the store is available now') }, () => {})
  })
}

async function certs (args: readonly string[]): Promise<number> {
  const directory = `${args.find(a => a.startsWith('--data-dir='))?.slice('--data-dir='.length) ?? '.annex'}/pki`
  const unknown = args.filter(a => !a.startsWith('--data-dir=') && a !== 'make' && a !== 'inspect')
  if (unknown.length > 0) { process.stderr.write(`annex certs: unknown argument ${unknown.join(' ')}; use annex certs [make|inspect] [--data-dir=DIR]\n`); return 2 }
  try {
    if (args.includes('make')) for (const change of (await ensurePki({ directory, sans: [] })).changes) process.stdout.write(`${change}\n`)
    process.stdout.write(formatCertificates(await inspectDirectory(directory)))
    return 0
  } catch (error) {
    process.stderr.write(`annex certs: ${error instanceof Error ? error.message : String(error)}\n`)
    return 1
  }
}
