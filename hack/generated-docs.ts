import { flagTable } from '../apiserver/options/apiserver-options.js'
import { installFlags } from '../apiserver/install/install-flags.js'
import { installationOf } from '../apiserver/install/install-options.js'
import { manifests, manifestsYaml } from '../apiserver/install/manifests/manifests.js'
import { parseFlags } from '../apiserver/cli/flags.js'
import { packageVersion } from '../apiserver/cli/package-version.js'
import { flagTable as managerFlagTable } from '../controllers/main.js'

/** What is made from the code, by the comments that surround it: `<!-- flags -->` … `<!-- /flags -->`. */
const generated = { flags: flagTable, 'controller-manager flags': managerFlagTable }

/** README.md with the parts that are made from the code: the flags of the commands. */
export function generatedReadme (readme: string): string {
  let text = readme
  for (const [name, make] of Object.entries(generated)) {
    text = text.replace(new RegExp(`(<!-- ${name} -->\\n)[\\s\\S]*?(<!-- /${name} -->)`), (_, open: string, close: string) => `${open}${make()}\n${close}`)
  }
  return text
}

/** The files of hack/deploy by name: what `annex install --dry-run` prints for an etcd in the same namespace. */
export async function generatedManifests (): Promise<Record<string, string>> {
  const args = [`--image=annex:${packageVersion()}`, '--etcd-servers=https://etcd.annex-system.svc:2379', '--etcd-tls-secret=annex-etcd-client']
  const { installation, errors } = await installationOf(parseFlags(installFlags, args, 'annex install').options)
  if (errors.length > 0) throw new Error(errors.join('\n'))
  return { 'annex.yaml': `# Made by: annex install --dry-run ${args.join(' ')}\n# Not to be edited; npm run docs writes it.\n${manifestsYaml(manifests(installation))}` }
}
