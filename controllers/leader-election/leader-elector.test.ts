import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { findTool } from '../../hack/tools/build.mjs'
import { newConflict, newServiceUnavailable } from '../../registry/meta/status-error.js'
import { until } from '../../test/fixtures/control-plane-conditions.js'
import { startControlPlane } from '../../test/fixtures/control-plane.js'
import { RestClient } from '../client/rest-client.js'
import { FakeClock, settle } from '../testing/fake-clock.js'
import { LeaderElector, type LeaderElectorOptions } from './leader-elector.js'
import { LeadershipLostError } from './leadership-lost-error.js'
import { LeaseLock, type ElectionLock, type ElectionRecord } from './lease-lock.js'

t.setTimeout(120_000)

/** A lease that several candidates share, with a resourceVersion of its own. */
class FakeLease {
  record: ElectionRecord | undefined
  version = 0
  reads = 0
  down = false

  lock (): ElectionLock {
    let seen = -1
    const write = async (record: ElectionRecord): Promise<void> => {
      if (this.down) throw newServiceUnavailable('down')
      if (seen !== this.version) throw newConflict({ group: 'coordination.k8s.io', resource: 'leases' }, 'test', 'changed')
      this.record = record
      seen = ++this.version
    }
    return {
      name: 'test',
      get: async () => {
        if (this.down) throw newServiceUnavailable('down')
        this.reads++
        seen = this.version
        return this.record
      },
      create: write,
      update: write
    }
  }
}

interface Candidate { elector: LeaderElector, stop: AbortController, result: Promise<string>, signal: AbortSignal | undefined, finish: () => void }

/** A candidate whose work lasts until its signal aborts, or `finish`. */
function candidate (clock: FakeClock, lock: ElectionLock, identity: string, options: Partial<LeaderElectorOptions> = {}): Candidate {
  const stop = new AbortController()
  const made: Partial<Candidate> & { stop: AbortController } = { stop }
  made.elector = new LeaderElector({
    lock, identity, clock, random: () => 0,
    lead: async signal => {
      made.signal = signal
      await new Promise<void>(resolve => {
        made.finish = resolve
        signal.addEventListener('abort', () => { resolve() })
      })
    },
    ...options
  })
  made.result = made.elector.run(stop.signal)
  return made as Candidate
}

t.test('who finds no lease makes one; who finds one that is held waits; it is renewed without being read', async t => {
  const [clock, lease] = [new FakeClock(), new FakeLease()]
  const leaders: string[] = []
  const one = candidate(clock, lease.lock(), 'one')
  await settle()
  const two = candidate(clock, lease.lock(), 'two', { onNewLeader: l => { leaders.push(l) } })
  t.same(lease.record, { holderIdentity: 'one', leaseDurationSeconds: 15, acquireTime: '2026-01-02T03:04:05.000000Z', renewTime: '2026-01-02T03:04:05.000000Z', leaderTransitions: 0 })
  await clock.advance(60_000)
  t.match(lease.record, { holderIdentity: 'one', acquireTime: '2026-01-02T03:04:05.000000Z', renewTime: '2026-01-02T03:05:05.000000Z', leaderTransitions: 0 })
  t.ok(one.elector.isLeader)
  t.notOk(two.elector.isLeader)
  t.equal(two.elector.leader, 'one')
  t.same(leaders, ['one'])
  const reads = lease.reads
  two.stop.abort()
  t.equal(await two.result, 'stopped')
  await clock.advance(10_000)
  t.equal(lease.reads, reads, 'the leader reads nothing')
  one.stop.abort()
  t.equal(await one.result, 'stopped')
})

t.test('a stopped leader releases the lease after its work has ended, renewing it until then, and the next takes over at once', async t => {
  const [clock, lease] = [new FakeClock(), new FakeLease()]
  let finish = (): void => undefined
  const one = candidate(clock, lease.lock(), 'one', { lead: async () => { await new Promise<void>(resolve => { finish = resolve }) } })
  await settle()
  const two = candidate(clock, lease.lock(), 'two')
  one.stop.abort()
  await clock.advance(60_000)
  t.match(lease.record, { holderIdentity: 'one', renewTime: '2026-01-02T03:05:05.000000Z' }, 'the work takes its time')
  t.equal(two.signal, undefined)
  finish()
  t.equal(await one.result, 'stopped')
  t.match(lease.record, { holderIdentity: '', leaseDurationSeconds: 1, leaderTransitions: 0 })
  await clock.advance(2_000)
  t.match(lease.record, { holderIdentity: 'two', leaderTransitions: 1 })
  two.stop.abort()
  await two.result
})

