import { setTimeout as sleep } from 'node:timers/promises'
import type { ClusterClient } from '../cluster/client.js'
import { isClusterError } from '../cluster/errors.js'
import { retry } from '../cluster/retry.js'
import { Checks } from '../cli/checks.js'
import { flagSection } from '../cli/flag-types.js'
import { parseFlags } from '../cli/flags.js'
import { apiServicesPath, find, otherServer, type ApiService, type ClusterObject } from './apply.js'
import { checkCluster, clusterFlags, connect } from './cluster-flags.js'
import { foreignObjects } from './foreign-objects.js'
import { collectionPath, displayName, installedKinds, objectPath, type Manifest } from './manifests/manifest.js'
import { managedByLabel, managedBySelector, names } from './names.js'
import { helpOrErrors, type Terminal } from './terminal.js'

const removal = flagSection('Removal')

export const uninstallFlags = {
  ...clusterFlags,
  dryRun: removal.bool('dry-run', { default: false, help: 'List what would be deleted, in its order, and delete nothing.' }),
  timeout: removal.duration('timeout', { default: 60_000, help: 'How long to wait until the APIServices are gone.' })
} as const

const text = {
  command: 'annex uninstall',
  description: 'Takes Annex out of a cluster: its APIServices first, so that nothing is asked of a server that has gone, then everything else\n' +
    'that annex install has made. What users have stored stays in etcd.'
}

/** `annex uninstall`. @returns the exit code: 0 done, 1 failed, 2 the command line is wrong */
export async function uninstall (args: readonly string[], terminal: Terminal): Promise<number> {
  const parsed = parseFlags(uninstallFlags, args, text.command)
  const checks = new Checks()
  checkCluster(checks, parsed.options)
  if (parsed.options.timeout <= 0) checks.add('timeout', `${parsed.options.timeout}ms`, 'must be positive')
  const over = helpOrErrors(terminal, uninstallFlags, text, parsed, [...parsed.errors, ...checks.sorted(Object.values(uninstallFlags).map(f => f.name))])
  if (over !== undefined) return over
  let client: ClusterClient | undefined
  try {
    client = await connect(parsed.options, terminal.environment)
    await new Uninstaller(client, terminal, parsed.options).run()
    return 0
  } catch (error) {
    terminal.err(`${text.command}: ${(error as Error).message}\n`)
    return 1
  } finally {
    client?.close()
  }
}

interface Settings { readonly namespace: string; readonly dryRun: boolean; readonly timeout: number }

class Uninstaller {
  readonly #client: ClusterClient
  readonly #terminal: Terminal
  readonly #settings: Settings

  constructor (client: ClusterClient, terminal: Terminal, settings: Settings) {
    this.#client = client
    this.#terminal = terminal
    this.#settings = settings
  }

