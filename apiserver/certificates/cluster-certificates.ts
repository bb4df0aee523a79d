import type { KeyPair } from '../../certs/key-pair.js'
import { planRotation, type RotationPolicy, type RotationStage } from '../../certs/rotation.js'
import { type ServingPair, type SharedData } from '../../certs/shared-material.js'
import type { ClusterClient } from '../cluster/client.js'
import { ClusterError } from '../cluster/errors.js'
import { Informer } from '../cluster/informer.js'
import { retry } from '../cluster/retry.js'
import type { ObjectName } from '../options/cluster-options.js'
import { CaBundles } from './ca-bundles.js'
import { CertificateSecret, type StoredSecret } from './certificate-secret.js'
import { systemClock, type Clock } from './clock.js'
import { RateLimit } from './rate-limit.js'

export interface ClusterCertificatesOptions {
  readonly client: ClusterClient
  readonly secret: ObjectName
  readonly service: ObjectName
  readonly policy: RotationPolicy
  /** Another pair is to be served. */
  readonly onChange: () => void
  readonly log: { info: (fields: object, message: string) => void; warn: (fields: object, message: string) => void; error: (fields: object, message: string) => void }
  readonly clock?: Clock | undefined
  readonly random?: (() => number) | undefined
  /** Of failures; also of the informers. */
  readonly backoff?: { readonly firstMs: number; readonly maxMs: number } | undefined
}

/** Steps in one round; a whole rotation has six. */
const maxSteps = 10
/** Writes to the Secret: what one replica may do in a row, and how often after that. Others may have reasons to undo it all. */
const burst = 20
const intervalMs = 30_000
/** Replicas that see a change at the same moment do not all act on it at once. */
const spreadMs = 200

/**
 * The serving certificate of all replicas, from a Secret that they share. One loop, woken by changes of the Secret and of the APIServices
 * and by time, reads the Secret, takes the steps that `planRotation` says, hands over what is to be served, and puts the bundle into the
 * APIServices. Every replica runs it: writes to the Secret are compare-and-swap and those to APIServices are all alike, so that an election
 * would save a few requests and add a way to fail.
 */
export class ClusterCertificates {
  readonly #options: ClusterCertificatesOptions
  readonly #clock: Clock
  readonly #secret: CertificateSecret
  readonly #informer: Informer<string>
  readonly #bundles: CaBundles
  readonly #stop = new AbortController()
  readonly #limit: RateLimit
  readonly #jitter: number
  #serving: ServingPair | undefined
  #stage: RotationStage = 'Stable'
  #authorityExpires: Date | undefined
  #bundlePem: string | undefined
  #memory: SharedData | undefined
  #held = { key: '', since: 0 }
  #started = false
  #running: Promise<void> | undefined
  #again = false
  #delay = 0
  #timer: { readonly at: number; readonly cancel: () => void } | undefined

