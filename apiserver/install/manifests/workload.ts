import { labels, selectorLabels, type Component } from '../names.js'
import type { Manifest } from './manifest.js'

export interface Workload {
  readonly name: string
  readonly namespace: string
  readonly component: Component
  readonly replicas: number
  /** The rest of a container: image, args, ports, probes, resources, volumeMounts. */
  readonly container: Readonly<Record<string, unknown>>
  readonly volumes?: readonly object[]
  /** The rest of a pod's spec. */
  readonly pod: Readonly<Record<string, unknown>>
  readonly podAnnotations?: Readonly<Record<string, string>>
}

/** Of the image; any other number does as well. */
const user = 65532

/**
 * A Deployment whose Pods Pod Security *restricted* admits, apart on nodes and zones where there are several, and replaced one by one
 * without ever having fewer of them.
 */
export function deployment ({ name, namespace, component, replicas, container, volumes, pod, podAnnotations }: Workload): Manifest {
  const selector = { matchLabels: selectorLabels(component) }
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace, labels: labels(component) },
    spec: {
      replicas,
      selector,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: {
        metadata: { labels: labels(component), ...(podAnnotations !== undefined && { annotations: { ...podAnnotations } }) },
        spec: {
          serviceAccountName: name,
          ...pod,
          securityContext: { runAsNonRoot: true, runAsUser: user, runAsGroup: user, fsGroup: user, seccompProfile: { type: 'RuntimeDefault' } },
          affinity: {
            podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 100, podAffinityTerm: { topologyKey: 'kubernetes.io/hostname', labelSelector: selector } }] }
          },
          topologySpreadConstraints: ['topology.kubernetes.io/zone', 'kubernetes.io/hostname'].map(topologyKey => ({ maxSkew: 1, topologyKey, whenUnsatisfiable: 'ScheduleAnyway', labelSelector: selector })),
          containers: [{
            name: component,
            ...container,
            securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } }
          }],
          ...(volumes !== undefined && volumes.length > 0 && { volumes })
        }
      }
    }
  }
}

/** One Pod at a time may go for a drain; Pods that are not ready hold nothing up. */
export const disruptionBudget = (name: string, namespace: string, component: Component): Manifest => ({
  apiVersion: 'policy/v1',
  kind: 'PodDisruptionBudget',
  metadata: { name, namespace, labels: labels(component) },
  spec: { maxUnavailable: 1, unhealthyPodEvictionPolicy: 'AlwaysAllow', selector: { matchLabels: selectorLabels(component) } }
})

/** A probe of the port `https`; the kubelet does not verify certificates. */
export const probe = (path: string, timing: { readonly periodSeconds: number; readonly failureThreshold: number }): object =>
  ({ httpGet: { path, port: 'https', scheme: 'HTTPS' }, timeoutSeconds: 5, ...timing })
