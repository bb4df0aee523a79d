import { isStorageError } from '../../../storage/errors.js'
import type { Revision } from '../../../storage/interfaces.js'
import { cloneJson } from '../../codec/json-clone.js'
import { equalJson } from '../../codec/json-equal.js'
import type { JsonValue } from '../../codec/value.js'
import { invalid } from '../../meta/field-error.js'
import { asJson, type KubeObject, type ObjectMeta } from '../../meta/object-meta.js'
import { finalizerWarnings, validateObjectMeta, validateObjectMetaUpdate } from '../../meta/object-meta-validation.js'
import { isPathSegment } from '../../meta/names.js'
import { newConflict, newInvalid, newNotFound, optimisticLockText } from '../../meta/status-error.js'
import { toStorageVersion } from '../conversion.js'
import { interpretStorageError } from '../interpret-error.js'
import { ServedObject } from '../served-object.js'
import { readableMeta } from '../stored-meta.js'
import { groupKindOf, validateScale, validateTypeMeta } from '../type-validation.js'
import { encodeForStorage, keyOf, readStored, relativeKeyOf, storedOf, unwritten, type Stored, type StoreContext, type WriteOptions } from './context.js'
import { ensureNamespace, prepareCreate } from './create.js'

export interface UpdateOptions extends WriteOptions {
  /** Which strategy: the main resource keeps the old status, `status` keeps everything else. */
  readonly subresource: '' | 'status'
  /** A uid that the object must have. */
  readonly uid?: string | undefined
  /** Whether an absent object is created from what `transform` makes (apply). */
  readonly allowCreate?: boolean
  /**
   * Makes the new object from the old one, both in the request's version; undefined means there is none. Run again on the newest object
   * when another writer was faster, so it must not keep state. Gets its own copy.
   */
  readonly transform: (old: KubeObject | undefined) => Promise<KubeObject> | KubeObject
  /** The transform's metadata may hold what reading drops (an apply's): it is stored so, and answered as a reader will see it. */
  readonly storedAsIs?: boolean
  /** Runs after the strategy and before validation by admission: settles managedFields whose times alone differ. */
  readonly settle?: (object: KubeObject, old: KubeObject) => void
  readonly validateCreate?: (object: KubeObject) => Promise<void>
  readonly validateUpdate?: (object: KubeObject, old: KubeObject) => Promise<void>
}

export interface UpdateResult {
  readonly object: ServedObject
  readonly created: boolean
  /** The update emptied the finalizers of a terminating object, which deleted it. */
  readonly deleted: boolean
}

/**
 * Changes an object by compare-and-swap. Begins with the cached object; whatever that leads to (a failure, nothing to write, a lost
 * race) is believed only of the stored one. Source: `genericregistry.Store.Update`, `etcd3.GuaranteedUpdate` (contract §4.2).
 */
export async function update (context: StoreContext, name: string, options: UpdateOptions): Promise<UpdateResult> {
  const key = keyOf(context, options.namespace, name)
  const { groupResource } = context.resource
  const interpret = (error: unknown): unknown => interpretStorageError(error, { verb: 'update', groupResource, name })

  // A dry run makes no swap that would tell that the cache is behind.
  let current = !options.dryRun && context.cacher.ready() ? context.cacher.get(key)?.value : undefined
  let stored: Stored | undefined
  let fromStore = false
  const believe = (found: Stored | undefined): void => {
    stored = found
    current = found?.object
    fromStore = true
  }
  const reread = async (): Promise<void> => {
    believe(await readStored(context, key, options.signal).catch(error => { throw interpret(error) }))
  }
  if (current === undefined) await reread()

  for (;;) {
    options.signal?.throwIfAborted()
    let change: Change
    try {
      change = await prepareUpdate(context, name, current, options)
    } catch (error) {
      if (fromStore) throw error
      await reread()
      continue
    }
    if (change.kind === 'update' && change.equal) {
      if (!fromStore) { await reread(); continue }
      // What readers see may be equal and what is stored not: an apply stores empty lists that reading drops.
      if (encodeForStorage(change.object).equals(stored!.bytes)) return { object: current!, created: false, deleted: false }
    }
    if (options.dryRun) return { object: unwritten(context, change.object, change.kind === 'create' ? undefined : current!.revision, options.storedAsIs), created: change.kind === 'create', deleted: change.kind === 'delete' }
    try {
      return await write(context, key, change, current?.revision, options.storedAsIs === true)
    } catch (error) {
      if (!isStorageError(error, 'Conflict', 'KeyExists')) throw interpret(error)
      believe(storedOf(context, error.current))
    }
  }
}

