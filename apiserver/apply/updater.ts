import { equalJson } from '../../registry/codec/json-equal.js'
import { compareUtf8 } from '../../registry/codec/json-print.js'
import type { JsonObject } from '../../registry/codec/value.js'
import type { Comparison } from './compare.js'
import { ApplyConflict, type Conflict } from './conflict.js'
import { FieldSet } from './field-set.js'
import type { ManagerId, VersionedSet } from './managers.js'
import { mergeValues } from './merge.js'
import { reconcileFields } from './reconcile.js'
import { removeFields, withStructs } from './remove.js'
import { compareObjects, explain, fieldsOfObject, type KindVersions, type TypedObject } from './versions.js'

type Fields = Map<ManagerId, VersionedSet>

/**
 * What each write does to ownership, and what an apply does to the object.
 * Source: structured-merge-diff, `merge/update.go`.
 */
export class Updater {
  readonly #versions: KindVersions
  readonly #ignored: ReadonlyMap<string, FieldSet>

  /** @param ignored per apiVersion the fields that writes through this endpoint cannot change (reset fields), with all below them */
  constructor (versions: KindVersions, ignored: ReadonlyMap<string, FieldSet>) {
    this.#versions = versions
    this.#ignored = ignored
  }

  /**
   * A write of a whole object: the manager gets what it changed or added, everybody loses what was changed by others or is gone.
   * @returns who owns what afterwards; the argument is not modified
   */
  update (live: TypedObject, object: TypedObject, managers: Fields, manager: ManagerId): Fields {
    const { fields, comparison } = this.#settle(live, object, this.#reconcile(live, managers), manager, true)
    const own = fields.get(manager)?.set ?? FieldSet.empty
    const set = this.#withoutIgnored(own.difference(comparison.removed).union(comparison.modified).union(comparison.added), object.apiVersion)
    if (set.isEmpty) fields.delete(manager)
    else fields.set(manager, { set, apiVersion: object.apiVersion, applied: false })
    return fields
  }

