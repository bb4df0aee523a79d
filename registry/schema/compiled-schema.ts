import type { FieldError } from '../meta/field-error.js'
import { isObject, type JsonObject } from '../codec/value.js'
import { setDefaults } from './defaulting.js'
import { coerceEmbedded, validateEmbedded, type CoerceResult } from './embedded-resource.js'
import { fieldErrors, Findings } from './findings.js'
import { validateListTypes } from './list-type.js'
import { pruneUnknown } from './pruning.js'
import { CorrelatedObject } from './ratcheting.js'
import { SchemaNode } from './schema-node.js'
import type { StructuralSchema } from './structural-schema.js'
import { validateValue } from './validate.js'

/**
 * A structural schema at work: pruning, defaulting and validation of whole objects, as kube-apiserver does them for custom resources.
 * Parts of the schema are prepared when an object first reaches them; making one costs nothing. The schema must not change any more.
 * The order on a request is: prune, coerceEmbedded (these two decode), applyDefaults; then validate, validateUpdate or
 * validateStatusUpdate on what would be stored. Type and object metadata are the caller's.
 * Source: KEP-1693, `apiextensions-apiserver/pkg/apiserver/customresource_handler.go`, `pkg/registry/customresource/{strategy,validator}.go`.
 */
export class CompiledSchema {
  readonly #root: SchemaNode

  constructor (schema: StructuralSchema) {
    this.#root = new SchemaNode(schema)
  }

  /**
   * Removes, in place, fields that the schema does not specify; the object's own apiVersion, kind and metadata stay.
   * @returns the removed fields' paths as `unknown field "…"` messages name them, sorted
   */
  prune (object: JsonObject): string[] {
    return pruneUnknown(object, this.#root)
  }

  /**
   * Decodes the metadata of embedded resources, in place: unknown members go, malformed ones are an error.
   * Nulls that are not allowed are removed too, as kube-apiserver does between pruning and this.
   * @param options.dropInvalid drops malformed members instead: for objects from the store
   */
  coerceEmbedded (object: JsonObject, options: { dropInvalid: boolean }): CoerceResult {
    return coerceEmbedded(object, this.#root, options)
  }

  /** Fills in defaults, in place. A null that is not allowed counts as absent: the default replaces it, or it is removed. */
  applyDefaults (object: JsonObject): void {
    setDefaults(object, this.#root, { pruneNulls: true })
  }

  /** Fills in defaults alone, in place: a null that has no default stays, to be found by validation. For the result of an apply. */
  setDefaults (object: JsonObject): void {
    setDefaults(object, this.#root, { pruneNulls: false })
  }

  /** What is wrong with a new object: its values, then its embedded resources, then its sets and maps. */
  validate (object: JsonObject): FieldError[] {
    const findings = new Findings()
    validateValue(this.#root, object, '', findings)
    const errors = fieldErrors(findings, '')
    if (findings.hasEmbedded) errors.push(...validateEmbedded(object, this.#root))
    if (findings.breaksListType) errors.push(...validateListTypes(object, this.#root))
    return errors
  }

  /** The same for an object that replaces another: wrong values that have not changed are tolerated (KEP-4008). */
  validateUpdate (object: JsonObject, old: JsonObject): FieldError[] {
    const findings = new Findings()
    validateValue(this.#root, object, '', findings)
    if (findings.size > 0) {
      findings.cut(0)
      validateValue(this.#root, object, '', findings, new CorrelatedObject(this.#root, object, old))
    }
    const errors = fieldErrors(findings, '')
    if (findings.hasEmbedded) errors.push(...validateEmbedded(object, this.#root))
    if (findings.breaksListType) errors.push(...this.#validateListTypes(object, old))
    return errors
  }

  /** The same for a write to `/status`: of the values only `status` is looked at, as a document of its own. */
  validateStatusUpdate (object: JsonObject, old: JsonObject): FieldError[] {
    const node = this.#root.property('status')
    const findings = new Findings()
    if (node !== undefined && Object.hasOwn(object, 'status')) {
      const status = object['status']!
      validateValue(node, status, '', findings)
      if (findings.size > 0) {
        findings.cut(0)
        validateValue(node, status, '', findings, new CorrelatedObject(node, status, Object.hasOwn(old, 'status') ? old['status']! : null))
      }
    }
    return [...fieldErrors(findings, 'status'), ...this.#validateListTypes(object, old)]
  }

  /**
   * What is said of an object that calls itself something else, whose values nobody looks at: its embedded resources (not on a write
   * to `/status`) and its sets and maps.
   */
  validateStructure (object: JsonObject, { old, subresource }: { old: JsonObject | undefined; subresource: string }): FieldError[] {
    return [
      ...subresource === '' ? validateEmbedded(object, this.#root) : [],
      ...old === undefined ? validateListTypes(object, this.#root) : this.#validateListTypes(object, old)
    ]
  }

  /** An object whose sets and maps were wrong before may stay so. */
  #validateListTypes (object: JsonObject, old: JsonObject): FieldError[] {
    const errors = validateListTypes(object, this.#root)
    return errors.length > 0 && isObject(old) && validateListTypes(old, this.#root).length > 0 ? [] : errors
  }
}
