import type { KubeObject } from '../../registry/meta/object-meta.js'
import { isConflict, isNotFound } from '../client/errors.js'
import type { RequestContext } from '../client/interfaces.js'
import { childrenOf, type ChildKind } from './child-kind.js'

/**
 * Deletes the children of a kind that the owner controls and that are not wanted any more. Others' objects are never deleted: what is deleted
 * is what the cache knows, by uid and resourceVersion; if it has changed since, the next reconcile looks again.
 * @param wanted names
 * @returns what was deleted
 */
export async function pruneChildren<T extends KubeObject> (kind: ChildKind<T>, owner: KubeObject, wanted: Iterable<string>, { signal }: RequestContext = {}): Promise<T[]> {
  const keep = new Set(wanted)
  const pruned: T[] = []
  for (const child of childrenOf(kind, owner)) {
    const { namespace, name = '', uid, resourceVersion, deletionTimestamp } = child.metadata
    if (keep.has(name) || deletionTimestamp !== undefined) continue
    try {
      await kind.client.delete({ namespace, name }, { preconditions: { ...(uid !== undefined && { uid }), ...(resourceVersion !== undefined && { resourceVersion }) }, propagationPolicy: 'Background', signal })
      pruned.push(child)
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) throw error
    }
  }
  return pruned
}