type Change =
  | { readonly kind: 'create' | 'delete'; readonly object: KubeObject }
  /** `equal`: as far as readers can see, nothing changes. */
  | { readonly kind: 'update'; readonly object: KubeObject; readonly equal: boolean }

async function write (context: StoreContext, key: string, change: Change, revision: Revision | undefined, storedAsIs: boolean): Promise<UpdateResult> {
  if (change.kind === 'delete') {
    await context.storage.delete(key, { modRevision: revision! })
    return { object: ServedObject.of(context.resource, change.object, revision), created: false, deleted: true }
  }
  const bytes = encodeForStorage(change.object)
  const written = change.kind === 'create' ? await context.storage.create(key, bytes) : await context.storage.update(key, bytes, { modRevision: revision! })
  const object = storedAsIs ? ServedObject.fromStored(context.resource, bytes, written.revision) : ServedObject.of(context.resource, change.object, written.revision)
  return { object, created: change.kind === 'create', deleted: false }
}

async function prepareUpdate (context: StoreContext, name: string, current: ServedObject | undefined, options: UpdateOptions): Promise<Change> {
  const { resource } = context
  const { version } = options
  if (current === undefined) {
    if (options.uid) throw newConflict(resource.groupResource, name, `Precondition failed: UID in precondition: ${options.uid}, UID in object meta: `)
    if (options.allowCreate !== true) throw newNotFound(resource.groupResource, name)
    const object = await options.transform(undefined)
    const stored = prepareCreate(context, object, options)
    await options.validateCreate?.(object)
    return { kind: 'create', object: stored }
  }

  const storedOld = current.storageObject()
  const old = version.storage ? storedOld : current.object(version)
  if (options.uid && options.uid !== old.metadata.uid) {
    throw newConflict(resource.groupResource, name, uidMismatch(context, options, name, old.metadata.uid))
  }
  const object = await options.transform(clone(old))
  delete object.metadata.selfLink
  checkResourceVersion(context, name, object, old)
  ensureNamespace(resource.namespaced ? options.namespace : '', object)

  object.metadata.generation = old.metadata.generation ?? 0
  if (options.subresource === 'status') keepAllButStatus(object, old)
  else keepStatus(object, old, version.subresources.status !== undefined)
  restoreSystemFields(object, old)

  const stored = toStorageVersion(resource, version, version.storage ? object : clone(object), storedOld)
  const strategyContext = { subresource: options.subresource, version: version.name, now: context.now() }
  resource.strategy.prepareForUpdate?.(stored, storedOld, strategyContext)
  if (options.subresource === '' && specChanged(stored, storedOld)) stored.metadata.generation = object.metadata.generation = (old.metadata.generation ?? 0) + 1

  validate(context, object, old, stored, storedOld, options)
  options.settle?.(object, old)
  if (stored !== object) {
    if (object.metadata.managedFields === undefined) delete stored.metadata.managedFields
    else stored.metadata.managedFields = object.metadata.managedFields
  }
  await options.validateUpdate?.(object, old)

  if (old.metadata.deletionTimestamp !== undefined && !object.metadata.finalizers?.length && !old.metadata.deletionGracePeriodSeconds) {
    return { kind: 'delete', object: stored }
  }
  return { kind: 'update', object: stored, equal: equalJson(asJson(stored), asJson(storedOld)) }
}

