import type { GroupResource } from '../meta/status-error.js'
import type { CompiledSchema } from '../schema/compiled-schema.js'
import type { StructuralSchema } from '../schema/structural-schema.js'
import type { ColumnDefinition, ResourceDefinition, ResourceNames, Strategy, Subresources, VersionConversion } from './resource-definition.js'

/** One served version of a resource, complete: every default filled in. Made by `defineResource` only. */
export interface ResourceVersion {
  readonly name: string
  /** `group/version`. */
  readonly apiVersion: string
  readonly served: boolean
  readonly storage: boolean
  /** The Warning header's text; absent when the version is not deprecated. */
  readonly deprecationWarning: string | undefined
  readonly schema: StructuralSchema
  /** The same schema, ready to validate, default and prune with. */
  readonly compiled: CompiledSchema
  readonly columns: readonly ColumnDefinition[]
  /** Field names of selectors, e.g. `spec.color`, beside the two generic ones. */
  readonly selectableFields: readonly string[]
  readonly subresources: Subresources
  readonly conversion: VersionConversion | undefined
}

/** A resource, ready to be served. Made by `defineResource` only; frozen. */
export interface Resource {
  readonly group: string
  readonly names: Required<ResourceNames>
  readonly namespaced: boolean
  readonly groupResource: GroupResource
  /** In Kubernetes' order of preference: GA before beta before alpha, then the higher number; served and unserved. */
  readonly versions: readonly ResourceVersion[]
  readonly storageVersion: ResourceVersion
  readonly strategy: Strategy
  readonly definition: ResourceDefinition
}
