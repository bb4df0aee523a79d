import type { ContainerStatus, Pod } from './types.js'
import type { Problem } from './problem.js'

/** Reasons for which a container waits and will not start without somebody's help, and what to say before the kubelet's message. */
const waiting: Readonly<Record<string, (c: ContainerStatus) => string>> = {
  ImagePullBackOff: c => `cannot pull image ${JSON.stringify(c.image ?? '')}; check its name, tag and pull secrets`,
  ErrImagePull: c => `cannot pull image ${JSON.stringify(c.image ?? '')}; check its name, tag and pull secrets`,
  ErrImageNeverPull: c => `image ${JSON.stringify(c.image ?? '')} is not on the node and the pull policy is Never`,
  InvalidImageName: c => `${JSON.stringify(c.image ?? '')} is no valid image name`,
  ImageInspectError: c => `image ${JSON.stringify(c.image ?? '')} cannot be inspected`,
  RegistryUnavailable: c => `the registry of image ${JSON.stringify(c.image ?? '')} does not answer`,
  CreateContainerConfigError: () => 'cannot be configured; check the ConfigMaps and Secrets that it refers to',
  CreateContainerError: () => 'cannot be created',
  RunContainerError: () => 'cannot be started',
  CrashLoopBackOff: c => `ends again and again${ending(c)}; see kubectl logs --previous`
}

/** What a user should see first, first. Failed pods come last: they are replaced, and what keeps their successors from running says more. */
const order = ['ImagePullBackOff', 'InvalidImageName', 'ErrImageNeverPull', 'CreateContainerConfigError', 'CreateContainerError', 'RunContainerError', 'CrashLoopBackOff', 'OOMKilled', 'Unschedulable', 'Evicted', 'PodFailed']

/** What keeps a pod from running, if it is something that waiting does not mend. */
export function problemOfPod (pod: Pod): Problem | undefined {
  const { status, metadata } = pod
  if (status === undefined || metadata.deletionTimestamp !== undefined || status.phase === 'Succeeded') return undefined
  const named = (text: string): string => `pod ${JSON.stringify(metadata.name)}: ${text}`
  for (const container of [...status.initContainerStatuses ?? [], ...status.containerStatuses ?? []]) {
    const text = problemOfContainer(container, status.conditions?.find(c => c.type === 'Ready')?.lastTransitionTime)
    if (text !== undefined) return { reason: text.reason, message: named(text.message) }
  }
  if (status.phase === 'Failed') return { reason: status.reason === 'Evicted' ? 'Evicted' : 'PodFailed', message: named(status.message ?? status.reason ?? 'it failed') }
  const scheduled = status.conditions?.find(c => c.type === 'PodScheduled')
  if (scheduled?.status === 'False' && scheduled.reason === 'Unschedulable') return { reason: 'Unschedulable', message: named(`no node takes it: ${scheduled.message ?? 'no reason given'}`) }
  return undefined
}

/** The problem to tell of several pods: the one that a person has to look into first, and of how many pods it is. */
export function problemOfPods (pods: readonly Pod[]): Problem | undefined {
  // By name, so that the message does not change with the order of a cache.
  const problems = pods.toSorted((a, b) => (a.metadata.name ?? '') < (b.metadata.name ?? '') ? -1 : 1).map(problemOfPod).filter(p => p !== undefined)
  const first = order.map(reason => problems.find(p => p.reason === reason)).find(p => p !== undefined) ?? problems[0]
  if (first === undefined) return undefined
  const alike = problems.filter(p => p.reason === first.reason).length
  return alike > 1 ? { reason: first.reason, message: `${first.message} (and ${alike - 1} more pod${alike === 2 ? '' : 's'})` } : first
}

function problemOfContainer (container: ContainerStatus, readyOrNotSince: string | undefined): Problem | undefined {
  const { state, lastState, name } = container
  const reason = state?.waiting?.reason ?? ''
  const text = waiting[reason]
  if (text !== undefined) {
    // The kubelet goes back and forth between the two; a condition should not.
    return { reason: reason === 'ErrImagePull' ? 'ImagePullBackOff' : reason, message: sentence(`container ${JSON.stringify(name)} ${text(container)}`, reason === 'CrashLoopBackOff' ? undefined : kubelets(state?.waiting?.message)) }
  }
  if (isCrashing(container, readyOrNotSince)) return { reason: 'CrashLoopBackOff', message: `container ${JSON.stringify(name)} ${waiting['CrashLoopBackOff']!(container)}` }
  const ended = state?.terminated ?? (container.ready === true || state?.running !== undefined ? undefined : lastState?.terminated)
  if (ended?.reason === 'OOMKilled') return { reason: 'OOMKilled', message: `container ${JSON.stringify(name)} used more memory than its limit and was killed; raise the limit` }
  return undefined
}

/**
 * Between two waits of a crash loop the container runs for a moment, or has just ended; a condition should not come and go with it. One that
 * has become ready since it started, and is not any more, crashed in the past.
 */
function isCrashing ({ ready, restartCount = 0, state, lastState }: ContainerStatus, readyOrNotSince: string | undefined): boolean {
  if (ready === true || restartCount < 2 || (lastState?.terminated?.exitCode ?? 0) === 0) return false
  if (state?.running === undefined) return state?.terminated !== undefined && state.terminated.exitCode !== 0
  const { startedAt } = state.running
  return startedAt === undefined || readyOrNotSince === undefined || Date.parse(readyOrNotSince) <= Date.parse(startedAt)
}

function ending ({ lastState, state }: ContainerStatus): string {
  const ended = lastState?.terminated ?? state?.terminated
  if (ended === undefined) return ''
  return ended.reason === 'OOMKilled' ? ', killed for using more memory than its limit' : ` (exit code ${ended.exitCode ?? 'unknown'}${ended.message === undefined || ended.message === '' ? '' : `: ${ended.message.trim()}`})`
}

/** The cause alone: between two tries the kubelet puts words in front of it that would make a condition come and go. */
const kubelets = (message: string | undefined): string | undefined => message?.replace(/^Back-off pulling image "[^"]*"(: ErrImagePull: )?/, '').trim()
const sentence = (text: string, detail: string | undefined): string => detail === undefined || detail === '' ? text : `${text}: ${detail}`
