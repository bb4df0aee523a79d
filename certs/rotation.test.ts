import { X509Certificate } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { Authority } from './authority.js'
import { newClientCertificate } from './client-certificate.js'
import { parseCertificates } from './key-pair.js'
import { planRotation, type RotationPolicy, type RotationStep, type RotationView } from './rotation.js'
import { servingNames, subjectAltNamesOf } from './serving-certificate.js'
import type { SharedData } from './shared-material.js'
import { verifyCertificate } from './verify.js'

t.setTimeout(120_000)

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour
const policy: RotationPolicy = { names: servingNames(['annex.annex-system.svc']), certificateValidityMs: 90 * day, authorityValidityMs: 365 * day, settleMs: 30_000, overlapMs: day }
const start = Date.parse('2026-01-01T00:00:00Z')

const view = (more: Partial<RotationView> = {}): RotationView =>
  ({ data: undefined, recorded: undefined, memory: undefined, requested: false, published: () => true, now: new Date(start), heldMs: Infinity, jitter: 0, ...more })

/** What is stored, as one process would see it that runs for ever. */
interface State { data: SharedData | undefined; recorded: RotationView['recorded']; requested: boolean }

const written = (state: State, step: RotationStep): State => {
  if (step.kind === 'wait') return state
  const recorded = { stage: step.stage, since: step.since }
  return { data: step.data, recorded, requested: state.requested && !step.answersRequest }
}

/** Takes steps until there is nothing to do. */
function settle (state: State, more: Partial<RotationView> = {}): { state: State; wait: Extract<RotationStep, { kind: 'wait' }>; whys: string[] } {
  const whys: string[] = []
  for (let i = 0; i < 10; i++) {
    const step = planRotation(view({ ...state, ...more }), policy)
    if (step.kind === 'wait') return { state, wait: step, whys }
    whys.push(step.why)
    state = written(state, step)
  }
  throw new Error(`never done: ${whys.join(', ')}`)
}

const none: State = { data: undefined, recorded: undefined, requested: false }
const fresh = (): State => settle(none).state
const leafOf = (data: SharedData | undefined): X509Certificate => new X509Certificate(data!['tls.crt']!)
const verifies = (data: SharedData | undefined, bundle: string, now: number): void => {
  verifyCertificate(leafOf(data), { roots: parseCertificates(bundle, 'bundle'), usage: 'serverAuth', now: new Date(now) })
}
const serials = (pem: string): string[] => parseCertificates(pem, 'bundle').map(c => c.serialNumber)

t.test('out of nothing come an authority and a certificate with the names', async t => {
  const { state, wait, whys } = settle(none)
  t.same(whys, ['made an authority; issued a serving certificate: there was none, or it was damaged'])
  t.equal(wait.stage, 'Stable')
  t.same(Object.keys(state.data!).sort(), ['ca.crt', 'ca.key', 'tls.crt', 'tls.key'])
  t.match(subjectAltNamesOf(leafOf(state.data)), { dnsNames: ['localhost', 'annex.annex-system.svc'] })
  t.equal(Date.parse(leafOf(state.data).validTo) - start, 90 * day)
  t.equal(wait.authorityExpires.getTime() - start, 365 * day)
  t.equal(wait.until.getTime() - start, 10 * minute, 'looks again soon: clocks are set')
  verifies(state.data, wait.bundlePem!, start)
  t.strictSame(settle(state).state, state, 'and is left alone')
})

t.test('the serving certificate is replaced at two thirds of its life, by the same authority; not by everybody at once', async t => {
  const state = fresh()
  const end = Date.parse(leafOf(state.data).validTo)
  const [due, latest] = [end - 30 * day, end - 30 * day + 3 * day]
  const at = (now: number, jitter: number): string[] => settle(state, { now: new Date(now), jitter }).whys
  t.same(at(due - 1, 0), [])
  t.same(at(due, 0), ['issued a serving certificate: two thirds of its life are over'])
  t.same(at(due, 1), [])
  t.same(at(latest - 1, 1), [])
  t.not(at(latest, 1).length, 0)
  const after = settle(state, { now: new Date(due) })
  t.equal(after.state.data!['ca.crt'], state.data!['ca.crt'])
  t.not(after.state.data!['tls.key'], state.data!['tls.key'], 'with a new key')
  t.ok(settle(state, { now: new Date(due - minute) }).wait.until.getTime() === due, 'and the loop wakes for it')
})

