import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { bulkhead, BulkheadRejectedError, BrokenCircuitError, circuitBreaker, ConsecutiveBreaker, handleWhen, wrap, type IPolicy } from 'cockatiel'
import { newServiceUnavailable } from '../../registry/meta/status-error.js'
import type { UserInfo } from '../authentication/interfaces.js'
import { ClusterClient } from '../cluster/client.js'
import type { Credentials, CredentialSource } from '../cluster/credentials.js'
import { ClusterError } from '../cluster/errors.js'
import type { VirtualResource } from '../discovery/virtual-resource.js'
import type { MetricsRouteConfig } from '../options/metrics-route-options.js'
import { customMetricsGroup, externalMetricsGroup } from './metric-groups.js'

export interface OtherAdapterOptions {
  readonly config: Pick<MetricsRouteConfig, 'url' | 'caFile' | 'serverName' | 'identity' | 'timeoutMs'>
  readonly userAgent: string
  readonly onChange: () => void
  readonly onError: (error: unknown) => void
  readonly discoveryMs?: number | undefined
  readonly restMs?: number | undefined
}

export interface AdapterAnswer { readonly status: number; readonly contentType: string | undefined; readonly body: Buffer }

const maxAnswerBytes = 16 * 1024 * 1024
/** Requests at once; more are refused, for they would wait for a server that is slow already. */
const maxConcurrent = 32
/** After so many requests in a row without an answer nothing is asked for a while. */
const maxFailures = 5
/** On requests that were passed on once: two servers that route to each other must not do so for ever. */
export const routedHeader = 'x-annex-metrics-route'
/** What is listed of one adapter at most. */
const maxListed = 20_000

/**
 * Another server of the metrics groups, to which requests are passed on with the name of who asks. It is asked within a timeout, by a
 * bounded number of requests at once, and left alone for a while when it does not answer; nothing of it is waited for elsewhere.
 */
export class OtherAdapter {
  readonly #options: OtherAdapterOptions
  readonly #client: ClusterClient
  readonly #policy: IPolicy
  readonly #stop = new AbortController()
  #listed: ReadonlyMap<string, readonly VirtualResource[]> = new Map()
  #text = ''
  #failure: string | undefined
  #running: Promise<void> | undefined

  constructor (options: OtherAdapterOptions) {
    this.#options = options
    this.#client = new ClusterClient({ credentials: new RouteCredentials(options.config), userAgent: options.userAgent })
    // A Status, whatever it says, is an answer: one broken metric there says nothing about the others.
    const unanswered = handleWhen(error => error instanceof ClusterError)
    this.#policy = wrap(bulkhead(maxConcurrent, 0), circuitBreaker(unanswered, { halfOpenAfter: options.restMs ?? 10_000, breaker: new ConsecutiveBreaker(maxFailures) }))
  }

  get url (): string { return this.#options.config.url }

  /** Begins to follow what it lists; idempotent. */
  start (): void { this.#running ??= this.#run() }

  async stop (): Promise<void> {
    this.#stop.abort(new Error('the adapter is not asked any more'))
    this.#client.close()
    await this.#running
  }

  /** What it lists of a group, as of the last time that it answered. */
  resources (group: string): readonly VirtualResource[] { return this.#listed.get(group) ?? [] }

  /**
   * Passes a read on.
   * @param request its path and query as they came, what the client accepts, and who asks
   * @throws StatusError 503 without an answer; the signal's reason
   */
  async ask (request: { readonly url: string; readonly accept: string; readonly user: UserInfo; readonly signal: AbortSignal }): Promise<AdapterAnswer> {
    const { config } = this.#options
    try {
      return await this.#policy.execute(async () => await this.#client.whole({
        method: 'GET', path: request.url, accept: request.accept, headers: { ...headersOf(request.user, config.identity.type), [routedHeader]: '1' }, signal: request.signal, timeoutMs: config.timeoutMs
      }, maxAnswerBytes))
    } catch (error) {
      request.signal.throwIfAborted()
      const why = error instanceof BrokenCircuitError
        ? `it did not answer ${maxFailures} times in a row, and is left alone for a moment`
        : error instanceof BulkheadRejectedError ? `${maxConcurrent} requests to it are under way already` : error instanceof Error ? error.message : String(error)
      throw newServiceUnavailable(`the metric is routed to ${config.url}: ${why}`, undefined, { cause: error })
    }
  }

