import t from 'tap'
import type { WebApp, WebAppStatus } from '../../registry/example.com/webapps/types.js'
import type { Pod, Workload } from '../children/types.js'
import { desiredDeployment, desiredDisruptionBudget, desiredService } from './desired.js'
import { rolloutOf } from './rollout.js'
import { statusOf, type Observed } from './status.js'

const now = new Date('2026-01-02T03:04:05Z')
const webapp = (spec: Partial<WebApp['spec']> = {}, status?: WebAppStatus): WebApp => ({
  apiVersion: 'example.com/v1', kind: 'WebApp', metadata: { name: 'shop', namespace: 'default', generation: 4 },
  spec: { replicas: 2, image: 'shop:7', port: 8080, ...spec }, ...(status && { status })
})
const deployment = (status: Workload['status'], generation = 3): Workload => ({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'shop', generation }, status: { observedGeneration: 3, ...status } })
const complete = deployment({ replicas: 2, updatedReplicas: 2, readyReplicas: 2, availableReplicas: 2 })

t.test('the children of a WebApp', t => {
  const selector = { 'app.kubernetes.io/name': 'webapp', 'app.kubernetes.io/instance': 'shop' }
  const labels = { ...selector, 'app.kubernetes.io/managed-by': 'annex-webapp-operator' }
  t.same(desiredDeployment(webapp({ env: [{ name: 'A', value: '1' }, { name: 'B' }], resources: { cpu: 1, memory: '128Mi' } })), {
    metadata: { name: 'shop', labels },
    spec: {
      replicas: 2,
      selector: { matchLabels: selector },
      template: {
        metadata: { labels },
        spec: {
          securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
          automountServiceAccountToken: false,
          containers: [{
            name: 'app', image: 'shop:7', env: [{ name: 'A', value: '1' }, { name: 'B', value: '' }],
            resources: { requests: { cpu: '1', memory: '128Mi' }, limits: { cpu: '1', memory: '128Mi' } },
            ports: [{ name: 'http', containerPort: 8080, protocol: 'TCP' }],
            readinessProbe: { tcpSocket: { port: 'http' }, periodSeconds: 5 },
            securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } }
          }]
        }
      }
    }
  })
  const plain = desiredDeployment(webapp({ env: [], resources: {} })) as unknown as { spec: { template: { spec: { containers: object[] } } } }
  t.notOk(Object.keys(plain.spec.template.spec.containers[0]!).some(k => k === 'env' || k === 'resources'), 'what is not asked for is not said')
  t.same(desiredService(webapp()), { metadata: { name: 'shop', labels }, spec: { selector, ports: [{ name: 'http', port: 8080, targetPort: 'http', protocol: 'TCP' }] } })
  t.same(desiredDisruptionBudget(webapp()), { metadata: { name: 'shop', labels }, spec: { maxUnavailable: 1, selector: { matchLabels: selector } } })
  t.equal(desiredDisruptionBudget(webapp({ replicas: 1 })), undefined)
  t.end()
})

t.test('how far a rollout is', t => {
  for (const [reason, made, message] of [
    ['Creating', undefined, /does not exist yet/],
    ['Updating', deployment({ replicas: 2, updatedReplicas: 2, readyReplicas: 2, availableReplicas: 2 }, 4), /not been observed/],
    ['RollingOut', deployment({ replicas: 2, updatedReplicas: 1, readyReplicas: 2, availableReplicas: 2 }), /^1 of 2 new pods/],
    ['RollingOut', deployment({}), /^0 of 2/],
    ['RemovingOldPods', deployment({ replicas: 3, updatedReplicas: 2, readyReplicas: 3, availableReplicas: 3 }), /^1 old pods/],
    ['WaitingForPods', deployment({ replicas: 2, updatedReplicas: 2, readyReplicas: 1, availableReplicas: 1 }), /^1 of 2 pods are ready/],
    ['AllReplicasReady', complete, /^2 of 2/]
  ] as const) t.match(rolloutOf(webapp(), made), { reason, message, done: reason === 'AllReplicasReady' })
  t.end()
})

