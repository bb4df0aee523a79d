import { readdir, readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { parseCertificates } from '../../certs/key-pair.js'
import { loadCrdFiles } from '../../registry/crd/load.js'
import type { Resource } from '../../registry/generic/resource.js'
import { isDns1123Subdomain } from '../../registry/meta/names.js'
import { Checks } from '../cli/checks.js'
import { checkCluster } from './cluster-flags.js'
import { installFlags, type InstallOptions } from './install-flags.js'
import type { Installation, ServingCertificate } from './installation.js'
import { servedGroups, type ServedGroup } from './served-groups.js'

/** A ConfigMap holds a mebibyte with everything around it. */
const maxCrdCharacters = 900_000
/** The kubelet's. */
const kubeletPort = 10250

/**
 * Options → what is to be installed. Files are read; the cluster is not asked.
 * @returns everything that is wrong; the installation may be used only if that is nothing
 */
export async function installationOf (options: InstallOptions): Promise<{ installation: Installation; errors: readonly string[] }> {
  const checks = new Checks()
  checkCluster(checks, options)
  if (options.image === '') checks.add('image', '', 'is required')
  if (options.replicas < 1) checks.add('replicas', options.replicas, 'must be positive')
  const securePort = options.securePort === 0 ? options.hostNetwork ? 8443 : kubeletPort : options.securePort
  for (const [flag, port] of [['service-port', options.servicePort], ['secure-port', securePort]] as const) if (port < 1 || port > 65535) checks.add(flag, port, 'must be between 1 and 65535')
  if (securePort > 0 && securePort < 1024) checks.add('secure-port', securePort, 'must be 1024 or more: the server does not run as root')
  if (options.hostNetwork && securePort === kubeletPort) checks.add('secure-port', securePort, 'is the kubelet\'s on the host network')
  checkEtcd(checks, options)
  for (const resource of options.describedResource) for (const message of isDns1123Subdomain(resource)) checks.add('described-resource', resource, message)
  for (const arg of options.apiserverArg) if (!arg.startsWith('-')) checks.add('apiserver-arg', arg, 'must be a flag, with its dashes')
  const serving = await servingOf(checks, options)
  const { groups, errors: groupErrors } = groupsOfFlags(checks, options)
  const crds = groupErrors.length > 0 ? {} : await crdTexts(checks, options.crdFile)
  return {
    installation: {
      namespace: options.namespace, image: options.image, replicas: options.replicas, servicePort: options.servicePort, securePort, hostNetwork: options.hostNetwork,
      etcd: { servers: options.etcdServers, prefix: options.etcdPrefix, tlsSecret: options.etcdTlsSecret === '' ? undefined : options.etcdTlsSecret },
      serving, groups, crds, describedResources: options.describedResource, apiserverArgs: options.apiserverArg, controllerManager: options.controllerManager
    },
    errors: [...checks.sorted(Object.values(installFlags).map(flag => flag.name)), ...groupErrors]
  }
}

/** The groups that `--crd-file` and `--exclude-group` leave. Excluding a group that is not served is a mistake. */
export function groupsOfFlags (checks: Checks, options: Pick<InstallOptions, 'crdFile' | 'excludeGroup'>): { groups: ServedGroup[]; errors: readonly string[] } {
  let crds: readonly Resource[] = []
  try {
    crds = loadCrdFiles(options.crdFile)
  } catch (error) {
    return { groups: [], errors: [(error as Error).message] }
  }
  const all = servedGroups(crds)
  for (const group of options.excludeGroup) if (!all.some(g => g.name === group)) checks.add('exclude-group', group, `is not served; groups are ${all.map(g => g.name).join(', ')}`)
  return { groups: servedGroups(crds, options.excludeGroup), errors: [] }
}

function checkEtcd (checks: Checks, { etcdServers, etcdPrefix, etcdTlsSecret }: InstallOptions): void {
  if (etcdServers.length === 0) checks.add('etcd-servers', '', 'is required: replicas share their objects through etcd')
  for (const server of etcdServers) if (!/^https?:\/\/[^/]+$/.test(server)) checks.add('etcd-servers', server, 'must be http:// or https:// with a host and a port')
  if (etcdTlsSecret !== '' && etcdServers.some(s => !s.startsWith('https:'))) checks.add('etcd-tls-secret', etcdTlsSecret, 'needs https in --etcd-servers')
  if (!etcdPrefix.startsWith('/')) checks.add('etcd-prefix', etcdPrefix, 'must begin with /')
}

async function servingOf (checks: Checks, { tlsSecret, caBundleFile, injectCaFrom }: InstallOptions): Promise<ServingCertificate> {
  if (tlsSecret === '') {
    for (const [flag, value] of [['ca-bundle-file', caBundleFile], ['inject-ca-from', injectCaFrom]] as const) if (value !== '') checks.add(flag, value, 'needs --tls-secret')
    return { type: 'own' }
  }
  if ((caBundleFile === '') === (injectCaFrom === '')) checks.add('tls-secret', tlsSecret, 'needs --ca-bundle-file or --inject-ca-from, and not both')
  if (injectCaFrom !== '') {
    if (!/^[^/]+\/[^/]+$/.test(injectCaFrom)) checks.add('inject-ca-from', injectCaFrom, 'must be <namespace>/<name>')
    return { type: 'secret', secret: tlsSecret, trust: { type: 'certManager', certificate: injectCaFrom } }
  }
  let pem = ''
  try {
    if (caBundleFile !== '') {
      pem = await readFile(caBundleFile, 'utf8')
      parseCertificates(pem, caBundleFile)
    }
  } catch (error) {
    checks.add('ca-bundle-file', caBundleFile, (error as Error).message)
  }
  return { type: 'secret', secret: tlsSecret, trust: { type: 'caBundle', pem } }
}

/** The manifests as they will be mounted: one flat directory. */
async function crdTexts (checks: Checks, paths: readonly string[]): Promise<Record<string, string>> {
  const texts: Record<string, string> = {}
  for (const file of (await Promise.all(paths.map(filesOf))).flat()) {
    const name = path.basename(file)
    if (texts[name] !== undefined) checks.add('crd-file', file, `there is a file ${name} already; names must differ`)
    texts[name] = await readFile(file, 'utf8')
  }
  if (Object.values(texts).reduce((sum, text) => sum + text.length, 0) > maxCrdCharacters) checks.add('crd-file', paths.join(','), `are more than ${maxCrdCharacters} characters, which no ConfigMap holds`)
  return texts
}

async function filesOf (file: string): Promise<string[]> {
  if (!(await stat(file)).isDirectory()) return [file]
  return (await readdir(file)).filter(name => /\.(ya?ml|json)$/.test(name)).sort().map(name => path.join(file, name))
}
