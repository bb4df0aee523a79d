import { cloneJson } from '../../registry/codec/json-clone.js'
import { isObject, type JsonObject, type JsonValue } from '../../registry/codec/value.js'
import { asJson, asObject, type KubeObject, type ManagedFieldsEntry } from '../../registry/meta/object-meta.js'
import { ApplyConflict } from './conflict.js'
import { ApplyError, InvalidApply, ManagedFieldsError } from './errors.js'
import { FieldSet } from './field-set.js'
import { FieldsV1Cache } from './fields-v1.js'
import { kubectlManager, lastAppliedFields, syncLastApplied } from './last-applied.js'
import { capUpdateManagers, decodeManagedFields, encodeManagedFields, managerId, noManagers, type Managed, type ManagerId } from './managers.js'
import { fieldPath } from './path-element.js'
import { Updater } from './updater.js'
import { explain, KindVersions, type Convert, type TypedObject, type VersionSchema } from './versions.js'

export interface FieldManagerOptions {
  readonly group: string
  readonly kind: string
  /** The version of the requests that this one serves: of live objects, of configurations and of results. */
  readonly apiVersion: string
  /** All versions in which managedFields may speak of the kind, with their schemas. */
  readonly versions: readonly VersionSchema[]
  /** Returns an object in another version of the kind. Must not modify its argument; throws for versions that are not served. */
  readonly convert: Convert
  readonly subresource: '' | 'status' | 'scale'
  /** Per apiVersion what writes through this endpoint cannot change: main ignores status, status ignores metadata and spec. */
  readonly resetFields?: ReadonlyMap<string, FieldSet>
}

export interface ApplyOptions {
  readonly force: boolean
  /** RFC 3339, UTC, whole seconds. */
  readonly now: string
}

/** Manager of everything that was there when an object of no managers is applied to for the first time. */
const beforeFirstApply = 'before-first-apply'
/** Stands for the writer while an update is compared, so that what it owned before does not count. */
const currentOperation: ManagerId = 'current-operation'

/** Fields that nobody owns: identity, and what the server keeps. */
const neverOwned = (): FieldSet => FieldSet.of(
  fieldPath('apiVersion'), fieldPath('kind'), fieldPath('metadata'),
  ...['name', 'namespace', 'creationTimestamp', 'selfLink', 'uid', 'clusterName', 'generation', 'managedFields', 'resourceVersion'].map(name => fieldPath('metadata', name)))

/**
 * Keeps an object's managedFields on every write through one endpoint of a kind (main, status or scale), and applies configurations.
 * Made once per kind, version and endpoint; stateless but for caches. No method modifies its arguments.
 * Source: KEP-555; apimachinery, `managedfields/internal` (the order of its managers is the order of the steps here).
 */
export class FieldManager {
  readonly #options: FieldManagerOptions
  readonly #versions: KindVersions
  readonly #updater: Updater
  readonly #cache = new FieldsV1Cache()
  readonly #neverOwned = neverOwned()

  constructor (options: FieldManagerOptions) {
    this.#options = options
    this.#versions = new KindVersions(options.versions, options.convert)
    this.#updater = new Updater(this.#versions, options.resetFields ?? new Map())
  }

