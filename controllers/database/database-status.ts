import type { Condition } from '../../registry/meta/condition.js'
import type { KubeObject } from '../../registry/meta/object-meta.js'
import { problemOfClaim } from '../children/problem-of-workload.js'
import { problemOfPods } from '../children/problem-of-pods.js'
import type { Problem } from '../children/problem.js'
import { mergeConditions, type WantedCondition } from '../children/status.js'
import type { PersistentVolumeClaim, Pod } from '../children/types.js'
import type { StatefulSet } from './desired-stateful-set.js'
import type { DatabaseModel, DatabaseView, Phase } from './model.js'
import type { DatabaseNames } from './names.js'
import { selectorText } from './names.js'
import type { DatabaseSettings } from './settings.js'
import type { StoragePlan } from './storage-plan.js'

export interface BackupView {
  /** False with a reason: no backups will be made until somebody does something. */
  readonly condition: Omit<WantedCondition, 'type'>
  readonly lastBackup?: string | undefined
  readonly nextBackup?: string | undefined
  readonly backupCount?: number | undefined
}

export interface DatabaseObservation {
  readonly object: KubeObject
  readonly names: DatabaseNames
  readonly model: DatabaseModel
  readonly settings: DatabaseSettings
  /** What kept the children from being made as wanted. */
  readonly blocked?: Problem | undefined
  /** What keeps the StatefulSet from making pods, by its events. */
  readonly failedCreate?: Problem | undefined
  /** Why the wanted version is not rolled out. */
  readonly upgrade?: Problem | undefined
  readonly statefulSet?: StatefulSet | undefined
  readonly pods: readonly Pod[]
  readonly claims: readonly PersistentVolumeClaim[]
  readonly storage?: StoragePlan | undefined
  /** Names of all there are. */
  readonly storageClasses: ReadonlySet<string>
  readonly primary?: string | undefined
  readonly backup?: BackupView | undefined
  readonly monitoring?: Omit<WantedCondition, 'type'> | undefined
  readonly now: Date
}

/** What to tell of a Database that is not being deleted. */
export function viewOf (o: DatabaseObservation): DatabaseView {
  const status = o.statefulSet?.status
  const wanted = o.model.replicas
  const running = Math.min(status?.readyReplicas ?? 0, wanted)
  const ready = wanted > 0 && running === wanted
  const storage = storageCondition(o)
  const progressing = progressOf(o, ready)
  const degraded = degradation(o)
  const conditions: WantedCondition[] = [
    ready
      ? { type: 'Ready', status: 'True', reason: 'InstancesReady', message: `${countOf(wanted)} ready` }
      : { type: 'Ready', status: 'False', reason: wanted === 0 ? 'ScaledToZero' : degraded?.reason ?? 'InstancesNotReady', message: wanted === 0 ? 'spec.replicas is 0' : `${running} of ${countOf(wanted)} ready` },
    o.blocked !== undefined
      ? { type: 'ResourcesReady', status: 'False', ...o.blocked }
      : { type: 'ResourcesReady', status: 'True', reason: 'Applied', message: 'every object of the database is as wanted' },
    { type: 'StorageReady', ...storage },
    { type: 'Progressing', ...progressing },
    degraded !== undefined ? { type: 'Degraded', status: 'True', ...degraded } : { type: 'Degraded', status: 'False', reason: 'AsExpected', message: 'nothing needs attention' },
    o.settings.paused
      ? { type: 'Paused', status: 'True', reason: 'PausedByAnnotation', message: `annotation ${o.names.group}/paused is true: nothing is changed, and a deletion waits` }
      : { type: 'Paused', status: 'False', reason: 'NotPaused', message: 'the operator acts' },
    ...(wanted > 1 ? [{ type: 'Replicated', status: 'False', reason: 'IndependentInstances', message: `the ${countOf(wanted, '')} do not replicate: each has data of its own, and the Service leads to ${o.names.base}-0` } as const] : []),
    ...(o.backup === undefined ? [] : [{ type: 'BackupReady', ...o.backup.condition }]),
    ...(o.monitoring === undefined ? [] : [{ type: 'MonitoringReady', ...o.monitoring }])
  ]
  return {
    phase: phaseOf(o, { ready, progressing: progressing.status === 'True', expanding: storage.reason === 'Expanding', degraded }),
    ready,
    replicas: status?.replicas ?? 0,
    selector: selectorText(o.names.selector),
    observedGeneration: o.object.metadata.generation ?? 0,
    conditions: mergeConditions(conditionsOf(o.object), conditions, { now: o.now }),
    ...(o.primary !== undefined && { primary: o.primary }),
    ...(o.backup !== undefined && { backup: { lastBackup: o.backup.lastBackup, nextBackup: o.backup.nextBackup, backupCount: o.backup.backupCount } })
  }
}

/** What to tell of one that is being deleted. */
export function deletingView ({ object, names, replicas, waitingFor, now }: { readonly object: KubeObject; readonly names: DatabaseNames; readonly replicas: number; readonly waitingFor: string; readonly now: Date }): DatabaseView {
  return {
    phase: 'Deleting', ready: false, replicas, selector: selectorText(names.selector), observedGeneration: object.metadata.generation ?? 0,
    conditions: mergeConditions(conditionsOf(object), [{ type: 'Ready', status: 'False', reason: 'Deleting', message: waitingFor }], { now })
  }
}