function validate (context: StoreContext, object: KubeObject, old: KubeObject, stored: KubeObject, storedOld: KubeObject, options: UpdateOptions): void {
  const { resource } = context
  const { version, subresource } = options
  const groupKind = groupKindOf(object)
  // What an apply made may hold nulls and empty lists that nobody will ever see.
  const shown = readableMeta(asJson(object)['metadata']) as ObjectMeta
  const errors = [
    ...validateObjectMeta(shown, { namespaced: resource.namespaced, nameRule: isPathSegment }),
    ...validateObjectMetaUpdate(shown, old.metadata)
  ]
  const typeErrors = validateTypeMeta(object, version, resource)
  if (typeErrors.length > 0) {
    errors.push(...typeErrors, ...version.compiled.validateStructure(asJson(object), { old: asJson(old), subresource }))
  } else {
    errors.push(...validateObjectMetaUpdate(shown, old.metadata))
    errors.push(...subresource === 'status'
      ? version.compiled.validateStatusUpdate(asJson(object), asJson(old))
      : version.compiled.validateUpdate(asJson(object), asJson(old)))
    errors.push(...validateScale(object, version, { spec: subresource === '' }))
    if (errors.length === 0 && version.conversion) errors.push(...resource.storageVersion.compiled.validateUpdate(asJson(stored), asJson(storedOld)))
  }
  const strategyContext = { subresource, version: version.name, now: context.now() }
  if (errors.length === 0) errors.push(...resource.strategy.validateUpdate?.(stored, storedOld, strategyContext) ?? [])
  if (errors.length > 0) throw newInvalid(groupKind, object.metadata.name ?? '', errors)
  for (const w of finalizerWarnings(shown.finalizers, old.metadata.finalizers)) options.warn(w)
  for (const w of resource.strategy.warningsOnUpdate?.(stored, storedOld, strategyContext) ?? []) options.warn(w)
}

/** Custom resources have no unconditional update: the resourceVersion must be there, and be the current one. */
function checkResourceVersion (context: StoreContext, name: string, object: KubeObject, old: KubeObject): void {
  const { groupResource } = context.resource
  const wanted = object.metadata.resourceVersion ?? ''
  if (wanted === '' || wanted === '0') {
    throw newInvalid({ group: groupResource.group, kind: groupResource.resource }, name, [invalid('metadata.resourceVersion', 0, 'must be specified for an update')])
  }
  if (!/^[0-9]+$/.test(wanted) || BigInt(wanted) !== BigInt(old.metadata.resourceVersion!)) throw newConflict(groupResource, name, optimisticLockText)
}

/** The text with which upstream's storage reports a uid precondition. */
const uidMismatch = (context: StoreContext, options: UpdateOptions, name: string, actual: string | undefined): string =>
  `StorageError: invalid object, Code: 4, Key: ${(options.dryRun ? relativeKeyOf : keyOf)(context, options.namespace, name)}, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: ${options.uid}, UID in object meta: ${actual}`

function keepStatus (object: KubeObject, old: KubeObject, hasStatusSubresource: boolean): void {
  if (!hasStatusSubresource) return
  if (old['status'] === undefined) delete object['status']
  else object['status'] = cloneJson(old['status'] as JsonValue)
}

function keepAllButStatus (object: KubeObject, old: KubeObject): void {
  const { status, metadata: { managedFields } } = object
  for (const key of Object.keys(object)) delete object[key]
  Object.assign(object, clone(old))
  if (status === undefined) delete object['status']
  else object['status'] = status
  if (managedFields === undefined) delete object.metadata.managedFields
  else object.metadata.managedFields = managedFields
}

function restoreSystemFields (object: KubeObject, old: KubeObject): void {
  const { metadata } = object
  if (!metadata.uid) metadata.uid = old.metadata.uid!
  if (old.metadata.creationTimestamp) metadata.creationTimestamp = old.metadata.creationTimestamp
  if (old.metadata.deletionTimestamp !== undefined) metadata.deletionTimestamp = old.metadata.deletionTimestamp
  if (old.metadata.deletionGracePeriodSeconds !== undefined && metadata.deletionGracePeriodSeconds === undefined) metadata.deletionGracePeriodSeconds = old.metadata.deletionGracePeriodSeconds
}

/** Anything outside metadata counts; status too, where it is no subresource of its own. */
function specChanged (object: KubeObject, old: KubeObject): boolean {
  const { metadata: _m, ...rest } = object
  const { metadata: _o, ...oldRest } = old
  return !equalJson(rest as JsonValue, oldRest as JsonValue)
}

const clone = (o: KubeObject): KubeObject => cloneJson(asJson(o)) as unknown as KubeObject