  async run (): Promise<void> {
    const { namespace } = this.#settings
    await this.#refuseElsewhere()
    const registrations = await this.#registrations()
    for (const registration of registrations) await this.#delete(registration)
    if (!this.#settings.dryRun) await this.#whenGone(registrations)
    for (const object of await this.#installed()) await this.#delete(object)
    for (const object of await this.#madeAtRunTime()) await this.#delete(object)
    const own = await find(this.#client, collectionPath('v1/Namespace') + `/${namespace}`)
    if (own === undefined) return
    const manifest = { ...own, apiVersion: 'v1', kind: 'Namespace' }
    const foreign = own.metadata.labels?.[managedByLabel] === names.fieldManager ? await foreignObjects(this.#client, namespace, new Set(registrations.map(r => r.spec.group))) : ['it was not made by annex install']
    if (foreign.length === 0) await this.#delete(manifest)
    else this.#terminal.out(`${displayName(manifest)} kept: ${foreign.slice(0, 10).join(', ')}${foreign.length > 10 ? ` and ${foreign.length - 10} more` : ''}\n`)
  }

  /** What is cluster-wide belongs to the one installation there is: without it a server that is still registered can authenticate nobody. */
  async #refuseElsewhere (): Promise<void> {
    const { namespace } = this.#settings
    const { items } = await this.#list<ClusterObject & { readonly subjects?: readonly { readonly namespace?: string }[] }>(`${collectionPath('rbac.authorization.k8s.io/v1/ClusterRoleBinding')}?labelSelector=${encodeURIComponent(managedBySelector)}`)
    const elsewhere = items.flatMap(b => b.subjects ?? []).map(s => s.namespace).find(n => n !== undefined && n !== namespace)
    if (elsewhere !== undefined) throw new Error(`Annex is installed in the namespace ${elsewhere}, nothing was deleted; use --namespace=${elsewhere}`)
  }

  /** Those of install that still name our Service: a group that another server has taken over is its own. */
  async #registrations (): Promise<ApiService[]> {
    const { items } = await this.#list<ApiService>(`${apiServicesPath}?labelSelector=${encodeURIComponent(managedBySelector)}`)
    return items.filter(item => otherServer(item, { namespace: this.#settings.namespace, name: names.server }) === undefined)
      .map(item => ({ ...item, apiVersion: 'apiregistration.k8s.io/v1', kind: 'APIService' }))
  }

  async #whenGone (registrations: readonly Manifest[]): Promise<void> {
    const deadline = performance.now() + this.#settings.timeout
    let left: readonly Manifest[] = registrations
    for (;;) {
      const present = new Set((await this.#list(apiServicesPath)).items.map(i => i.metadata.uid))
      left = left.filter(r => present.has((r as ClusterObject).metadata.uid))
      if (left.length === 0) return
      if (performance.now() > deadline) throw new Error(`still there after ${this.#settings.timeout / 1000} s: ${left.map(displayName).join(', ')}; the server was left running. Look at their finalizers, then run this again`)
      await sleep(200)
    }
  }

  /** Everything else with our label: workloads before the rights that they have. */
  async #installed (): Promise<Manifest[]> {
    const found: Manifest[] = []
    for (const kind of installedKinds.toReversed()) {
      if (kind.endsWith('/APIService') || kind.endsWith('/Namespace')) continue
      const { items } = await this.#list(`${collectionPath(kind)}?labelSelector=${encodeURIComponent(managedBySelector)}`)
      const [apiVersion, name] = [kind.slice(0, kind.lastIndexOf('/')), kind.slice(kind.lastIndexOf('/') + 1)]
      found.push(...items.map(item => ({ ...item, apiVersion, kind: name })))
    }
    return found.filter(({ metadata: { namespace } }) => namespace === undefined || namespace === this.#settings.namespace || namespace === 'kube-system')
      .sort((a, b) => Number(b.kind === 'Deployment') - Number(a.kind === 'Deployment'))
  }

  /** What the server and the operators make for themselves: the Secret of the certificates, and Leases. */
  async #madeAtRunTime (): Promise<Manifest[]> {
    const { namespace } = this.#settings
    const secret = await find(this.#client, `/api/v1/namespaces/${namespace}/secrets/${names.servingCertificateSecret}`)
    const leases = await this.#list(`/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`)
    return [
      // One of that name without the server's label is the user's.
      ...secret?.metadata.labels?.[managedByLabel] !== names.madeByServer ? [] : [{ ...secret, apiVersion: 'v1', kind: 'Secret' }],
      ...leases.items.filter(l => l.metadata.name === names.controllerManager).map(l => ({ ...l, apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' }))
    ]
  }

  async #delete (object: Manifest): Promise<void> {
    const { namespace } = object.metadata
    const shown = `${displayName(object)}${namespace === undefined || namespace === this.#settings.namespace ? '' : ` in ${namespace}`}`
    if (this.#settings.dryRun) {
      this.#terminal.out(`${shown} would be deleted\n`)
      return
    }
    const path = object.kind === 'Secret' || object.kind === 'Lease' ? runTimePath(object) : objectPath(object)
    try {
      // The one that was seen, and no other that has its name by now.
      await this.#client.json({ method: 'DELETE', path, body: JSON.stringify({ kind: 'DeleteOptions', apiVersion: 'v1', propagationPolicy: 'Background', preconditions: { uid: (object as ClusterObject).metadata.uid } }), timeoutMs: 30_000 })
      this.#terminal.out(`${shown} deleted\n`)
    } catch (error) {
      if (!isClusterError(error, 404)) throw error
    }
  }

  #list<T extends ClusterObject = ClusterObject> (path: string): Promise<{ items: T[] }> {
    return retry(() => this.#client.json<{ items: T[] }>({ method: 'GET', path }))
  }
}

const runTimePath = ({ apiVersion, kind, metadata: { name, namespace } }: Manifest): string =>
  `${apiVersion === 'v1' ? '/api' : '/apis'}/${apiVersion}/namespaces/${namespace}/${kind.toLowerCase()}s/${name}`
