import { setTimeout as sleep } from 'node:timers/promises'
import type { ClusterClient } from './client.js'

/** A resource that the cluster serves, in its group's preferred version. */
export interface ClusterKind {
  readonly group: string
  readonly version: string
  readonly kind: string
  readonly resource: string
  readonly singular: string
  readonly namespaced: boolean
  /** Whether it can be listed and watched. */
  readonly watchable: boolean
}

export interface ClusterKindsOptions {
  readonly client: ClusterClient
  /** Another set of kinds is in force. */
  readonly onChange: () => void
  /** Discovery failed, for this reason the first time; what was known before stays in force. */
  readonly onError: (error: unknown) => void
  /** How often discovery is read anyway. Default 10 min. */
  readonly refreshMs?: number | undefined
  /** How soon at most it is read again because a kind was not found. Default 30 s. */
  readonly missMs?: number | undefined
}

interface DiscoveredResource { resource: string; responseKind?: { kind: string }; scope: string; singularResource: string; verbs: readonly string[] | null }
interface DiscoveryList { items: { metadata?: { name?: string }; versions: { version: string; freshness?: string; resources?: DiscoveredResource[] }[] }[] }

/** Kubernetes 1.30 and 1.27 know these. */
const accept = ['v2', 'v2beta1'].map(v => `application/json;g=apidiscovery.k8s.io;v=${v};as=APIGroupDiscoveryList`).join(',')

/**
 * Which resource a kind of the cluster is, after client-go's RESTMapper: from aggregated discovery, read at the start, every ten minutes,
 * and soon after a kind was not found. Groups whose server is away keep what was known of them.
 * Source: KEP-3352 (aggregated discovery).
 */
export class ClusterKinds {
  readonly #options: ClusterKindsOptions
  readonly #stop = new AbortController()
  #groups: ReadonlyMap<string, readonly ClusterKind[]> = new Map()
  #text = ''
  #failure: string | undefined
  #read = false
  #wake: () => void = () => {}
  #missed = false
  #running: Promise<void> | undefined

  constructor (options: ClusterKindsOptions) { this.#options = options }

  /** Begins; idempotent. */
  start (): void { this.#running ??= this.#run() }

  async stop (): Promise<void> {
    this.#stop.abort(new Error('the cluster\'s kinds are not followed any more'))
    this.#wake()
    await this.#running
  }

  /** Whether discovery has been read; until then nothing is known. */
  get hasSynced (): boolean { return this.#read }
  /** Why discovery could not be read the last time. */
  get failure (): string | undefined { return this.#failure }

  /** The resource of a kind; without a group the first one in the order of the cluster, the core group before all. */
  ofKind (group: string | undefined, kind: string): ClusterKind | undefined {
    const groups = group === undefined ? this.#groups.values() : [this.#groups.get(group) ?? []]
    for (const kinds of groups) {
      const found = kinds.find(k => k.kind === kind)
      if (found !== undefined) return found
    }
    this.#askAgain()
    return undefined
  }

  ofResource (group: string, resource: string): ClusterKind | undefined {
    const found = this.#groups.get(group)?.find(k => k.resource === resource)
    if (found === undefined) this.#askAgain()
    return found
  }

  #askAgain (): void {
    this.#missed = true
    this.#wake()
  }

  async #run (): Promise<void> {
    const { refreshMs = 600_000, missMs = 30_000, onError } = this.#options
    const { signal } = this.#stop
    while (!signal.aborted) {
      this.#missed = false
      try {
        await this.#load()
        this.#failure = undefined
      } catch (error) {
        if (signal.aborted) return
        const text = error instanceof Error ? error.message : String(error)
        if (text !== this.#failure) onError(error)
        this.#failure = text
        this.#missed = true
      }
      await sleep(missMs, undefined, { ref: false, signal }).catch(() => {})
      if (!this.#missed) await this.#missOr(Math.max(0, refreshMs - missMs))
    }
  }

  /** Until a kind is missed, or for so long. */
  async #missOr (ms: number): Promise<void> {
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, ms).unref()
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
      if (this.#stop.signal.aborted) this.#wake()
    })
    this.#wake = () => {}
  }

  async #load (): Promise<void> {
    const [core, groups] = await Promise.all(['/api', '/apis'].map(path => this.#options.client.json<DiscoveryList>({ method: 'GET', path, accept, signal: this.#stop.signal })))
    const found = new Map<string, readonly ClusterKind[]>()
    for (const { metadata, versions } of [...core!.items, ...groups!.items]) {
      const group = metadata?.name ?? ''
      const kinds = new Map<string, ClusterKind>()
      for (const { version, resources } of versions) {
        for (const r of resources ?? []) {
          // Parents of subresources that are not served themselves have no kind.
          if (!r.responseKind?.kind || kinds.has(r.resource)) continue
          kinds.set(r.resource, {
            group, version, kind: r.responseKind.kind, resource: r.resource, singular: r.singularResource || r.responseKind.kind.toLowerCase(),
            namespaced: r.scope === 'Namespaced', watchable: ['list', 'watch'].every(verb => r.verbs?.includes(verb))
          })
        }
      }
      const stale = versions.some(v => v.freshness === 'Stale')
      found.set(group, stale && kinds.size === 0 ? this.#groups.get(group) ?? [] : [...kinds.values()])
    }
    const text = JSON.stringify([...found])
    this.#groups = found
    this.#read = true
    if (text === this.#text) return
    this.#text = text
    this.#options.onChange()
  }
}
