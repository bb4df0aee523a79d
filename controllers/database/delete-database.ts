import type { KubeObject } from '../../registry/meta/object-meta.js'
import { isControlledBy } from '../children/child-kind.js'
import { isConflict, isNotFound } from '../client/errors.js'
import type { DeleteOptions, ResourceClient } from '../client/interfaces.js'
import { find } from './data-ownership.js'
import { carriesUidOf } from './kinds.js'
import type { Work } from './work.js'

/**
 * Takes a step of ending a Database: no more backups, then the instances, each with the time it needs to write what is in memory, and, if the
 * policy is Delete, what holds data. What has the Database as its owner and holds none is the garbage collector's.
 * Children that were orphaned on purpose, and all that goes with them, stay.
 * @returns what is awaited, or undefined when nothing of it is left to end
 * @throws StatusError, ConnectionError
 */
export async function endDatabase ({ kinds, object, names, settings, signal }: Work): Promise<string | undefined> {
  const { namespace, uid } = names
  const statefulSet = await find(kinds.statefulSets.client, { namespace, name: names.base }, { signal })
  const config = await find(kinds.configMaps.client, { namespace, name: names.config }, { signal })
  // Made by us and not owned any more: the garbage collector has orphaned the children, as it was told, and taken its finalizer off already.
  if ([statefulSet, config].some(o => o !== undefined && carriesUidOf(o, names) && !isControlledBy(o, object))) return undefined
  const cronJob = await find(kinds.cronJobs.client, { namespace, name: names.backup }, { signal })
  if (cronJob !== undefined && isControlledBy(cronJob, object)) {
    await end(kinds.cronJobs.client, cronJob, 'Background')
    return `CronJob ${names.backup} is being deleted`
  }
  if (statefulSet !== undefined && isControlledBy(statefulSet, object)) {
    await end(kinds.statefulSets.client, statefulSet, 'Foreground')
    return `StatefulSet ${names.base} and its pods are being deleted`
  }
  const ours = `${names.uidLabel}=${uid}`
  // Between the two halves of making a StatefulSet anew, pods have no owner.
  const pods = (await kinds.pods.client.listAll({ namespace, labelSelector: `${ours},app.kubernetes.io/component=database` }, { signal })).items
  for (const pod of pods) await end(kinds.pods.client, pod, 'Background')
  if (pods.length > 0) return `${pods.length === 1 ? '1 pod is' : `${pods.length} pods are`} being deleted`
  if (settings.deletionPolicy === 'Retain') return undefined
  const claims = (await kinds.claims.client.listAll({ namespace, labelSelector: ours }, { signal })).items
  for (const claim of claims) await end(kinds.claims.client, claim, 'Background')
  if (claims.length > 0) return `claims are being deleted: ${claims.map(c => c.metadata.name).sort().join(', ')}`
  const secret = await find(kinds.secrets, { namespace, name: names.credentials }, { signal })
  if (secret !== undefined && carriesUidOf(secret, names)) await end(kinds.secrets, secret, 'Background')
  return undefined

  /** Deletes exactly this object, once. */
  async function end<T extends KubeObject> (client: ResourceClient<T>, { metadata: { name = '', uid = '', deletionTimestamp } }: T, propagationPolicy: NonNullable<DeleteOptions['propagationPolicy']>): Promise<void> {
    if (deletionTimestamp !== undefined) return
    try {
      await client.delete({ namespace, name }, { propagationPolicy, preconditions: { uid }, signal })
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) throw error
    }
  }
}
