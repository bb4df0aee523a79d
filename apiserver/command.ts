import { pino, type Logger } from 'pino'
import { formatCertificates, inspectDirectory } from '../certs/inspect.js'
import { ensurePki } from '../certs/pki-directory.js'
import { packageVersion } from './cli/package-version.js'
import type { Terminal } from './install/terminal.js'
import { readApiserverCommand } from './options/apiserver-options.js'
import type { ApiServer } from './server.js'

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

const terminal: Terminal = {
  out: text => { process.stdout.write(text) },
  err: text => { process.stderr.write(text) },
  columns: process.stdout.columns,
  environment: { env: process.env }
}

/** What `annex ARGS...` does. Answers the exit code: 0 done, 1 failed, 2 the command line is wrong. */
export async function run (args: readonly string[]): Promise<number> {
  const [command, ...rest] = args
  switch (command) {
    case 'apiserver': return apiserver(rest)
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
  const parsed = await readApiserverCommand(args, { columns: process.stdout.columns, env: process.env })
  if (parsed.kind === 'help') { process.stdout.write(parsed.text); return 0 }
  if (parsed.kind === 'errors') {
    process.stderr.write(parsed.errors.map(e => `annex apiserver: ${e}\n`).join('') + 'See annex apiserver --help.\n')
    return 2
  }
  const { config } = parsed
  const log = pino({ level: config.verbosity >= 4 ? 'debug' : config.verbosity >= 2 ? 'info' : 'warn' }, pino.destination({ fd: 2, sync: false }))
  const { ApiServer: Server } = await import('./server.js')
  let server
  try {
    server = await Server.start(config, { log })
    await filled(server, log)
  } catch (error) {
    process.stderr.write(`annex apiserver: ${error instanceof Error ? error.message : String(error)}\n`)
    return 1
  }
  const tried = config.crdFiles.length > 0 ? 'api-resources' : 'apply -f hack/examples/ && kubectl get databases,webapps,custommetrics'
  process.stdout.write(`annex apiserver is listening on ${server.url}\n`)
  if (config.cluster === undefined) process.stdout.write(`The admin kubeconfig is ${config.kubeconfigFile}; try:\n` +
    `  export KUBECONFIG=${config.kubeconfigFile}\n  kubectl ${tried}\n`)
  await new Promise<void>(resolve => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      let seen = false
      process.on(signal, () => {
        if (seen) process.exit(1) // a second signal does not wait
        seen = true
        resolve()
      })
    }
  })
  await server.close()
  return 0
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
