import { isObject, type JsonObject, type JsonValue } from '../../registry/codec/value.js'
import type { StructuralSchema } from '../../registry/schema/structural-schema.js'
import type { Dialect, Schema } from './schema.js'

const junctors = new Set(['allOf', 'oneOf', 'anyOf', 'not'])

/** Members whose value is data, not schema: published as they are, also when empty. */
const dataMembers = new Set(['default', 'example', 'enum'])

/** What Swagger 2, or kubectl's reading of it, cannot express. */
const v3Members = new Set([...junctors, 'nullable', 'default'])

/**
 * A structural schema as it is published. For v3 everything is kept and int-or-string spelt out as `anyOf`; for v2 junctors and defaults
 * are dropped, and a nullable or open object becomes a schema without type, since kubectl would refuse valid objects otherwise.
 * Source: k8s.io/apiextensions-apiserver, Structural.Unfold and ToStructuralOpenAPIV2, and what kube-apiserver publishes.
 */
export const publishedSchema = (schema: StructuralSchema, dialect: Dialect): Schema =>
  dialect === 'v3' ? copy(schema, unfolded) : copy(schema, forSwagger)

type Step = (schema: StructuralSchema) => StructuralSchema

/** Copies schema members, `step` applied to each structural node before its children; nodes inside junctors are copied only. */
function copy (schema: StructuralSchema, step: Step | undefined): Schema {
  const out: Schema = {}
  for (const [key, value] of Object.entries(step?.(schema) ?? schema) as [string, JsonValue][]) {
    const published = member(key, value, junctors.has(key) ? undefined : step)
    if (published !== undefined) out[key] = published
  }
  return out
}

function member (key: string, value: JsonValue | undefined, step: Step | undefined): JsonValue | undefined {
  if (value === undefined) return undefined
  if (dataMembers.has(key)) return value
  if (key === 'properties') return isObject(value) ? Object.fromEntries(Object.entries(value).map(([name, child]) => [name, copy(child as StructuralSchema, step)])) : undefined
  if (key === 'additionalProperties' || key === 'items' || key === 'not') return isObject(value) ? copy(value as StructuralSchema, step) : value
  if (junctors.has(key)) return Array.isArray(value) && value.length > 0 ? value.map(child => copy(child as StructuralSchema, step)) : undefined
  // Go leaves out what is empty.
  return value === false || value === '' || (Array.isArray(value) && value.length === 0) ? undefined : value
}

const intOrString = (): StructuralSchema[] => [{ type: 'integer' }, { type: 'string' }]

function unfolded (schema: StructuralSchema): StructuralSchema {
  if (schema['x-kubernetes-int-or-string'] !== true) return schema
  if (isIntOrString(schema.anyOf) || isIntOrString(schema.allOf?.[0]?.anyOf)) return schema
  return schema.anyOf === undefined
    ? { ...schema, anyOf: intOrString() }
    : { ...schema, allOf: [{ anyOf: intOrString() }, ...schema.allOf ?? []] }
}

const isIntOrString = (anyOf: readonly StructuralSchema[] | undefined): boolean =>
  anyOf?.length === 2 && ['integer', 'string'].every((type, i) => {
    const alternative = anyOf[i] ?? {}
    return alternative.type === type && Object.keys(alternative).length === 1
  })

function forSwagger (schema: StructuralSchema): StructuralSchema {
  const out: { -readonly [K in keyof StructuralSchema]: StructuralSchema[K] } = {}
  for (const key of Object.keys(schema) as (keyof StructuralSchema)[]) if (!v3Members.has(key)) Object.assign(out, { [key]: schema[key] })
  const open = schema['x-kubernetes-preserve-unknown-fields'] === true
  // A schema with items or properties but no type, or the other way round, breaks kubectl's reader.
  if (schema.nullable === true || open) {
    delete out.items
    delete out.properties
  }
  const untyped = schema.nullable === true || (open && schema.type === 'object') || (out.items === undefined && schema.type === 'array')
  if (untyped) delete out.type
  const additional = schema.additionalProperties
  if (out.required !== undefined) {
    const nullable = (name: string): boolean => out.properties?.[name]?.nullable === true
    out.required = isObject(additional) && additional.nullable === true ? [] : out.required.filter(name => !nullable(name))
  }
  return out
}

/** Runs over a published schema and every schema in it, innermost first. */
export function visitPublished (schema: Schema, visit: (schema: Schema) => void): void {
  const children: (JsonValue | undefined)[] = [...isObject(schema.properties) ? Object.values(schema.properties) : [], schema.items, schema.additionalProperties]
  for (const child of children) if (isObject(child)) visitPublished(child, visit)
  visit(schema)
}

/** One of the v3 component schemas as v2 has it: references unwrapped, defaults dropped. */
export function swaggerComponent (schema: JsonValue): JsonValue {
  if (Array.isArray(schema)) return schema.map(swaggerComponent)
  if (!isObject(schema)) return schema
  const out: JsonObject = {}
  for (const [key, value] of Object.entries(schema)) {
    if (key === 'default') continue
    if (key === '$ref') out[key] = String(value).replace('#/components/schemas/', '#/definitions/')
    else if (key === 'allOf') Object.assign(out, swaggerComponent((value as JsonValue[])[0] ?? {}))
    else out[key] = swaggerComponent(value)
  }
  return out
}
