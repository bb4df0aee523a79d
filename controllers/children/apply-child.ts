import type { KubeObject } from '../../registry/meta/object-meta.js'
import { isConflict, isNotFound } from '../client/errors.js'
import { controllerOf, controllerReference } from '../sources.js'
import { isApplied } from './applied.js'
import { isControlledBy, type ChildKind } from './child-kind.js'
import { problemOfRefusal, type Problem } from './problem.js'

/** What is wanted of a child: a name and fields. Namespace, kind and owner are filled in. */
export type DesiredChild<T extends KubeObject> = Partial<Omit<T, 'metadata' | 'apiVersion' | 'kind'>> & { readonly metadata: { readonly name: string } & Omit<KubeObject['metadata'], 'name' | 'namespace' | 'ownerReferences' | 'uid'> }

/** What became of a child. */
export type ChildResult<T extends KubeObject = KubeObject> =
  /** As it should be; nothing was written. */
  | { readonly type: 'Unchanged'; readonly object: T }
  /** Written. */
  | { readonly type: 'Applied'; readonly object: T; readonly created: boolean }
  /** Ours, and being deleted: its end is awaited before it is made again. */
  | { readonly type: 'Terminating'; readonly object: T }
  /** There is an object of that name that is not ours. It was not touched. */
  | { readonly type: 'NameTaken'; readonly object: T; readonly problem: Problem }
  /** The server says no, for a reason that a person can remove: a quota, rights, an invalid field. */
  | { readonly type: 'Refused'; readonly problem: Problem; readonly error: unknown }

export interface ApplyChildOptions {
  /** The same for all children and for good: fields are taken back by it. */
  readonly fieldManager: string
  readonly signal?: AbortSignal | undefined
}

/**
 * Makes a child be as desired, by server-side apply, with the owner as its controller; writes only if something differs. Fields of others
 * stay, unless they are ours too: those are taken over. An object of the same name that another controls, or nobody, is left alone.
 * @throws StatusError, ConnectionError for what may go better the next time
 */
export async function applyChild<T extends KubeObject> (kind: ChildKind<T>, owner: KubeObject, desired: DesiredChild<T>, { fieldManager, signal }: ApplyChildOptions): Promise<ChildResult<T>> {
  const id = { namespace: owner.metadata.namespace, name: desired.metadata.name }
  const child = {
    apiVersion: kind.apiVersion, kind: kind.kind, ...desired,
    metadata: { ...desired.metadata, ...id, ownerReferences: [controllerReference(owner)] }
  } as Partial<T> & KubeObject
  try {
    const known = kind.informer.lister.get(id)
    // What is not in the cache may have just been made, by us or by a stranger, and what a stranger has there may be ours by now.
    let live = known !== undefined && isControlledBy(known, owner) ? known : await find()
    if (live === undefined) {
      try {
        // Without force: should a stranger be faster, the fields are his.
        return { type: 'Applied', created: true, object: await kind.client.apply(child, { fieldManager, signal }) }
      } catch (error) {
        live = isConflict(error) ? await find() : undefined
        if (live === undefined) throw error
      }
    }
    if (!isControlledBy(live, owner)) return { type: 'NameTaken', object: live, problem: nameTaken(kind.kind, live, owner) }
    if (live.metadata.deletionTimestamp !== undefined) return { type: 'Terminating', object: live }
    if (isApplied(child, live, { fieldManager })) return { type: 'Unchanged', object: live }
    // With its uid, so that it is this one or none.
    const guarded = { ...child, metadata: { ...child.metadata, uid: live.metadata.uid } } as typeof child
    return { type: 'Applied', created: false, object: await kind.client.apply(guarded, { fieldManager, force: true, signal }) }
  } catch (error) {
    const problem = problemOfRefusal(error, `${kind.kind} ${JSON.stringify(id.name)}`)
    if (problem === undefined) throw error
    return { type: 'Refused', problem, error }
  }

  async function find (): Promise<T | undefined> {
    try {
      return await kind.client.get(id, { signal })
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }
}

/** @returns what to tell the user of the owner */
function nameTaken (kind: string, { metadata }: KubeObject, owner: KubeObject): Problem {
  const holder = controllerOf(metadata)
  const whose = holder === undefined
    ? 'exists and has no controller'
    : holder.kind === owner.kind && holder.name === owner.metadata.name ? `still belongs to an earlier ${holder.kind} of this name` : `is controlled by ${holder.kind} ${JSON.stringify(holder.name)}`
  return { reason: 'NameTaken', message: `${kind} ${JSON.stringify(metadata.name)} ${whose}; it is left alone. Delete or rename it, or give this ${owner.kind} another name.` }
}
