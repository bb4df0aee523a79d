import type { WebApp } from '../../registry/example.com/webapps/types.js'
import type { Workload } from '../children/types.js'

/** How far the pods are from what is wanted. */
export interface Rollout {
  readonly done: boolean
  /** A stable CamelCase word. */
  readonly reason: 'Creating' | 'Updating' | 'RollingOut' | 'RemovingOldPods' | 'WaitingForPods' | 'AllReplicasReady'
  readonly message: string
}

/** What `kubectl rollout status` would say of a WebApp's Deployment. */
export function rolloutOf ({ spec: { replicas: wanted } }: WebApp, deployment: Workload | undefined): Rollout {
  if (deployment === undefined) return { done: false, reason: 'Creating', message: 'the Deployment does not exist yet' }
  const { observedGeneration = 0, replicas = 0, updatedReplicas = 0, availableReplicas = 0, readyReplicas = 0 } = deployment.status ?? {}
  if (observedGeneration < (deployment.metadata.generation ?? 0)) return { done: false, reason: 'Updating', message: 'the latest change has not been observed by the Deployment controller yet' }
  if (updatedReplicas < wanted) return { done: false, reason: 'RollingOut', message: `${updatedReplicas} of ${wanted} new pods have been made` }
  if (replicas > updatedReplicas) return { done: false, reason: 'RemovingOldPods', message: `${replicas - updatedReplicas} old pods still run` }
  if (availableReplicas < wanted || readyReplicas < wanted) return { done: false, reason: 'WaitingForPods', message: `${Math.min(availableReplicas, readyReplicas)} of ${wanted} pods are ready` }
  return { done: true, reason: 'AllReplicasReady', message: `${wanted} of ${wanted} pods are ready` }
}
