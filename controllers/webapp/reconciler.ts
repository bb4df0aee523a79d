import type { WebApp } from '../../registry/example.com/webapps/types.js'
import type { KubeObject } from '../../registry/meta/object-meta.js'
import { applyChild, type ChildResult, type DesiredChild } from '../children/apply-child.js'
import { isControlledBy, type ChildKind } from '../children/child-kind.js'
import type { Problem } from '../children/problem.js'
import { pruneChildren } from '../children/prune-children.js'
import { writeStatus } from '../children/status.js'
import type { Pod, Workload } from '../children/types.js'
import type { ResourceClient } from '../client/interfaces.js'
import type { Clock } from '../clock.js'
import type { EventRecorder } from '../events/event-recorder.js'
import type { Lister } from '../informer/interfaces.js'
import type { Reconcile } from '../reconciler.js'
import { desiredDeployment, desiredDisruptionBudget, desiredService } from './desired.js'
import { fieldManager } from './labels.js'
import { statusOf } from './status.js'

export interface WebAppReconcilerOptions {
  readonly webapps: { readonly client: ResourceClient<WebApp>; readonly lister: Lister<WebApp> }
  readonly deployments: ChildKind<Workload>
  readonly services: ChildKind
  readonly disruptionBudgets: ChildKind
  /** The pods of a WebApp, as far as a cache knows. */
  readonly podsOf: (webapp: WebApp) => readonly Pod[]
  readonly events: Pick<EventRecorder, 'event'>
  readonly clock: Clock
}

/** Brings the children of a WebApp to what it asks for, and its status to what became of them. */
export function webAppReconciler (options: WebAppReconcilerOptions): Reconcile {
  const { webapps, deployments, services, disruptionBudgets, podsOf, events, clock } = options
  return async (request, signal) => {
    const webapp = webapps.lister.get(request)
    // Of one that goes, the garbage collector deletes the children; nothing may be made again meanwhile.
    if (webapp === undefined || webapp.metadata.deletionTimestamp !== undefined) return
    const budget = desiredDisruptionBudget(webapp)

    const deployment = await apply(deployments, webapp, desiredDeployment(webapp), signal)
    const results = [
      deployment,
      await apply(services, webapp, desiredService(webapp), signal),
      ...(budget === undefined ? [] : [await apply(disruptionBudgets, webapp, budget, signal)])
    ]
    const names = [webapp.metadata.name ?? '']
    await pruneChildren(disruptionBudgets, webapp, budget === undefined ? [] : names, { signal })

    const problems = results.flatMap(r => 'problem' in r ? [r.problem] : [])
    const status = statusOf(webapp, { deployment: deploymentOf(webapp, deployment), pods: podsOf(webapp), problems, now: clock.date() })
    report(webapp, status.conditions?.find(c => c.type === 'Degraded' && c.status === 'True'))
    await writeStatus(webapps.client, webapp, status, { fieldManager, signal })
    // A quota is raised, a name becomes free: nothing tells us.
    return { backoff: problems.length > 0 }
  }

  async function apply<T extends KubeObject> (kind: ChildKind<T>, webapp: WebApp, desired: DesiredChild<T>, signal: AbortSignal): Promise<ChildResult<T>> {
    const result = await applyChild(kind, webapp, desired, { fieldManager, signal })
    if (result.type === 'Applied' && result.created) events.event(webapp, { type: 'Normal', reason: 'Created', action: `Create${kind.kind}`, note: `made ${kind.kind} ${JSON.stringify(desired.metadata.name)}`, related: result.object })
    return result
  }

  /** The Deployment, if it is the WebApp's own. */
  function deploymentOf (webapp: WebApp, result: ChildResult): Workload | undefined {
    if (result.type !== 'NameTaken' && result.type !== 'Refused') return result.object as Workload
    const known = deployments.informer.lister.get({ namespace: webapp.metadata.namespace, name: webapp.metadata.name ?? '' })
    return known !== undefined && isControlledBy(known, webapp) ? known : undefined
  }

  /** Says so once, when something begins to be wrong or is wrong for another reason. */
  function report (webapp: WebApp, degraded: Partial<Problem> | undefined): void {
    const before = webapp.status?.conditions?.find(c => c.type === 'Degraded' && c.status === 'True')
    if (degraded === undefined || before?.reason === degraded.reason) return
    events.event(webapp, { type: 'Warning', reason: degraded.reason ?? '', action: 'Reconcile', note: degraded.message ?? '' })
  }
}
