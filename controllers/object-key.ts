import type { ObjectMeta } from '../registry/meta/object-meta.js'
import type { ObjectName } from './client/interfaces.js'

/** `namespace/name`, or the name alone of a cluster-scoped object: what caches and queues identify objects by (client-go's MetaNamespaceKeyFunc). */
export const keyOf = ({ namespace, name }: ObjectName): string => namespace === undefined || namespace === '' ? name : `${namespace}/${name}`

export const keyOfObject = ({ metadata }: { readonly metadata: ObjectMeta }): string => keyOf({ namespace: metadata.namespace, name: metadata.name ?? '' })

/** The inverse of `keyOf`. */
export function nameOfKey (key: string): ObjectName {
  const slash = key.indexOf('/')
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) }
}
