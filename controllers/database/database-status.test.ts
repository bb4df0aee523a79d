import t from 'tap'
import { viewOf, type DatabaseObservation } from './database-status.js'
import { dbExampleDatabase } from './db-example-database.js'
import type { StatefulSet } from './desired-stateful-set.js'
import { mycompanyDatabase } from './mycompany-database.js'
import { planStorage } from './storage-plan.js'
import { claim, databaseObject, model, names, pod, settings } from './testing.js'

const now = new Date('2026-01-01T00:00:00Z')
const set = (status: StatefulSet['status'], metadata = {}): StatefulSet => ({ apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: { name: 'orders', generation: 1, ...metadata }, status: { observedGeneration: 1, currentRevision: 'r1', updateRevision: 'r1', ...status } })
const healthy = set({ replicas: 1, readyReplicas: 1, updatedReplicas: 1 })
const waiting = (reason: string): ReturnType<typeof pod> => pod('orders-0', { containerStatuses: [{ name: 'database', image: 'postgres:0', state: { waiting: { reason } } }] })

function view (more: Partial<DatabaseObservation> = {}): ReturnType<typeof viewOf> {
  const claims = more.claims ?? [claim('data-orders-0')]
  const wish = (more.model ?? model()).storage
  return viewOf({
    object: databaseObject(), names: names(), model: model(), settings: settings(), statefulSet: healthy, pods: [], claims, storageClasses: new Set(['fast']), now, primary: 'orders.shop.svc:5432',
    storage: planStorage({ wish, template: undefined, claims, classes: new Map([['fast', { allowVolumeExpansion: true }]]) }), ...more
  })
}
const withPhase = (phase: string): ReturnType<typeof databaseObject> => ({ ...databaseObject(), status: { phase } })
const conditionOf = ({ conditions }: ReturnType<typeof viewOf>, type: string): object | undefined => conditions.find(c => c.type === type)

