import { problemOfRefusal, type Problem } from '../children/problem.js'
import type { PersistentVolumeClaim } from '../children/types.js'
import { isAlreadyExists, isConflict, isNotFound } from '../client/errors.js'
import type { RequestContext } from '../client/interfaces.js'
import { claimData, find, holdingOf } from './data-ownership.js'
import { backupClaim } from './desired-backup.js'
import type { StatefulSet } from './desired-stateful-set.js'
import { carriesUidOf, labelled, type DatabaseKinds } from './kinds.js'
import type { DatabaseModel, StorageWish } from './model.js'
import { fieldManager, type DatabaseNames } from './names.js'
import type { DatabaseSettings } from './settings.js'
import { planStorage, type StorageClassFacts, type StoragePlan } from './storage-plan.js'

/** The claims that hold this Database's data or dumps. */
export const claimsOf = (kinds: DatabaseKinds, names: DatabaseNames): PersistentVolumeClaim[] => labelled(kinds.claims, names).filter(c => carriesUidOf(c, names))

/** Whether volumes that these instances would find were initialised before, by this Database or by one whose data it takes over. */
export const hasData = (kinds: DatabaseKinds, names: DatabaseNames, replicas: number): boolean => labelled(kinds.claims, names).some(c =>
  c.metadata.name !== names.backupClaim && (carriesUidOf(c, names) || (holdingOf(c, names) === 'Retained' && Array.from({ length: replicas }, (_, i) => names.dataClaim(i)).includes(c.metadata.name ?? ''))))

/** How storage becomes what the Database asks for, as the caches see it. */
export function storagePlanOf (kinds: DatabaseKinds, names: DatabaseNames, model: DatabaseModel, statefulSet: StatefulSet | undefined): StoragePlan {
  const classes = new Map(kinds.storageClasses.lister.list().map(c => [c.metadata.name ?? '', { allowVolumeExpansion: c.allowVolumeExpansion === true } satisfies StorageClassFacts]))
  return planStorage({ wish: model.storage, template: templateOf(statefulSet), claims: claimsOf(kinds, names), classes })
}

/** What the claim template of a StatefulSet says. */
export function templateOf (statefulSet: StatefulSet | undefined): StorageWish | undefined {
  const spec = statefulSet?.spec?.volumeClaimTemplates?.find(c => c.metadata.name === 'data')?.spec
  return spec === undefined ? undefined : { size: spec.resources?.requests?.['storage'] ?? '0', storageClass: spec.storageClassName }
}

/** Asks for larger volumes. @returns what the server has against it */
export async function expandClaims ({ claims }: DatabaseKinds, { expand }: StoragePlan, size: string, { signal }: RequestContext): Promise<Problem | undefined> {
  for (const { metadata: { namespace, name = '', uid, resourceVersion } } of expand) {
    try {
      await claims.client.patch({ namespace, name }, { metadata: { uid, resourceVersion }, spec: { resources: { requests: { storage: size } } } }, { type: 'merge', fieldManager, signal })
    } catch (error) {
      if (isNotFound(error)) continue
      const problem = problemOfRefusal(error, `claim ${JSON.stringify(name)}`)
      if (problem === undefined) throw error
      return problem
    }
  }
  return undefined
}

/**
 * Looks at the claims that new instances would find, for a StatefulSet takes any that has the right name.
 * @returns what is in the way: claims of others, or such that were retained and are not to be adopted
 */
export async function claimsInTheWay (kinds: DatabaseKinds, names: DatabaseNames, settings: DatabaseSettings, ordinals: { readonly from: number, readonly to: number }, { signal }: RequestContext): Promise<Problem | undefined> {
  for (let i = ordinals.from; i < ordinals.to; i++) {
    const id = { namespace: names.namespace, name: names.dataClaim(i) }
    const known = kinds.claims.informer.lister.get(id)
    if (known !== undefined && carriesUidOf(known, names)) continue
    const live = await find(kinds.claims.client, id, { signal })
    const problem = live === undefined ? undefined : await claimData(kinds.claims.client, live, names, settings, { signal })
    if (problem !== undefined) return problem
  }
  return undefined
}

/** Makes the volume of the dumps, once. @returns what is in the way */
export async function ensureBackupClaim (kinds: DatabaseKinds, names: DatabaseNames, model: DatabaseModel, settings: DatabaseSettings, storage: StorageWish, { signal }: RequestContext): Promise<Problem | undefined> {
  const id = { namespace: names.namespace, name: names.backupClaim }
  const known = kinds.claims.informer.lister.get(id)
  if (known !== undefined && carriesUidOf(known, names)) return undefined
  try {
    const live = await find(kinds.claims.client, id, { signal })
    if (live !== undefined) return await claimData(kinds.claims.client, live, names, settings, { signal })
    await kinds.claims.client.create(backupClaim(names, model, storage) as PersistentVolumeClaim, { fieldManager, signal })
    return undefined
  } catch (error) {
    const problem = problemOfRefusal(error, `claim ${JSON.stringify(id.name)}`)
    if (problem !== undefined) return problem
    if (isAlreadyExists(error) || isConflict(error)) return { reason: 'NameTaken', message: `claim ${JSON.stringify(id.name)} was made by somebody else a moment ago; it is looked at again` }
    throw error
  }
}
