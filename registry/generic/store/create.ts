import { randomBytes, randomUUID } from 'node:crypto'
import { isStorageError } from '../../../storage/errors.js'
import { asJson, type KubeObject, type ObjectMeta } from '../../meta/object-meta.js'
import { finalizerWarnings, validateObjectMeta } from '../../meta/object-meta-validation.js'
import { isPathSegment, isSubdomainName } from '../../meta/names.js'
import { isReason, newAlreadyExists, newBadRequest, newGenerateNameConflict, newInvalid, StatusError } from '../../meta/status-error.js'
import { cloneJson } from '../../codec/json-clone.js'
import { toStorageVersion } from '../conversion.js'
import { interpretStorageError } from '../interpret-error.js'
import { ServedObject } from '../served-object.js'
import { readableMeta } from '../stored-meta.js'
import { groupKindOf, validateScale, validateTypeMeta } from '../type-validation.js'
import { encodeForStorage, keyOf, readStored, timestamp, unwritten, type StoreContext, type WriteOptions } from './context.js'

export interface CreateOptions extends WriteOptions {
  /** Validating admission; sees the object as it would be stored, in the request's version. */
  readonly validate?: (object: KubeObject) => Promise<void>
}

const maxNameAttempts = 8
const nameAlphabet = 'bcdfghjklmnpqrstvwxz2456789'

/**
 * Creates an object. Order and rules are those of `genericregistry.Store.Create` with a custom resource's strategy (contract §4.1).
 * @param object in the request's version, decoded, defaulted and admitted; taken over
 * @throws StatusError 409 AlreadyExists, 422 Invalid, 400 BadRequest, and what the store's failures become
 */
export async function create (context: StoreContext, object: KubeObject, options: CreateOptions): Promise<ServedObject> {
  if (object.metadata.name || !object.metadata.generateName) return createOnce(context, object, options)
  for (let attempt = 1; ; attempt++) {
    try {
      return await createOnce(context, cloneJson(asJson(object)) as unknown as KubeObject, options)
    } catch (error) {
      if (attempt === maxNameAttempts || !isReason(error, 'AlreadyExists')) throw error
    }
  }
}

async function createOnce (context: StoreContext, object: KubeObject, options: CreateOptions): Promise<ServedObject> {
  const stored = prepareCreate(context, object, options)
  await options.validate?.(object)
  const name = stored.metadata.name!
  const key = keyOf(context, options.namespace, name)
  if (options.dryRun) {
    const existing = await readStored(context, key, options.signal).catch(error => { throw interpretStorageError(error, { verb: 'create', groupResource: context.resource.groupResource, name }) })
    if (existing !== undefined) throw alreadyExists(context, name, object.metadata.generateName, existing.object)
    return unwritten(context, stored, undefined)
  }
  try {
    const { revision } = await context.storage.create(key, encodeForStorage(stored))
    return ServedObject.of(context.resource, stored, revision)
  } catch (error) {
    if (isStorageError(error, 'KeyExists') && error.current !== undefined) {
      throw alreadyExists(context, name, object.metadata.generateName, ServedObject.fromStored(context.resource, error.current.value, error.current.modRevision))
    }
    throw interpretStorageError(error, { verb: 'create', groupResource: context.resource.groupResource, name })
  }
}

/**
 * Everything before the write: system fields, name, the strategy, validation. Also used when an apply creates.
 * @returns the object in the storage version; `object` is brought up to date in the request's version, for admission
 */
export function prepareCreate (context: StoreContext, object: KubeObject, options: WriteOptions): KubeObject {
  const { resource } = context
  const { version } = options
  const meta = object.metadata
  if (meta.resourceVersion) throw newBadRequest('resourceVersion should not be set on objects to be created')
  delete meta.selfLink
  meta.uid = randomUUID()
  meta.creationTimestamp = timestamp(context.now())
  if (!meta.name && meta.generateName) meta.name = generateName(meta.generateName)
  ensureNamespace(resource.namespaced ? options.namespace : '', object)

  if (version.subresources.status) delete object['status']
  meta.generation = 1
  const stored = toStorageVersion(resource, version, version.storage ? object : cloneJson(asJson(object)) as unknown as KubeObject)
  const strategyContext = { subresource: '', version: version.name, now: context.now() }
  resource.strategy.prepareForCreate?.(stored, strategyContext)

  const groupKind = groupKindOf(object)
  const typeErrors = validateTypeMeta(object, version, resource)
  if (typeErrors.length > 0) throw newInvalid(groupKind, meta.name ?? '', [...typeErrors, ...version.compiled.validateStructure(asJson(object), { old: undefined, subresource: '' })])
  // What an apply made may hold nulls and empty lists that nobody will ever see.
  const shown = readableMeta(asJson(object)['metadata']) as ObjectMeta
  const errors = [
    ...validateObjectMeta(shown, { namespaced: resource.namespaced, nameRule: isSubdomainName }),
    ...version.compiled.validate(asJson(object)),
    ...validateScale(object, version, { spec: true })
  ]
  if (errors.length === 0 && version.conversion) errors.push(...resource.storageVersion.compiled.validate(asJson(stored)))
  if (errors.length === 0) errors.push(...validateObjectMeta(shown, { namespaced: resource.namespaced, nameRule: isPathSegment }))
  if (errors.length === 0) errors.push(...resource.strategy.validate?.(stored, strategyContext) ?? [])
  if (errors.length > 0) throw newInvalid(groupKind, meta.name ?? '', errors)

  for (const w of finalizerWarnings(shown.finalizers, undefined)) options.warn(w)
  for (const w of resource.strategy.warningsOnCreate?.(stored, strategyContext) ?? []) options.warn(w)
  return stored
}

/** An absent namespace is the request's, a cluster-scoped object loses it, another one is an error. */
export function ensureNamespace (namespace: string, object: KubeObject): void {
  if (namespace === '') {
    delete object.metadata.namespace
  } else if (!object.metadata.namespace) {
    object.metadata.namespace = namespace
  } else if (object.metadata.namespace !== namespace) {
    throw newBadRequest('the namespace of the provided object does not match the namespace sent on the request')
  }
}

/** The base, cut to 58 characters, and five characters that make no words. */
function generateName (base: string): string {
  let suffix = ''
  for (const byte of randomBytes(5)) suffix += nameAlphabet[byte % nameAlphabet.length]
  return base.slice(0, 58) + suffix
}

function alreadyExists (context: StoreContext, name: string, generateName: string | undefined, existing: ServedObject): StatusError {
  const { groupResource } = context.resource
  const error = generateName
    ? newGenerateNameConflict(groupResource, name, 1)
    : newAlreadyExists(groupResource, name)
  if (existing.storageObject().metadata.deletionTimestamp === undefined) return error
  return new StatusError({ ...error.status, message: `object is being deleted: ${error.status.message}` })
}