const conditionsOf = (object: KubeObject): Condition[] | undefined => (object['status'] as { conditions?: Condition[] } | undefined)?.conditions
const countOf = (n: number, suffix = ' are'): string => n === 1 ? `1 instance${suffix === '' ? '' : ' is'}` : `${n} instances${suffix}`

/** Whether the pods are on their way to what is wanted. Undefined status fields are zeros that Go leaves out. */
function progressOf ({ statefulSet, model, blocked, storage }: DatabaseObservation, ready: boolean): Omit<WantedCondition, 'type'> {
  const { generation = 0 } = statefulSet?.metadata ?? {}
  const { observedGeneration = 0, replicas = 0, updatedReplicas = 0, currentRevision, updateRevision } = statefulSet?.status ?? {}
  const wanted = model.replicas
  if (statefulSet === undefined || statefulSet.metadata.deletionTimestamp !== undefined) {
    return blocked === undefined ? { status: 'True', reason: 'Creating', message: 'the instances are being made' } : { status: 'False', reason: blocked.reason, message: blocked.message }
  }
  if (storage?.recreate === true) return { status: 'True', reason: 'Recreating', message: 'the StatefulSet is made anew, around its pods, with larger claims' }
  if (observedGeneration < generation) return { status: 'True', reason: 'RollingOut', message: 'the StatefulSet controller has not seen the latest change' }
  if (replicas !== wanted) return { status: 'True', reason: 'Scaling', message: `from ${replicas} to ${countOf(wanted, '')}` }
  if (wanted > 0 && currentRevision !== updateRevision) return { status: 'True', reason: 'RollingOut', message: `${updatedReplicas} of ${countOf(wanted)} updated` }
  if (!ready && wanted > 0) return { status: 'True', reason: 'Starting', message: 'waiting for the instances to become ready' }
  return { status: 'False', reason: 'Complete', message: 'the instances are as wanted' }
}

/** Whether no instance mounts a claim: that of the dumps, and those of instances that were scaled away, are bound and grow only when a pod comes. */
function isIdle ({ metadata: { name = '' } }: PersistentVolumeClaim, { names, model }: DatabaseObservation): boolean {
  const prefix = names.dataClaim(0).slice(0, -1)
  return name === names.backupClaim || (name.startsWith(prefix) && Number(name.slice(prefix.length)) >= model.replicas)
}

function storageCondition (o: DatabaseObservation): Omit<WantedCondition, 'type'> {
  const { storage, claims, model, storageClasses } = o
  if (storage?.problem !== undefined) return { status: 'False', ...storage.problem }
  const live = claims.filter(c => c.metadata.deletionTimestamp === undefined).toSorted((a, b) => (a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1)
  const trouble = live.map(c => problemOfClaim(c, storageClasses)).find(p => p !== undefined)
  if (trouble !== undefined) return { status: 'False', ...trouble }
  const unbound = live.filter(c => c.status?.phase !== 'Bound' && !isIdle(c, o))
  if (unbound.length > 0) return { status: 'False', reason: 'ClaimsPending', message: `not bound yet: ${unbound.map(c => c.metadata.name).join(', ')}` }
  // What was asked for more just now may not look like it in the cache.
  const growing = live.filter(c => !isIdle(c, o) && (storage?.expanding.includes(c) === true || storage?.expand.includes(c) === true))
  if (growing.length > 0) {
    const offline = growing.some(c => c.status?.conditions?.some(x => x.type === 'FileSystemResizePending' && x.status === 'True'))
    return { status: 'False', reason: 'Expanding', message: `growing to ${model.storage.size}: ${growing.map(c => c.metadata.name).join(', ')}${offline ? '; the file system grows when the pod starts again' : ''}` }
  }
  return live.length === 0
    ? { status: model.replicas === 0 ? 'True' : 'Unknown', reason: 'NoClaims', message: 'there are no claims yet' }
    : { status: 'True', reason: 'Bound', message: `${live.length === 1 ? '1 claim is' : `${live.length} claims are`} bound` }
}

/** What a person should look into, the cause before its effects. */
const degradation = (o: DatabaseObservation): Problem | undefined =>
  o.blocked ?? o.upgrade ?? o.failedCreate ?? problemOfPods(o.pods) ?? o.storage?.problem ?? o.settings.problem

function phaseOf (o: DatabaseObservation, { ready, progressing, expanding, degraded }: { ready: boolean, progressing: boolean, expanding: boolean, degraded: Problem | undefined }): Phase {
  const before = (o.object['status'] as { phase?: Phase } | undefined)?.phase
  if (ready && !progressing && !expanding) return 'Running'
  // A database that answers has not failed; one that waits for a node or a volume may yet find it.
  if (!ready && degraded !== undefined && degraded.reason !== 'Unschedulable' && degraded !== o.settings.problem) return 'Failed'
  if (o.model.replicas === 0 && !progressing) return 'Pending'
  if (ready || before === 'Running' || before === 'Updating' || (o.statefulSet?.status?.readyReplicas ?? 0) > 0) return 'Updating'
  const waits = o.statefulSet === undefined || degraded?.reason === 'Unschedulable' || o.claims.length === 0 || o.claims.some(c => c.status?.phase !== 'Bound')
  return waits ? 'Pending' : 'Creating'
}