t.test('a rotation of the authority goes through its stages, and nothing that is served is ever untrusted', async t => {
  for (const requested of [true, false]) {
    let state: State = { ...fresh(), requested }
    const old = serials(state.data!['ca.crt']!)
    let now = requested ? start : Date.parse(parseCertificates(state.data!['ca.crt']!, 'ca')[0]!.validTo) - 365 * day / 3
    // As it would be: the serving certificate has been renewed in the meantime.
    if (!requested) state = settle(state, { now: new Date(now - 1) }).state
    let clients = state.data!['ca.crt']!
    const steps: string[] = []
    const tick = (more: Partial<RotationView> = {}): RotationStep => {
      const step = planRotation(view({ ...state, published: pem => clients === pem, now: new Date(now), ...more }), policy)
      if (step.kind === 'write') steps.push(step.stage)
      state = written(state, step)
      verifies(state.data, clients, now)
      return step
    }
    t.match(tick(), { kind: 'write', stage: 'Publishing', why: requested ? /asked for/ : /two thirds of the life of the authority/, answersRequest: requested })
    t.notOk(state.requested)
    t.match(tick(), { kind: 'wait', stage: 'Publishing' }, 'waits for the clients, for as long as it takes')
    now += day
    t.match(tick(), { kind: 'wait', stage: 'Publishing' })
    clients = state.data!['ca.crt']!
    t.equal(serials(clients).length, 2)
    t.match(tick(), { kind: 'write', stage: 'Published' })
    const wait = tick()
    t.match(wait, { kind: 'wait', stage: 'Published' })
    t.equal(wait.kind === 'wait' && wait.until.getTime(), now + policy.settleMs)
    now += policy.settleMs
    t.match(tick({ heldMs: policy.settleMs - 1 }), { kind: 'wait' }, 'a clock that was set forward does not shorten it')
    clients = old.join()
    t.match(planRotation(view({ ...state, published: () => false, now: new Date(now) }), policy), { kind: 'write', stage: 'Publishing' }, 'back, if somebody took the bundle away')
    clients = state.data!['ca.crt']!
    t.match(tick(), { kind: 'write', stage: 'Retiring' })
    t.equal(state.data!['ca.crt'], clients, 'the bundle stays')
    t.match(tick(), { kind: 'wait', stage: 'Retiring' })
    now += policy.overlapMs - 1
    t.match(tick(), { kind: 'wait', stage: 'Retiring' })
    now++
    t.match(tick({ heldMs: 0 }), { kind: 'wait', stage: 'Retiring' }, 'not at once after a start, whatever the clock says')
    t.match(tick(), { kind: 'write', stage: 'Stable' })
    clients = state.data!['ca.crt']!
    t.match(tick(), { kind: 'wait', stage: 'Stable' })
    t.same(steps, ['Publishing', 'Published', 'Retiring', 'Stable'])
    t.equal(serials(clients).length, 1)
    t.not(serials(clients)[0], old[0])
    t.same(Object.keys(state.data!).sort(), ['ca.crt', 'ca.key', 'tls.crt', 'tls.key'])
  }
})

