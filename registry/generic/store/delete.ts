import { isStorageError } from '../../../storage/errors.js'
import { notSupported, invalid, type FieldError } from '../../meta/field-error.js'
import type { KubeObject } from '../../meta/object-meta.js'
import { newConflict, newInvalid, newNotFound, type StatusError } from '../../meta/status-error.js'
import { interpretStorageError } from '../interpret-error.js'
import { ServedObject } from '../served-object.js'
import { encodeForStorage, keyOf, readStored, storedOf, timestamp, unwritten, type StoreContext, type WriteOptions } from './context.js'

/** `metav1.DeleteOptions`, decoded. */
export interface DeletionOptions {
  readonly gracePeriodSeconds?: number
  readonly propagationPolicy?: string
  readonly orphanDependents?: boolean
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string }
  readonly dryRun?: readonly string[]
}

export interface DeleteRequest extends WriteOptions {
  readonly deletion: DeletionOptions
  /** Admission for this deletion; sees the object in the request's version. */
  readonly validate?: (old: KubeObject) => Promise<void>
}

export interface DeleteResult {
  /** The object as it was last; with finalizers pending, as it is now. */
  readonly object: ServedObject
  /** Whether it is gone. */
  readonly deleted: boolean
  /** A dry run in which the propagation policy took the last finalizer away: upstream has no object to answer with then, and shows an empty one. */
  readonly empty?: boolean
}

/** Problems of DeleteOptions (422). Source: `metav1/validation.ValidateDeleteOptions`. */
export function validateDeletion (options: DeletionOptions): FieldError[] {
  const errors: FieldError[] = []
  const policy = options.propagationPolicy
  if (options.orphanDependents !== undefined && policy !== undefined) errors.push(invalid('propagationPolicy', policy, 'orphanDependents and deletionPropagation cannot be both set'))
  if (policy !== undefined && !['Foreground', 'Background', 'Orphan'].includes(policy)) errors.push(notSupported('propagationPolicy', policy, ['Foreground', 'Background', 'Orphan', 'nil']))
  if (options.dryRun?.some(d => d !== 'All')) errors.push(notSupported('dryRun', [...options.dryRun], ['All']))
  return errors
}

/**
 * Deletes an object, or marks it when finalizers or a propagation policy make others go first (contract §4.4).
 * @throws StatusError 404, 409 for preconditions, 422 for bad options and for what the strategy forbids
 */
export async function deleteObject (context: StoreContext, name: string, request: DeleteRequest): Promise<DeleteResult> {
  const { resource } = context
  const key = keyOf(context, request.namespace, name)
  const interpret = (error: unknown): unknown => interpretStorageError(error, { verb: 'delete', groupResource: resource.groupResource, name })
  let stored = await readStored(context, key, request.signal).catch(error => { throw interpret(error) })
  for (;;) {
    request.signal?.throwIfAborted()
    if (stored === undefined) throw newNotFound(resource.groupResource, name)
    const current = stored.object
    checkDeletable(context, current, request.deletion)
    const object = current.storageObject()
    const finalizers = finalizersAfter(object, request.deletion)
    const pending = finalizers.length > 0
    await request.validate?.(current.object(request.version))
    const refused = resource.strategy.validateDelete?.(object, { subresource: '', version: request.version.name, now: context.now() }) ?? []
    if (refused.length > 0) throw newInvalid({ group: resource.group, kind: resource.names.kind }, name, refused)
    if (!pending && (object.metadata.finalizers?.length ?? 0) > 0) {
      if (request.dryRun) return { object: current, deleted: true, empty: true }
      if (request.deletion.preconditions?.resourceVersion !== undefined) throw lostPrecondition(context, key, name, current)
    }
    try {
      if (!pending) {
        if (!request.dryRun) await context.storage.delete(key, { modRevision: current.revision })
        return { object: current, deleted: true }
      }
      markAsDeleting(object, finalizers, context.now())
      const bytes = encodeForStorage(object)
      // Not what readers see decides, but what is stored: an apply stores empty lists that reading drops.
      if (bytes.equals(stored.bytes)) return { object: current, deleted: false }
      if (request.dryRun) return { object: unwritten(context, object, current.revision), deleted: false }
      const { revision } = await context.storage.update(key, bytes, { modRevision: current.revision })
      return { object: ServedObject.of(resource, object, revision), deleted: false }
    } catch (error) {
      if (!isStorageError(error, 'Conflict')) throw interpret(error)
      stored = storedOf(context, error.current)
    }
  }
}

