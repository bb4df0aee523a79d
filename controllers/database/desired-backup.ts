import type { KubeObject } from '../../registry/meta/object-meta.js'
import type { DesiredChild } from '../children/apply-child.js'
import { engines } from './engines/engines.js'
import type { DatabaseModel, StorageWish } from './model.js'
import type { DatabaseNames } from './names.js'
import { containerSecurity, podSecurity } from './pod-security.js'

export interface CronJob extends KubeObject {
  spec?: { schedule?: string; suspend?: boolean; [field: string]: unknown }
  status?: { lastScheduleTime?: string; lastSuccessfulTime?: string; active?: unknown[]; [field: string]: unknown }
}

export interface BackupInputs {
  readonly names: DatabaseNames
  readonly model: DatabaseModel
  readonly image: string
  /** As backupSchedule read it; of a suspended CronJob, the last one that it had. */
  readonly schedule: string
  readonly suspend: boolean
  readonly retention: number
}

/**
 * Dumps instance 0 to a volume of its own, and removes the oldest dumps beyond the retention. A dump counts only once it is complete. The
 * number of dumps is the container's termination message.
 */
export function desiredBackup ({ names, model, image, schedule, suspend, retention }: BackupInputs): DesiredChild<CronJob> {
  const { dump } = engines[model.engine]
  const labels = names.labels(model.engine, 'backup')
  const metadata = { labels, annotations: { ...names.annotations } }
  return {
    metadata: { name: names.backup, ...metadata },
    spec: {
      schedule,
      timeZone: 'Etc/UTC',
      suspend,
      // A dump that takes longer than the schedule is let finish.
      concurrencyPolicy: 'Forbid',
      startingDeadlineSeconds: 3600,
      successfulJobsHistoryLimit: 3,
      failedJobsHistoryLimit: 3,
      jobTemplate: {
        metadata,
        spec: {
          backoffLimit: 3,
          template: {
            metadata,
            spec: {
              restartPolicy: 'Never',
              securityContext: { ...podSecurity },
              automountServiceAccountToken: false,
              enableServiceLinks: false,
              containers: [{
                name: 'backup',
                image,
                command: ['bash', '-c', script(dump.script, dump.extension)],
                env: [{ name: 'HOST', value: names.base }, { name: 'KEEP', value: String(retention) }, ...dump.env({ secretName: names.credentials })],
                resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { memory: '512Mi' } },
                securityContext: containerSecurity,
                volumeMounts: [{ name: 'backups', mountPath: '/backups' }, { name: 'scratch', mountPath: '/tmp' }]
              }],
              volumes: [{ name: 'backups', persistentVolumeClaim: { claimName: names.backupClaim } }, { name: 'scratch', emptyDir: {} }]
            }
          }
        }
      }
    }
  }
}

/** Names sort by their time, so the oldest are the first. */
export const script = (dump: string, extension: string): string => [
  'set -euo pipefail',
  'cd /backups',
  'rm -f -- *.partial',
  `file="$(date -u +%Y%m%dT%H%M%SZ).${extension}"`,
  `{ ${dump}; } > "$file.partial"`,
  'sync "$file.partial" 2>/dev/null || sync',
  'mv -- "$file.partial" "$file"',
  `dumps=(*.${extension})`,
  'for ((i = 0; i < ${#dumps[@]} - KEEP; i++)); do rm -f -- "${dumps[i]}"; done',
  `dumps=(*.${extension})`,
  'printf %s "${#dumps[@]}" > /dev/termination-log'
].join('\n')

/** The volume of the dumps, as large as that of an instance. Like the data it has no owner. */
export function backupClaim (names: DatabaseNames, { engine }: DatabaseModel, { size, storageClass }: StorageWish): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name: names.backupClaim, namespace: names.namespace, labels: names.labels(engine, 'backup'), annotations: { ...names.annotations } },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: size } }, ...(storageClass !== undefined && { storageClassName: storageClass }) }
  }
}
