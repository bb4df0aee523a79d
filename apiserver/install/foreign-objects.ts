import type { ClusterClient } from '../cluster/client.js'
import { retry } from '../cluster/retry.js'
import type { ClusterObject } from './apply.js'
import { managedByLabel, names } from './names.js'

interface Discovered { items: { metadata: { name?: string }; versions: { version: string; freshness?: string; resources?: { resource: string; scope: string; verbs?: readonly string[] }[] }[] }[] }

const accept = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'
/** Reviews and the like that store nothing cannot be listed; these can, and tell of others only. */
const derived = new Set(['events', 'events.events.k8s.io', 'endpoints', 'endpointslices.discovery.k8s.io'])

/**
 * What keeps a namespace from being ours alone: objects in it that neither install nor the server nor Kubernetes itself has made. Groups
 * that do not answer count, since nobody can tell what they hold.
 * @param unregistered groups whose objects are not in the cluster any more, though discovery may still remember them
 * @returns one text each, `configmap/x`
 */
export async function foreignObjects (client: ClusterClient, namespace: string, unregistered: ReadonlySet<string>): Promise<string[]> {
  const foreign: string[] = []
  for (const root of ['/api', '/apis']) {
    const { items } = await retry(() => client.json<Discovered>({ method: 'GET', path: root, accept }))
    for (const { metadata: { name: group = '' }, versions } of items) {
      // Every version shows the same objects.
      const [version] = versions
      if (version === undefined || unregistered.has(group)) continue
      if (version.freshness === 'Stale') {
        foreign.push(`objects of ${group}, which does not answer`)
        continue
      }
      for (const { resource, scope, verbs } of version.resources ?? []) {
        const shown = group === '' ? resource : `${resource}.${group}`
        if (scope !== 'Namespaced' || !verbs?.includes('list') || !verbs.includes('delete') || derived.has(shown)) continue
        const { items: objects } = await retry(() => client.json<{ items: ClusterObject[] }>({ method: 'GET', path: `${group === '' ? '/api' : `/apis/${group}`}/${version.version}/namespaces/${namespace}/${resource}?limit=500` }))
        foreign.push(...objects.filter(o => !isOurs(shown, o)).map(o => `${shown}/${o.metadata.name}`))
      }
    }
  }
  return foreign
}

function isOurs (resource: string, { metadata }: ClusterObject): boolean {
  const { name, labels, ownerReferences = [], deletionTimestamp } = metadata
  if (labels?.[managedByLabel] === names.fieldManager || deletionTimestamp !== undefined) return true
  // ReplicaSets and Pods of our Deployments, on their way out.
  if (ownerReferences.some(owner => owner.name.startsWith(names.server)) && (resource === 'pods' || resource === 'replicasets.apps')) return true
  if (resource === 'configmaps') return name === 'kube-root-ca.crt'
  if (resource === 'serviceaccounts') return name === 'default'
  if (resource === 'secrets') return name === names.servingCertificateSecret && labels?.[managedByLabel] === names.madeByServer
  return resource === 'leases.coordination.k8s.io' && name === names.controllerManager
}
