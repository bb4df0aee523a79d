import type { Condition } from '../../registry/meta/condition.js'
import type { KubeObject } from '../../registry/meta/object-meta.js'

// What is read of built-in kinds to find out why something does not work.

export interface ContainerState {
  waiting?: { reason?: string; message?: string }
  running?: { startedAt?: string }
  terminated?: { reason?: string; message?: string; exitCode?: number }
}

export interface ContainerStatus {
  name: string
  image?: string
  ready?: boolean
  restartCount?: number
  state?: ContainerState
  lastState?: ContainerState
}

export interface Pod extends KubeObject {
  status?: {
    phase?: string
    reason?: string
    message?: string
    conditions?: Condition[]
    containerStatuses?: ContainerStatus[]
    initContainerStatuses?: ContainerStatus[]
  }
}

/** Deployment, ReplicaSet, StatefulSet: what they have in common. */
export interface Workload extends KubeObject {
  spec?: { replicas?: number; [field: string]: unknown }
  status?: {
    observedGeneration?: number
    replicas?: number
    readyReplicas?: number
    updatedReplicas?: number
    availableReplicas?: number
    conditions?: Condition[]
    [field: string]: unknown
  }
}

export interface PersistentVolumeClaim extends KubeObject {
  spec?: { storageClassName?: string; resources?: { requests?: Record<string, string> }; [field: string]: unknown }
  status?: { phase?: string; capacity?: Record<string, string>; conditions?: Condition[] }
}

/** `v1` Event: what controllers of kube-controller-manager and kubelets say. */
export interface CoreEvent extends KubeObject {
  type?: string
  reason?: string
  message?: string
  involvedObject: { kind?: string; namespace?: string; name?: string; uid?: string }
  firstTimestamp?: string | null
  lastTimestamp?: string | null
  eventTime?: string | null
  series?: { lastObservedTime?: string }
}