t.test('phase and readiness', async t => {
  const cases: [string, Partial<DatabaseObservation>, string, boolean][] = [
    ['nothing yet', { statefulSet: undefined, claims: [] }, 'Pending', false],
    ['claims are not bound', { statefulSet: set({ replicas: 1 }), claims: [claim('data-orders-0', { phase: 'Pending' })] }, 'Pending', false],
    ['starting', { statefulSet: set({ replicas: 1, updatedReplicas: 1 }) }, 'Creating', false],
    ['running', {}, 'Running', true],
    ['not seen by its controller', { statefulSet: set({ replicas: 1, readyReplicas: 1, observedGeneration: 1 }, { generation: 2 }) }, 'Updating', true],
    ['rolling', { statefulSet: set({ replicas: 1, readyReplicas: 1, updateRevision: 'r2' }) }, 'Updating', true],
    ['rolling, the only instance is down', { object: withPhase('Updating'), statefulSet: set({ replicas: 1, updateRevision: 'r2' }) }, 'Updating', false],
    ['scaling', { model: model({ replicas: 3 }), statefulSet: set({ replicas: 2, readyReplicas: 1, updatedReplicas: 2 }) }, 'Updating', false],
    ['growing', { claims: [claim('data-orders-0', { request: '2Gi', capacity: '1Gi' })] }, 'Updating', true],
    ['asked to grow a moment ago', { model: model({ storage: { size: '2Gi', storageClass: 'fast' } }) }, 'Updating', true],
    ['the StatefulSet is to be made anew', { storage: planStorage({ wish: { size: '2Gi' }, template: { size: '1Gi' }, claims: [], classes: new Map() }) }, 'Updating', true],
    ['scaled to zero', { model: model({ replicas: 0 }), statefulSet: set({}) }, 'Pending', false],
    ['no image', { statefulSet: set({ replicas: 1 }), pods: [waiting('ImagePullBackOff')] }, 'Failed', false],
    ['no node', { statefulSet: set({ replicas: 1 }), pods: [pod('orders-0', { conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/3 nodes' }] })] }, 'Pending', false],
    ['a name is taken', { statefulSet: undefined, blocked: { reason: 'NameTaken', message: 'x' } }, 'Failed', false],
    ['blocked, but it answers', { blocked: { reason: 'Forbidden', message: 'x' } }, 'Running', true],
    ['an annotation makes no sense', { settings: settings({ 'db.example.com/cpu': 'x' }) }, 'Running', true],
    ['quota', { statefulSet: set({}), failedCreate: { reason: 'QuotaExceeded', message: 'x' } }, 'Failed', false]
  ]
  for (const [name, observed, phase, ready] of cases) t.match(view(observed), { phase, ready }, name)
})

t.test('conditions say what is the matter', async t => {
  const cases: [string, Partial<DatabaseObservation>, string, object][] = [
    ['ready', {}, 'Ready', { status: 'True', reason: 'InstancesReady', message: '1 instance is ready' }],
    ['not ready', { model: model({ replicas: 2 }) }, 'Ready', { status: 'False', reason: 'InstancesNotReady', message: '1 of 2 instances are ready' }],
    ['the cause', { statefulSet: set({ replicas: 1 }), pods: [waiting('ErrImagePull')] }, 'Degraded', { status: 'True', reason: 'ImagePullBackOff', message: /pod "orders-0": container "database" cannot pull image "postgres:0"/ }],
    ['blocked', { blocked: { reason: 'NameTaken', message: 'Service "orders"' } }, 'ResourcesReady', { status: 'False', reason: 'NameTaken', message: 'Service "orders"' }],
    ['no class', { claims: [claim('c', { phase: 'Pending', storageClass: 'nope' })] }, 'StorageReady', { status: 'False', reason: 'StorageClassNotFound', message: /"nope", which does not exist; there are: fast/ }],
    ['waiting for volumes', { claims: [claim('c', { phase: 'Pending' })] }, 'StorageReady', { status: 'False', reason: 'ClaimsPending', message: 'not bound yet: c' }],
    ['growing', { claims: [claim('c', { request: '2Gi', capacity: '1Gi' })] }, 'StorageReady', { status: 'False', reason: 'Expanding' }],
    ['a claim that waits for a backup', { claims: [claim('data-orders-0'), claim('orders-backups', { phase: 'Pending' })] }, 'StorageReady', { status: 'True' }],
    ['the claim of an instance that is no more', { claims: [claim('data-orders-0'), claim('data-orders-1', { request: '2Gi', capacity: '1Gi' })] }, 'StorageReady', { status: 'True' }],
    ['upgrade', { upgrade: { reason: 'UpgradeNotSupported', message: 'x' } }, 'Degraded', { status: 'True', reason: 'UpgradeNotSupported' }],
    ['paused', { settings: settings({ 'db.example.com/paused': 'true' }) }, 'Paused', { status: 'True', reason: 'PausedByAnnotation' }],
    ['several instances', { model: model({ replicas: 2 }) }, 'Replicated', { status: 'False', reason: 'IndependentInstances', message: /2 instances do not replicate/ }],
    ['rolling', { statefulSet: set({ replicas: 1, readyReplicas: 1, updateRevision: 'r2' }) }, 'Progressing', { status: 'True', reason: 'RollingOut', message: '0 of 1 instance is updated' }]
  ]
  for (const [name, observed, type, expected] of cases) t.match(conditionOf(view(observed), type), expected, name)
  t.equal(conditionOf(view(), 'Replicated'), undefined, 'a single instance has nothing to replicate')
})

t.test('the same observation gives the same status later', async t => {
  const first = view()
  const later = view({ object: { ...databaseObject(), status: { phase: first.phase, conditions: first.conditions } }, now: new Date('2026-02-02T00:00:00Z') })
  t.strictSame(later, first)
})

t.test('each group\'s status', async t => {
  const seen = view({ backup: { condition: { status: 'True', reason: 'Scheduled', message: '' }, nextBackup: '2026-01-02T00:00:00Z' }, monitoring: { status: 'False', reason: 'Disabled', message: '' } })
  t.match(dbExampleDatabase.status(seen), { phase: 'Running', replicas: 1, selector: 'app.kubernetes.io/component=database,db.example.com/database=orders', observedGeneration: 3, endpoints: { primary: 'orders.shop.svc:5432' }, backupStatus: { nextBackup: '2026-01-02T00:00:00Z' } })
  t.notOk('ready' in dbExampleDatabase.status(seen)!)
  t.notOk('lastBackup' in dbExampleDatabase.status(seen)!.backupStatus!)
  const mine = mycompanyDatabase.status(view())!
  t.match(mine, { phase: 'Running', ready: true, replicas: 1 })
  t.notOk('endpoints' in mine)
  t.equal(mine.conditions!.every(c => c.reason !== '' && c.lastTransitionTime === '2026-01-01T00:00:00Z'), true)
})

t.test('each group\'s spec', async t => {
  t.match(mycompanyDatabase.model({ ...databaseObject(), spec: { engine: 'mysql', version: '8.4' } }), { engine: 'mysql', version: '8.4', replicas: 1, storage: { size: '10Gi' }, configuration: {}, backup: undefined, metrics: undefined })
  t.match(dbExampleDatabase.model({ ...databaseObject(), spec: { type: 'mongodb', version: '8.0.1', replicas: 0, storage: { size: '500K', storageClass: 'fast' }, backup: { schedule: '@daily' }, monitoring: { enabled: true } } }),
    { engine: 'mongodb', replicas: 0, storage: { size: '500k', storageClass: 'fast' }, backup: { enabled: false, schedule: '@daily', retention: 7 }, metrics: [] })
})
