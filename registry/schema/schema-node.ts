import { RE2JS } from 're2js'
import { formatCheck, isSupportedFormat } from './formats.js'
import type { JsonValue } from '../codec/value.js'
import type { StructuralSchema } from './structural-schema.js'

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
  readonly preserveUnknownFields: boolean
  readonly embeddedResource: boolean
  /** Whether allOf, anyOf, oneOf or not say anything. */
  readonly hasJunctors: boolean
  readonly hasNumberRules: boolean
  /** Whether keys that are no properties are known: `additionalProperties` is there, be it a schema, true or false. */
  readonly hasAdditional: boolean
  readonly #properties = new Map<string, SchemaNode>()
  readonly #junctors = new Map<'allOf' | 'anyOf' | 'oneOf', readonly SchemaNode[]>()
  #additional: SchemaNode | undefined
  #items: SchemaNode | undefined
  #not: SchemaNode | undefined
  #defaults: readonly DefaultedProperty[] | undefined
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
    this.hasAdditional = schema.additionalProperties !== undefined
  }

  /** The node of a declared property. */
  property (name: string): SchemaNode | undefined {
    const known = this.#properties.get(name)
    if (known !== undefined) return known
    const { properties } = this.schema
    if (properties === undefined || !Object.hasOwn(properties, name)) return undefined
    const node = new SchemaNode(properties[name]!)
    this.#properties.set(name, node)
    return node
  }

  /** The node for keys that are no properties, if there is a schema for them. */
  get additional (): SchemaNode | undefined {
    const { additionalProperties } = this.schema
    if (typeof additionalProperties !== 'object') return undefined
    return this.#additional ??= new SchemaNode(additionalProperties)
  }

  /** The node that applies to a key: its property, or else the additional ones. */
  field (name: string): SchemaNode | undefined {
    return this.property(name) ?? this.additional
  }

  get items (): SchemaNode | undefined {
    const { items } = this.schema
    return items === undefined ? undefined : this.#items ??= new SchemaNode(items)
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
  get defaults (): readonly DefaultedProperty[] {
    return this.#defaults ??= this.#findDefaults()
  }

  #findDefaults (): DefaultedProperty[] {
    const found: DefaultedProperty[] = []
    for (const [name, { default: value, nullable }] of Object.entries(this.schema.properties ?? {})) {
      if (value !== undefined && value !== null) found.push({ name, value, nullable: nullable === true })
    }
    return found
  }

  get hasDefault (): boolean {
    return this.schema.default !== undefined && this.schema.default !== null
  }

  /** The compiled pattern; undefined if there is none. */
  get pattern (): Pattern | undefined {
    const { pattern } = this.schema
    return pattern === undefined || pattern === '' ? undefined : this.#pattern ??= compilePattern(pattern)
  }

  /** Whether a string has this node's format; undefined if any string has. */
  get formatCheck (): ((text: string) => boolean) | undefined {
    if (this.#formatCheck === undefined) this.#formatCheck = formatCheck(this.format) ?? null
    return this.#formatCheck ?? undefined
  }
}

export interface DefaultedProperty { readonly name: string; readonly value: JsonValue; readonly nullable: boolean }

/** A pattern in RE2's syntax, or why it is none. */
export type Pattern = { readonly test: (text: string) => boolean } | { readonly error: string }

/** Compiles a pattern as Go's regexp does (RE2: linear time, unanchored). */
export function compilePattern (pattern: string): Pattern {
  try {
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