t.test('the status of a WebApp', t => {
  const status = (observed: Partial<Observed>, of = webapp()): WebAppStatus => statusOf(of, { deployment: undefined, pods: [], problems: [], now, ...observed })
  const conditions = (s: WebAppStatus): Record<string, string> => Object.fromEntries(s.conditions!.map(c => [c.type, `${c.status} ${c.reason}`]))
  const badPod: Pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'shop-x' }, status: { containerStatuses: [{ name: 'app', image: 'shop:7', state: { waiting: { reason: 'ImagePullBackOff' } } }] } }

  const running = status({ deployment: complete })
  t.match(running, { phase: 'Running', replicas: 2, readyReplicas: 2, observedGeneration: 4, selector: 'app.kubernetes.io/name=webapp,app.kubernetes.io/instance=shop' })
  t.same(conditions(running), { Ready: 'True AllReplicasReady', Progressing: 'False AllReplicasReady', Degraded: 'False AsExpected' })

  const fresh = status({})
  t.match(fresh, { phase: 'Pending', replicas: 0, readyReplicas: 0 })
  t.same(conditions(fresh), { Ready: 'False Creating', Progressing: 'True Creating', Degraded: 'False AsExpected' })

  const broken = status({ deployment: deployment({ replicas: 2, updatedReplicas: 2 }), pods: [badPod] })
  t.equal(broken.phase, 'Failed')
  t.same(conditions(broken), { Ready: 'False ImagePullBackOff', Progressing: 'True WaitingForPods', Degraded: 'True ImagePullBackOff' })

  const serving = status({ deployment: deployment({ replicas: 3, updatedReplicas: 1, readyReplicas: 2, availableReplicas: 2 }), pods: [badPod] })
  t.equal(serving.phase, 'Running', 'the old pods still serve')
  t.match(conditions(serving), { Degraded: 'True ImagePullBackOff' })

  const quota = { type: 'ReplicaFailure', status: 'True' as const, reason: 'FailedCreate', message: 'exceeded quota: small' }
  t.match(conditions(status({ deployment: deployment({ conditions: [quota] }), pods: [badPod] })), { Ready: 'False QuotaExceeded', Degraded: 'True QuotaExceeded' })
  const late = { type: 'Progressing', status: 'False' as const, reason: 'ProgressDeadlineExceeded', message: 'late' }
  t.match(conditions(status({ deployment: deployment({ conditions: [late] }), pods: [badPod] })), { Degraded: 'True ImagePullBackOff' }, 'the cause, not the consequence')
  t.match(conditions(status({ deployment: deployment({ conditions: [late] }) })), { Degraded: 'True ProgressDeadlineExceeded' })

  const evicted: Pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'shop-old' }, status: { phase: 'Failed', reason: 'Evicted', message: 'low on memory' } }
  t.same(conditions(status({ deployment: complete, pods: [evicted] })), { Ready: 'True AllReplicasReady', Progressing: 'False AllReplicasReady', Degraded: 'False AsExpected' }, 'an evicted pod that was replaced')
  t.match(conditions(status({ deployment: deployment({ replicas: 2, updatedReplicas: 2, readyReplicas: 1, availableReplicas: 1 }), pods: [evicted] })), { Ready: 'False Evicted', Degraded: 'True Evicted' }, 'one that was not')

  const taken = { reason: 'NameTaken', message: 'Service "shop" exists' }
  const partial = status({ deployment: complete, problems: [taken] })
  t.same(conditions(partial), { Ready: 'False NameTaken', Progressing: 'False AllReplicasReady', Degraded: 'True NameTaken' })

  const again = statusOf(webapp({}, running), { deployment: complete, pods: [], problems: [], now: new Date('2027-01-01T00:00:00Z') })
  t.same(again, running, 'the same at any other time')
  t.end()
})
