import { createRequire } from 'node:module'
import { formatCheck, isSupportedFormat } from './formats.js'
import type { JsonValue } from '../codec/value.js'
import type { StructuralSchema } from './structural-schema.js'

const require = createRequire(import.meta.url)

/**
 * One node of a schema, prepared for checking values. Children are made when a value first reaches them and kept, so a schema costs
 * what is used of it. Immutable to the outside.
 */
export class SchemaNode {
  readonly schema: StructuralSchema
  /** What `type` allows; an int-or-string has two, a schema without type none. */
  readonly types: readonly string[]
  /** Empty where the format says nothing for this type: unknown formats are ignored, as kube-apiserver ignores them. */
  readonly format: string
  readonly nullable: boolean
  readonly required: readonly string[]
  readonly enum: readonly JsonValue[] | undefined
  // Copies of the schema's members: nodes all have one shape, so reading them is quick, and schemas have many.
  readonly minLength: number | undefined
  readonly maxLength: number | undefined
  readonly minItems: number | undefined
  readonly maxItems: number | undefined
  readonly uniqueItems: boolean
  readonly minProperties: number | undefined
  readonly maxProperties: number | undefined
  readonly listType: 'atomic' | 'set' | 'map' | undefined
  readonly listMapKeys: readonly string[]
  readonly preserveUnknownFields: boolean
  readonly embeddedResource: boolean
  /** Whether allOf, anyOf, oneOf or not say anything. */
  readonly hasJunctors: boolean
  readonly hasNumberRules: boolean
  /** Whether keys that are no properties are known: `additionalProperties` is there, be it a schema, true or false. */
  readonly hasAdditional: boolean
  readonly forbidsAdditional: boolean
  readonly hasDefault: boolean
  readonly hasPattern: boolean
  readonly #declared: { readonly [name: string]: StructuralSchema } | undefined
  readonly #additionalSchema: StructuralSchema | undefined
  readonly #itemsSchema: StructuralSchema | undefined
  readonly #properties = new Map<string, SchemaNode>()
  readonly #junctors = new Map<'allOf' | 'anyOf' | 'oneOf', readonly SchemaNode[]>()
  #additional: SchemaNode | undefined
  #items: SchemaNode | undefined
  #not: SchemaNode | undefined
  #defaultNames: readonly string[] | undefined
  #pattern: Pattern | undefined
  #formatCheck: ((text: string) => boolean) | null | undefined

  constructor (schema: StructuralSchema) {
    this.schema = schema
    this.types = schema['x-kubernetes-int-or-string'] === true ? intOrString : schema.type === undefined ? none : [schema.type]
    this.format = effectiveFormat(schema.format, this.types)
    this.nullable = schema.nullable === true
    this.required = schema.required ?? none
    this.enum = schema.enum !== undefined && schema.enum.length > 0 ? schema.enum : undefined
    this.preserveUnknownFields = schema['x-kubernetes-preserve-unknown-fields'] === true
    this.embeddedResource = schema['x-kubernetes-embedded-resource'] === true
    this.hasJunctors = schema.anyOf !== undefined || schema.oneOf !== undefined || schema.allOf !== undefined || schema.not !== undefined
    this.hasNumberRules = schema.minimum !== undefined || schema.maximum !== undefined || schema.multipleOf !== undefined ||
      this.format !== '' || schema.type === 'integer'
    this.minLength = schema.minLength
    this.maxLength = schema.maxLength
    this.minItems = schema.minItems
    this.maxItems = schema.maxItems
    this.uniqueItems = schema.uniqueItems === true
    this.minProperties = schema.minProperties
    this.maxProperties = schema.maxProperties
    this.listType = schema['x-kubernetes-list-type']
    this.listMapKeys = schema['x-kubernetes-list-map-keys'] ?? none
    this.hasAdditional = schema.additionalProperties !== undefined
    this.forbidsAdditional = schema.additionalProperties === false
    this.hasDefault = schema.default !== undefined && schema.default !== null
    this.hasPattern = schema.pattern !== undefined && schema.pattern !== ''
    this.#declared = schema.properties
    this.#additionalSchema = typeof schema.additionalProperties === 'object' ? schema.additionalProperties : undefined
    this.#itemsSchema = schema.items
  }

  /** The node of a declared property. */
  property (name: string): SchemaNode | undefined {
    const known = this.#properties.get(name)
    if (known !== undefined) return known
    if (this.#declared === undefined || !Object.hasOwn(this.#declared, name)) return undefined
    const node = new SchemaNode(this.#declared[name]!)
    this.#properties.set(name, node)
    return node
  }

  /** The node for keys that are no properties, if there is a schema for them. */
  get additional (): SchemaNode | undefined {
    return this.#additionalSchema === undefined ? undefined : this.#additional ??= new SchemaNode(this.#additionalSchema)
  }

  /** The node that applies to a key: its property, or else the additional ones. */
  field (name: string): SchemaNode | undefined {
    return this.property(name) ?? this.additional
  }

  get items (): SchemaNode | undefined {
    return this.#itemsSchema === undefined ? undefined : this.#items ??= new SchemaNode(this.#itemsSchema)
  }

  get not (): SchemaNode | undefined {
    const { not } = this.schema
    return not === undefined ? undefined : this.#not ??= new SchemaNode(not)
  }

  junctor (name: 'allOf' | 'anyOf' | 'oneOf'): readonly SchemaNode[] {
    let nodes = this.#junctors.get(name)
    if (nodes === undefined) this.#junctors.set(name, nodes = (this.schema[name] ?? []).map(s => new SchemaNode(s)))
    return nodes
  }

  /** The properties that have a default (null is none). */
  get defaultNames (): readonly string[] {
    return this.#defaultNames ??= Object.keys(this.#declared ?? {}).filter(name => (this.#declared![name]!.default ?? null) !== null)
  }

  /** The compiled pattern, where there is one. */
  get pattern (): Pattern {
    return this.#pattern ??= compilePattern(this.schema.pattern ?? '')
  }

  /** Whether a string has this node's format; undefined if any string has. */
  get formatCheck (): ((text: string) => boolean) | undefined {
    if (this.#formatCheck === undefined) this.#formatCheck = formatCheck(this.format) ?? null
    return this.#formatCheck ?? undefined
  }
}

/** A pattern in RE2's syntax, or why it is none. */
export type Pattern = { readonly test: (text: string) => boolean } | { readonly error: string }

/** Compiles a pattern as Go's regexp does (RE2: linear time, unanchored). */
export function compilePattern (pattern: string): Pattern {
  try {
    // Loaded with the first pattern.
    const { RE2JS } = require('re2js') as typeof import('re2js')
    const compiled = RE2JS.compile(pattern)
    return { test: text => compiled.test(text) }
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) }
  }
}

const none: readonly never[] = []
const intOrString = ['integer', 'string'] as const

/**
 * The format that is checked: formats that a type does not have are dropped.
 * Source: `apiextensions-apiserver/pkg/apiserver/validation/formats.go`.
 */
function effectiveFormat (format: string | undefined, types: readonly string[]): string {
  if (format === undefined || format === '') return ''
  switch (types.length === 1 ? types[0] : 'string') {
    case 'string': return isSupportedFormat(format) ? format : ''
    case 'integer': return format === 'int32' || format === 'int64' ? format : ''
    case 'number': return format === 'float' || format === 'double' ? format : ''
    default: return ''
  }
}
