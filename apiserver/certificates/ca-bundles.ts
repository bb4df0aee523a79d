import type { JsonObject } from '../../registry/codec/value.js'
import type { ClusterClient } from '../cluster/client.js'
import { isClusterError } from '../cluster/errors.js'
import { Informer } from '../cluster/informer.js'
import type { ObjectName } from '../options/cluster-options.js'
import type { Clock } from './clock.js'
import { RateLimit } from './rate-limit.js'

const collection = '/apis/apiregistration.k8s.io/v1/apiservices'

/** How often one APIService is put right in a row, and how often after that. */
const burst = 10
const intervalMs = 10_000

/** As much of an APIService as matters here. */
interface Registration {
  /** Whether it leads to our Service, and its trust is for us to keep. */
  readonly kind: 'ours' | 'injected' | 'insecure' | 'other'
  readonly caBundle: string
  readonly resourceVersion: string
}

export interface CaBundlesOptions {
  readonly client: ClusterClient
  /** Only APIServices that name this Service are touched. */
  readonly service: ObjectName
  readonly clock: Clock
  /** An APIService of ours is there, gone, or different. */
  readonly onChange: () => void
  readonly onError: (error: unknown) => void
  readonly log: { info: (fields: object, message: string) => void; warn: (fields: object, message: string) => void }
  readonly backoff?: { readonly firstMs: number; readonly maxMs: number } | undefined
}

/**
 * Keeps `spec.caBundle` of every APIService that leads to one Service. Left alone are those of other Services, those that cert-manager
 * writes (annotation `cert-manager.io/inject-ca-from*`), and those with `insecureSkipTLSVerify`, which is neither set nor cleared. A patch
 * is made only for the version that was seen (`resourceVersion` in the patch): in a conflict the newer object is looked at first.
 */
export class CaBundles {
  readonly #options: CaBundlesOptions
  readonly #informer: Informer<Registration>
  readonly #known = new Map<string, Registration>()
  readonly #limits = new Map<string, RateLimit>()

  constructor (options: CaBundlesOptions) {
    this.#options = options
    this.#informer = new Informer<Registration>({
      client: options.client, path: collection, backoff: options.backoff,
      keep: object => registrationOf(object, options.service),
      onChange: (name, registration) => { this.#changed(name, registration) },
      onError: options.onError
    })
  }

  start (): void { this.#informer.start() }
  stop (): Promise<void> { return this.#informer.stop() }

  /** Resolves to whether the APIServices are known, after `timeoutMs` at the latest. */
  whenSynced (timeoutMs: number): Promise<boolean> { return this.#informer.whenSynced(timeoutMs) }

  /** Whether every APIService of ours has exactly this bundle, as far as has been observed. */
  carry (bundlePem: string): boolean {
    const wanted = encode(bundlePem)
    return this.#informer.hasSynced && [...this.#known.values()].every(r => r.kind !== 'ours' || r.caBundle === wanted)
  }

  /**
   * Puts right what differs; one that fails does not keep the others from it.
   * @returns how long to wait before the rest is tried; undefined: there is none
   */
  async put (bundlePem: string, signal: AbortSignal): Promise<number | undefined> {
    const wanted = encode(bundlePem)
    let later: number | undefined
    for (const [name, registration] of this.#known) {
      if (registration.kind !== 'ours' || registration.caBundle === wanted) continue
      let limit = this.#limits.get(name)
      if (limit === undefined) this.#limits.set(name, limit = new RateLimit(this.#options.clock, burst, intervalMs))
      const wait = limit.take()
      const failed = wait > 0 ? wait : await this.#patch(name, registration, wanted, signal)
      if (failed !== undefined) later = Math.min(later ?? Infinity, failed)
    }
    return later
  }

  async #patch (name: string, { resourceVersion }: Registration, caBundle: string, signal: AbortSignal): Promise<number | undefined> {
    const { client, log, service } = this.#options
    try {
      const patched = await client.json<JsonObject>({
        method: 'PATCH', path: `${collection}/${encodeURIComponent(name)}?fieldManager=annex-certificates`, contentType: 'application/merge-patch+json',
        body: JSON.stringify({ metadata: { resourceVersion }, spec: { caBundle } }), signal
      })
      // The watch may have been faster, and further; then this is put right by the next event or the next round.
      if (this.#known.get(name)?.resourceVersion === resourceVersion) this.#known.set(name, registrationOf(patched, service))
      log.info({ apiService: name }, 'put the caBundle of an APIService right')
      return undefined
    } catch (error) {
      signal.throwIfAborted()
      // Somebody else changed or deleted it: the informer tells how it looks now.
      if (isClusterError(error, 409) || isClusterError(error, 404)) return 200
      log.warn({ apiService: name, err: error }, 'the caBundle of an APIService could not be put right; it is tried again')
      return 2_000
    }
  }

  #changed (name: string, registration: Registration | undefined): void {
    const before = this.#known.get(name)
    if (registration === undefined || registration.kind === 'other') {
      this.#known.delete(name)
      this.#limits.delete(name)
      if (before !== undefined) this.#options.onChange()
      return
    }
    this.#known.set(name, registration)
    if (before?.kind === registration.kind && before.caBundle === registration.caBundle) return
    if (registration.kind !== 'ours' && before?.kind !== registration.kind) {
      const why = registration.kind === 'injected' ? 'cert-manager injects it' : 'insecureSkipTLSVerify is set; clear it to have the connection verified'
      this.#options.log.warn({ apiService: name }, `the caBundle of an APIService is left alone: ${why}`)
    }
    this.#options.onChange()
  }
}

const encode = (pem: string): string => Buffer.from(pem).toString('base64')

function registrationOf (object: JsonObject, { namespace, name }: ObjectName): Registration {
  const { metadata, spec } = object as unknown as {
    metadata: { resourceVersion: string; annotations?: Record<string, string> }
    spec: { service?: { namespace?: string; name?: string } | null; caBundle?: string | null; insecureSkipTLSVerify?: boolean }
  }
  const injected = Object.keys(metadata.annotations ?? {}).some(key => key.startsWith('cert-manager.io/inject-'))
  const ours = spec.service?.namespace === namespace && spec.service.name === name
  return {
    kind: !ours ? 'other' : injected ? 'injected' : spec.insecureSkipTLSVerify === true ? 'insecure' : 'ours',
    caBundle: spec.caBundle ?? '',
    resourceVersion: metadata.resourceVersion
  }
}