t.test('what is damaged by hand is made again: from memory, or anew', async t => {
  const good = fresh()
  const data = good.data!
  const other = fresh().data!
  const client = newClientCertificate(Authority.load({ certificatePem: data['ca.crt']!, privateKeyPem: data['ca.key']! }), { user: 'x', now: new Date(start) })
  const garbage = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'
  const without = (...keys: string[]): SharedData => Object.fromEntries(Object.entries(data).filter(([k]) => !keys.includes(k)))
  for (const [name, damaged, trust] of [
    ['nothing left', undefined, 'kept'],
    ['empty', {}, 'kept'],
    ['empty values', { 'tls.crt': '', 'tls.key': '' }, 'kept'],
    ['a certificate that is none', { ...data, 'tls.crt': 'garbage' }, 'kept'],
    ['a certificate that cannot be read', { ...data, 'tls.crt': garbage }, 'kept'],
    ['no key', without('tls.key'), 'kept'],
    ['a key that is none', { ...data, 'tls.key': 'garbage' }, 'kept'],
    ['a key that does not fit', { ...data, 'tls.key': other['tls.key']! }, 'kept'],
    ['a pair of another authority', { ...data, 'tls.crt': other['tls.crt']!, 'tls.key': other['tls.key']! }, 'kept'],
    ['a certificate for clients', { ...data, 'tls.crt': client.certificatePem, 'tls.key': client.privateKeyPem }, 'kept'],
    ['no bundle', without('ca.crt'), 'kept'],
    ['a bundle that is none', { ...data, 'ca.crt': garbage }, 'kept'],
    ['garbage in the bundle', { ...data, 'ca.crt': data['ca.crt']! + garbage }, 'kept'],
    ['text around the bundle', { ...data, 'ca.crt': `hello\n${data['ca.crt']!}` }, 'kept'],
    ['a certificate that is no authority in the bundle', { ...data, 'ca.crt': data['ca.crt']! + data['tls.crt']! }, 'kept'],
    ['the bundle twice', { ...data, 'ca.crt': data['ca.crt']! + data['ca.crt']! }, 'kept'],
    ['a key of nothing as the next', { ...data, 'next-ca.key': other['ca.key']! }, 'kept'],
    ['no key of the authority', without('ca.key'), 'rotated'],
    ['a key of another authority', { ...data, 'ca.key': other['ca.key']! }, 'rotated'],
    ['a key of the authority that is none', { ...data, 'ca.key': 'garbage' }, 'rotated']
  ] as const) {
    const remembered = settle({ ...good, data: damaged }, { memory: data })
    verifies(remembered.state.data, data['ca.crt']!, start)
    t.equal(remembered.state.data!['ca.crt'], data['ca.crt'], `${name}: with a memory, clients go on`)
    t.not(remembered.whys.length, 0, name)

    let forgotten = settle({ ...good, data: damaged }, { heldMs: 0 })
    verifies(forgotten.state.data, forgotten.wait.bundlePem!, start)
    if (trust === 'rotated') {
      t.equal(forgotten.wait.stage, 'Published', `${name}: without a memory the authority is replaced`)
      verifies(forgotten.state.data, data['ca.crt']!, start)
      forgotten = settle(forgotten.state, { now: new Date(start + minute) })
      forgotten = settle(forgotten.state, { now: new Date(start + 2 * day) })
    }
    t.equal(forgotten.wait.stage, 'Stable', name)
    verifies(forgotten.state.data, forgotten.state.data!['ca.crt']!, start + 2 * day)
  }
})

t.test('a foreign authority in the bundle is dropped after a while, and many of them are cut', async t => {
  const good = fresh()
  const foreign = Array.from({ length: 12 }, (_, i) => Authority.create({ commonName: `foreign-${i}`, now: new Date(start) }).certificatePem)
  const { state, wait } = settle({ ...good, data: { ...good.data, 'ca.crt': good.data!['ca.crt']! + foreign.join('') } })
  t.equal(wait.stage, 'Retiring')
  t.equal(serials(state.data!['ca.crt']!).length, 9)
  const later = settle(state, { now: new Date(start + 2 * day) })
  t.equal(later.state.data!['ca.crt'], good.data!['ca.crt'])
})

t.test('an authority that somebody brings signs', async t => {
  const own = Authority.create({ commonName: 'corporate', now: new Date(start) })
  const { state } = settle({ data: { 'ca.crt': own.certificatePem, 'ca.key': own.privateKeyPem, 'tls.crt': '', 'tls.key': '' }, recorded: undefined, requested: false })
  t.equal(state.data!['ca.key'], own.privateKeyPem)
  verifies(state.data, own.certificatePem, start)
})

t.test('further names are added, none is taken away: replicas of two releases do not quarrel', async t => {
  const good = fresh()
  const more = { ...policy, names: servingNames(['annex.annex-system.svc', 'other.example.com']) }
  const step = planRotation(view(good), more)
  t.match(step, { kind: 'write', why: /lacked the names other\.example\.com/ })
  t.match(planRotation(view(written(good, step)), policy), { kind: 'wait' })
  t.match(planRotation(view(written(good, step)), more), { kind: 'wait' })
})

