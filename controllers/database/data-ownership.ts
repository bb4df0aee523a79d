import type { KubeObject } from '../../registry/meta/object-meta.js'
import type { Problem } from '../children/problem.js'
import { isConflict, isNotFound } from '../client/errors.js'
import type { ObjectName, RequestContext, ResourceClient } from '../client/interfaces.js'
import { carriesUidOf } from './kinds.js'
import { fieldManager, type DatabaseNames } from './names.js'
import type { DatabaseSettings } from './settings.js'

/** Whose the data in an object are. */
export type Holding = 'Ours' | 'Retained' | 'Foreign'

/** @returns Retained for what an earlier Database of this name and group left, or one that has not yet ended */
export function holdingOf (object: KubeObject, names: DatabaseNames): Holding {
  if (carriesUidOf(object, names)) return 'Ours'
  const { labels = {} } = object.metadata
  return labels[names.databaseLabel] === names.base && labels[names.uidLabel] !== undefined ? 'Retained' : 'Foreign'
}

/**
 * Lets a Database have an object that holds data: it is its own, or it was retained and the Database says that it adopts such.
 * @returns why not; then the object was not touched
 * @throws StatusError, ConnectionError
 */
export async function claimData<T extends KubeObject> (client: ResourceClient<T>, object: T, names: DatabaseNames, { adoptsRetained }: DatabaseSettings, { signal }: RequestContext): Promise<Problem | undefined> {
  const holding = holdingOf(object, names)
  if (holding === 'Ours') return undefined
  const { kind, metadata: { name = '', namespace, resourceVersion, deletionTimestamp } } = object
  const what = `${kind} ${JSON.stringify(name)}`
  if (holding === 'Foreign') return { reason: 'NameTaken', message: `${what} exists and does not belong to this Database; it is left alone. Delete it, or give this Database another name.` }
  if (deletionTimestamp !== undefined) return { reason: 'NameTaken', message: `${what} of an earlier Database of this name is being deleted; its end is awaited` }
  if (!adoptsRetained) {
    return { reason: 'NameTaken', message: `${what} was retained from an earlier Database of this name; it is left alone. Delete it, or annotate this Database with ${names.group}/adopt-retained: "true" to take over the data.` }
  }
  try {
    await client.patch({ namespace, name }, { metadata: { resourceVersion, labels: { [names.uidLabel]: names.uid } } }, { type: 'merge', fieldManager, signal })
    return undefined
  } catch (error) {
    if (isConflict(error) || isNotFound(error)) return { reason: 'NameTaken', message: `${what} changed while it was taken over; it is tried again` }
    throw error
  }
}

/** The object itself, or undefined if there is none. @throws StatusError, ConnectionError */
export async function find<T extends KubeObject> (client: ResourceClient<T>, name: ObjectName, { signal }: RequestContext): Promise<T | undefined> {
  try {
    return await client.get(name, { signal })
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}
