import type { ClusterClient } from '../cluster/client.js'
import { parseFlags } from '../cli/flags.js'
import { apiServicesPath, apply, find, otherServer, type ApiService } from './apply.js'
import { connect } from './cluster-flags.js'
import { installFlags } from './install-flags.js'
import { installationOf } from './install-options.js'
import type { Installation } from './installation.js'
import { displayName, type Manifest } from './manifests/manifest.js'
import { manifests, manifestsYaml } from './manifests/manifests.js'
import { names } from './names.js'
import { helpOrErrors, type Terminal } from './terminal.js'

const text = {
  command: 'annex install',
  description: 'Puts Annex into a cluster: the server and the operators with least rights, and an APIService for every group version. Applies\n' +
    'server-side, so running it again changes only what is different. Takes it out again: annex uninstall.'
}

/** `annex install`. @returns the exit code: 0 done, 1 failed, 2 the command line is wrong */
export async function install (args: readonly string[], terminal: Terminal): Promise<number> {
  const parsed = parseFlags(installFlags, args, text.command)
  const { installation, errors } = await installationOf(parsed.options)
  const over = helpOrErrors(terminal, installFlags, text, parsed, [...parsed.errors, ...errors])
  if (over !== undefined) return over
  const list = manifests(installation)
  if (parsed.options.dryRun) {
    terminal.out(manifestsYaml(list))
    return 0
  }
  let client: ClusterClient | undefined
  try {
    client = await connect(parsed.options, terminal.environment, warning => { terminal.err(`Warning: ${warning}\n`) })
    return await new Installer(client, installation, terminal, parsed.options.forceConflicts).run(list)
  } catch (error) {
    terminal.err(`${text.command}: ${(error as Error).message}\n`)
    return 1
  } finally {
    client?.close()
  }
}

class Installer {
  readonly #client: ClusterClient
  readonly #installation: Installation
  readonly #terminal: Terminal
  readonly #force: boolean

  constructor (client: ClusterClient, installation: Installation, terminal: Terminal, force: boolean) {
    this.#client = client
    this.#installation = installation
    this.#terminal = terminal
    this.#force = force
  }

  /** APIServices come last, and only if everything else is as it should be: a registration without a server hurts the whole cluster. */
  async run (list: readonly Manifest[]): Promise<number> {
    const refused = await this.#refusals()
    if (refused.length > 0) {
      this.#terminal.err(refused.map(line => `${text.command}: ${line}\n`).join(''))
      return 1
    }
    const registrations = list.filter(m => m.kind === 'APIService')
    const conflicts = await this.#applyAll(list.filter(m => m.kind !== 'APIService'))
    if (conflicts.length === 0) conflicts.push(...await this.#applyAll(registrations))
    else this.#terminal.err(`${text.command}: no APIService was registered because of conflicts\n`)
    if (conflicts.length > 0) {
      this.#terminal.err(conflicts.map(line => `${text.command}: conflict: ${line}\n`).join('') + 'Somebody else has set these fields. To take them over: --force-conflicts.\n')
      return 1
    }
    this.#terminal.out(`\nWhether everything works: annex doctor${this.#installation.namespace === 'annex-system' ? '' : ` --namespace=${this.#installation.namespace}`}\n`)
    return 0
  }

  /** Groups that are somebody else's. Those of CustomResourceDefinitions cannot be taken: kube-apiserver would take them back. */
  async #refusals (): Promise<string[]> {
    const service = { namespace: this.#installation.namespace, name: names.server }
    const lines: string[] = []
    for (const { name: group, versions } of this.#installation.groups) {
      for (const version of versions) {
        const found = await find<ApiService>(this.#client, `${apiServicesPath}/${version}.${group}`)
        const other = found && otherServer(found, service)
        if (other === undefined || (this.#force && !other.automanaged)) continue
        lines.push(`${version}.${group} is served by ${other.who}: ` +
          (other.automanaged ? `delete its CustomResourceDefinitions, or leave the group out: --exclude-group=${group}` : `leave the group out with --exclude-group=${group}, or take it over with --force-conflicts`))
      }
    }
    return lines
  }

  async #applyAll (list: readonly Manifest[]): Promise<string[]> {
    const conflicts: string[] = []
    for (const manifest of list) {
      const outcome = await apply(this.#client, manifest, { force: this.#force })
      this.#terminal.out(`${displayName(manifest)} ${outcome.type}\n`)
      if (outcome.type === 'conflict') conflicts.push(...outcome.causes.map(cause => `${displayName(manifest)}: ${cause}`))
    }
    return conflicts
  }
}
