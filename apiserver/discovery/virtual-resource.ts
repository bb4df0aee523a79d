/**
 * A resource that is listed in discovery but is not made by `defineResource`, e.g. the metrics of an adapter, whose names are computed.
 * The members are `metav1.APIResource`'s. A name with a slash is a subresource, whether its parent is listed or not.
 */
export interface VirtualResource {
  readonly name: string
  readonly singularName: string
  readonly namespaced: boolean
  readonly kind: string
  readonly verbs: readonly string[]
  /** Group and version of the kind where they are not those of the list, e.g. `autoscaling` and `v1` of a Scale. */
  readonly group?: string
  readonly version?: string
  readonly shortNames?: readonly string[]
  readonly categories?: readonly string[]
}

/** A group version with virtual resources, alone or beside defined ones. */
export interface VirtualGroupVersion {
  readonly group: string
  readonly version: string
  /** Asked whenever the documents are rebuilt. */
  readonly resources: () => readonly VirtualResource[]
}
