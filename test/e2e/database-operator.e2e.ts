import { isDeepStrictEqual } from 'node:util'
import t, { type Test } from 'tap'
import { registerAnnex, startAnnex } from '../fixtures/control-plane-annex.js'
import { ApiError, type Condition, type KubeObject } from '../fixtures/control-plane-client.js'
import { until } from '../fixtures/control-plane-conditions.js'
import { auditLog, isWrite, startManager } from '../fixtures/control-plane-manager.js'
import { kubelet, patchPodStatus, podsOf, waitingStatus } from '../fixtures/control-plane-pods.js'
import { provisioner, storageClass } from '../fixtures/control-plane-storage.js'
import { startControlPlane } from '../fixtures/control-plane.js'

t.setTimeout(600_000)

interface Status { phase: string, ready?: boolean, replicas: number, selector: string, observedGeneration: number, conditions: Condition[], endpoints?: object, backupStatus?: { nextBackup?: string, lastBackup?: string, backupCount?: number } }
interface Group { readonly group: string, readonly version: string }
const mycompany: Group = { group: 'mycompany.io', version: 'v2' }
const dbExample: Group = { group: 'db.example.com', version: 'v1' }
const expandable = 'expandable'
/** A schedule that does not come due while the tests run. */
const elsewhenHour = String((new Date().getUTCHours() + 12) % 24).padStart(2, '0')
const elsewhen = `30 ${Number(elsewhenHour)} * * *`

