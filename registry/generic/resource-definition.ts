import type { FieldError } from '../meta/field-error.js'
import type { KubeObject } from '../meta/object-meta.js'
import type { StructuralSchema } from '../schema/structural-schema.js'

/** How a resource is called. `plural` is the URL segment and the resource name; `kind` is PascalCase singular. */
export interface ResourceNames {
  readonly plural: string
  readonly singular: string
  readonly kind: string
  /** Default: kind + `List`. */
  readonly listKind?: string
  readonly shortNames?: readonly string[]
  readonly categories?: readonly string[]
}

/** A printer column, as `additionalPrinterColumns` of a CustomResourceDefinition. */
export interface ColumnDefinition {
  readonly name: string
  readonly type: 'integer' | 'number' | 'string' | 'boolean' | 'date'
  readonly format?: string
  readonly description?: string
  /** 0 (default) is always shown; more only with `-o wide`. */
  readonly priority?: number
  /** kubectl's JSONPath without braces, e.g. `.spec.replicas`. */
  readonly jsonPath: string
}

export interface ScaleSubresource {
  /** JSONPath with dots only, below `.spec`. */
  readonly specReplicasPath: string
  /** Below `.status`. */
  readonly statusReplicasPath: string
  /** Below `.spec` or `.status`; a string in label selector syntax. */
  readonly labelSelectorPath?: string
}

export interface Subresources {
  /** Present: `status` is written through `/status` only, and `/` ignores it. */
  readonly status?: Record<string, never>
  readonly scale?: ScaleSubresource
}

/** One version in which a resource is served. */
export interface ResourceVersionDefinition {
  /** `v1`, `v1beta1`… */
  readonly name: string
  /** Default true. */
  readonly served?: boolean
  /** Exactly one version of a resource is the storage version. */
  readonly storage?: boolean
  readonly deprecated?: boolean
  /** Sent as a Warning header on every request; default `<group>/<version> <Kind> is deprecated`. */
  readonly deprecationWarning?: string
  readonly schema: StructuralSchema
  /** Default: one `Age` column, as for a CustomResourceDefinition. */
  readonly columns?: readonly ColumnDefinition[]
  /** Field selectors beside `metadata.name` and `metadata.namespace`, as JSONPaths with dots only. */
  readonly selectableFields?: readonly { readonly jsonPath: string }[]
  readonly subresources?: Subresources
  /** Absent in the storage version, and where only `apiVersion` differs (conversion `None`). */
  readonly conversion?: VersionConversion
}

/**
 * Conversion between a served version and the storage version. Both functions get a whole object with metadata, may change and return
 * the one they were given, and must not fail for an object that is valid in its own version. `apiVersion` is set by the caller.
 * Round trips must hold: fromStorage(toStorage(x)) equals x for every x valid in this version.
 */
export interface VersionConversion {
  /** @param live the stored object that a write replaces, for keeping what this version cannot express; absent on create */
  toStorage: (object: KubeObject, live?: KubeObject) => KubeObject
  fromStorage: (object: KubeObject) => KubeObject
}

/** What a strategy hook is told about the request. */
export interface StrategyContext {
  /** The subresource written, empty for the main resource. */
  readonly subresource: string
  /** The version of the request's URL. */
  readonly version: string
  readonly now: Date
}

/**
 * The hooks of one resource, all optional; they see storage-version objects. Names and order are `rest.RESTCreateStrategy` and
 * `rest.RESTUpdateStrategy`'s: prepareFor… may change `object`, validate… may not. Schema validation has already run when
 * validate hooks are called, and found nothing.
 */
export interface Strategy {
  prepareForCreate?: (object: KubeObject, context: StrategyContext) => void
  validate?: (object: KubeObject, context: StrategyContext) => FieldError[]
  warningsOnCreate?: (object: KubeObject, context: StrategyContext) => string[]
  prepareForUpdate?: (object: KubeObject, old: KubeObject, context: StrategyContext) => void
  validateUpdate?: (object: KubeObject, old: KubeObject, context: StrategyContext) => FieldError[]
  warningsOnUpdate?: (object: KubeObject, old: KubeObject, context: StrategyContext) => string[]
  /** Errors refuse the deletion (422). Called for every object that a delete or deletecollection reaches, dry runs too. */
  validateDelete?: (object: KubeObject, context: StrategyContext) => FieldError[]
}

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection'

/** The declaration from which a resource is served: what `defineResource` takes. */
export interface ResourceDefinition {
  readonly group: string
  readonly names: ResourceNames
  readonly scope: 'Namespaced' | 'Cluster'
  /** In order of preference: the first served one is the preferred version, unless `orderVersions` ranks them as Kubernetes does. */
  readonly versions: readonly ResourceVersionDefinition[]
  readonly strategy?: Strategy
}
