import { apiVersionOf, type GroupVersionResource, type KubeObject } from '../../registry/meta/object-meta.js'
import type { ResourceClient, SelectOptions } from '../client/interfaces.js'
import type { RestClient } from '../client/rest-client.js'
import type { Clock } from '../clock.js'
import { Informer } from '../informer/informer.js'
import type { Logger } from '../logger.js'
import { controllerOf } from '../sources.js'

/** A kind of objects that a controller makes for its own: where they are written, and the cache in which they are looked up. */
export interface ChildKind<T extends KubeObject = KubeObject> {
  readonly apiVersion: string
  readonly kind: string
  readonly client: ResourceClient<T>
  /** Has the index `owner`, by the uid of the controlling owner. */
  readonly informer: Informer<T>
}

export interface ChildKindOptions extends SelectOptions {
  readonly client: RestClient
  readonly gvr: GroupVersionResource
  readonly kind: string
  readonly log?: Logger
  readonly clock?: Clock
}

const ownerIndex = 'owner'

/**
 * A kind of children with an informer of its own. Select them by a label that all children carry, so that the cache does not hold what is
 * nobody's: whatever is not in the cache is asked for before it is made.
 */
export function childKind<T extends KubeObject> ({ client, gvr, kind, ...options }: ChildKindOptions): ChildKind<T> {
  const source = client.resource<T>(gvr)
  const informer = new Informer<T>({ source, indexers: { [ownerIndex]: ({ metadata }) => [controllerOf(metadata)?.uid ?? ''] }, ...options })
  return { apiVersion: apiVersionOf(gvr), kind, client: source, informer }
}

/** The children of a kind that an owner controls, as the cache knows them. */
export const childrenOf = <T extends KubeObject>(kind: ChildKind<T>, owner: KubeObject): T[] => kind.informer.lister.byIndex(ownerIndex, owner.metadata.uid ?? '')

/** Whether an object is controlled by exactly this owner, not by an earlier one of the same name. */
export const isControlledBy = (object: KubeObject, owner: KubeObject): boolean => {
  const uid = controllerOf(object.metadata)?.uid
  return uid !== undefined && uid === owner.metadata.uid
}