t.test('Databases on a real control plane', async t => {
  const user = 'system:serviceaccount:annex-system:annex-controller-manager'
  const audit = auditLog(t.testdir({}), [user])
  const controlPlane = await startControlPlane(t, { args: audit.args })
  const annex = await startAnnex(controlPlane)
  await registerAnnex(controlPlane, { port: annex.port, certificateAuthorityPem: annex.certificateAuthorityPem, groupVersions: [mycompany, dbExample, { group: 'metrics.example.com', version: 'v1alpha1' }, { group: 'custom.metrics.k8s.io', version: 'v1beta2' }] })
  await controlPlane.startControllerManager()
  const { client } = controlPlane.admin
  for (const [name, grows] of [[expandable, true], ['fixed', false]] as const) await client.create('/apis/storage.k8s.io/v1/storageclasses', storageClass(name, grows))
  let resizes = true
  const volumes = provisioner(client, { resizes: () => resizes })
  t.teardown(async () => { await volumes.stop() })
  // Each Database is looked at again every second or two, which must not be seen by anybody.
  const flags = ['--controllers=database', '--min-resync-period=1s', '--leader-elect=false']
  const manager = await startManager(controlPlane, { flags })

  const databasePath = ({ group, version }: Group, namespace: string, name?: string): string => `/apis/${group}/${version}/namespaces/${namespace}/databases${name === undefined ? '' : `/${name}`}`
  const core = (namespace: string, plural: string, name?: string): string => `/api/v1/namespaces/${namespace}/${plural}${name === undefined ? '' : `/${name}`}`
  const setPath = (namespace: string, name: string): string => `/apis/apps/v1/namespaces/${namespace}/statefulsets/${name}`
  const cronJobPath = (namespace: string, name: string): string => `/apis/batch/v1/namespaces/${namespace}/cronjobs/${name}`
  const namespaced = async (t: Test, name: string, { pods = true } = {}): Promise<string> => {
    // Pods that break the standard are refused here.
    await client.create('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } } })
    if (pods) {
      const made = kubelet(client, name, pod => !pod.spec.containers[0]!.image.endsWith('.99'))
      t.teardown(async () => { await made.stop() })
    }
    return name
  }
  const found = async <T extends KubeObject = KubeObject>(path: string): Promise<T | undefined> => {
    const answer = await client.request<T>('GET', path)
    if (answer.status === 404) return undefined
    if (answer.status !== 200) throw new ApiError(`GET ${path}`, answer)
    return answer.json()
  }
  const gone = async (path: string): Promise<true> => await until(`${path} to be gone`, async () => await found(path) === undefined)
  const patch = async (path: string, body: object): Promise<unknown> => await client.call('PATCH', path, { body, headers: { 'content-type': 'application/merge-patch+json' } })
  const create = async (of: Group, namespace: string, name: string, spec: object, annotations: Record<string, string> = {}): Promise<KubeObject> =>
    await client.create(databasePath(of, namespace), { apiVersion: `${of.group}/${of.version}`, kind: 'Database', metadata: { name, annotations }, spec })
  const statusOf = async (of: Group, namespace: string, name: string): Promise<Status & { generation: number }> => {
    const { status, metadata } = await client.get(databasePath(of, namespace, name))
    return { ...status as unknown as Status, generation: metadata['generation'] as number }
  }
  /** Waits until a condition says `status reason`, about the present generation. */
  const condition = async (of: Group, namespace: string, name: string, type: string, expected: string): Promise<{ status: Status, message: string }> => await until(`${namespace}/${name} to be ${type} ${expected}`, async () => {
    const status = await statusOf(of, namespace, name)
    const present = status.conditions?.find(c => c.type === type)
    if (status.observedGeneration !== status.generation || `${present?.status} ${present?.reason}` !== expected) throw new Error(JSON.stringify(status))
    return { status, message: present?.message ?? '' }
  })
  const phase = async (of: Group, namespace: string, name: string, expected: string): Promise<Status> => await until(`${namespace}/${name} to be ${expected}`, async () => {
    const status = await statusOf(of, namespace, name)
    if (status.observedGeneration !== status.generation || status.phase !== expected) throw new Error(JSON.stringify(status))
    return status
  })
  const running = async (of: Group, namespace: string, name: string): Promise<Status> => await phase(of, namespace, name, 'Running')
  const remove = async (of: Group, namespace: string, name: string): Promise<void> => { await client.call('DELETE', databasePath(of, namespace, name)) }
  /** `kind/name` of everything in a namespace that an operator could have made. */
  const objectsIn = async (namespace: string): Promise<string[]> => {
    const lists = await Promise.all([
      ...['configmaps', 'secrets', 'services', 'persistentvolumeclaims', 'pods'].map(async plural => [plural, core(namespace, plural)] as const),
      ['statefulsets', `/apis/apps/v1/namespaces/${namespace}/statefulsets`] as const, ['cronjobs', `/apis/batch/v1/namespaces/${namespace}/cronjobs`] as const,
      ['custommetrics', `/apis/metrics.example.com/v1alpha1/namespaces/${namespace}/custommetrics`] as const
    ].map(async entry => {
      const [plural, path] = await entry
      return (await client.get<{ items: KubeObject[] }>(path)).items.map(o => `${plural}/${o.metadata.name}`)
    }))
    return lists.flat().filter(o => o !== 'configmaps/kube-root-ca.crt').sort()
  }
  /** Waits until these are in a namespace and nothing else: a status may say Running for a moment longer than it is true. */
  const holdsExactly = async (t: Test, namespace: string, names: readonly string[]): Promise<void> => {
    let last: string[] = []
    await until('the children to be right', async () => isDeepStrictEqual(last = await objectsIn(namespace), names)).catch(() => {})
    t.strictSame(last, names)
  }
  const passwordOf = async (namespace: string, name: string): Promise<string | undefined> => (await found<KubeObject & { data?: Record<string, string> }>(core(namespace, 'secrets', `${name}-credentials`)))?.data?.['password']
  const imageOf = async (namespace: string, name: string): Promise<string | undefined> => (await found<KubeObject & { spec: { template: { spec: { containers: { image: string }[] } } } }>(setPath(namespace, name)))?.spec.template.spec.containers[0]?.image

  t.test('every engine of both groups reaches Running', async t => {
    const namespace = await namespaced(t, 'engines')
    const storage = { size: '1Gi', storageClass: expandable }
    const wanted: [Group, string, object][] = [
      [mycompany, 'my-postgresql', { engine: 'postgresql', version: '17.2', storage, configuration: { work_mem: '64MB' } }], [mycompany, 'my-mysql', { engine: 'mysql', version: '8.4', storage }], [mycompany, 'my-mongodb', { engine: 'mongodb', version: '8.0', storage }],
      [dbExample, 'db-postgresql', { type: 'postgresql', version: '17.2.0', storage }], [dbExample, 'db-mysql', { type: 'mysql', version: '8.4.3', storage }], [dbExample, 'db-mongodb', { type: 'mongodb', version: '8.0.4', storage }]
    ]
    for (const [of, name, spec] of wanted) await create(of, namespace, name, spec)
    for (const [of, name] of wanted) {
      await running(of, namespace, name)
      // Nobody keeps a pod from being ready before its claim is bound.
      const { status } = await condition(of, namespace, name, 'StorageReady', 'True Bound')
      t.match(status, { replicas: 1, selector: `app.kubernetes.io/component=database,${of.group}/database=${name}` }, name)
      t.strictSame(status.conditions.filter(c => c.type === 'Ready' || c.type === 'StorageReady' || c.type === 'ResourcesReady').map(c => c.status), ['True', 'True', 'True'], name)
      t.equal((await podsOf(client, namespace, status.selector)).length, 1, `${name}: the selector finds its pod`)
      if (of === mycompany) t.equal(status.ready, true)
      else t.match(status.endpoints, { primary: /^db-\w+\.engines\.svc:\d+$/ })
    }
    const names = wanted.map(([, name]) => name)
    await holdsExactly(t, namespace, names.flatMap(n => [`configmaps/${n}-config`, `secrets/${n}-credentials`, `services/${n}`, `services/${n}-pods`, `statefulsets/${n}`, `pods/${n}-0`, `persistentvolumeclaims/data-${n}-0`]).sort())
    const password = Buffer.from((await passwordOf(namespace, 'my-mysql'))!, 'base64').toString()
    const everything = (await controlPlane.kubectl(['get', 'databases.mycompany.io,statefulsets,pods,configmaps,services,events', '-n', namespace, '-o', 'yaml'])).stdout + manager.process.log()
    t.match(password, /^[0-9a-f]{48}$/)
    t.equal(everything.includes(password), false, 'the password is nowhere but in its Secret')
    await quiet(t, namespace)
  })

  t.test('it scales, rolls, and keeps what others set', async t => {
    const namespace = await namespaced(t, 'life')
    await create(dbExample, namespace, 'orders', { type: 'postgresql', version: '17.2.0', storage: { size: '1Gi', storageClass: expandable } })
    await running(dbExample, namespace, 'orders')
    await patch(setPath(namespace, 'orders'), { metadata: { labels: { team: 'shop' } } })
    await patch(core(namespace, 'services', 'orders'), { metadata: { annotations: { mine: 'yes' } } })

    // Through the scale subresource, as a HorizontalPodAutoscaler does.
    const scaled = await controlPlane.kubectl(['scale', '-n', namespace, 'databases.v1.db.example.com/orders', '--replicas=3'])
    t.equal(scaled.code, 0, scaled.stderr)
    t.match((await condition(dbExample, namespace, 'orders', 'Progressing', 'False Complete')).status, { phase: 'Running', replicas: 3 })
    t.match((await condition(dbExample, namespace, 'orders', 'Replicated', 'False IndependentInstances')).message, /do not replicate/)
    await controlPlane.kubectl(['scale', '-n', namespace, 'databases.v1.db.example.com/orders', '--replicas=1'])
    t.match((await condition(dbExample, namespace, 'orders', 'Progressing', 'False Complete')).status, { phase: 'Running', replicas: 1 })
    t.ok(await found(core(namespace, 'persistentvolumeclaims', 'data-orders-2')), 'volumes stay')

    const [before] = await podsOf(client, namespace, 'db.example.com/database=orders')
    await patch(databasePath(dbExample, namespace, 'orders'), { spec: { version: '17.4.0' } })
    await until('the pod to be replaced', async () => (await podsOf(client, namespace, 'db.example.com/database=orders')).some(p => p.metadata.uid !== before!.metadata.uid && p.spec.containers[0]!.image === 'docker.io/library/postgres:17.4'))
    await running(dbExample, namespace, 'orders')
    await patch(databasePath(dbExample, namespace, 'orders'), { spec: { version: '18.0.0' } })
    t.match((await condition(dbExample, namespace, 'orders', 'Degraded', 'True UpgradeNotSupported')).message, /dump it, and restore it/)
    t.equal(await imageOf(namespace, 'orders'), 'docker.io/library/postgres:17.4', 'what could not open the data is not rolled out')
    // The StatefulSet, which alone knows the version of the data, is not made anew meanwhile.
    const { uid } = (await found(setPath(namespace, 'orders')))!.metadata
    await patch(databasePath(dbExample, namespace, 'orders'), { spec: { storage: { size: '2Gi' } } })
    const requested = async (): Promise<string | undefined> => (await found<KubeObject & { spec: { resources: { requests: { storage: string } } } }>(core(namespace, 'persistentvolumeclaims', 'data-orders-0')))?.spec.resources.requests.storage
    await until('the claim to grow', async () => await requested() === '2Gi')
    t.same([(await found(setPath(namespace, 'orders')))?.metadata.uid, await imageOf(namespace, 'orders')], [uid, 'docker.io/library/postgres:17.4'])
    await patch(databasePath(dbExample, namespace, 'orders'), { spec: { version: '17.4.0' } })
    await until('the StatefulSet to be made anew', async () => { const set = await found(setPath(namespace, 'orders')); return set !== undefined && set.metadata.uid !== uid })
    t.equal(await imageOf(namespace, 'orders'), 'docker.io/library/postgres:17.4')
    await condition(dbExample, namespace, 'orders', 'Degraded', 'False AsExpected')
    // What others had set on the old one went with it.
    await patch(setPath(namespace, 'orders'), { metadata: { labels: { team: 'shop' } } })

    await patch(setPath(namespace, 'orders'), { spec: { replicas: 2, template: { spec: { terminationGracePeriodSeconds: 1 } } } })
    await until('what somebody changed to be as wanted again', async () => {
      const { spec, metadata } = (await found<KubeObject & { spec: { replicas: number, template: { spec: { terminationGracePeriodSeconds: number } } } }>(setPath(namespace, 'orders')))!
      return spec.replicas === 1 && spec.template.spec.terminationGracePeriodSeconds === 120 && (metadata['labels'] as Record<string, string>)['team'] === 'shop'
    })
    t.match(await found(core(namespace, 'services', 'orders')), { metadata: { annotations: { mine: 'yes' } } })

    await patch(databasePath(dbExample, namespace, 'orders'), { metadata: { annotations: { 'db.example.com/paused': 'true' } }, spec: { replicas: 2 } })
    await condition(dbExample, namespace, 'orders', 'Paused', 'True PausedByAnnotation')
    t.match(await found(setPath(namespace, 'orders')), { spec: { replicas: 1 } }, 'paused, nothing changes')
    await patch(databasePath(dbExample, namespace, 'orders'), { metadata: { annotations: { 'db.example.com/paused': null } } })
    t.match(await running(dbExample, namespace, 'orders'), { replicas: 2 })
  })

  t.test('storage grows, where it can', async t => {
    const namespace = await namespaced(t, 'storage')
    await create(mycompany, namespace, 'users', { engine: 'mysql', version: '8.4', replicas: 2, storage: { size: '1Gi', storageClass: expandable } })
    await create(mycompany, namespace, 'stiff', { engine: 'mysql', version: '8.4', storage: { size: '1Gi', storageClass: 'fixed' } })
    await create(mycompany, namespace, 'later', { engine: 'mongodb', version: '8.0', storage: { size: '1Gi', storageClass: 'later' } })
    for (const name of ['users', 'stiff']) {
      await running(mycompany, namespace, name)
      await condition(mycompany, namespace, name, 'StorageReady', 'True Bound')
    }
    const pods = (await podsOf(client, namespace, 'mycompany.io/database=users')).map(p => p.metadata.uid).sort()
    const set = (await found(setPath(namespace, 'users')))!.metadata.uid
    resizes = false
    await patch(databasePath(mycompany, namespace, 'users'), { spec: { storage: { size: '2Gi' } } })
    await patch(databasePath(mycompany, namespace, 'stiff'), { spec: { storage: { size: '2Gi' } } })
    t.match(await condition(mycompany, namespace, 'users', 'StorageReady', 'False Expanding'), { status: { phase: 'Updating' }, message: 'growing to 2Gi: data-users-0, data-users-1' })
    resizes = true
    await running(mycompany, namespace, 'users')
    await condition(mycompany, namespace, 'users', 'StorageReady', 'True Bound')
    t.strictSame((await podsOf(client, namespace, 'mycompany.io/database=users')).map(p => p.metadata.uid).sort(), pods, 'no pod was ended')
    const grown = (await found(setPath(namespace, 'users')))!
    t.not(grown.metadata.uid, set)
    t.match(grown, { spec: { volumeClaimTemplates: [{ spec: { resources: { requests: { storage: '2Gi' } } } }] } }, 'instances to come have as much')
    t.match((await condition(mycompany, namespace, 'stiff', 'StorageReady', 'False ExpansionNotSupported')), { status: { ready: true }, message: /StorageClass "fixed" does not have allowVolumeExpansion: true/ })
    t.match(await found(core(namespace, 'persistentvolumeclaims', 'data-stiff-0')), { spec: { resources: { requests: { storage: '1Gi' } } } })

    t.match((await condition(mycompany, namespace, 'later', 'StorageReady', 'False StorageClassNotFound')).message, /"later", which does not exist; there are: expandable, fixed/)
    await client.create('/apis/storage.k8s.io/v1/storageclasses', storageClass('later', true))
    await running(mycompany, namespace, 'later')
  })

  t.test('what does not work is said, and mended when it can be', async t => {
    const namespace = await namespaced(t, 'trouble')
    await client.create(core(namespace, 'resourcequotas'), { apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: 'few' }, spec: { hard: { pods: '0' } } })
    await until('the quota to count', async () => (await found<KubeObject & { status?: { hard?: object } }>(core(namespace, 'resourcequotas', 'few')))?.status?.hard !== undefined)
    await create(mycompany, namespace, 'poor', { engine: 'postgresql', version: '17.2', storage: { size: '1Gi', storageClass: expandable } })
    t.match(await condition(mycompany, namespace, 'poor', 'Degraded', 'True QuotaExceeded'), { status: { phase: 'Failed', ready: false }, message: /StatefulSet "poor" cannot make its pods: .*exceeded quota: few/ })
    await client.call('DELETE', core(namespace, 'resourcequotas', 'few'))
    await running(mycompany, namespace, 'poor')

    await create(mycompany, namespace, 'typo', { engine: 'postgresql', version: '17.99', storage: { size: '1Gi', storageClass: expandable } })
    const pod = await until('its pod', async () => (await podsOf(client, namespace, 'mycompany.io/database=typo'))[0])
    await patchPodStatus(client, pod, waitingStatus(pod, 'ImagePullBackOff', 'Back-off pulling image'))
    t.match(await condition(mycompany, namespace, 'typo', 'Degraded', 'True ImagePullBackOff'), { status: { phase: 'Failed' }, message: /postgres:17.99/ })
    await patchPodStatus(client, pod, { containerStatuses: [], conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/3 nodes are available: 3 Insufficient memory.' }] })
    t.match(await condition(mycompany, namespace, 'typo', 'Degraded', 'True Unschedulable'), { status: { phase: 'Pending' }, message: /no node takes it: 0\/3 nodes are available/ })
    await until('an event that says so', async () => (await client.get<{ items: { regarding: { name: string }, reason: string, type: string }[] }>(`/apis/events.k8s.io/v1/namespaces/${namespace}/events`)).items.some(e => e.regarding.name === 'typo' && e.reason === 'Unschedulable' && e.type === 'Warning'))
    await patch(databasePath(mycompany, namespace, 'typo'), { spec: { configuration: { port: '1' } } })
    t.match(await condition(mycompany, namespace, 'typo', 'ResourcesReady', 'False InvalidConfiguration'), { message: /spec.configuration\[port\] is set by the operator/ })
    await patch(databasePath(mycompany, namespace, 'typo'), { spec: { configuration: null } })
    await condition(mycompany, namespace, 'typo', 'ResourcesReady', 'True Applied')
    await client.call('DELETE', `/api/v1/namespaces/${namespace}`)
  })

  t.test('names that are taken are left alone', async t => {
    const namespace = await namespaced(t, 'taken')
    const foreign = await client.create(core(namespace, 'services'), { apiVersion: 'v1', kind: 'Service', metadata: { name: 'a' }, spec: { ports: [{ port: 80 }] } })
    const claim = await client.create(core(namespace, 'persistentvolumeclaims'), { apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'data-b-0' }, spec: { storageClassName: 'fixed', accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } } })
    const storage = { size: '1Gi', storageClass: expandable }
    await create(mycompany, namespace, 'a', { engine: 'postgresql', version: '17.2', storage })
    await create(mycompany, namespace, 'b', { engine: 'postgresql', version: '17.2', storage }, { 'mycompany.io/deletion-policy': 'Delete' })
    // The other group's Database of the same name is a stranger, too.
    await create(mycompany, namespace, 'c', { engine: 'postgresql', version: '17.2', storage })
    await running(mycompany, namespace, 'c')
    await create(dbExample, namespace, 'c', { type: 'mysql', version: '8.4.3', storage })
    t.match(await condition(mycompany, namespace, 'a', 'ResourcesReady', 'False NameTaken'), { status: { phase: 'Failed' }, message: /Service "a"/ })
    t.match((await condition(mycompany, namespace, 'b', 'ResourcesReady', 'False NameTaken')).message, /PersistentVolumeClaim "data-b-0" exists and does not belong to this Database/)
    await condition(dbExample, namespace, 'c', 'ResourcesReady', 'False NameTaken')
    await remove(mycompany, namespace, 'b')
    await remove(dbExample, namespace, 'c')
    await gone(databasePath(mycompany, namespace, 'b'))
    await gone(databasePath(dbExample, namespace, 'c'))
    t.equal((await found(core(namespace, 'services', 'a')))?.metadata.resourceVersion, foreign.metadata.resourceVersion)
    t.match(await found(core(namespace, 'persistentvolumeclaims', 'data-b-0')), { metadata: { uid: claim.metadata.uid, deletionTimestamp: undefined, labels: undefined } })
    t.equal(audit.events(e => isWrite(e) && e.objectRef?.name === 'data-b-0' && e.objectRef.namespace === namespace).length, 0, 'not even tried')
    await client.call('DELETE', core(namespace, 'services', 'a'))
    await running(mycompany, namespace, 'a')
    await running(mycompany, namespace, 'c')
  })

  t.test('deleted, it leaves what the policy says', async t => {
    const namespace = await namespaced(t, 'end')
    const spec = { type: 'postgresql', version: '17.2.0', replicas: 2, storage: { size: '1Gi', storageClass: expandable }, backup: { enabled: true, schedule: elsewhen }, monitoring: { enabled: true, metrics: ['disk'] } }
    await create(dbExample, namespace, 'kept', spec)
    await create(dbExample, namespace, 'dropped', spec, { 'db.example.com/deletion-policy': 'Delete' })
    for (const name of ['kept', 'dropped']) await running(dbExample, namespace, name)
    const password = await passwordOf(namespace, 'kept')
    for (const name of ['kept', 'dropped']) await remove(dbExample, namespace, name)
    for (const name of ['kept', 'dropped']) await gone(databasePath(dbExample, namespace, name))
    const left = ['persistentvolumeclaims/data-kept-0', 'persistentvolumeclaims/data-kept-1', 'persistentvolumeclaims/kept-backups', 'secrets/kept-credentials']
    await until('nothing else to be left', async () => {
      const objects = await objectsIn(namespace)
      if (objects.join() !== left.join()) throw new Error(objects.join())
      return true
    })

    await create(dbExample, namespace, 'kept', spec)
    t.match((await condition(dbExample, namespace, 'kept', 'ResourcesReady', 'False NameTaken')).message, /was retained from an earlier Database of this name/)
    await patch(databasePath(dbExample, namespace, 'kept'), { metadata: { annotations: { 'db.example.com/adopt-retained': 'true' } } })
    await running(dbExample, namespace, 'kept')
    t.equal(await passwordOf(namespace, 'kept'), password, 'what opens the data is as it was')
    await patch(databasePath(dbExample, namespace, 'kept'), { metadata: { annotations: { 'db.example.com/deletion-policy': 'Delete' } } })
    t.match(await controlPlane.kubectl(['delete', '-n', namespace, 'databases.v1.db.example.com/kept', '--cascade=foreground', '--timeout=60s']), { code: 0 })
    await until('nothing to be left', async () => (await objectsIn(namespace)).length === 0)

    await create(mycompany, namespace, 'orphan', { engine: 'mysql', version: '8.4', storage: { size: '1Gi', storageClass: expandable } }, { 'mycompany.io/deletion-policy': 'Delete' })
    await running(mycompany, namespace, 'orphan')
    const whole = await objectsIn(namespace)
    t.match(await controlPlane.kubectl(['delete', '-n', namespace, 'databases.v2.mycompany.io/orphan', '--cascade=orphan', '--timeout=60s']), { code: 0 })
    await until('the StatefulSet to have no owner', async () => (await found(setPath(namespace, 'orphan')))?.metadata['ownerReferences'] === undefined)
    t.strictSame(await objectsIn(namespace), whole, 'who orphans the objects wants them as they are')
  })

  t.test('backups and metrics', async t => {
    const namespace = await namespaced(t, 'more')
    await create(dbExample, namespace, 'orders', { type: 'mysql', version: '8.4.3', replicas: 2, storage: { size: '1Gi', storageClass: expandable }, backup: { enabled: true, schedule: elsewhen, retention: 5 }, monitoring: { enabled: true, metrics: ['disk', 'queries'] } })
    await running(dbExample, namespace, 'orders')
    const { status } = await condition(dbExample, namespace, 'orders', 'BackupReady', 'True Scheduled')
    t.match(status.backupStatus, { nextBackup: new RegExp(`T${elsewhenHour}:30:00Z$`) })
    const cronJob = await found<KubeObject & { spec: { suspend: boolean, schedule: string } }>(cronJobPath(namespace, 'orders-backup'))
    t.match(cronJob, { spec: { suspend: false, schedule: elsewhen, timeZone: 'Etc/UTC' } })

    // A backup as kube-controller-manager makes it, and as a node would tell of its end.
    const job = await controlPlane.kubectl(['create', 'job', '-n', namespace, 'by-hand', '--from=cronjob/orders-backup'])
    t.equal(job.code, 0, job.stderr)
    const pod = await until('the backup\'s pod', async () => (await podsOf(client, namespace, 'app.kubernetes.io/component=backup'))[0])
    t.notOk((await podsOf(client, namespace, status.selector)).some(p => p.metadata.name === pod.metadata.name), 'it is none of the database\'s')
    await patchPodStatus(client, pod, { phase: 'Succeeded', containerStatuses: [{ name: 'backup', image: 'i', imageID: '', ready: false, restartCount: 0, lastState: {}, state: { terminated: { exitCode: 0, reason: 'Completed', message: '4' } } }] })
    // Later than any end of the Job, which kube-controller-manager would write over it.
    const lastBackup = '2199-01-01T02:31:00Z'
    await patch(`${cronJobPath(namespace, 'orders-backup')}/status`, { status: { lastSuccessfulTime: lastBackup } })
    await until('the backup to be counted', async () => { const { backupStatus } = await statusOf(dbExample, namespace, 'orders'); return backupStatus?.backupCount === 4 && backupStatus.lastBackup === lastBackup })

    const metric = async (name: string): Promise<KubeObject | undefined> => await found(`/apis/metrics.example.com/v1alpha1/namespaces/${namespace}/custommetrics/${name}`)
    await until('the metrics', async () => (await metric('orders-ready-replicas'))?.['value'] === '2' && (await metric('orders-storage-bytes'))?.['value'] === String(2 * 2 ** 30))
    // As a HorizontalPodAutoscaler asks.
    const asked = await until('the metric to be found', async () => await found<KubeObject & { items: object[] }>(`/apis/custom.metrics.k8s.io/v1beta2/namespaces/${namespace}/databases.db.example.com/orders/database_ready_replicas`))
    t.match(asked, { items: [{ describedObject: { kind: 'Database', name: 'orders' }, value: '2' }] })
    t.match(await metric('orders-storage-bytes'), { metric: { name: 'database_storage_bytes' }, describedObject: { apiVersion: 'db.example.com/v1', kind: 'Database', name: 'orders' }, ttlSeconds: 300 })

    await patch(databasePath(dbExample, namespace, 'orders'), { spec: { backup: { schedule: '30 2 * * 7' }, monitoring: { metrics: ['cpu'] } } })
    t.match((await condition(dbExample, namespace, 'orders', 'BackupReady', 'False InvalidSchedule')).message, /Sunday is 0/)
    await until('what is not asked for any more to be withdrawn', async () => await metric('orders-storage-bytes') === undefined)
    await patch(databasePath(dbExample, namespace, 'orders'), { spec: { backup: { enabled: false, schedule: '@daily' }, monitoring: { enabled: false } } })
    t.notOk('nextBackup' in ((await condition(dbExample, namespace, 'orders', 'BackupReady', 'False Disabled')).status.backupStatus ?? {}))
    t.match(await found(cronJobPath(namespace, 'orders-backup')), { spec: { suspend: true } })
    await until('no metric to be left', async () => await metric('orders-ready-replicas') === undefined)
    await quiet(t, namespace)
  })

  t.test('killed at any moment, it leaves nothing half done', async t => {
    const namespace = await namespaced(t, 'killed')
    const spec = { engine: 'postgresql', version: '17.2', storage: { size: '1Gi', storageClass: expandable } }
    const whole = (name: string): string[] => [`configmaps/${name}-config`, `persistentvolumeclaims/data-${name}-0`, `pods/${name}-0`, `secrets/${name}-credentials`, `services/${name}`, `services/${name}-pods`, `statefulsets/${name}`]
    const killAt = async (what: string, moment: () => Promise<boolean>): Promise<void> => {
      await until(what, moment, { intervalMs: 2 })
      await manager.process.kill()
      manager.process.start()
    }
    await create(mycompany, namespace, 'a', spec)
    let password: string | undefined
    await killAt('the first child', async () => (password = await passwordOf(namespace, 'a')) !== undefined)
    await running(mycompany, namespace, 'a')
    await holdsExactly(t, namespace, whole('a'))
    t.equal(await passwordOf(namespace, 'a'), password, 'credentials are made once')

    // Between the deletion of a StatefulSet and the next one its pods have no owner.
    const { uid } = (await found(setPath(namespace, 'a')))!.metadata
    await patch(databasePath(mycompany, namespace, 'a'), { spec: { storage: { size: '2Gi' } } })
    await killAt('the StatefulSet to go', async () => { const set = await found(setPath(namespace, 'a')); return set?.metadata.uid !== uid || set.metadata.deletionTimestamp !== undefined })
    await running(mycompany, namespace, 'a')
    await holdsExactly(t, namespace, whole('a'))

    await patch(databasePath(mycompany, namespace, 'a'), { metadata: { annotations: { 'mycompany.io/deletion-policy': 'Delete' } } })
    await remove(mycompany, namespace, 'a')
    await killAt('the StatefulSet to go', async () => { const set = await found(setPath(namespace, 'a')); return set === undefined || set.metadata.deletionTimestamp !== undefined })
    await gone(databasePath(mycompany, namespace, 'a'))
    await until('nothing to be left', async () => (await objectsIn(namespace)).length === 0)
  })

  t.test('finalizers do not keep a namespace from its end', async () => { await gone('/api/v1/namespaces/trouble') })

  /** Waits until every Database of a namespace was looked at again, twice, and nothing was written. */
  async function quiet (t: Test, namespace: string): Promise<void> {
    const here = audit.events(e => e.objectRef?.namespace === namespace && e.user.username === user)
    const looks = (events: typeof here): Map<string, number> => events.filter(e => e.verb === 'get' && e.objectRef?.resource === 'secrets').reduce((m, e) => m.set(e.objectRef?.name ?? '', (m.get(e.objectRef?.name ?? '') ?? 0) + 1), new Map<string, number>())
    const names = [...looks(here).keys()]
    let from = here.length
    const after = (): typeof here => audit.events(e => e.objectRef?.namespace === namespace && e.user.username === user).slice(from)
    await until('everything to be looked at twice without a write', async () => {
      const events = after()
      if (events.some(isWrite)) {
        // The last effects of what the test did; a write at every resync never lets this end.
        from += events.length
        return false
      }
      return names.length > 0 && names.every(name => (looks(events).get(name) ?? 0) >= 2)
    })
    t.pass(`${names.length} Databases were looked at again and nothing was written`)
  }
})