  /**
   * A configuration laid over the live object; what the manager applied before and now leaves out goes when nobody else owns it.
   * @returns who owns what afterwards, and the new object, or undefined when it is as it was
   * @throws ApplyConflict when fields of others would change, unless forced
   */
  apply (live: TypedObject, config: TypedObject, managers: Fields, manager: ManagerId, force: boolean): { fields: Fields; object: JsonObject | undefined } {
    const fields = this.#reconcile(live, managers)
    const merged: TypedObject = { ...live, value: mergeValues(live.type, live.value, config.value) as JsonObject }
    const last = fields.get(manager)
    fields.set(manager, { set: this.#withoutIgnored(fieldsOfObject(config), config.apiVersion), apiVersion: config.apiVersion, applied: true })
    const object = explain('failed to prune fields: ', () => this.#prune(merged, fields, manager, last))
    const settled = this.#settle(live, object, fields, manager, force)
    return { fields: settled.fields, object: equalJson(live.value, object.value) ? undefined : object.value }
  }

  #withoutIgnored (set: FieldSet, apiVersion: string): FieldSet {
    const ignored = this.#ignored.get(apiVersion)
    return ignored === undefined ? set : set.recursiveDifference(ignored)
  }

  #compare (before: TypedObject, after: TypedObject): Comparison {
    const { added, modified, removed } = compareObjects(before, after)
    const { apiVersion } = before
    return { added: this.#withoutIgnored(added, apiVersion), modified: this.#withoutIgnored(modified, apiVersion), removed: this.#withoutIgnored(removed, apiVersion) }
  }

  /** Fits the sets to the present schemas; a copy, also when nothing changes. */
  #reconcile (live: TypedObject, managers: Fields): Fields {
    const out: Fields = new Map()
    const converted = new Map([[live.apiVersion, live]])
    for (const [id, versioned] of managers) {
      const { apiVersion } = versioned
      let object = converted.get(apiVersion)
      if (object === undefined) converted.set(apiVersion, object = this.#versions.convert(live, apiVersion))
      const set = reconcileFields(versioned.set, object.type)
      out.set(id, set === versioned.set ? versioned : { ...versioned, set })
    }
    return out
  }

  /** Finds what others own of a change, and either refuses it or takes it from them. Modifies `fields`. */
  #settle (before: TypedObject, after: TypedObject, fields: Fields, writer: ManagerId, force: boolean): { fields: Fields; comparison: Comparison } {
    const comparison = this.#compare(before, after)
    const byVersion = new Map<string, Comparison & { readonly changed: FieldSet }>()
    const compared = (apiVersion: string): Comparison & { readonly changed: FieldSet } => {
      let known = byVersion.get(apiVersion)
      if (known === undefined) {
        const found = apiVersion === before.apiVersion ? comparison : this.#compare(
          explain('failed to convert old object: ', () => this.#versions.convert(before, apiVersion)),
          explain('failed to convert new object: ', () => this.#versions.convert(after, apiVersion)))
        byVersion.set(apiVersion, known = { ...found, changed: found.modified.union(found.added) })
      }
      return known
    }
    const taken: Array<[ManagerId, FieldSet]> = []
    for (const [id, { set, apiVersion }] of fields) {
      if (id === writer) continue
      const lost = set.intersection(compared(apiVersion).changed)
      if (!lost.isEmpty) taken.push([id, lost])
    }
    if (!force && taken.length > 0) throw new ApplyConflict(conflictsOf(taken))
    for (const [id, lost] of taken) this.#shrink(fields, id, lost)
    for (const [id, { apiVersion }] of fields) if (id !== writer) this.#shrink(fields, id, compared(apiVersion).removed)
    for (const [id, { set }] of fields) if (set.isEmpty) fields.delete(id)
    return { fields, comparison }
  }

  #shrink (fields: Fields, id: ManagerId, lost: FieldSet): void {
    const versioned = fields.get(id)!
    const set = versioned.set.difference(lost)
    if (set !== versioned.set) fields.set(id, { ...versioned, set })
  }

  /** Takes away what the applier owned by its last apply and nobody owns any more. */
  #prune (merged: TypedObject, fields: Fields, manager: ManagerId, last: VersionedSet | undefined): TypedObject {
    const own = fields.get(manager)!
    if (last === undefined || last.set.isEmpty) return merged
    // Still sent, so still owned: nothing to take away.
    if (last.apiVersion === own.apiVersion && last.set.difference(own.set).isEmpty) return merged
    return this.pruneAll(merged, fields, own.apiVersion, last)
  }

  /**
   * Prune without shortcuts: removes what was applied last, adds back what anybody owns, then adds back what was never applied and only
   * went along with something above it.
   */
  pruneAll (merged: TypedObject, fields: ReadonlyMap<ManagerId, VersionedSet>, apiVersion: string, last: VersionedSet): TypedObject {
    const whole = this.#versions.convert(merged, last.apiVersion)
    const applied = withStructs(last.set, whole.type)
    const owned = this.#addBackOwned(whole, without(whole, applied), last.apiVersion, fields)
    const kept = this.#versions.convert(owned, last.apiVersion)
    const gone = withStructs(fieldsOfObject(whole), whole.type).difference(withStructs(fieldsOfObject(kept), kept.type)).intersection(applied)
    return this.#versions.convert(gone.isEmpty ? whole : without(whole, gone), apiVersion)
  }

  #addBackOwned (merged: TypedObject, pruned: TypedObject, prunedVersion: string, fields: ReadonlyMap<ManagerId, VersionedSet>): TypedObject {
    const ownedAt = new Map<string, FieldSet>([[prunedVersion, FieldSet.empty]]) // first: other versions may need for conversion what this one owns
    let any = false
    for (const { set, apiVersion } of fields.values()) {
      if (apiVersion === prunedVersion) any = true
      ownedAt.set(apiVersion, (ownedAt.get(apiVersion) ?? FieldSet.empty).union(set))
    }
    if (!any) ownedAt.delete(prunedVersion)
    for (const [apiVersion, owned] of ownedAt) {
      merged = this.#versions.convert(merged, apiVersion)
      pruned = this.#versions.convert(pruned, apiVersion)
      const { type } = merged
      const all = withStructs(fieldsOfObject(merged), type)
      const stay = withStructs(fieldsOfObject(pruned), type).union(withStructs(owned, type))
      pruned = without(merged, all.difference(stay))
    }
    return pruned
  }
}

const without = (object: TypedObject, fields: FieldSet): TypedObject => ({ ...object, value: removeFields(object.type, object.value, fields) as JsonObject })

function conflictsOf (taken: ReadonlyArray<[ManagerId, FieldSet]>): Conflict[] {
  return [...taken].sort(([a], [b]) => compareUtf8(a, b)).flatMap(([manager, lost]) => lost.paths().map(path => ({ manager, path })))
}
