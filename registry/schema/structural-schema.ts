import type { JsonValue } from '../codec/value.js'

/**
 * A structural schema: OpenAPI v3 as `apiextensions.k8s.io/v1` JSONSchemaProps restricts it. The one source for validation,
 * defaulting, pruning, apply's types, OpenAPI and `kubectl explain`.
 * Source: KEP-1693 (structural schemas), `k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1/types_jsonschema.go`.
 */
export interface StructuralSchema {
  readonly description?: string
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean' | 'null'
  readonly format?: string
  readonly title?: string
  readonly default?: JsonValue
  readonly example?: JsonValue
  readonly nullable?: boolean
  readonly maximum?: number
  readonly exclusiveMaximum?: boolean
  readonly minimum?: number
  readonly exclusiveMinimum?: boolean
  readonly maxLength?: number
  readonly minLength?: number
  readonly pattern?: string
  readonly maxItems?: number
  readonly minItems?: number
  readonly uniqueItems?: boolean
  readonly multipleOf?: number
  readonly enum?: readonly JsonValue[]
  readonly maxProperties?: number
  readonly minProperties?: number
  readonly required?: readonly string[]
  readonly items?: StructuralSchema
  readonly allOf?: readonly StructuralSchema[]
  readonly oneOf?: readonly StructuralSchema[]
  readonly anyOf?: readonly StructuralSchema[]
  readonly not?: StructuralSchema
  readonly properties?: { readonly [name: string]: StructuralSchema }
  readonly additionalProperties?: StructuralSchema | boolean
  readonly externalDocs?: { readonly description?: string; readonly url?: string }
  readonly 'x-kubernetes-preserve-unknown-fields'?: boolean
  readonly 'x-kubernetes-embedded-resource'?: boolean
  readonly 'x-kubernetes-int-or-string'?: boolean
  readonly 'x-kubernetes-list-map-keys'?: readonly string[]
  readonly 'x-kubernetes-list-type'?: 'atomic' | 'set' | 'map'
  readonly 'x-kubernetes-map-type'?: 'granular' | 'atomic'
}
