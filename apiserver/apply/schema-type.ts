import { compareUtf8, printJson } from '../../registry/codec/json-print.js'
import type { JsonValue } from '../../registry/codec/value.js'
import type { StructuralSchema } from '../../registry/schema/structural-schema.js'
import { fieldElement, type PathElement } from './path-element.js'

export type ScalarKind = 'numeric' | 'string' | 'boolean' | 'untyped'

/**
 * How values of one place of an object are merged. A place may allow several of the three (a schema without a type allows all);
 * which one applies follows from the value.
 */
export interface FieldType {
  readonly scalar?: ScalarKind
  readonly list?: ListType
  readonly map?: MapType
}

/** A list: of type set (associative without keys), of type map (associative with keys), or one indivisible value. */
export interface ListType {
  readonly element: FieldType
  readonly associative: boolean
  readonly keys: readonly string[]
  /** The same, sorted, with what precedes the value of each in the element of an item: `"port":`. */
  readonly keyTexts: readonly { readonly name: string; readonly text: string }[]
}

/** A struct or a map, or both: declared fields, and a type for all other keys unless those are refused. */
export interface MapType {
  readonly atomic: boolean
  /** No declared fields, and values whose type follows from what is written; a schema cannot make its parts atomic later. */
  readonly deduced: boolean
  /** A declared field, or undefined. */
  declared (name: string): StructField | undefined
  /** The type of undeclared keys; undefined when they are refused. */
  readonly others: FieldType | undefined
}

export interface StructField {
  /** Its element, made once. */
  readonly element: PathElement
  readonly type: FieldType
  /** The schema's default: an absent key of a list's item counts as this. */
  readonly default: JsonValue | undefined
}

/** The element of a key. */
export const elementOfKey = (map: MapType, name: string): PathElement => map.declared(name)?.element ?? fieldElement(name)
/** The type of a key, or undefined when the schema does not allow it. */
export const typeOfKey = (map: MapType, name: string): FieldType | undefined => map.declared(name)?.type ?? map.others

/**
 * Types of a schema, compiled on first use and kept. Metadata of the object and of embedded resources has ObjectMeta's own type,
 * whatever the schema says; below `x-kubernetes-preserve-unknown-fields` undeclared fields get a deduced type.
 * Source: kube-openapi, `schemaconv` (how apiextensions-apiserver turns CRD schemas into merge types); KEP-2155.
 */
export class SchemaTypes {
  readonly #deduced: FieldType
  readonly #untyped: FieldType
  readonly #known = new Map<StructuralSchema, [FieldType | undefined, FieldType | undefined]>()
  readonly #metadata: FieldType

  constructor () {
    // Everything inside is one value: lists of no declared item type.
    const untyped: { scalar: ScalarKind; list?: ListType; map?: MapType } = { scalar: 'untyped' }
    untyped.list = { element: untyped, associative: false, keys: [], keyTexts: [] }
    untyped.map = { atomic: true, deduced: false, declared: () => undefined, others: untyped }
    this.#untyped = untyped
    // Maps merge key by key, lists are atomic: places with no schema.
    const deduced: { scalar: ScalarKind; list?: ListType; map?: MapType } = { scalar: 'untyped' }
    deduced.list = untyped.list
    deduced.map = { atomic: false, deduced: true, declared: () => undefined, others: deduced }
    this.#deduced = deduced
    this.#metadata = this.#compile(objectMetaSchema, false)
  }

  /** The type of a whole object: its schema, with apiVersion, kind and metadata as every object has them. */
  object (schema: StructuralSchema): FieldType {
    return this.#compile({ ...schema, 'x-kubernetes-embedded-resource': true }, false)
  }

