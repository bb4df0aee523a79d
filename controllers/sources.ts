import type { KubeObject, ObjectMeta, OwnerReference } from '../registry/meta/object-meta.js'
import type { ObjectName } from './client/interfaces.js'
import type { HandlerRegistration, Informer } from './informer/informer.js'
import { keyOf } from './object-key.js'
import type { ReconcileRequest } from './reconciler.js'

/** What makes a controller reconcile: the changes that an informer sees, as names. */
export interface Source {
  run (signal: AbortSignal): Promise<void>
  whenSynced (signal: AbortSignal): Promise<boolean>
  subscribe (enqueue: (request: ReconcileRequest) => void): HandlerRegistration
}

export interface SourceOptions<T> {
  /** Which changes matter; by default all. On a resync, old and new are the same object. */
  readonly onUpdateIf?: (old: T, object: T) => boolean
  /** Tells the controller of every object again and again. */
  readonly resyncMs?: number
}

/** Every change of an object reconciles that object. */
export const objectsOf = <T extends KubeObject>(informer: Informer<T>, options?: SourceOptions<T>): Source =>
  mapped(informer, ({ metadata }) => [nameIn(metadata)], options)

/** Every change of an object reconciles the object of the given kind that controls it (`ownerReferences` with `controller: true`). */
export const ownersOf = <T extends KubeObject>(informer: Informer<T>, owner: { readonly group: string, readonly kind: string }, options?: SourceOptions<T>): Source =>
  mapped(informer, ({ metadata }) => {
    const reference = controllerOf(metadata)
    return reference !== undefined && reference.kind === owner.kind && groupOf(reference.apiVersion) === owner.group ? [{ namespace: metadata.namespace, name: reference.name }] : []
  }, options)

/** Every change of an object reconciles the names that a function makes of it; of an update, those of the old and of the new object. */
export function mapped<T extends KubeObject> (informer: Informer<T>, map: (object: T) => readonly ReconcileRequest[], { onUpdateIf, resyncMs = 0 }: SourceOptions<T> = {}): Source {
  return {
    run: async signal => { await informer.run(signal) },
    whenSynced: async signal => await informer.whenSynced(signal),
    subscribe: enqueue => informer.addHandler({
      onAdd: object => { map(object).forEach(enqueue) },
      onUpdate: (old, object) => {
        if (onUpdateIf?.(old, object) === false) return
        const requests = old === object ? map(object) : [...map(old), ...map(object)]
        // Twice the same would be reconciled twice if a worker is idle.
        new Map(requests.map(r => [keyOf(r), r])).forEach(r => { enqueue(r) })
      },
      onDelete: object => { map(object).forEach(enqueue) }
    }, { resyncMs })
  }
}

/** The owner that controls an object; there is at most one. */
export const controllerOf = (metadata: ObjectMeta): OwnerReference | undefined => metadata.ownerReferences?.find(r => r.controller === true)

/** The reference by which an object says that it is controlled by an owner. @throws TypeError if the owner is not one that a server returned */
export function controllerReference (owner: KubeObject): OwnerReference {
  const { name, uid } = owner.metadata
  if (name === undefined || uid === undefined) throw new TypeError(`a ${owner.kind} that is not stored yet cannot own anything`)
  return { apiVersion: owner.apiVersion, kind: owner.kind, name, uid, controller: true, blockOwnerDeletion: true }
}

const nameIn = ({ namespace, name = '' }: ObjectMeta): ObjectName => ({ namespace, name })
const groupOf = (apiVersion: string): string => apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : ''
