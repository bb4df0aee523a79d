import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import path from 'node:path'
import { ClusterClient } from '../cluster/client.js'
import { credentialSource, type CredentialSource } from '../cluster/credentials.js'
import { KubeconfigCredentials } from '../cluster/kubeconfig-credentials.js'
import type { Checks } from '../cli/checks.js'
import { inCluster, type ClusterEnvironment } from '../options/cluster-options.js'
import { flagSection } from '../cli/flag-types.js'
import { isDns1123Label } from '../../registry/meta/names.js'

const cluster = flagSection('Cluster')

/** How install, uninstall and doctor reach the cluster, and where in it they work. */
export const clusterFlags = {
  kubeconfig: cluster.string('kubeconfig', { default: '', help: 'kubeconfig file of the cluster. If absent, the file that $KUBECONFIG names, ~/.kube/config, or in a pod its service account.' }),
  context: cluster.string('context', { default: '', help: 'The context of the kubeconfig file to use instead of its current one.' }),
  namespace: cluster.string('namespace', { default: 'annex-system', shorthand: 'n', help: 'The namespace of the installation.' })
} as const

export interface ClusterOptions { readonly kubeconfig: string; readonly context: string; readonly namespace: string }

/** What is wrong with the flags themselves; no file is read. */
export function checkCluster (checks: Checks, { namespace }: Pick<ClusterOptions, 'namespace'>): void {
  for (const message of isDns1123Label(namespace)) checks.add('namespace', namespace, message)
}

/**
 * The credentials that the flags name.
 * @throws Error if there are none, or $KUBECONFIG names several files (kubectl merges them; we would not know which one is meant)
 */
export function clusterCredentials (options: ClusterOptions, environment: ClusterEnvironment & { home?: string | undefined }): CredentialSource {
  const context = options.context === '' ? undefined : options.context
  if (options.kubeconfig !== '') return new KubeconfigCredentials(options.kubeconfig, context)
  const named = (environment.env?.['KUBECONFIG'] ?? '').split(path.delimiter).filter(file => file !== '')
  if (named.length > 1) throw new Error('$KUBECONFIG names several files; say which one with --kubeconfig')
  if (named[0] !== undefined) return new KubeconfigCredentials(named[0], context)
  const usual = path.join(environment.home ?? homedir(), '.kube', 'config')
  if (existsSync(usual)) return new KubeconfigCredentials(usual, context)
  const pod = inCluster(environment)
  if (pod !== undefined) return credentialSource(pod)
  throw new Error('no cluster: give a kubeconfig file with --kubeconfig or $KUBECONFIG')
}

/** A client of the cluster that the flags name. @throws Error naming the file that is wrong */
export async function connect (options: ClusterOptions, environment: ClusterEnvironment, onWarning?: (text: string) => void): Promise<ClusterClient> {
  const client = new ClusterClient({ credentials: clusterCredentials(options, environment), userAgent: 'annex-install', onWarning })
  await client.start()
  return client
}
