import t from 'tap'
import { findTool } from '../../hack/tools/build.mjs'
import { annexNamespace, registerAnnex, startAnnex } from '../fixtures/control-plane-annex.js'
import type { KubeObject } from '../fixtures/control-plane-client.js'
import { until } from '../fixtures/control-plane-conditions.js'
import { auditLog, isWrite, metricReader, startManager, type Manager } from '../fixtures/control-plane-manager.js'
import { objectOf, pathOf, webapp } from '../fixtures/control-plane-objects.js'
import { startControlPlane } from '../fixtures/control-plane.js'

t.setTimeout(800_000)

const webApps = 1000
const namespace = 'many'
const leasePath = `/apis/coordination.k8s.io/v1/namespaces/${annexNamespace}/leases/annex-controller-manager`
// As short as a busy machine lets it be: who cannot renew in time ends.
const election = ['--leader-elect-lease-duration=12s', '--leader-elect-renew-deadline=10s', '--leader-elect-retry-period=500ms']

interface Lease extends KubeObject { readonly spec: { holderIdentity: string, leaseDurationSeconds: number, acquireTime: string, renewTime: string, leaseTransitions: number } }

t.test('controller managers share the work of a cluster', async t => {
  const users = ['one', 'two', 'three'].map(name => `system:serviceaccount:annex-system:annex-${name}`)
  const audit = auditLog(t.testdir({}), users)
  const controlPlane = await startControlPlane(t, { args: [...audit.args, '--service-cluster-ip-range=10.0.0.0/16'] })
  const annex = await startAnnex(controlPlane)
  await registerAnnex(controlPlane, { port: annex.port, certificateAuthorityPem: annex.certificateAuthorityPem, groupVersions: [{ group: 'example.com', version: 'v1' }] })
  const { client } = controlPlane.admin
  const metric = await metricReader(controlPlane)
  const leads = async (manager: Manager): Promise<boolean> => await metric(manager, 'leader_election_master_status{name="annex-controller-manager"}') === 1
  const list = async (path: string): Promise<KubeObject[]> => (await client.get<{ items: KubeObject[] }>(path)).items
  const [deployments, services] = [`/apis/apps/v1/namespaces/${namespace}/deployments`, `/api/v1/namespaces/${namespace}/services`]

  await client.create('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } })
  const names = Array.from({ length: webApps }, (_, i) => `app-${i}`)
  const waiting = [...names]
  await Promise.all(Array.from({ length: 10 }, async () => {
    for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) await client.create(pathOf(webapp, namespace), { ...objectOf(webapp, name), spec: { replicas: 1, image: 'nginx', port: 80 } })
  }))
  const two = { qps: 400, burst: 400 }
  // The defaults: slower than any machine.
  const one = { qps: 20, burst: 30 }
  const flagsOf = ({ qps, burst }: typeof one): string[] => [...election, `--kube-api-qps=${qps}`, `--kube-api-burst=${burst}`, '--concurrent-webapp-syncs=20', '--min-resync-period=4s']
  const first = await startManager(controlPlane, { name: 'one', flags: flagsOf(one) })
  await until('the first to lead', async () => await leads(first))
  const second = await startManager(controlPlane, { name: 'two', flags: flagsOf(two) })
  t.equal((await second.get('/healthz')).text, 'ok')
  await until('the candidate to be ready', async () => (await second.get('/readyz')).text === 'ok')

  t.test('the leader is killed in the middle; the other takes over within the lease, and the children are exactly right', async t => {
    await until('the first to be in the middle', async () => (await list(deployments)).length > webApps / 25)
    t.ok(await metric(first, 'rest_client_rate_limiter_duration_seconds_count') > 0, 'it waits for its own limit')
    t.notOk(await leads(second))
    const made = (await list(deployments)).length
    t.ok(made < webApps, `${made} are made`)
    const killedMs = performance.now()
    await first.process.kill()
    await until('the second to lead', async () => await leads(second))
    t.comment(`took over ${Math.round(performance.now() - killedMs)} ms after the end of the leader, whose lease was good for 12 s`)
    await until('every WebApp to have its children and its status', async () => {
      if ((await list(deployments)).length < webApps || (await list(services)).length < webApps) return false
      return (await list(pathOf(webapp, namespace))).every(o => o.status?.['observedGeneration'] === 1)
    }, { timeoutMs: 300_000, intervalMs: 1_000 })

    const uids = new Map((await list(pathOf(webapp, namespace))).map(o => [o.metadata.name, o.metadata.uid]))
    for (const path of [deployments, services]) {
      const children = await list(path)
      t.same(children.map(c => c.metadata.name).sort(), names.toSorted(), path)
      t.same(children.filter(c => { const [owner, ...more] = c.metadata['ownerReferences'] as { uid: string }[]; return more.length > 0 || owner?.uid !== uids.get(c.metadata.name) }).map(c => c.metadata.name), [], 'each has its owner and no other')
    }
    const created = audit.events(e => e.verb === 'patch' && e.responseStatus?.code === 201).map(e => `${e.objectRef?.resource}/${e.objectRef?.name}`)
    t.equal(created.length, 2 * webApps, 'each was made once')
    t.equal(new Set(created).size, 2 * webApps)
    t.same(audit.events(e => e.verb === 'delete').length, 0, 'and none deleted')
    t.same((await list(pathOf(webapp, namespace))).filter(o => o.status?.conditions?.some(c => c.type === 'Degraded' && c.status !== 'False')).map(o => o.status?.conditions), [])
  })

  t.test('from cold, no manager asked for more than its limit', async t => {
    for (const [user, { qps, burst }] of [[users[0], one], [users[1], two]] as const) {
      // Watches are not limited, nor are the lease's and the events' clients, which have limits of their own.
      const times = audit.events(e => e.user.username === user && e.verb !== 'watch' && e.userAgent?.includes('/controllers ') === true).map(e => Date.parse(e.requestReceivedTimestamp) / 1000).sort((a, b) => a - b)
      t.ok(times.length > 100, `${times.length} requests in ${Math.round((times.at(-1) ?? 0) - (times[0] ?? 0))} s`)
      // What is sent in time may arrive late, but not for long.
      const lateSeconds = 3
      let worst = 0
      for (let i = 0; i < times.length; i += 10) for (let j = i; j < times.length; j += 10) worst = Math.max(worst, (j - i + 1) - (burst + qps * (times[j]! - times[i]! + lateSeconds)))
      t.ok(worst <= 0, `${worst} more than allowed`)
    }
  })

  t.test('a resync of all of them writes nothing', async t => {
    const quiet = async (): Promise<boolean> => await metric(second, 'workqueue_depth{name="webapp"}') === 0 && await metric(second, 'workqueue_unfinished_work_seconds{name="webapp"}') === 0
    const count = (): number => audit.events(e => e.user.username === second.user && isWrite(e)).length
    // The last status is told of once more.
    let [before, sinceMs] = [count(), performance.now()]
    await until('the work to be done', async () => {
      const now = count()
      if (now !== before || !await quiet()) [before, sinceMs] = [now, performance.now()]
      return performance.now() - sinceMs > 1_000
    })
    const adds = await metric(second, 'workqueue_adds_total{name="webapp"}')
    await until('every WebApp to be reconciled twice', async () => await metric(second, 'workqueue_adds_total{name="webapp"}') >= adds + 2 * webApps && await quiet())
    t.equal(count(), before)
  })

  t.test("Go's elector and ours lead by turns, never both", async t => {
    const seen: Lease[] = []
    const watching = new AbortController()
    const { metadata: { resourceVersion } } = await client.get(leasePath)
    const watch = (async () => {
      for await (const { object } of client.watch(`${leasePath.slice(0, leasePath.lastIndexOf('/'))}?watch=true&fieldSelector=metadata.name=annex-controller-manager&resourceVersion=${resourceVersion}`, watching.signal)) seen.push(object as Lease)
    })()
    t.teardown(async () => { watching.abort(); await watch })
    const holder = async (): Promise<string> => (await client.get<Lease>(leasePath)).spec.holderIdentity
    const go = (name: string): ReturnType<typeof controlPlane.process> => controlPlane.process(name, findTool('kube-controller-manager')!.path, [
      `--kubeconfig=${controlPlane.admin.kubeconfig}`, '--controllers=clusterrole-aggregation-controller', '--secure-port=0', `--service-account-private-key-file=${controlPlane.pki.serviceAccountKeyFile}`,
      '--leader-elect=true', `--leader-elect-resource-namespace=${annexNamespace}`, '--leader-elect-resource-name=annex-controller-manager', ...election
    ])
    const waits = async (process: ReturnType<typeof go>): Promise<unknown> => await process.until('to wait for the lease', () => /attempting to acquire/i.test(process.log()))

    const ours = await holder()
    const goOne = go('go-elector-1')
    await waits(goOne)
    t.equal(await holder(), ours)
    t.ok(await second.process.stop(), 'SIGTERM ends ours')
    await goOne.until('to lead after ours released the lease', async () => !['', ours].includes(await holder()))
    const third = await startManager(controlPlane, { name: 'three', flags: [...election, '--leader-elect'] })
    await until('ours to see it', async () => (await third.get('/readyz')).text === 'ok')
    t.notOk(await leads(third))
    await goOne.kill()
    await until("ours to lead when Go's lease is over", async () => await leads(third))
    const goTwo = go('go-elector-2')
    await waits(goTwo)
    const again = await holder()
    await third.process.kill()
    await goTwo.until('to lead when the lease of ours is over', async () => !['', again].includes(await holder()))

    const turns = seen.map(l => l.spec).filter((spec, i, all) => i === 0 || spec.holderIdentity !== all[i - 1]!.holderIdentity)
    t.ok(turns.length >= 4, `${turns.length} turns`)
    for (const [i, spec] of seen.map(l => l.spec).entries()) {
      const before = seen[i - 1]?.spec
      if (before === undefined || before.holderIdentity === spec.holderIdentity || before.holderIdentity === '' || spec.holderIdentity === '') continue
      const waited = (Date.parse(spec.acquireTime) - Date.parse(before.renewTime)) / 1000
      t.ok(waited >= before.leaseDurationSeconds, `${spec.holderIdentity} began ${waited} s after the last renewal of ${before.holderIdentity}, whose lease was good for ${before.leaseDurationSeconds} s`)
    }
  })
})

