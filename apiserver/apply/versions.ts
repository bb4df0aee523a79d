import type { JsonObject } from '../../registry/codec/value.js'
import { asJson, asObject, type KubeObject } from '../../registry/meta/object-meta.js'
import type { StructuralSchema } from '../../registry/schema/structural-schema.js'
import { compareValues, sameValues, type Comparison } from './compare.js'
import { ConversionError, TypedError } from './errors.js'
import type { FieldSet } from './field-set.js'
import { SchemaTypes, type FieldType } from './schema-type.js'
import { checkType, fieldsOf } from './typed-value.js'

/** An object in one version of its kind, known to fit that version's schema. */
export interface TypedObject {
  readonly value: JsonObject
  readonly apiVersion: string
  readonly type: FieldType
}

export interface VersionSchema { readonly apiVersion: string; readonly schema: StructuralSchema }

/** Returns the object in another version; must not modify its argument. */
export type Convert = (object: KubeObject, apiVersion: string) => KubeObject

/** The versions of a kind: their types, and objects converted between them. */
export class KindVersions {
  readonly #types = new Map<string, FieldType>()
  readonly #convert: Convert

  constructor (versions: readonly VersionSchema[], convert: Convert) {
    const types = new SchemaTypes()
    for (const { apiVersion, schema } of versions) this.#types.set(apiVersion, types.object(schema))
    this.#convert = convert
  }

  typeOf (apiVersion: string): FieldType {
    const type = this.#types.get(apiVersion)
    if (type === undefined) throw new ConversionError(`request to convert CR to an invalid group/version: ${apiVersion}`)
    return type
  }

  /** @throws TypedError when the object does not fit, ConversionError when its version is not served */
  typed (value: JsonObject, apiVersion: string, options: { allowDuplicates: boolean }): TypedObject {
    const type = this.typeOf(apiVersion)
    checkType(type, value, options)
    return { value, apiVersion, type }
  }

  /** @throws ConversionError, or TypedError when what came out does not fit */
  convert (object: TypedObject, apiVersion: string): TypedObject {
    if (object.apiVersion === apiVersion) return object
    const type = this.typeOf(apiVersion)
    let converted: KubeObject
    try {
      converted = this.#convert(asObject(object.value), apiVersion)
    } catch (error) {
      throw new ConversionError(error instanceof Error ? error.message : String(error), { cause: error })
    }
    const value = asJson(converted)
    checkType(type, value, { allowDuplicates: false })
    return { value, apiVersion, type }
  }
}

/** The fields that an object's writer owns. */
export const fieldsOfObject = (object: TypedObject): FieldSet => fieldsOf(object.type, object.value)

/** How an object differs from another of the same version. */
export function compareObjects (before: TypedObject, after: TypedObject): Comparison {
  return before.value === after.value ? sameValues : compareValues(before.type, before.value, after.value)
}

/** Says in the error what was being done when it came up. */
export function explain<T> (context: string, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (error instanceof TypedError) throw error.in(context)
    if (error instanceof ConversionError) throw new ConversionError(context + error.message, { cause: error.cause })
    throw error
  }
}
