import type { V1Container, V1DeploymentSpec, V1PodDisruptionBudgetSpec, V1ServiceSpec } from '@kubernetes/client-node'
import type { WebApp } from '../../registry/example.com/webapps/types.js'
import type { KubeObject } from '../../registry/meta/object-meta.js'
import type { DesiredChild } from '../children/apply-child.js'
import type { Workload } from '../children/types.js'
import { childLabels, selectorLabels } from './labels.js'

const portName = 'http'

/** The fields of a Deployment that the operator wants; others are their owners'. */
export function desiredDeployment (webapp: WebApp): DesiredChild<Workload> {
  const { name, labels, selector } = identityOf(webapp)
  const { replicas, port } = webapp.spec
  const spec: V1DeploymentSpec = {
    replicas,
    selector: { matchLabels: selector },
    template: {
      metadata: { labels },
      spec: {
        // What the Pod Security Standard "restricted" asks for.
        securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
        automountServiceAccountToken: false,
        containers: [{
          name: 'app',
          ...containerOf(webapp),
          ports: [{ name: portName, containerPort: port, protocol: 'TCP' }],
          // Ready is whoever listens; without a probe a rollout would not wait for anything.
          readinessProbe: { tcpSocket: { port: portName }, periodSeconds: 5 },
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } }
        }]
      }
    }
  }
  return { metadata: { name, labels }, spec: spec as unknown as NonNullable<Workload['spec']> }
}

/** A Service of the same name that leads to the pods that are ready. */
export function desiredService (webapp: WebApp): DesiredChild<KubeObject> {
  const { name, labels, selector } = identityOf(webapp)
  const spec: V1ServiceSpec = { selector, ports: [{ name: portName, port: webapp.spec.port, targetPort: portName, protocol: 'TCP' }] }
  return { metadata: { name, labels }, spec }
}

/** Lets voluntary disruptions take one pod at a time. With a single replica it would forbid nothing, or every drain; then there is none. */
export function desiredDisruptionBudget (webapp: WebApp): DesiredChild<KubeObject> | undefined {
  if (webapp.spec.replicas < 2) return undefined
  const { name, labels, selector } = identityOf(webapp)
  const spec: V1PodDisruptionBudgetSpec = { maxUnavailable: 1, selector: { matchLabels: selector } }
  return { metadata: { name, labels }, spec }
}

function containerOf ({ spec: { image, env, resources } }: WebApp): Pick<V1Container, 'image' | 'env' | 'resources'> {
  const amounts = Object.fromEntries(Object.entries(resources ?? {}).filter(([, v]) => v !== undefined).map(([what, amount]) => [what, String(amount)]))
  return {
    image,
    ...(env !== undefined && env.length > 0 && { env: env.map(({ name, value = '' }) => ({ name, value })) }),
    // The same for both: a pod that can count on what it gets.
    ...(Object.keys(amounts).length > 0 && { resources: { requests: amounts, limits: amounts } })
  }
}

function identityOf ({ metadata: { name = '' } }: WebApp): { name: string, labels: Record<string, string>, selector: Record<string, string> } {
  return { name, labels: childLabels(name), selector: selectorLabels(name) }
}
