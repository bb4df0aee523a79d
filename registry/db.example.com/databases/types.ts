import type { KubeObject } from '../../meta/object-meta.js'
import type { Condition } from '../../meta/condition.js'

/** A database with backups and monitoring, in the storage version v1. */
export interface Database extends KubeObject {
  spec: DatabaseSpec
  status?: DatabaseStatus
}

export interface DatabaseSpec {
  /** Immutable. */
  type: 'mysql' | 'postgresql' | 'mongodb'
  /** `major.minor.patch`. */
  version: string
  /** 0 to 100, default 1. */
  replicas?: number
  /** The size never shrinks. */
  storage: { size: string; storageClass?: string }
  backup?: { enabled?: boolean; schedule?: string; retention?: number }
  monitoring?: { enabled?: boolean; metrics?: ('cpu' | 'memory' | 'disk' | 'connections' | 'queries')[] }
}

export interface DatabaseStatus {
  phase?: 'Pending' | 'Creating' | 'Running' | 'Updating' | 'Deleting' | 'Failed'
  replicas?: number
  /** A label selector, for the scale subresource. */
  selector?: string
  observedGeneration?: number
  conditions?: Condition[]
  endpoints?: { primary?: string; readonly?: string[] }
  backupStatus?: { lastBackup?: string; nextBackup?: string; backupCount?: number }
}