  #compile (schema: StructuralSchema, preserving: boolean): FieldType {
    const preserve = preserving || schema['x-kubernetes-preserve-unknown-fields'] === true
    let known = this.#known.get(schema)
    if (known === undefined) this.#known.set(schema, known = [undefined, undefined])
    return known[preserve ? 1 : 0] ??= this.#make(schema, preserve)
  }

  #make (schema: StructuralSchema, preserve: boolean): FieldType {
    switch (schema.type) {
      case 'object': return { map: this.#map(schema, preserve) }
      case 'array': return { list: this.#list(schema, preserve) }
      case 'integer': case 'number': return { scalar: 'numeric' }
      case 'boolean': return { scalar: 'boolean' }
      case 'string': return { scalar: (schema.format ?? '') === '' || schema.format === 'byte' ? 'string' : 'untyped' }
      default: return { scalar: 'untyped', list: this.#list(schema, preserve), map: this.#map(schema, preserve) }
    }
  }

  #list (schema: StructuralSchema, preserve: boolean): ListType {
    const { items } = schema
    const element = (): FieldType => items === undefined ? this.#untyped : this.#compile(items, preserve)
    const kind = schema['x-kubernetes-list-type']
    const keys = kind === 'map' ? schema['x-kubernetes-list-map-keys'] ?? [] : []
    return {
      get element () { return element() },
      associative: kind === 'map' || kind === 'set',
      keys,
      keyTexts: [...keys].sort(compareUtf8).map(name => ({ name, text: printJson(name) + ':' }))
    }
  }

  #map (schema: StructuralSchema, preserve: boolean): MapType {
    const properties = schema.properties ?? {}
    const additional = schema.additionalProperties
    const embedded = schema['x-kubernetes-embedded-resource'] === true
    const bare = Object.keys(properties).length === 0 && !embedded
    const fields = new Map<string, StructField | undefined>()
    const declare = (name: string): StructField | undefined => {
      const element = fieldElement(name)
      if (embedded && name === 'metadata') return { element, type: this.#metadata, default: undefined }
      if (embedded && (name === 'apiVersion' || name === 'kind')) return { element, type: { scalar: 'string' }, default: undefined }
      const property = Object.hasOwn(properties, name) ? properties[name] : undefined
      return property && { element, type: this.#compile(property, preserve), default: property.default }
    }
    const others = typeof additional === 'object'
      ? this.#compile(additional, preserve)
      : (additional === undefined ? preserve || bare : additional) ? this.#deduced : undefined
    return {
      atomic: schema['x-kubernetes-map-type'] === 'atomic',
      deduced: bare && others !== undefined && (others === this.#deduced || others.scalar === 'untyped'),
      others,
      declared (name) {
        let field = fields.get(name)
        if (field === undefined && !fields.has(name)) {
          field = declare(name)
          if (field !== undefined) fields.set(name, field) // undeclared names are not kept: clients choose them
        }
        return field
      }
    }
  }
}

const text: StructuralSchema = { type: 'string' }
const time: StructuralSchema = { type: 'string', format: 'date-time' }
const whole: StructuralSchema = { type: 'integer', format: 'int64' }
const textMap: StructuralSchema = { type: 'object', additionalProperties: text }
// Go's required strings have the default "", which a missing key of a list item then counts as.
const requiredText: StructuralSchema = { type: 'string', default: '' }

/** `metav1.ObjectMeta` as its OpenAPI definition types it for merging. */
const objectMetaSchema: StructuralSchema = {
  type: 'object',
  properties: {
    name: text,
    generateName: text,
    namespace: text,
    selfLink: text,
    uid: text,
    resourceVersion: text,
    generation: whole,
    creationTimestamp: time,
    deletionTimestamp: time,
    deletionGracePeriodSeconds: whole,
    labels: textMap,
    annotations: textMap,
    ownerReferences: {
      type: 'array',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['uid'],
      items: {
        type: 'object',
        'x-kubernetes-map-type': 'atomic',
        properties: { apiVersion: requiredText, kind: requiredText, name: requiredText, uid: requiredText, controller: { type: 'boolean' }, blockOwnerDeletion: { type: 'boolean' } }
      }
    },
    finalizers: { type: 'array', 'x-kubernetes-list-type': 'set', items: text },
    managedFields: {
      type: 'array',
      'x-kubernetes-list-type': 'atomic',
      items: { type: 'object', properties: { manager: text, operation: text, apiVersion: text, time, fieldsType: text, fieldsV1: { type: 'object' }, subresource: text } }
    }
  }
}