function checkDeletable (context: StoreContext, current: ServedObject, deletion: DeletionOptions): void {
  const { resource } = context
  const errors = validateDeletion(deletion)
  if (errors.length > 0) throw newInvalid({ group: 'meta.k8s.io', kind: 'DeleteOptions' }, '', errors)
  const { uid, resourceVersion } = deletion.preconditions ?? {}
  const groupKind = { group: resource.group, resource: resource.names.kind }
  const actual = current.storageObject().metadata
  if (uid !== undefined && uid !== actual.uid) {
    throw newConflict(groupKind, current.name, `the UID in the precondition (${uid}) does not match the UID in record (${actual.uid}). The object might have been deleted and then recreated`)
  }
  if (resourceVersion !== undefined && resourceVersion !== actual.resourceVersion) {
    throw newConflict(groupKind, current.name, `the ResourceVersion in the precondition (${resourceVersion}) does not match the ResourceVersion in record (${actual.resourceVersion}). The object might have been modified`)
  }
}

/**
 * When a propagation policy takes the last finalizer away, upstream forgets the resourceVersion of the precondition on the way and then
 * finds it broken. A client sees a conflict, as from there: nothing is deleted, and a second try without the precondition works.
 */
const lostPrecondition = (context: StoreContext, key: string, name: string, current: ServedObject): StatusError =>
  newConflict(context.resource.groupResource, name, `StorageError: invalid object, Code: 4, Key: ${key}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: ResourceVersion in precondition: , ResourceVersion in object meta: ${current.revision}`)

/** The finalizers that must be empty before the object goes: options win over what is on the object. */
function finalizersAfter (object: KubeObject, deletion: DeletionOptions): string[] {
  const present = object.metadata.finalizers ?? []
  const wanted = garbageCollectionFinalizer(present, deletion)
  const out = present.filter(f => f !== 'orphan' && f !== 'foregroundDeletion')
  if (wanted !== undefined) out.push(wanted)
  // The same ones, be it in another order or less often, are no change.
  const before = new Set(present)
  return before.size === new Set(out).size && out.every(f => before.has(f)) ? present : out
}

function garbageCollectionFinalizer (present: readonly string[], deletion: DeletionOptions): 'orphan' | 'foregroundDeletion' | undefined {
  if (deletion.orphanDependents !== undefined) return deletion.orphanDependents ? 'orphan' : undefined
  switch (deletion.propagationPolicy) {
    case 'Orphan': return 'orphan'
    case 'Foreground': return 'foregroundDeletion'
    case 'Background': return undefined
    default: return present.find(f => f === 'orphan' || f === 'foregroundDeletion') as 'orphan' | 'foregroundDeletion' | undefined
  }
}

function markAsDeleting (object: KubeObject, finalizers: readonly string[], now: Date): void {
  const { metadata } = object
  if (metadata.deletionTimestamp === undefined && (metadata.generation ?? 0) > 0) metadata.generation = metadata.generation! + 1
  if (metadata.deletionTimestamp === undefined || Date.parse(metadata.deletionTimestamp) > now.getTime()) metadata.deletionTimestamp = timestamp(now)
  metadata.deletionGracePeriodSeconds = 0
  metadata.finalizers = [...finalizers]
}