  private constructor (options: ClusterCertificatesOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
    this.#secret = new CertificateSecret(options.client, options.secret)
    this.#jitter = (options.random ?? Math.random)()
    this.#limit = new RateLimit(this.#clock, burst, intervalMs)
    const { client, log, backoff } = options
    const wake = (): void => { this.#wake((options.random ?? Math.random)() * spreadMs) }
    this.#informer = new Informer<string>({
      client, backoff, path: this.#secret.collection, fieldSelector: `metadata.name=${this.#secret.name}`,
      keep: object => (object['metadata'] as { resourceVersion: string }).resourceVersion,
      onChange: wake,
      onError: error => { log.warn({ err: error }, `${this.#secret.title} cannot be followed; trying again`) }
    })
    this.#bundles = new CaBundles({
      client, backoff, log, service: options.service, clock: this.#clock, onChange: wake,
      onError: error => { log.warn({ err: error }, 'APIServices cannot be followed; trying again') }
    })
  }

  /**
   * Reads the Secret, or makes it, so that there is something to serve.
   * @throws ClusterError or Error saying which Secret, and what is wrong with it
   */
  static async open (options: ClusterCertificatesOptions): Promise<ClusterCertificates> {
    const opened = new ClusterCertificates(options)
    try {
      await retry(() => opened.#followSecret())
    } catch (error) {
      // What cannot be written may still be good to serve.
      if (opened.#serving === undefined) throw error
      options.log.error({ err: error }, `${opened.#secret.title} could not be brought up to date; it is tried again`)
    }
    if (opened.#serving === undefined) throw new Error(`${opened.#secret.title} is changed by others all the time, and holds nothing that can be served`)
    return opened
  }

  /** Follows the Secret and the APIServices from now on. */
  start (): void {
    this.#started = true
    this.#informer.start()
    this.#bundles.start()
    void this.#bundles.whenSynced(60_000).then(() => { this.#wake(0) })
    this.#wake(0)
  }

  async stop (): Promise<void> {
    this.#stop.abort(new Error('the server stops'))
    this.#timer?.cancel()
    await Promise.all([this.#informer.stop(), this.#bundles.stop(), this.#running])
  }

  /** What to serve. */
  get serving (): KeyPair { return this.#serving! }
  get stage (): RotationStage { return this.#stage }
  get authorityExpiry (): Date | undefined { return this.#authorityExpires }

  #wake (ms: number): void {
    if (this.#stop.signal.aborted || !this.#started) return
    if (this.#running !== undefined) {
      this.#again = true
      return
    }
    const at = this.#clock.monotonic() + ms
    if (this.#timer !== undefined && this.#timer.at <= at) return
    this.#timer?.cancel()
    this.#timer = { at, cancel: this.#clock.after(ms, () => {
      this.#timer = undefined
      this.#again = false
      this.#running = this.#round().then(wait => {
        this.#running = undefined
        this.#wake(this.#again ? Math.min(wait, spreadMs) : wait)
      })
    }) }
  }

  /** @returns how long nothing need be done; never rejects */
  async #round (): Promise<number> {
    const { firstMs, maxMs } = this.#options.backoff ?? { firstMs: 500, maxMs: 30_000 }
    const { signal } = this.#stop
    let wait: number
    try {
      wait = await this.#followSecret()
      this.#delay = 0
    } catch (error) {
      if (signal.aborted) return 0
      this.#options.log.error({ err: error }, `${this.#secret.title} could not be brought up to date; it is tried again`)
      this.#delay = Math.min(Math.max(this.#delay * 2, firstMs), maxMs)
      wait = this.#delay * (1 + this.#jitter)
    }
    try {
      // Only what has just been read: a replica that is behind would put back what others have moved on from.
      const later = this.#bundlePem === undefined ? undefined : await this.#bundles.put(this.#bundlePem, signal)
      return Math.min(wait, later ?? Infinity)
    } catch (error) {
      if (!signal.aborted) this.#options.log.error({ err: error }, 'the caBundles could not be looked after; it is tried again')
      return Math.min(wait, maxMs)
    }
  }

  /** Takes steps until there is nothing to do for a while. @returns for how long */
  async #followSecret (): Promise<number> {
    const { policy, log } = this.#options
    const { signal } = this.#stop
    this.#bundlePem = undefined
    let stored = await this.#secret.read(signal)
    for (let i = 0; i < maxSteps; i++) {
      const now = new Date(this.#clock.now())
      const step = planRotation({
        data: stored?.data, recorded: stored?.recorded, memory: this.#memory, requested: stored?.request !== undefined,
        published: pem => this.#bundles.carry(pem), now, heldMs: this.#heldFor(stored), jitter: this.#jitter
      }, policy)
      this.#adopt(step.serving)
      this.#bundlePem = step.bundlePem
      if (step.kind === 'wait') {
        this.#stage = step.stage
        this.#memory = stored!.data
        this.#authorityExpires = step.authorityExpires
        return Math.max(step.until.getTime() - now.getTime(), 0)
      }
      const wait = this.#limit.take()
      if (wait > 0) {
        log.warn({ secret: this.#secret.title, why: step.why }, 'the Secret is changed too often; this replica waits')
        return wait
      }
      const written = await this.#secret.write(stored, { data: step.data, stage: step.stage, since: step.since, request: step.answersRequest ? stored?.request : undefined }, signal)
      if (written === undefined) {
        stored = await this.#secret.read(signal)
        continue
      }
      log.info({ secret: this.#secret.title, stage: step.stage, why: step.why }, 'certificates changed')
      stored = written
    }
    throw new ClusterError(`${this.#secret.title} was changed by others ${maxSteps} times in a row`, { code: 409 })
  }

  #heldFor (stored: StoredSecret | undefined): number {
    const key = `${stored?.recorded?.stage} ${stored?.recorded?.since.getTime()}`
    const now = this.#clock.monotonic()
    if (this.#held.key !== key) this.#held = { key, since: now }
    return now - this.#held.since
  }

  /** What is not good enough to serve does not replace what is. */
  #adopt (serving: ServingPair | undefined): void {
    if (serving === undefined || (serving.certificatePem === this.#serving?.certificatePem && serving.privateKeyPem === this.#serving.privateKeyPem)) return
    const first = this.#serving === undefined
    this.#serving = serving
    if (first) return
    this.#options.log.info({ secret: this.#secret.title, serialNumber: serving.certificate.serialNumber, validTo: serving.certificate.validTo }, 'serving certificate reloaded')
    this.#options.onChange()
  }
}
