import { isIP } from 'node:net'
import path from 'node:path'
import { Checks } from '../../apiserver/cli/checks.js'
import { helpText, markdownTable, parseFlags, type FlagTable } from '../../apiserver/cli/flags.js'
import { managerFlags, type ManagerOptions } from './manager-flags.js'

const command = 'annex controller-manager'
const description = 'The Annex controller manager runs the controllers of the kinds that Annex serves: it makes the objects of the cluster that they stand for\n' +
  'and keeps their status. Of several replicas one works at a time, which they agree upon by a Lease.'

/** Everything that `annex controller-manager` runs with: complete and checked. */
export interface ManagerConfig {
  /** Names of those to run. */
  readonly controllers: readonly string[]
  readonly kubeconfig: string | undefined
  readonly qps: number
  readonly burst: number
  readonly minResyncMs: number
  /** Per controller. */
  readonly concurrentSyncs: Readonly<Record<string, number>>
  readonly databaseImageRegistry: string
  /** Undefined: runs alone. */
  readonly election: { readonly leaseDurationMs: number; readonly renewDeadlineMs: number; readonly retryPeriodMs: number; readonly namespace: string; readonly name: string } | undefined
  /** Undefined: serves nothing. */
  readonly serving: { readonly bindAddress: string; readonly port: number; readonly tls: { readonly certificateFile: string; readonly keyFile: string } | undefined } | undefined
  readonly verbosity: number
}

/** What became of a command line. */
export type ManagerCommand =
  | { readonly kind: 'help'; readonly text: string }
  | { readonly kind: 'errors'; readonly errors: readonly string[] }
  | { readonly kind: 'config'; readonly config: ManagerConfig }

/** Reads the command line. Never throws for what a person typed: every error comes at once, the caller exits with 2. @param known names of all controllers */
export async function readManagerCommand (args: readonly string[], known: readonly string[], { columns }: { readonly columns?: number | undefined } = {}): Promise<ManagerCommand> {
  const parsed = parseFlags(managerFlags, args, command)
  if (parsed.help) return { kind: 'help', text: helpText(shownFlags(known), { command, description, columns }) }
  const o = parsed.options
  const checks = new Checks()
  check(checks, o, known)
  await Promise.all([checks.file('kubeconfig', o.kubeconfig), checks.file('tls-cert-file', o.tlsCertFile), checks.file('tls-private-key-file', o.tlsPrivateKeyFile)])
  const errors = [...parsed.errors, ...checks.sorted(Object.values(managerFlags).map(f => f.name))]
  return errors.length > 0 ? { kind: 'errors', errors } : { kind: 'config', config: configOf(o, known) }
}

/** The flags as Markdown, for the README. */
export const managerFlagTable = (known: readonly string[]): string => markdownTable(shownFlags(known))

const shownFlags = (known: readonly string[]): FlagTable => ({ ...managerFlags, controllers: { ...managerFlags.controllers, help: managerFlags.controllers.help.replace('{controllers}', known.join(', ')) } })

function configOf (o: ManagerOptions, known: readonly string[]): ManagerConfig {
  const tls = o.tlsCertFile === '' ? undefined : { certificateFile: path.resolve(o.tlsCertFile), keyFile: path.resolve(o.tlsPrivateKeyFile) }
  return {
    controllers: known.filter(name => isEnabled(name, o.controllers)),
    kubeconfig: o.kubeconfig === '' ? undefined : path.resolve(o.kubeconfig),
    qps: o.kubeApiQps,
    burst: o.kubeApiBurst,
    minResyncMs: o.minResyncPeriod,
    concurrentSyncs: { webapp: o.concurrentWebappSyncs, database: o.concurrentDatabaseSyncs },
    databaseImageRegistry: o.databaseImageRegistry,
    election: o.leaderElect
      ? { leaseDurationMs: o.leaderElectLeaseDuration, renewDeadlineMs: o.leaderElectRenewDeadline, retryPeriodMs: o.leaderElectRetryPeriod, namespace: o.leaderElectResourceNamespace, name: o.leaderElectResourceName }
      : undefined,
    serving: o.securePort === 0 ? undefined : { bindAddress: o.bindAddress, port: o.securePort, tls },
    verbosity: o.verbosity
  }
}

/** As kube-controller-manager: what is named counts, the last time; `*` stands for all others. */
function isEnabled (name: string, selected: readonly string[]): boolean {
  const named = selected.findLast(s => s === name || s === `-${name}`)
  return named === undefined ? selected.includes('*') : named === name
}

function check (checks: Checks, o: ManagerOptions, known: readonly string[]): void {
  for (const name of o.controllers) if (name !== '*' && !known.includes(name.replace(/^-/, ''))) checks.add('controllers', name, `is not in the list of known controllers: ${known.join(', ')}`)
  if (!(o.kubeApiQps > 0)) checks.add('kube-api-qps', o.kubeApiQps, 'must be positive')
  if (o.kubeApiBurst < 1) checks.add('kube-api-burst', o.kubeApiBurst, 'must be at least 1')
  if (o.minResyncPeriod < 0) checks.add('min-resync-period', `${o.minResyncPeriod}ms`, 'must not be negative')
  if (o.concurrentWebappSyncs < 1) checks.add('concurrent-webapp-syncs', o.concurrentWebappSyncs, 'must be at least 1')
  if (o.concurrentDatabaseSyncs < 1) checks.add('concurrent-database-syncs', o.concurrentDatabaseSyncs, 'must be at least 1')
  if (!/^[a-z0-9][\w.:-]*(\/[a-z0-9][\w.-]*)*$/.test(o.databaseImageRegistry)) checks.add('database-image-registry', o.databaseImageRegistry, 'must be a registry and a path, such as docker.io/library')
  if (o.verbosity < 0) checks.add('v', o.verbosity, 'must not be negative')
  if (o.securePort < 0 || o.securePort > 65535) checks.add('secure-port', o.securePort, 'must be between 0 and 65535, inclusive')
  if (isIP(o.bindAddress) === 0) checks.add('bind-address', o.bindAddress, 'must be an IP address')
  if ((o.tlsCertFile === '') !== (o.tlsPrivateKeyFile === '')) checks.both('tls-cert-file', o.tlsCertFile, 'tls-private-key-file', o.tlsPrivateKeyFile)
  if (o.leaderElect) checkElection(checks, o)
}

function checkElection (checks: Checks, o: ManagerOptions): void {
  const ms = (value: number): string => `${value}ms`
  if (o.leaderElectLeaseDuration < 1000) checks.add('leader-elect-lease-duration', ms(o.leaderElectLeaseDuration), 'must be at least one second')
  if (o.leaderElectLeaseDuration <= o.leaderElectRenewDeadline) checks.add('leader-elect-lease-duration', ms(o.leaderElectLeaseDuration), 'must be greater than --leader-elect-renew-deadline')
  if (o.leaderElectRetryPeriod <= 0) checks.add('leader-elect-retry-period', ms(o.leaderElectRetryPeriod), 'must be positive')
  if (o.leaderElectRenewDeadline <= o.leaderElectRetryPeriod * 1.2) checks.add('leader-elect-renew-deadline', ms(o.leaderElectRenewDeadline), 'must be greater than 1.2 times --leader-elect-retry-period')
  if (o.leaderElectResourceLock !== 'leases') checks.add('leader-elect-resource-lock', o.leaderElectResourceLock, 'must be leases')
  if (o.leaderElectResourceName === '') checks.add('leader-elect-resource-name', '', 'must not be empty')
  if (o.leaderElectResourceNamespace === '') checks.add('leader-elect-resource-namespace', '', 'must not be empty')
}
