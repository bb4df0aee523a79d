import t from 'tap'
import { StatusError, newForbidden, newServiceUnavailable, newStatusError } from '../../registry/meta/status-error.js'
import { problemOfRefusal } from './problem.js'
import { problemOfPod, problemOfPods } from './problem-of-pods.js'
import { problemOfClaim, problemOfEvents, problemOfWorkload } from './problem-of-workload.js'
import type { ContainerStatus, CoreEvent, PersistentVolumeClaim, Pod, Workload } from './types.js'

const pod = (status: NonNullable<Pod['status']>, name = 'shop-1'): Pod => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name }, status })
const container = (status: Partial<ContainerStatus>): Pod => pod({ phase: 'Pending', containerStatuses: [{ name: 'app', image: 'shop:7', ...status }] })
const waits = (reason: string, message?: string): Pod => container({ state: { waiting: { reason, ...(message !== undefined && { message }) } } })

t.test('what keeps a pod from running', t => {
  const table: [string, Pod, RegExp | undefined][] = [
    ['starts', waits('ContainerCreating'), undefined],
    ['runs', container({ state: { running: {} }, ready: true }), undefined],
    ['runs again', container({ state: { running: {} }, ready: true, lastState: { terminated: { reason: 'OOMKilled', exitCode: 137 } } }), undefined],
    ['done', pod({ phase: 'Succeeded', containerStatuses: [{ name: 'app', state: { terminated: { reason: 'Completed', exitCode: 0 } } }] }), undefined],
    ['pull fails', waits('ErrImagePull', 'not found'), /^ImagePullBackOff pod "shop-1": container "app" cannot pull image "shop:7"; check its name, tag and pull secrets: not found$/],
    ['pull backs off', waits('ImagePullBackOff', 'Back-off pulling image "shop:7": ErrImagePull: not found'), /^ImagePullBackOff .*pull secrets: not found$/],
    ['bad name', waits('InvalidImageName', 'couldn\'t parse'), /^InvalidImageName .*"shop:7" is no valid image name: couldn't parse$/],
    ['config', waits('CreateContainerConfigError', 'secret "s" not found'), /^CreateContainerConfigError .*check the ConfigMaps and Secrets that it refers to: secret "s" not found$/],
    ['crashes', container({ state: { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 5m0s restarting' } }, lastState: { terminated: { exitCode: 3, message: 'no database\n' } } }), /^CrashLoopBackOff pod "shop-1": container "app" ends again and again \(exit code 3: no database\); see kubectl logs --previous$/],
    ['crashes for memory', container({ state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: { terminated: { exitCode: 137, reason: 'OOMKilled' } } }), /killed for using more memory than its limit/],
    ['crashes, and runs for a moment', container({ state: { running: {} }, ready: false, restartCount: 2, lastState: { terminated: { exitCode: 3, message: 'no database\n' } } }), /^CrashLoopBackOff pod "shop-1": container "app" ends again and again \(exit code 3: no database\); see kubectl logs --previous$/],
    ['crashes, and was ready before', pod({ phase: 'Running', conditions: [{ type: 'Ready', status: 'False', lastTransitionTime: '2026-01-02T03:00:00Z' }], containerStatuses: [{ name: 'app', state: { running: { startedAt: '2026-01-02T03:05:00Z' } }, ready: false, restartCount: 2, lastState: { terminated: { exitCode: 3 } } }] }), /^CrashLoopBackOff /],
    ['crashed long ago, and is not ready any more', pod({ phase: 'Running', conditions: [{ type: 'Ready', status: 'False', lastTransitionTime: '2026-01-09T03:00:00Z' }], containerStatuses: [{ name: 'app', state: { running: { startedAt: '2026-01-02T03:05:00Z' } }, ready: false, restartCount: 2, lastState: { terminated: { exitCode: 3 } } }] }), undefined],
    ['crashes, and has just ended', container({ state: { terminated: { exitCode: 3 } }, restartCount: 2, lastState: { terminated: { exitCode: 3 } } }), /^CrashLoopBackOff .*\(exit code 3\)/],
    ['crashed, and is ready', container({ state: { running: {} }, ready: true, restartCount: 5, lastState: { terminated: { exitCode: 3 } } }), undefined],
    ['crashed once, and starts', container({ state: { running: {} }, ready: false, restartCount: 1, lastState: { terminated: { exitCode: 3 } } }), undefined],
    ['restarted without a failure', container({ state: { running: {} }, ready: false, restartCount: 4, lastState: { terminated: { exitCode: 0 } } }), undefined],
    ['killed', container({ state: { terminated: { reason: 'OOMKilled', exitCode: 137 } } }), /^OOMKilled .*raise the limit$/],
    ['init container', pod({ phase: 'Pending', initContainerStatuses: [{ name: 'init', image: 'i', state: { waiting: { reason: 'ImagePullBackOff' } } }], containerStatuses: [{ name: 'app', state: { waiting: { reason: 'PodInitializing' } } }] }), /^ImagePullBackOff .*container "init"/],
    ['no node', pod({ phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/3 nodes are available: 3 Insufficient cpu.' }] }), /^Unschedulable pod "shop-1": no node takes it: 0\/3 nodes are available: 3 Insufficient cpu\.$/],
    ['gated', pod({ phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }] }), undefined],
    ['evicted', pod({ phase: 'Failed', reason: 'Evicted', message: 'low on memory' }), /^Evicted pod "shop-1": low on memory$/],
    ['goes', { ...waits('ImagePullBackOff'), metadata: { name: 'x', deletionTimestamp: '2026-01-02T03:04:05Z' } }, undefined]
  ]
  for (const [what, p, expected] of table) {
    const problem = problemOfPod(p)
    if (expected === undefined) t.equal(problem, undefined, what)
    else t.match(problem === undefined ? '' : `${problem.reason} ${problem.message}`, expected, what)
  }
  t.end()
})

t.test('of several pods the same problem is told whatever their order', t => {
  const unschedulable = pod({ phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: 'full' }] }, 'a')
  const broken = ['b', 'c', 'd'].map(name => ({ ...waits('ImagePullBackOff'), metadata: { name } }))
  for (const pods of [[unschedulable, ...broken], [...broken, unschedulable].reverse()]) t.match(problemOfPods(pods), { reason: 'ImagePullBackOff', message: /^pod "b": .* \(and 2 more pods\)$/ })
  const evicted = pod({ phase: 'Failed', reason: 'Evicted', message: 'low on memory' }, '0')
  t.match(problemOfPods([evicted, unschedulable]), { reason: 'Unschedulable', message: /^pod "a"/ }, 'what is wrong with the successors of failed pods')
  t.equal(problemOfPods([]), undefined)
  t.end()
})

t.test('what keeps a workload from making its pods', t => {
  const deployment = (...conditions: NonNullable<NonNullable<Workload['status']>['conditions']>): Workload => ({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'shop' }, status: { conditions } })
  const quota = 'pods "shop-x" is forbidden: exceeded quota: small, requested: pods=1, used: pods=2, limited: pods=2'
  t.same(problemOfWorkload(deployment({ type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message: quota })), { reason: 'QuotaExceeded', message: `Deployment "shop" cannot make its pods: ${quota}` })
  t.match(problemOfWorkload(deployment({ type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message: 'denied by policy' })), { reason: 'FailedCreate' })
  t.match(problemOfWorkload(deployment({ type: 'Progressing', status: 'False', reason: 'ProgressDeadlineExceeded', message: 'ReplicaSet "x" has timed out progressing.' })), { reason: 'ProgressDeadlineExceeded', message: /timed out/ })
  t.equal(problemOfWorkload(deployment({ type: 'Progressing', status: 'True', reason: 'NewReplicaSetAvailable' })), undefined)
  t.equal(problemOfWorkload({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'new' } }), undefined)
  t.end()
})

t.test('events tell of StatefulSets and claims, as long as they are recent', t => {
  const now = new Date('2026-01-02T03:10:00Z')
  const set: Workload = { apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: { name: 'db', uid: 'u' } }
  const event = (at: string, changes: Partial<CoreEvent> = {}): CoreEvent => ({ apiVersion: 'v1', kind: 'Event', metadata: {}, type: 'Warning', reason: 'FailedCreate', message: `exceeded quota at ${at}`, involvedObject: { uid: 'u' }, lastTimestamp: `2026-01-02T${at}Z`, ...changes })
  t.same(problemOfEvents(set, [event('03:06:00'), event('03:08:00'), event('03:07:00')], { now }), { reason: 'QuotaExceeded', message: 'StatefulSet "db" cannot make its pods: exceeded quota at 03:08:00' })
  t.match(problemOfEvents(set, [event('02:53:20')], { now }), { reason: 'QuotaExceeded' }, 'the longest wait between two tries of a controller')
  t.equal(problemOfEvents(set, [event('02:49:59')], { now }), undefined, 'over')
  t.match(problemOfEvents(set, [event('02:40:00', { series: { lastObservedTime: '2026-01-02T03:09:00.000000Z' } })], { now }), { reason: 'QuotaExceeded' }, 'a series that goes on')
  t.equal(problemOfEvents(set, [event('03:09:00', { involvedObject: { uid: 'another' } }), event('03:09:00', { type: 'Normal' }), event('03:09:00', { reason: 'Other' })], { now }), undefined)
  t.match(problemOfEvents({ ...set, kind: 'PersistentVolumeClaim' }, [event('03:09:00', { reason: 'ProvisioningFailed', message: 'storageclass "fast" not found' })], { now }), { reason: 'ProvisioningFailed', message: 'PersistentVolumeClaim "db": storageclass "fast" not found' })
  t.end()
})

t.test('what keeps a claim from being bound', t => {
  const claim = (spec: PersistentVolumeClaim['spec'], phase = 'Pending'): PersistentVolumeClaim => ({ apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'data' }, spec: spec!, status: { phase } })
  const classes = new Set(['slow', 'fast'])
  t.match(problemOfClaim(claim({ storageClassName: 'gone' }), classes), { reason: 'StorageClassNotFound', message: 'claim "data" asks for StorageClass "gone", which does not exist; there are: fast, slow' })
  t.match(problemOfClaim(claim({}), new Set()), { reason: 'NoStorageClass', message: /no default; there is none$/ })
  t.match(problemOfClaim(claim({ storageClassName: 'gone' }, 'Lost'), classes), { reason: 'VolumeLost' })
  for (const [what, c, known] of [['bound', claim({ storageClassName: 'gone' }, 'Bound'), classes], ['known', claim({ storageClassName: 'fast' }), classes], ['static', claim({ storageClassName: '' }), classes], ['named volume', claim({ storageClassName: 'gone', volumeName: 'v' }), classes], ['not known', claim({ storageClassName: 'x' }), undefined]] as const) t.equal(problemOfClaim(c, known), undefined, what)
  t.end()
})

t.test('refusals', t => {
  const resource = { group: 'apps', resource: 'deployments' }
  t.match(problemOfRefusal(newForbidden(resource, 'shop', 'exceeded quota: small, requested: services=1'), 'Service "shop"'), { reason: 'QuotaExceeded', message: /^Service "shop": .*exceeded quota: small/ })
  t.match(problemOfRefusal(newForbidden(resource, 'shop', 'User "x" cannot patch'), 'Deployment "shop"'), { reason: 'Forbidden' })
  const terminating = newForbidden(resource, 'shop', 'it is being terminated')
  t.match(problemOfRefusal(new StatusError({ ...terminating.status, details: { causes: [{ reason: 'NamespaceTerminating' }] } }), 'x'), { reason: 'NamespaceTerminating' })
  t.match(problemOfRefusal(newStatusError({ code: 500, reason: 'InternalError', message: 'Internal error occurred: failed to allocate a serviceIP: range is full' }), 'Service "shop"'), { reason: 'InternalError', message: /range is full/ })
  t.match(problemOfRefusal(newStatusError({ code: 422, reason: 'Invalid', message: 'bad' }), 'x'), { reason: 'Invalid' })
  for (const error of [newServiceUnavailable('later'), newStatusError({ code: 409, reason: 'Conflict', message: 'changed' }), new Error('mine'), 'nothing']) t.equal(problemOfRefusal(error, 'x'), undefined)
  t.end()
})
