import type { KubeObject } from '../../meta/object-meta.js'
import type { Condition } from '../../meta/condition.js'

/** A database of one engine, in the storage version v2; v1 is the same without `spec.configuration`. */
export interface Database extends KubeObject {
  spec: DatabaseSpec
  status?: DatabaseStatus
}

export type Engine = 'postgresql' | 'mysql' | 'mongodb'

export interface DatabaseSpec {
  /** Immutable. */
  engine: Engine
  version: string
  /** 1 to 10, default 1. */
  replicas?: number
  storage?: { size?: string; storageClass?: string }
  /** Settings of the engine, by name. */
  configuration?: Record<string, string>
}

export interface DatabaseStatus {
  phase?: string
  ready?: boolean
  replicas?: number
  /** A label selector, for the scale subresource. */
  selector?: string
  observedGeneration?: number
  conditions?: Required<Pick<Condition, 'type' | 'status' | 'lastTransitionTime' | 'reason' | 'message'>>[]
}
