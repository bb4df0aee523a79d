import { isObject, type JsonObject } from '../../registry/codec/value.js'
import { asJson, asObject, type KubeObject, type ManagedFieldsEntry } from '../../registry/meta/object-meta.js'
import type { StructuralSchema } from '../../registry/schema/structural-schema.js'
import { ConversionError } from './errors.js'
import { FieldManager, type ApplyOptions } from './field-manager.js'
import { FieldSet } from './field-set.js'
import { FieldsV1Cache } from './fields-v1.js'
import { equalWithoutManagedFields } from './managed-fields-times.js'
import { decodeManagedFields, encodeManagedFields, noManagers } from './managers.js'
import { fieldPath, type Path } from './path-element.js'

export const scaleApiVersion = 'autoscaling/v1'

/** Per apiVersion of the parent kind where its replicas are; undefined for a version without scale. */
export type ReplicasPaths = ReadonlyMap<string, Path | undefined>

/** `.spec.replicas` as a path. @param jsonPath the specReplicasPath of a scale subresource: names joined by dots */
export const replicasPath = (jsonPath: string): Path => fieldPath(...jsonPath.replace(/^\./, '').split('.'))

const replicasInScale = fieldPath('spec', 'replicas')

/**
 * The managedFields of a parent as its Scale has them while it is written: only who owns the replicas, in Scale's terms.
 * Source: apimachinery, `managedfields/scalehandler.go`.
 * @throws ManagedFieldsError when they cannot be read
 */
export function toScale (parent: readonly ManagedFieldsEntry[] | undefined, paths: ReplicasPaths): ManagedFieldsEntry[] | undefined {
  const cache = new FieldsV1Cache()
  const from = decodeManagedFields(parent, cache)
  const to = noManagers()
  for (const [id, { set, apiVersion, applied }] of from.fields) {
    const path = paths.get(apiVersion)
    if (path === undefined || !set.has(path)) continue
    to.fields.set(id, { set: FieldSet.of(replicasInScale), apiVersion: scaleApiVersion, applied })
    const time = from.times.get(id)
    if (time !== undefined) to.times.set(id, time)
  }
  return encodeManagedFields(to, cache)
}

/**
 * The managedFields of a parent after its Scale was written: who lost the replicas loses them in the parent, new owners get an entry of
 * their own in the given version. Entries of versions that are not served are dropped.
 * @param parent as it was before
 * @param scale of the Scale as it was written
 * @param apiVersion the parent's version in the request
 * @throws ManagedFieldsError when they cannot be read
 */
export function toParent (parent: readonly ManagedFieldsEntry[] | undefined, scale: readonly ManagedFieldsEntry[] | undefined, apiVersion: string, paths: ReplicasPaths): ManagedFieldsEntry[] | undefined {
  const cache = new FieldsV1Cache()
  const from = decodeManagedFields(parent, cache)
  const written = decodeManagedFields(scale, cache)
  const to = noManagers()
  const keepTime = (id: string): void => {
    const time = from.times.get(id)
    if (time !== undefined) to.times.set(id, time)
  }
  for (const [id, versioned] of from.fields) {
    if (!paths.has(versioned.apiVersion)) continue
    const path = paths.get(versioned.apiVersion)
    let { set } = versioned
    if (path !== undefined && set.has(path)) {
      if (written.fields.has(id)) written.fields.delete(id)
      else set = set.difference(FieldSet.of(path))
      if (set.isEmpty) continue
    }
    to.fields.set(id, set === versioned.set ? versioned : { ...versioned, set })
    keepTime(id)
  }
  const path = paths.get(apiVersion)
  for (const [id, { set, applied }] of written.fields) {
    if (path === undefined || !set.has(replicasInScale)) continue
    to.fields.set(id, { set: FieldSet.of(path), apiVersion, applied })
    keepTime(id)
  }
  return encodeManagedFields(to, cache)
}

const scaleSchema: StructuralSchema = {
  type: 'object',
  properties: {
    spec: { type: 'object', properties: { replicas: { type: 'integer', format: 'int32' } } },
    status: { type: 'object', properties: { replicas: { type: 'integer', format: 'int32', default: 0 }, selector: { type: 'string' } } }
  }
}

/**
 * The field manager of every kind's scale subresource. Objects are Scales as they are served, with the managedFields of toScale.
 * An apply that would change something is refused, as kube-apiserver refuses it for custom resources (500); one that only adds an owner
 * works.
 */
export class ScaleFieldManager {
  readonly #manager = new FieldManager({
    group: 'autoscaling',
    kind: 'Scale',
    apiVersion: scaleApiVersion,
    versions: [{ apiVersion: scaleApiVersion, schema: scaleSchema }],
    convert: (_, apiVersion) => { throw new ConversionError(`request to convert CR to an invalid group/version: ${apiVersion}`) },
    subresource: 'scale'
  })

  /** As FieldManager.update. */
  update (live: KubeObject, scale: KubeObject, manager: string, now: string): KubeObject {
    return this.#manager.update(asObject(canonical(live)), asObject(canonical(scale)), manager, now)
  }

  /** As FieldManager.apply; throws ConversionError as well when the Scale would change or nobody owns the replicas yet. */
  apply (live: KubeObject, config: JsonObject, manager: string, options: ApplyOptions): KubeObject {
    const before = asObject(canonical(live))
    const after = this.#manager.apply(before, config, manager, options)
    if (!live.metadata.managedFields?.length) throw refused('failed to create manager for existing fields: failed to convert live object', '/')
    if (!equalWithoutManagedFields(asJson(after), asJson(before))) throw refused('failed to convert new object', `${live.metadata.namespace ?? ''}/${live.metadata.name ?? ''}`)
    return after
  }
}

const refused = (what: string, name: string): ConversionError =>
  new ConversionError(`${what} (${name}; ${scaleApiVersion}, Kind=Scale) to proper version: request to convert CR to an invalid group/version: ${scaleApiVersion}`)
const asScale = (o: KubeObject): JsonObject => isObject(o.spec) ? o.spec : {}

/** A Scale as Go writes it: no replicas in spec means 0 there. */
function canonical (scale: KubeObject): JsonObject {
  const { replicas, ...rest } = asScale(scale)
  return { ...asJson(scale), spec: replicas === undefined || replicas === 0 || replicas === null ? rest : { ...rest, replicas } }
}
