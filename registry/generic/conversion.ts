import { asJson, type KubeObject, type ObjectMeta } from '../meta/object-meta.js'
import type { Resource, ResourceVersion } from './resource.js'
import { readableMeta } from './stored-meta.js'

/**
 * An object of a served version as the storage version has it. Without a conversion of its own a version differs in `apiVersion` only
 * and what the storage schema does not know is pruned, as conversion strategy `None` does. Metadata, and that of embedded resources, gets
 * the form in which it is read, which in the storage version itself an apply may leave as it was sent: so upstream. Takes the object over.
 * @param live the stored object that a write replaces, in the storage version
 */
export function toStorageVersion (resource: Resource, from: ResourceVersion, object: KubeObject, live?: KubeObject): KubeObject {
  if (from.storage) return object
  const out = from.conversion ? from.conversion.toStorage(object, live) : object
  out.apiVersion = resource.storageVersion.apiVersion
  const { compiled } = resource.storageVersion
  if (!from.conversion) compiled.prune(asJson(out))
  out.metadata = readableMeta(asJson(out)['metadata']) as ObjectMeta
  compiled.coerceEmbedded(asJson(out), { dropInvalid: true })
  return out
}

/**
 * An object, or a part of one, in another version, for field managers: converted and nothing else, since what pruning takes away or
 * defaulting adds would look like somebody's change. Takes the object over.
 */
export function convertBetween (resource: Resource, from: ResourceVersion, to: ResourceVersion, object: KubeObject): KubeObject {
  if (from === to) return object
  let out = from.conversion ? from.conversion.toStorage(object) : object
  out.apiVersion = resource.storageVersion.apiVersion
  if (to.conversion) out = to.conversion.fromStorage(out)
  out.apiVersion = to.apiVersion
  return out
}

/** A stored object as a served version shows it: converted, pruned and defaulted by that version's schema. Takes the object over. */
export function fromStorageVersion (to: ResourceVersion, object: KubeObject): KubeObject {
  if (to.storage) return object
  const out = to.conversion ? to.conversion.fromStorage(object) : object
  out.apiVersion = to.apiVersion
  to.compiled.prune(asJson(out))
  to.compiled.applyDefaults(asJson(out))
  return out
}