t.test('a leader that vanished is followed when its lease was not seen to change for its duration, whatever its clock says', async t => {
  for (const renewTime of ['1999-01-01T00:00:00.000000Z', '2050-01-01T00:00:00.000000Z']) {
    const [clock, lease] = [new FakeClock(), new FakeLease()]
    lease.record = { holderIdentity: 'go', leaseDurationSeconds: 15, acquireTime: renewTime, renewTime, leaderTransitions: 4 }
    const two = candidate(clock, lease.lock(), 'two')
    await clock.advance(14_999)
    t.notOk(two.elector.isLeader, renewTime)
    await clock.advance(2_000)
    t.ok(two.elector.isLeader)
    t.equal(lease.record.leaderTransitions, 5)
    two.stop.abort()
    await two.result
  }
})

t.test('a leader that cannot renew stops before another may begin', async t => {
  const [clock, lease] = [new FakeClock(), new FakeLease()]
  const one = candidate(clock, lease.lock(), 'one')
  await clock.advance(9_000) // renewed at 8 s
  lease.down = true
  await clock.advance(10_900)
  t.equal(one.signal?.aborted, false)
  await clock.advance(200)
  t.type(one.signal?.reason, LeadershipLostError)
  t.equal(await one.result, 'lost')
  t.ok(clock.monotonicMs() < 8_000 + 15_000, 'the lease is still good then')
  t.equal(lease.record?.holderIdentity, 'one', 'nothing is released')
})

t.test('a failure or two do not matter, nor does a write of somebody who does not hold it', async t => {
  const [clock, lease] = [new FakeClock(), new FakeLease()]
  const one = candidate(clock, lease.lock(), 'one')
  await clock.advance(3_000)
  lease.down = true
  await clock.advance(7_000)
  lease.down = false
  await clock.advance(3_000)
  lease.version++ // a label, say
  await clock.advance(30_000)
  t.ok(one.elector.isLeader)
  t.equal(one.signal?.aborted, false)
  t.match(lease.record, { acquireTime: '2026-01-02T03:04:05.000000Z', leaderTransitions: 0 })
  one.stop.abort()
  await one.result
})

t.test("another's lease is never released", async t => {
  const [clock, lease] = [new FakeClock(), new FakeLease()]
  const one = candidate(clock, lease.lock(), 'one')
  await settle()
  lease.record = { ...lease.record!, holderIdentity: 'thief' }
  lease.version++
  one.stop.abort()
  await one.result
  t.equal(lease.record.holderIdentity, 'thief')
})

t.test('leading ends with its work; the error of the work is thrown, and the lease released', async t => {
  const [clock, lease] = [new FakeClock(), new FakeLease()]
  const done = candidate(clock, lease.lock(), 'one')
  await settle()
  done.finish()
  t.equal(await done.result, 'stopped')
  const failing = candidate(clock, lease.lock(), 'two', { lead: async () => { throw new Error('mine') } })
  await t.rejects(failing.result, { message: 'mine' })
  t.equal(lease.record?.holderIdentity, '')
})

t.test('times that leave no room for a renewal are refused, as Go refuses them', async t => {
  const make = (options: Partial<LeaderElectorOptions>): LeaderElector => new LeaderElector({ lock: new FakeLease().lock(), identity: 'one', lead: async () => undefined, ...options })
  for (const [options, message] of [
    [{ leaseDurationMs: 10_000 }, 'leaseDurationMs must be greater than renewDeadlineMs'],
    [{ renewDeadlineMs: 2_400 }, 'renewDeadlineMs must be greater than retryPeriodMs*1.2'],
    [{ identity: '' }, 'an elector needs an identity']
  ] as const) t.throws(() => make(options), { message })
})

t.test('whoever stops, vanishes or is cut off, two never lead at once', async t => {
  const [clock, lease] = [new FakeClock(), new FakeLease()]
  const leading = new Set<string>()
  let most = 0
  let terms = 0
  const locks = Array.from({ length: 3 }, () => ({ lock: lease.lock(), cut: false }))
  const running = locks.map((own, i) => {
    const id = `candidate-${i}`
    const guard = <A extends unknown[], R>(call: (...args: A) => Promise<R>) => async (...args: A): Promise<R> => {
      if (own.cut) throw newServiceUnavailable('cut off')
      return await call(...args)
    }
    const lock: ElectionLock = { name: 'test', get: guard(own.lock.get), create: guard(own.lock.create), update: guard(own.lock.update) }
    const stop = new AbortController()
    const lead = async (signal: AbortSignal): Promise<void> => {
      leading.add(id)
      terms++
      most = Math.max(most, leading.size)
      await new Promise<void>(resolve => { signal.addEventListener('abort', () => { resolve() }) })
      leading.delete(id)
    }
    const forever = (async () => { while (!stop.signal.aborted) await new LeaderElector({ lock, identity: id, clock, lead, random: () => i / 3 }).run(stop.signal) })()
    return { stop, forever }
  })
  for (let round = 0; round < 30; round++) {
    locks.forEach((own, i) => { own.cut = (round * 7 + i * 5) % 3 === 0 })
    await clock.advance(11_000 + round * 500)
  }
  running.forEach(r => { r.stop.abort() })
  locks.forEach(own => { own.cut = false })
  await clock.advance(30_000)
  await Promise.all(running.map(r => r.forever))
  t.equal(most, 1)
  t.ok(terms > 3, `${terms} terms`)
})

