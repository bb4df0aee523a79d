import type { Condition } from '../../registry/meta/condition.js'
import type { KubeObject } from '../../registry/meta/object-meta.js'
import { isNotFound } from '../client/errors.js'
import type { ResourceClient } from '../client/interfaces.js'
import { isApplied } from './applied.js'
import type { ApplyChildOptions } from './apply-child.js'

/** A condition as a controller wants it now. */
export interface WantedCondition {
  readonly type: string
  readonly status: Condition['status']
  /** One CamelCase word; part of the API, so keep it stable. */
  readonly reason: string
  readonly message: string
}

export interface MergeConditionsOptions {
  readonly now: Date
  /** Only for kinds whose conditions have it. */
  readonly observedGeneration?: number | undefined
}

/**
 * The conditions to write: those wanted, in their order, each with the time at which its status changed last. Those of `present` that are
 * not wanted are left out; an apply of ours then removes those that were ours and leaves those of others.
 */
export function mergeConditions (present: readonly Condition[] | undefined, wanted: readonly WantedCondition[], { now, observedGeneration }: MergeConditionsOptions): Condition[] {
  return wanted.map(condition => {
    const before = present?.find(c => c.type === condition.type)
    const since = before?.status === condition.status ? before.lastTransitionTime : undefined
    return { ...condition, lastTransitionTime: since ?? seconds(now), ...(observedGeneration !== undefined && { observedGeneration }) }
  })
}

/** `metav1.Time` has no fractions. */
const seconds = (date: Date): string => date.toISOString().replace(/\.\d+Z$/, 'Z')

/**
 * Writes the status of an object by server-side apply, if it differs from the one that the object has: fields that we wrote before and do not
 * give now are removed, those of others stay. Nothing happens to an object that is gone; one made anew meanwhile under its name shows this
 * status until it is reconciled itself, as servers ignore uids here.
 * @returns what the server stored, or undefined if nothing was written
 */
export async function writeStatus<T extends KubeObject> (client: ResourceClient<T>, object: T, status: T['status'], { fieldManager, signal }: ApplyChildOptions): Promise<T | undefined> {
  const { apiVersion, kind, metadata: { namespace, name } } = object
  const desired = { apiVersion, kind, metadata: { ...(namespace !== undefined && { namespace }), name }, status } as unknown as Partial<T> & KubeObject
  if (isApplied(desired, object, { fieldManager, subresource: 'status' })) return undefined
  try {
    return await client.apply(desired, { fieldManager, subresource: 'status', force: true, signal })
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}