t.test('clocks: an expired authority is replaced at once, a clock that is behind changes nothing', async t => {
  const good = fresh()
  const late = settle(good, { now: new Date(start + 400 * day) })
  verifies(late.state.data, late.wait.bundlePem!, start + 400 * day)
  t.same(settle(good, { now: new Date(start - 30 * day) }).whys, [])
  // The end of the authority ends the certificate too: no use in issuing it again and again.
  const short = { ...policy, authorityValidityMs: 91 * day }
  const first = written(none, planRotation(view(), short))
  let state = first
  for (const d of [60.7, 61, 65, 70, 80, 89]) {
    const step = planRotation(view({ ...state, now: new Date(start + d * day), published: () => false }), short)
    t.ok(step.kind === 'wait' || step.stage === 'Publishing', `day ${d}`)
    state = written(state, step)
  }
  // Nobody ever took the next authority; in the end it must do.
  const end = planRotation(view({ ...state, now: new Date(start + 92 * day), published: () => false }), short)
  t.match(end, { kind: 'write', serving: undefined, why: /the next one takes its place/ })
  // A record out of the future does not hold things up for ever.
  t.match(planRotation(view({ ...state, recorded: { stage: 'Published', since: new Date(start + 300 * day) }, now: new Date(start + 70 * day) }), policy), { kind: 'write', stage: 'Published', why: 'the stage was not recorded' })
})

t.test('replicas that race, crash at any moment and have odd clocks never serve what a client does not trust', async t => {
  const quick: RotationPolicy = { ...policy, settleMs: 5_000, overlapMs: 10_000 }
  let rotations = 0
  fc.assert(fc.property(
    fc.array(fc.record({ who: fc.nat(2), what: fc.constantFrom('go', 'go', 'go', 'go', 'go', 'go', 'crash', 'jump', 'vandal', 'block'), ms: fc.nat(200), jump: fc.integer({ min: -20 * day, max: 20 * day }) }), { minLength: 60, maxLength: 120 }),
    acts => {
      const cluster = new Simulation(quick)
      cluster.run(acts)
      rotations += cluster.rotations
    }
  ), { numRuns: 3, endOnFailure: true })
  t.ok(rotations >= 3, `${rotations} authorities were retired`)
})

interface Act { readonly who: number; readonly what: string; readonly ms: number; readonly jump: number }

/** A Secret, three clients with a bundle each, and three replicas that are advanced one request at a time. */
class Simulation {
  readonly #policy: RotationPolicy
  #time = start
  #version = 0
  #state: State = none
  #clients: string[] = ['', '', '']
  readonly #replicas: Replica[]
  /** A client that cannot be written. */
  #blocked: number | undefined
  #asked = 0
  #trusted = false
  rotations = 0

  constructor (policy: RotationPolicy) {
    this.#policy = policy
    this.#replicas = [0, 1, 2].map(() => this.#start(0))
  }

