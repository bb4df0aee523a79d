import t from 'tap'
import { desiredClientService, desiredHeadlessService, primaryEndpoint } from './desired-services.js'
import { desiredStatefulSet, type StatefulSet, type StatefulSetInputs } from './desired-stateful-set.js'
import type { EngineName } from './model.js'
import { model, names, settings } from './testing.js'

const engineNames: readonly EngineName[] = ['postgresql', 'mysql', 'mongodb']
const specOf = (inputs: StatefulSetInputs): NonNullable<StatefulSet['spec']> => (desiredStatefulSet(inputs) as StatefulSet).spec!
const statefulSet = (engine: EngineName, { exporter = false, configText = '' } = {}): NonNullable<StatefulSet['spec']> =>
  specOf({ names: names(), model: model({ engine, replicas: 2 }), settings: settings({ 'db.example.com/memory': '2Gi' }), image: `registry/${engine}:1`, configText, storage: { size: '5Gi', storageClass: 'fast' }, exporter })
interface PodSpec { securityContext: object; containers: { name: string; image: string; securityContext: { readOnlyRootFilesystem: boolean }; volumeMounts?: { name: string; mountPath: string }[]; [field: string]: unknown }[]; volumes: { name: string }[] }
const podOf = (spec: NonNullable<StatefulSet['spec']>): PodSpec => spec.template?.spec as unknown as PodSpec

t.test('every engine', async t => {
  for (const engine of engineNames) {
    const spec = statefulSet(engine, { exporter: true })
    const pod = podOf(spec)
    t.match(spec, { replicas: 2, serviceName: 'orders-pods', podManagementPolicy: 'Parallel', selector: { matchLabels: names().selector } }, engine)
    t.match(spec.template?.metadata?.labels, names().selector, `${engine}: pods are found by the selector`)
    t.match(spec.volumeClaimTemplates, [{ metadata: { name: 'data', labels: { 'db.example.com/database-uid': 'u-1', 'db.example.com/database': 'orders' } }, spec: { storageClassName: 'fast', resources: { requests: { storage: '5Gi' } } } }], engine)
    t.match(pod.securityContext, { runAsNonRoot: true, runAsUser: 999, fsGroup: 999, seccompProfile: { type: 'RuntimeDefault' } }, engine)
    t.match(pod.containers[0], { image: `registry/${engine}:1`, resources: { requests: { cpu: '250m', memory: '2Gi' }, limits: { memory: '2Gi' } }, startupProbe: Object, readinessProbe: Object, livenessProbe: Object }, engine)
    t.equal(pod.containers.length, 2, `${engine}: the server and its exporter`)
    const volumes = new Set([...pod.volumes.map(v => v.name), 'data'])
    for (const container of pod.containers) {
      t.match(container.securityContext, { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } }, `${engine} ${container.name}`)
      for (const mount of container.volumeMounts ?? []) t.ok(volumes.has(mount.name), `${engine}: ${mount.mountPath} has a volume`)
    }
  }
})

t.test('new settings start the pods again, the same ones do not', async t => {
  const annotations = (configText: string): unknown => statefulSet('mysql', { configText }).template?.metadata?.annotations
  t.strictSame(annotations('a'), annotations('a'))
  t.notSame(annotations('a'), annotations('b'))
})

t.test('without a class the claims have the cluster\'s', async t => {
  const spec = specOf({ names: names(), model: model(), settings: settings(), image: 'i', configText: '', storage: { size: '1Gi' }, exporter: false })
  t.notOk('storageClassName' in spec.volumeClaimTemplates![0]!.spec)
  t.equal(podOf(spec).containers.length, 1, 'and without need there is no exporter')
})

t.test('Services', async t => {
  t.match(desiredHeadlessService(names(), model()).spec, { clusterIP: 'None', publishNotReadyAddresses: true, selector: names().selector, ports: [{ port: 5432 }] })
  t.match(desiredClientService(names(), model({ engine: 'mongodb' })).spec, { selector: { 'statefulset.kubernetes.io/pod-name': 'orders-0' }, ports: [{ port: 27017, targetPort: 'mongodb' }] })
  t.equal(primaryEndpoint(names(), model({ engine: 'mysql' })), 'orders.shop.svc:3306')
})