  async #run (): Promise<void> {
    const { onChange, onError, discoveryMs = 60_000 } = this.#options
    const { signal } = this.#stop
    while (!signal.aborted) {
      try {
        const listed = new Map([[customMetricsGroup, await this.#list(customMetricsGroup, ['v1beta2', 'v1beta1'])], [externalMetricsGroup, await this.#list(externalMetricsGroup, ['v1beta1'])]])
        this.#failure = undefined
        const text = JSON.stringify([...listed])
        this.#listed = listed
        if (text !== this.#text) onChange()
        this.#text = text
      } catch (error) {
        if (signal.aborted) return
        const text = error instanceof Error ? error.message : String(error)
        if (text !== this.#failure) onError(error)
        this.#failure = text
      }
      await sleep(discoveryMs, undefined, { ref: false, signal }).catch(() => {})
    }
  }

  /** Its metrics of a group, sorted, from the first version that it has; none where it does not serve the group. */
  async #list (group: string, versions: readonly string[]): Promise<VirtualResource[]> {
    // Discovery is for everybody who is authenticated; in the name of this server nobody needs to be impersonated.
    const headers = this.#options.config.identity.type === 'frontProxy' ? headersOf({ name: 'system:annex', groups: ['system:authenticated'] }, 'frontProxy') : {}
    for (const version of versions) {
      const { status, body } = await this.#client.whole({ method: 'GET', path: `/apis/${group}/${version}`, headers, signal: this.#stop.signal, timeoutMs: this.#options.config.timeoutMs }, maxAnswerBytes)
      if (status === 404) continue
      if (status !== 200) throw new ClusterError(`the discovery of ${group}/${version} is answered with ${status}: ${body.toString('utf8', 0, 300)}`, { code: status })
      const { resources } = JSON.parse(body.toString()) as { resources?: { name: string; namespaced: boolean; kind: string }[] }
      return (resources ?? []).slice(0, maxListed)
        .map(({ name, namespaced, kind }): VirtualResource => ({ name: String(name), singularName: '', namespaced: Boolean(namespaced), kind: String(kind), verbs: ['get'] }))
        .sort((a, b) => a.name < b.name ? -1 : 1)
    }
    return []
  }
}

/**
 * Who asks, in the headers that k8s.io/apiserver reads: those of its front proxy, or those of impersonation. The latter name user and groups
 * only, for each further header needs a right of its own there, and no RBAC rule asks for them.
 * Source: k8s.io/apiserver `headerrequest` and `impersonation`, k8s.io/client-go `transport.NewAuthProxyRoundTripper`.
 */
function headersOf ({ name, uid, groups, extra = {} }: UserInfo, type: MetricsRouteConfig['identity']['type']): Record<string, string | string[]> {
  if (type === 'impersonate') {
    // Who impersonates gets this group for nothing, and would need the right to ask for it.
    const asked = groups.filter(g => g !== 'system:authenticated').map(headerBytes)
    return { 'impersonate-user': headerBytes(name), ...(asked.length > 0 && { 'impersonate-group': asked }) }
  }
  const headers: Record<string, string | string[]> = { 'x-remote-user': headerBytes(name) }
  if (uid) headers['x-remote-uid'] = headerBytes(uid)
  if (groups.length > 0) headers['x-remote-group'] = groups.map(headerBytes)
  for (const [key, values] of Object.entries(extra)) headers[`x-remote-extra-${headerKey(key)}`] = values.map(headerBytes)
  return headers
}

/** What a header's name may not hold is percent-encoded, as the aggregator does it. */
const headerKey = (key: string): string => encodeURIComponent(key.toLowerCase()).replaceAll(/[()]/g, c => `%${c.charCodeAt(0).toString(16)}`)

/** A header is bytes to Go, and latin1 to Node. */
const headerBytes = (text: string): string => Buffer.from(text).toString('latin1')

/** The files of a route; the client reads them again once a minute, and after a 401. */
class RouteCredentials implements CredentialSource {
  readonly #config: OtherAdapterOptions['config']
  readonly name: string

  constructor (config: OtherAdapterOptions['config']) {
    this.#config = config
    this.name = config.url
  }

  async read (): Promise<Credentials> {
    const { url, caFile, serverName, identity } = this.#config
    const files = identity.type === 'frontProxy' ? [caFile, identity.certificateFile, identity.keyFile] : [caFile, identity.tokenFile]
    const [ca, first, second] = await Promise.all(files.map(f => readFile(f, 'utf8')))
    return {
      server: url,
      headers: identity.type === 'frontProxy' ? {} : { authorization: `Bearer ${first!.trim()}` },
      tls: { ca: ca!, ...(serverName !== undefined && { servername: serverName }), ...(identity.type === 'frontProxy' && { cert: first!, key: second! }) }
    }
  }
}