const missing = (['etcd', 'kube-apiserver'] as const).filter(name => findTool(name) === undefined)
const skip = missing.length > 0 ? `NOT RUN, no ${missing.join(' and no ')} found: node hack/tools/build.mjs ${missing.join(' ')}` : false
if (skip !== false) process.stderr.write(`leader election with a real kube-apiserver: ${skip}\n`)

t.test('two electors take turns on a Lease of a real kube-apiserver', { skip }, async t => {
  const controlPlane = await startControlPlane(t)
  const clientOf = (t: Test): RestClient => {
    const { admin, pki, server } = controlPlane
    const client = new RestClient({ connection: { server, caPem: pki.ca.certificatePem, certPem: admin.certificatePem, keyPem: admin.privateKeyPem }, qps: Infinity })
    t.teardown(() => { client.close() })
    return client
  }
  const leading = new Set<string>()
  let overlap = false
  const run = (identity: string): { stop: AbortController, result: Promise<string>, elector: LeaderElector } => {
    const stop = new AbortController()
    const elector = new LeaderElector({
      lock: new LeaseLock(clientOf(t), { namespace: 'default', name: 'shared' }), identity, leaseDurationMs: 12_000, renewDeadlineMs: 10_000, retryPeriodMs: 200,
      lead: async signal => {
        overlap ||= leading.size > 0
        leading.add(identity)
        await new Promise<void>(resolve => { signal.addEventListener('abort', () => { resolve() }) })
        leading.delete(identity)
      }
    })
    return { stop, elector, result: elector.run(stop.signal) }
  }
  let present = run('elector-0')
  await until('the first to lead', () => leading.has('elector-0'))
  for (let i = 1; i <= 3; i++) {
    const next = run(`elector-${i}`)
    await until('the next to see the leader', () => next.elector.leader === `elector-${i - 1}`)
    present.stop.abort()
    t.equal(await present.result, 'stopped')
    await until('the next to lead', () => leading.has(`elector-${i}`))
    present = next
  }
  const lease = await controlPlane.admin.client.get<{ spec: Record<string, unknown> }>('/apis/coordination.k8s.io/v1/namespaces/default/leases/shared')
  t.match(lease.spec, { holderIdentity: 'elector-3', leaseDurationSeconds: 12, leaseTransitions: 3, renewTime: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/ })
  present.stop.abort()
  t.equal(await present.result, 'stopped')
  t.notOk(overlap, 'two never led at once')

  t.test("kube-controller-manager's elector, in Go, takes over from ours, and ours from it", { skip: findTool('kube-controller-manager') === undefined && 'NOT RUN, no kube-controller-manager found' }, async t => {
    const ours = run('ours')
    await until('ours to lead', () => leading.has('ours'))
    const directory = mkdtempSync(join(tmpdir(), 'annex-elector-'))
    t.teardown(async () => { await rm(directory, { recursive: true, force: true }) })
    const { pki, admin } = controlPlane
    const go = controlPlane.process('go-elector', findTool('kube-controller-manager')!.path, [
      `--kubeconfig=${admin.kubeconfig}`, '--controllers=clusterrole-aggregation-controller', '--secure-port=0', `--service-account-private-key-file=${pki.serviceAccountKeyFile}`,
      '--leader-elect=true', '--leader-elect-resource-namespace=default', '--leader-elect-resource-name=shared', '--leader-elect-resource-lock=leases',
      '--leader-elect-lease-duration=12s', '--leader-elect-renew-deadline=10s', '--leader-elect-retry-period=200ms'
    ])
    const holder = async (): Promise<string> => (await controlPlane.admin.client.get<{ spec: { holderIdentity: string } }>('/apis/coordination.k8s.io/v1/namespaces/default/leases/shared')).spec.holderIdentity
    await go.until('to wait for the lease', () => go.log().includes('attempting to acquire') || go.log().includes('Attempting to acquire leader lease'))
    t.equal(await holder(), 'ours')
    ours.stop.abort()
    await ours.result
    await go.until('to lead', async () => !['', 'ours'].includes(await holder()))
    const again = run('ours-again')
    await until('ours to see it', () => again.elector.leader !== '')
    t.notOk(again.elector.isLeader)
    await go.kill()
    await until('ours to follow when its lease is over', () => leading.has('ours-again'))
    again.stop.abort()
    t.equal(await again.result, 'stopped')
    t.equal(await holder(), '')
  })
})
