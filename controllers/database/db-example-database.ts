import type { Database } from '../../registry/db.example.com/databases/types.js'
import type { DatabaseAdapter } from './model.js'

/** Database of db.example.com, read and written as v1: with backups and monitoring, without settings of the engine. */
export const dbExampleDatabase: DatabaseAdapter<Database> = {
  group: 'db.example.com',
  version: 'v1',
  conditionTypes: ['BackupReady', 'MonitoringReady'],
  model: ({ spec: { type, version, replicas = 1, storage, backup, monitoring } }) => ({
    engine: type,
    version,
    replicas,
    // The schema takes a capital K, which a Quantity spells k.
    storage: { size: storage.size.replace(/K$/, 'k'), storageClass: storage.storageClass },
    configuration: {},
    backup: backup === undefined ? undefined : { enabled: backup.enabled ?? false, schedule: backup.schedule, retention: backup.retention ?? 7 },
    metrics: monitoring?.enabled === true ? monitoring.metrics ?? [] : undefined
  }),
  status: ({ phase, replicas, selector, observedGeneration, conditions, primary, backup }) => ({
    phase, replicas, selector, observedGeneration, conditions,
    ...(primary !== undefined && { endpoints: { primary } }),
    ...(backup !== undefined && { backupStatus: defined(backup) })
  })
}

const defined = <T extends object>(members: T): { [K in keyof T]: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(members).filter(([, v]) => v !== undefined)) as { [K in keyof T]: Exclude<T[K], undefined> }
