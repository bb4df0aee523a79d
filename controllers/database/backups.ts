import { applyChild } from '../children/apply-child.js'
import { isControlledBy } from '../children/child-kind.js'
import { problemOfPods } from '../children/problem-of-pods.js'
import type { Problem } from '../children/problem.js'
import type { Pod } from '../children/types.js'
import { backupSchedule, type BackupSchedule } from './backup-schedule.js'
import type { BackupView } from './database-status.js'
import { desiredBackup, type CronJob } from './desired-backup.js'
import { labelled } from './kinds.js'
import { fieldManager } from './names.js'
import { ensureBackupClaim } from './storage.js'
import type { Work } from './work.js'

/** What is to be done about backups; nothing for a kind or a Database that says nothing of them. */
export interface BackupPlan {
  /** Undefined where no CronJob is to be. */
  readonly cronJob?: { readonly schedule: string; readonly suspend: boolean; readonly retention: number } | undefined
  /** When the next backup is due, if any will be. */
  readonly schedule?: BackupSchedule | undefined
  readonly problem?: Problem | undefined
}

/** A CronJob that was once made is suspended and not deleted: it knows when the last backup was. */
export function planBackup ({ backup }: Work['model'], present: CronJob | undefined): BackupPlan {
  const wanted = backup?.schedule === undefined ? undefined : backupSchedule(backup.schedule)
  const schedule = wanted !== undefined && !('error' in wanted) ? wanted : undefined
  const cron = schedule?.cron ?? present?.spec?.schedule
  const enabled = backup?.enabled === true
  return {
    // A schedule that cannot be read leaves the one before in force.
    cronJob: cron === undefined || (present === undefined && !enabled) ? undefined : { schedule: cron, suspend: !enabled, retention: backup?.retention ?? 7 },
    schedule: enabled ? schedule : undefined,
    problem: !enabled || schedule !== undefined ? undefined : { reason: 'InvalidSchedule', message: wanted === undefined ? 'spec.backup.enabled is true, but spec.backup.schedule is not given' : `spec.backup: ${(wanted as { error: string }).error}` }
  }
}

/** Makes the backups as wanted. @returns what is in the way */
export async function ensureBackups ({ kinds, names, model, settings, object, signal }: Work, image: string, plan: BackupPlan): Promise<Problem | undefined> {
  if (plan.cronJob === undefined) return undefined
  const inTheWay = plan.cronJob.suspend ? undefined : await ensureBackupClaim(kinds, names, model, settings, model.storage, { signal })
  if (inTheWay !== undefined) return inTheWay
  const result = await applyChild(kinds.cronJobs, object, desiredBackup({ names, model, image, ...plan.cronJob }), { fieldManager, signal })
  return 'problem' in result ? result.problem : undefined
}

/** What to tell of backups. @param problem what kept them from being made */
export function backupView ({ kinds, names, model, object }: Work, plan: BackupPlan, problem: Problem | undefined, now: Date): BackupView {
  const known = kinds.cronJobs.informer.lister.get({ namespace: names.namespace, name: names.backup })
  const cronJob = known !== undefined && isControlledBy(known, object) ? known : undefined
  const lastBackup = cronJob?.status?.lastSuccessfulTime
  const since = new Date(cronJob?.status?.lastScheduleTime ?? cronJob?.metadata.creationTimestamp ?? now)
  const next = plan.schedule?.next(now, since)
  const pods = labelled(kinds.pods, names).filter(p => p.metadata.labels?.['app.kubernetes.io/component'] === 'backup')
  // What went wrong before a backup that went well is over.
  const failing = problemOfPods(pods.filter(p => lastBackup === undefined || (p.metadata.creationTimestamp ?? '') > lastBackup))
  const trouble = plan.problem ?? problem ?? (model.backup?.enabled === true ? failing : undefined)
  const enabled = model.backup?.enabled === true
  return {
    condition: trouble !== undefined
      ? { status: 'False', ...trouble }
      : !enabled ? { status: 'False', reason: 'Disabled', message: 'spec.backup.enabled is not true' } : { status: 'True', reason: 'Scheduled', message: `CronJob ${names.backup} makes backups into claim ${names.backupClaim}` },
    lastBackup,
    nextBackup: next?.toISOString().replace(/\.\d+Z$/, 'Z'),
    backupCount: countOf(pods) ?? (object['status'] as { backupStatus?: { backupCount?: number } } | undefined)?.backupStatus?.backupCount
  }
}

/** How many dumps the last backup counted; its pod may be gone. */
function countOf (pods: readonly Pod[]): number | undefined {
  const counts = pods.flatMap(pod => {
    const ended = pod.status?.containerStatuses?.find(c => c.name === 'backup')?.state?.terminated
    return pod.status?.phase === 'Succeeded' && /^\d{1,9}$/.test(ended?.message ?? '') ? [{ created: pod.metadata.creationTimestamp ?? '', count: Number(ended?.message) }] : []
  })
  return counts.sort((a, b) => a.created < b.created ? -1 : 1).at(-1)?.count
}
