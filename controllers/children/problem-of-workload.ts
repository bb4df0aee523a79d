import type { KubeObject } from '../../registry/meta/object-meta.js'
import { isQuota, type Problem } from './problem.js'
import type { CoreEvent, PersistentVolumeClaim, Workload } from './types.js'

/**
 * What keeps a Deployment or ReplicaSet from making its pods, by its conditions: ReplicaFailure, which repeats the server's refusal, and a
 * rollout that is beyond its deadline. A StatefulSet has no conditions; see {@link problemOfEvents}.
 */
export function problemOfWorkload (workload: Workload): Problem | undefined {
  const what = `${workload.kind} ${JSON.stringify(workload.metadata.name)}`
  const failure = workload.status?.conditions?.find(c => c.type === 'ReplicaFailure' && c.status === 'True')
  if (failure !== undefined) return ofFailedCreate(what, failure.message ?? failure.reason ?? '')
  const progressing = workload.status?.conditions?.find(c => c.type === 'Progressing' && c.status === 'False')
  if (progressing?.reason === 'ProgressDeadlineExceeded') return { reason: 'ProgressDeadlineExceeded', message: `${what}: ${progressing.message ?? 'the rollout takes longer than its deadline'}` }
  return undefined
}

/** Events that tell why nothing becomes of an object: of StatefulSets, ReplicaSets and claims. Watch them with this field selector, one for each reason. */
export const failureReasons = ['FailedCreate', 'ProvisioningFailed', 'FailedBinding'] as const

/** The index under which {@link problemOfEvents} finds events. */
export const eventIndexers = { regarding: (event: CoreEvent): readonly string[] => [event.involvedObject.uid ?? ''] }

export interface EventsSince {
  /** Older events are over. Default: 20 minutes before `now`; controllers that fail try again, and say so, after at most 1000 seconds. */
  readonly since?: Date
  readonly now: Date
}

/** The newest failure that events tell of an object. */
export function problemOfEvents (object: KubeObject, events: readonly CoreEvent[], { now, since = new Date(now.getTime() - 20 * 60_000) }: EventsSince): Problem | undefined {
  const newest = events
    .filter(e => e.type === 'Warning' && e.involvedObject.uid === object.metadata.uid && (failureReasons as readonly string[]).includes(e.reason ?? '') && timeOf(e) >= since.getTime())
    .reduce<CoreEvent | undefined>((a, b) => a === undefined || timeOf(b) > timeOf(a) ? b : a, undefined)
  if (newest === undefined) return undefined
  const what = `${object.kind} ${JSON.stringify(object.metadata.name)}`
  return newest.reason === 'FailedCreate' ? ofFailedCreate(what, newest.message ?? '') : { reason: newest.reason ?? '', message: `${what}: ${newest.message ?? ''}` }
}

/** What keeps a claim from being bound: a StorageClass that does not exist, or none at all. @param storageClasses the names of all there are; undefined if they are not known */
export function problemOfClaim (claim: PersistentVolumeClaim, storageClasses: ReadonlySet<string> | undefined): Problem | undefined {
  if (claim.status?.phase === 'Lost') return { reason: 'VolumeLost', message: `claim ${JSON.stringify(claim.metadata.name)} has lost its volume` }
  if (claim.status?.phase === 'Bound' || claim.metadata.deletionTimestamp !== undefined || storageClasses === undefined) return undefined
  const name = claim.spec?.storageClassName
  const known = storageClasses.size === 0 ? 'there is none' : `there are: ${[...storageClasses].sort().join(', ')}`
  if (name === undefined) return { reason: 'NoStorageClass', message: `claim ${JSON.stringify(claim.metadata.name)} names no StorageClass and the cluster has no default; ${known}` }
  if (name !== '' && !storageClasses.has(name) && (claim.spec?.['volumeName'] ?? '') === '') return { reason: 'StorageClassNotFound', message: `claim ${JSON.stringify(claim.metadata.name)} asks for StorageClass ${JSON.stringify(name)}, which does not exist; ${known}` }
  return undefined
}

function ofFailedCreate (what: string, text: string): Problem {
  return { reason: isQuota(text) ? 'QuotaExceeded' : 'FailedCreate', message: `${what} cannot make its pods: ${text}` }
}

const timeOf = (event: CoreEvent): number => Date.parse(event.series?.lastObservedTime ?? event.lastTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp ?? '') || 0