  run (acts: readonly Act[]): void {
    for (const { who, what, ms, jump } of acts) {
      const replica = this.#replicas[who]!
      this.#time += ms
      if (what === 'crash') this.#replicas[who] = this.#start(replica.skew)
      else if (what === 'jump') this.#jump(replica, jump)
      else if (what === 'vandal') this.#vandalize(who)
      else if (what === 'block') this.#blocked = who
      // Nobody is much slower than the others: that is what the settling time is for.
      for (const r of this.#replicas) this.#advance(r)
      this.#check()
    }
    // Left alone, it comes to rest, and then goes through a whole rotation.
    for (const r of this.#replicas) this.#jump(r, 0)
    this.#blocked = undefined
    this.#rest()
    this.#state = { ...this.#state, requested: true }
    const before = this.#state.data!['ca.crt']
    this.#rest()
    if (this.#state.data!['ca.crt'] === before) throw new Error('the authority was not replaced')
    if (this.#clients.some(c => c !== this.#state.data!['ca.crt'])) throw new Error('a client was left behind')
    if (this.#replicas.some(r => r.serving !== this.#state.data!['tls.crt'])) throw new Error('a replica was left behind')
  }

  #rest (): void {
    for (let i = 0, quiet = 0; i < 500 && quiet < 20; i++) {
      quiet = this.#state.recorded?.stage === 'Stable' && !this.#state.requested ? quiet + 1 : 0
      this.#time += 200
      for (const r of this.#replicas) this.#advance(r)
      this.#check()
    }
    if (this.#state.recorded?.stage !== 'Stable') throw new Error(`came to rest ${this.#state.recorded?.stage}`)
  }

  /** Somebody overwrites a bundle, which the clients then really use, or asks for a new authority. */
  #vandalize (who: number): void {
    if (who === 0) this.#state = { ...this.#state, requested: true }
    else if (this.#state.data !== undefined && who === 1) this.#state = { ...this.#state, data: { ...this.#state.data, 'tls.key': `garbage ${++this.#asked}` } }
    else if (this.#state.data !== undefined) this.#state = { ...this.#state, recorded: undefined }
    this.#version++
  }

  #check (): void {
    this.#trusted ||= this.#clients.every(c => c !== '') && this.#replicas.every(r => r.serving !== undefined)
    if (!this.#trusted) return
    for (const { serving } of this.#replicas) if (serving !== undefined) for (const client of this.#clients) if (!trusts(client, serving)) throw new Error('a certificate is served that a client does not trust')
  }

  #advance (replica: Replica): void {
    const { done } = replica.program.next()
    if (done) replica.program = this.#round(replica)
  }

  /** Does not think again as long as nothing has changed: reading certificates is what takes the time here. */
  #plan (replica: Replica, stored: State): RotationStep {
    const now = this.#time + replica.skew
    const clients = this.#clients.join()
    const { idle } = replica
    if (idle?.of === stored && idle.clients === clients && now < idle.step.until.getTime()) return idle.step
    const step = planRotation({
      ...stored, memory: replica.memory, published: pem => this.#clients.every(c => c === pem), now: new Date(now), heldMs: this.#time - replica.held.since, jitter: 0
    }, this.#policy)
    if (step.kind === 'wait') replica.idle = { of: stored, clients, step }
    return step
  }

  #jump (replica: Replica, skew: number): void {
    replica.skew = skew
    delete replica.idle
  }

  #start (skew: number): Replica {
    const replica: Replica = { skew, serving: undefined, memory: undefined, held: { key: '', since: 0 }, program: undefined as never }
    replica.program = this.#round(replica)
    return replica
  }

  /** What a replica does, with a pause before every request. */
  * #round (replica: Replica): Generator<undefined, void, undefined> {
    yield
    let [stored, version] = [this.#state, this.#version]
    for (;;) {
      const key = JSON.stringify(stored.recorded ?? null)
      if (replica.held.key !== key) replica.held = { key, since: this.#time }
      const step = this.#plan(replica, stored)
      if (step.serving !== undefined) replica.serving = step.serving.certificatePem
      if (step.kind === 'wait') {
        replica.memory = stored.data
        for (const i of this.#clients.keys()) {
          const seen = this.#clients[i]
          if (seen === step.bundlePem) continue
          yield
          if (this.#clients[i] === seen && i !== this.#blocked) this.#clients[i] = step.bundlePem!
        }
        return
      }
      yield
      if (version === this.#version) {
        if (stored.recorded?.stage === 'Retiring' && step.stage === 'Stable') this.rotations++
        this.#state = written(stored, step)
        this.#version++
      }
      yield
      ;[stored, version] = [this.#state, this.#version]
    }
  }
}

interface Replica {
  skew: number
  serving: string | undefined
  memory: SharedData | undefined
  held: { key: string; since: number }
  program: Generator<undefined, void, undefined>
  idle?: { readonly of: State; readonly clients: string; readonly step: Extract<RotationStep, { kind: 'wait' }> }
}

const known = new Map<string, boolean>()
function trusts (bundle: string, certificatePem: string): boolean {
  const key = bundle + certificatePem
  let found = known.get(key)
  if (found === undefined) {
    const leaf = new X509Certificate(certificatePem)
    known.set(key, found = parseCertificates(bundle, 'bundle').some(c => leaf.verify(c.publicKey)))
  }
  return found
}
