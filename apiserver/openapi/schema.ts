import type { OpenAPIV3 } from 'openapi-types'
import type { JsonObject, JsonValue } from '../../registry/codec/value.js'

/** A schema as it is published. It is JSON first: Kubernetes' `x-kubernetes-…` members have no place in openapi-types. */
export type Schema = JsonObject

/** A published schema where openapi-types wants one; OpenAPI lets every `x-` member stand beside its own. */
export const asSchemaObject = (schema: Schema): OpenAPIV3.SchemaObject => schema as unknown as OpenAPIV3.SchemaObject

/** The group, version and kind that `x-kubernetes-group-version-kind` holds: one object on an operation, a list on a schema. */
export interface GroupVersionKind { readonly group: string; readonly version: string; readonly kind: string }

export const groupVersionKindExtension = 'x-kubernetes-group-version-kind'

/** Which document a schema is for. References are spelt differently, and Swagger 2 says less. */
export type Dialect = 'v2' | 'v3'

const prefixes: Readonly<Record<Dialect, string>> = { v2: '#/definitions/', v3: '#/components/schemas/' }

/** A reference to a named schema. */
export const reference = (dialect: Dialect, name: string): { $ref: string } => ({ $ref: prefixes[dialect] + name })

/** A reference with a description: OpenAPI 3.0 ignores what stands beside `$ref`, so it is wrapped there. */
export const describedReference = (dialect: Dialect, name: string, description: string): Schema =>
  dialect === 'v2' ? { description, ...reference(dialect, name) } : { description, allOf: [{ ...reference(dialect, name) }] }

/** The names of all schemas that a piece of a document refers to. */
export function referencedNames (dialect: Dialect, value: JsonValue | undefined, into: Set<string> = new Set()): Set<string> {
  if (Array.isArray(value)) for (const item of value) referencedNames(dialect, item, into)
  else if (typeof value === 'object' && value !== null) {
    for (const [key, member] of Object.entries(value)) {
      if (key === '$ref' && typeof member === 'string') {
        if (member.startsWith(prefixes[dialect])) into.add(member.slice(prefixes[dialect].length))
      } else referencedNames(dialect, member, into)
    }
  }
  return into
}

/**
 * The name of a kind's schema: the group's labels reversed, the version, the kind, e.g. `com.example.v1.WebApp`.
 * Source: how kube-apiserver names the schemas of custom resources.
 */
export const schemaName = ({ group, version, kind }: GroupVersionKind): string => `${group.split('.').reverse().join('.')}.${version}.${kind}`
