import type { KubeObject } from '../../registry/meta/object-meta.js'
import type { Condition } from '../../registry/meta/condition.js'

export type EngineName = 'postgresql' | 'mysql' | 'mongodb'
export type MetricName = 'cpu' | 'memory' | 'disk' | 'connections' | 'queries'
export type Phase = 'Pending' | 'Creating' | 'Running' | 'Updating' | 'Deleting' | 'Failed'

export interface StorageWish { readonly size: string; readonly storageClass?: string | undefined }
export interface BackupWish { readonly enabled: boolean; readonly schedule?: string | undefined; readonly retention: number }

/** What a Database of either group asks for. */
export interface DatabaseModel {
  readonly engine: EngineName
  /** As the user wrote it; the engine makes an image tag of it. */
  readonly version: string
  readonly replicas: number
  readonly storage: StorageWish
  /** Settings of the engine, by name. */
  readonly configuration: Readonly<Record<string, string>>
  /** Undefined where nothing is said of backups. */
  readonly backup?: BackupWish | undefined
  /** Undefined where nothing is to be published. */
  readonly metrics?: readonly MetricName[] | undefined
}

/** What is to be told of a Database; each group's status has some of it. */
export interface DatabaseView {
  readonly phase: Phase
  readonly ready: boolean
  readonly replicas: number
  readonly selector: string
  readonly observedGeneration: number
  readonly conditions: Condition[]
  readonly primary?: string | undefined
  readonly backup?: { readonly lastBackup?: string | undefined; readonly nextBackup?: string | undefined; readonly backupCount?: number | undefined } | undefined
}

/** A group's Database: where it is, what it asks for, and how its status says what there is. */
export interface DatabaseAdapter<T extends KubeObject = KubeObject> {
  readonly group: string
  readonly version: string
  /** Whether its spec can ask for backups and metrics. */
  readonly conditionTypes: readonly ('BackupReady' | 'MonitoringReady')[]
  model (object: T): DatabaseModel
  status (view: DatabaseView): T['status']
}
