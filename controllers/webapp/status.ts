import type { WebApp, WebAppStatus } from '../../registry/example.com/webapps/types.js'
import type { Problem } from '../children/problem.js'
import { problemOfPods } from '../children/problem-of-pods.js'
import { problemOfWorkload } from '../children/problem-of-workload.js'
import { mergeConditions, type WantedCondition } from '../children/status.js'
import type { Pod, Workload } from '../children/types.js'
import { selectorText } from './labels.js'
import { rolloutOf, type Rollout } from './rollout.js'

export interface Observed {
  /** The WebApp's own, if it has one. */
  readonly deployment: Workload | undefined
  readonly pods: readonly Pod[]
  /** Why children could not be made. */
  readonly problems: readonly Problem[]
  readonly now: Date
}

/** The status of a WebApp, from what was observed; only times of transitions depend on the present one. */
export function statusOf (webapp: WebApp, { deployment, pods, problems, now }: Observed): WebAppStatus {
  const rollout = rolloutOf(webapp, deployment)
  const { replicas = 0, readyReplicas = 0 } = deployment?.status ?? {}
  // Evicted pods stay until the pod garbage collector takes them, long after others have replaced them.
  const telling = rollout.done ? pods.filter(p => p.status?.phase !== 'Failed') : pods
  // What the user of this WebApp can mend comes before its consequences.
  const problem = problems[0] ?? creationProblem(deployment) ?? problemOfPods(telling) ?? (deployment && problemOfWorkload(deployment))
  const ready = rollout.done && problems.length === 0
  return {
    phase: ready || readyReplicas > 0 ? 'Running' : problem === undefined ? 'Pending' : 'Failed',
    replicas,
    readyReplicas,
    selector: selectorText(webapp.metadata.name ?? ''),
    ...(webapp.metadata.generation !== undefined && { observedGeneration: webapp.metadata.generation }),
    conditions: mergeConditions(webapp.status?.conditions, conditionsOf(ready, rollout, problem), { now })
  }
}

/** A Deployment that may not make pods has none that could tell. Beyond its deadline it has, and they know better. */
function creationProblem (deployment: Workload | undefined): Problem | undefined {
  const problem = deployment && problemOfWorkload(deployment)
  return problem?.reason === 'ProgressDeadlineExceeded' ? undefined : problem
}

function conditionsOf (ready: boolean, rollout: Rollout, problem: Problem | undefined): WantedCondition[] {
  return [
    ready
      ? { type: 'Ready', status: 'True', reason: rollout.reason, message: rollout.message }
      : { type: 'Ready', status: 'False', reason: problem?.reason ?? rollout.reason, message: problem?.message ?? rollout.message },
    { type: 'Progressing', status: rollout.done ? 'False' : 'True', reason: rollout.reason, message: rollout.message },
    problem === undefined
      ? { type: 'Degraded', status: 'False', reason: 'AsExpected', message: '' }
      : { type: 'Degraded', status: 'True', ...problem }
  ]
}