  /**
   * A create, replace or patch other than apply: returns the object with managedFields as they are after it. A client may edit the
   * managedFields of the object itself (`[{}]` clears them), not those seen through a subresource. Never fails: when the managers
   * cannot be worked out (a wrong type, a version no longer served) the object comes back without managedFields.
   * @param live the stored object in the request's version; undefined or without uid for a create
   * @param object what is to be stored, in the same version, decoded and defaulted
   * @param manager the request's fieldManager, or the name made of its User-Agent; empty counts as `unknown`
   */
  update (live: KubeObject | undefined, object: KubeObject, manager: string, now: string): KubeObject {
    const before = live === undefined ? this.#bare() : withoutManagedFields(asJson(live))
    const after = withoutManagedFields(asJson(object))
    try {
      let managed = this.#decodeLiveOrNew(live, object)
      if (managed.fields.size > 0 || isCreate(live)) managed = this.#update(before, after, managed, manager, now)
      return withManagedFields(after, encodeManagedFields(managed, this.#cache))
    } catch (error) {
      if (!(error instanceof ApplyError)) throw error
      return asObject(after)
    }
  }

  /**
   * Applies a configuration (KEP-555): returns the merged object with its managedFields, or `live` itself when nothing at all changed.
   * Defaults are not applied to it. The result shares nothing with the arguments but the sets in managedFields, which are never modified.
   * @param live the stored object in the request's version; undefined for a create
   * @throws ApplyConflict when fields that others own would change and force is not set (409)
   * @throws InvalidApply when the configuration is of another kind or version or sets managedFields (400)
   * @throws TypedError when the configuration, or the live object, does not fit the schema (kube-apiserver: 500; the client's mistake)
   * @throws ManagedFieldsError, ConversionError when the stored managedFields cannot be used (500)
   */
  apply (live: KubeObject | undefined, config: JsonObject, manager: string, options: ApplyOptions): KubeObject {
    const before: JsonObject = live === undefined ? this.#bare() : withoutManagedFields(asJson(live))
    const managed = this.#decode(managedFieldsOf(live && asJson(live)), 'failed to decode managed fields: ')
    this.#checkVersion(config)
    const result = manager === kubectlManager
      ? this.#applyAsKubectl(before, config, managed, options)
      : this.#firstApply(before, config, managed, manager, options)
    let object = result.object ?? before
    if (manager === kubectlManager) object = syncLastApplied(object, config)
    const entries = encodeManagedFields(result.managed, this.#cache)
    if (live !== undefined && object === before && sameEntries(entries, live.metadata.managedFields)) return live
    return withManagedFields(cloneJson(object), entries)
  }

  /** Whether managedFields can be read, as they must after mutating admission. @throws ManagedFieldsError when not */
  validate (entries: readonly ManagedFieldsEntry[] | undefined): void { decodeManagedFields(entries, this.#cache) }

  /** An update, without the rule about objects of which nobody keeps track. */
  #update (before: JsonObject, after: JsonObject, managed: Managed, manager: string, now: string): Managed {
    const { apiVersion } = this.#options
    const live = explain(`failed to convert live object (${describe(before)}) to smd typed: `, () => this.#versions.typed(before, apiVersion, { allowDuplicates: true }))
    const object = explain(`failed to convert new object (${describe(after)}) to smd typed: `, () => this.#versions.typed(after, apiVersion, { allowDuplicates: true }))
    const fields = explain(`failed to update ManagedFields (${describe(after)}): `, () => this.#updater.update(live, object, managed.fields, currentOperation))
    const times = new Map(managed.times)
    const own = fields.get(currentOperation)
    if (own !== undefined) {
      fields.delete(currentOperation)
      const set = own.set.difference(this.#neverOwned)
      if (!set.isEmpty) {
        const id = this.#id(manager, 'Update')
        const previous = fields.get(id)
        fields.set(id, { ...own, set: previous === undefined ? set : set.union(previous.set) })
        times.set(id, now)
      }
    }
    const updated = { fields, times }
    capUpdateManagers(updated)
    return updated
  }

  /** An apply to an object that nobody keeps track of starts with a manager of everything that is there. */
  #firstApply (before: JsonObject, config: JsonObject, managed: Managed, manager: string, options: ApplyOptions): Applied {
    if (managed.fields.size === 0) {
      const empty = this.#bare()
      const found = managed
      managed = explain('failed to create manager for existing fields: ', () => this.#update(empty, before, found, beforeFirstApply, options.now))
    }
    return this.#apply(before, config, managed, manager, options)
  }

  #apply (before: JsonObject, config: JsonObject, managed: Managed, manager: string, { force, now }: ApplyOptions): Applied {
    const { apiVersion } = this.#options
    if (managedFieldsOf(config) !== undefined) throw new InvalidApply('metadata.managedFields must be nil')
    const patch = explain(`failed to create typed patch object (${describe(config)}): `, () => this.#versions.typed(config, apiVersion, { allowDuplicates: false }))
    const live = explain(`failed to create typed live object (${describe(before)}): `, () => this.#versions.typed(before, apiVersion, { allowDuplicates: true }))
    const id = this.#id(manager, 'Apply')
    const { fields, object } = this.#updater.apply(live, patch, managed.fields, id, force)
    const own = fields.get(id)
    if (own !== undefined) {
      const set = own.set.difference(this.#neverOwned)
      const before = managed.fields.get(id)?.set
      if (set.isEmpty) fields.delete(id)
      else fields.set(id, { ...own, set: before?.equals(set) ? before : set }) // the known one is printed already
    }
    const times = new Map(managed.times)
    if (object !== undefined) times.set(id, now)
    return { object, managed: { fields, times } }
  }

  /**
   * kubectl's way from client-side to server-side apply: conflicts about fields that still have the values of kubectl's last client-side
   * apply are its own, and forced.
   */
  #applyAsKubectl (before: JsonObject, config: JsonObject, managed: Managed, options: ApplyOptions): Applied {
    try {
      return this.#firstApply(before, config, managed, kubectlManager, options)
    } catch (error) {
      if (!(error instanceof ApplyConflict)) throw error
      const allowed = this.#lastApplied(before)
      if (allowed === undefined) throw error
      const left = error.conflicts.filter(c => !allowed.has(c.path))
      if (left.length > 0) throw new ApplyConflict(left)
      return this.#firstApply(before, config, managed, kubectlManager, { ...options, force: true })
    }
  }

  #lastApplied (before: JsonObject): FieldSet | undefined {
    const { apiVersion } = this.#options
    const typed = (value: JsonObject): TypedObject => this.#versions.typed(value, apiVersion, { allowDuplicates: false })
    return lastAppliedFields(before, apiVersion, typed)
  }

  #bare (): JsonObject { return { apiVersion: this.#options.apiVersion, kind: this.#options.kind } }

  #id (manager: string, operation: 'Apply' | 'Update'): ManagerId {
    return managerId({ manager: manager === '' ? 'unknown' : manager, operation, apiVersion: this.#options.apiVersion, subresource: this.#options.subresource })
  }

  #decode (entries: readonly ManagedFieldsEntry[] | undefined, context: string): Managed {
    try {
      return decodeManagedFields(entries, this.#cache)
    } catch (error) {
      throw error instanceof ManagedFieldsError ? new ManagedFieldsError(context + error.message, { cause: error }) : error
    }
  }

  #decodeOrNone (entries: readonly ManagedFieldsEntry[] | undefined): Managed {
    try {
      return decodeManagedFields(entries, this.#cache)
    } catch (error) {
      if (error instanceof ManagedFieldsError) return noManagers()
      throw error
    }
  }

  /** The managers to start from: those the client sent when it sent any that can be read, else those of the stored object. */
  #decodeLiveOrNew (live: KubeObject | undefined, object: KubeObject): Managed {
    const stored = (): Managed => this.#decodeOrNone(managedFieldsOf(live && asJson(live)))
    if (this.#options.subresource !== '') return stored()
    const sent = managedFieldsOf(asJson(object))
    if (sent !== undefined && isReset(sent)) return noManagers()
    const managed = this.#decodeOrNone(sent)
    return managed.fields.size > 0 ? managed : stored()
  }

  #checkVersion (config: JsonObject): void {
    const kind = typeof config.kind === 'string' ? config.kind : ''
    if (config.apiVersion !== this.#options.apiVersion || kind !== this.#options.kind) throw new InvalidApply(`invalid object type: ${gvkOf(config)}`)
  }
}

interface Applied { readonly object: JsonObject | undefined; readonly managed: Managed }

const isCreate = (live: KubeObject | undefined): boolean => (live?.metadata?.uid ?? '') === ''
/** One empty entry says to forget all managers; an empty list is the same as none, since ObjectMeta leaves it out. */
const isReset = (entries: readonly ManagedFieldsEntry[]): boolean =>
  entries.length === 1 && Object.values(entries[0]!).every(v => v === undefined || v === null || v === '')

/** An object's managedFields; undefined also when they are no list of objects. */
function managedFieldsOf (object: JsonObject | undefined): readonly ManagedFieldsEntry[] | undefined {
  const metadata = object?.metadata
  const entries = isObject(metadata) ? metadata.managedFields : undefined
  return Array.isArray(entries) && entries.every(isObject) ? entries as unknown as ManagedFieldsEntry[] : undefined
}

function withoutManagedFields (object: JsonObject): JsonObject {
  const { metadata } = object
  if (!isObject(metadata) || !Object.hasOwn(metadata, 'managedFields')) return object
  const { managedFields: _, ...rest } = metadata
  return { ...object, metadata: rest }
}

function withManagedFields (object: JsonObject, entries: ManagedFieldsEntry[] | undefined): KubeObject {
  if (entries === undefined) return asObject(object)
  return asObject({ ...object, metadata: { ...(isObject(object.metadata) ? object.metadata : {}), managedFields: entries as unknown as JsonValue } })
}

function sameEntries (a: readonly ManagedFieldsEntry[] | undefined, b: readonly ManagedFieldsEntry[] | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  return a.length === b.length && a.every((x, i) => {
    const y = b[i]!
    return x.fieldsV1 === y.fieldsV1 && x.time === y.time && x.manager === y.manager && x.operation === y.operation && x.apiVersion === y.apiVersion && x.subresource === y.subresource && x.fieldsType === y.fieldsType
  })
}

const text = (v: JsonValue | undefined): string => typeof v === 'string' ? v : ''

/** `group/version, Kind=K` as Go prints it: the core group leaves its slash, an apiVersion that is none is empty. */
function gvkOf (object: JsonObject): string {
  const parts = text(object.apiVersion).split('/')
  if (parts.length > 2) return '/, Kind='
  const [group, version] = parts.length === 2 ? parts : ['', parts[0]]
  return `${group ?? ''}/${version ?? ''}, Kind=${text(object.kind)}`
}

/** `namespace/name; group/version, Kind=K`. */
function describe (object: JsonObject): string {
  const metadata = isObject(object.metadata) ? object.metadata : {}
  return `${text(metadata.namespace)}/${text(metadata.name)}; ${gvkOf(object)}`
}
