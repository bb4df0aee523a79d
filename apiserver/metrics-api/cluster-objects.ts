import type { ClusterClient } from '../cluster/client.js'
import type { ClusterKind, ClusterKinds } from '../cluster/cluster-kinds.js'
import { isClusterError } from '../cluster/errors.js'
import { Informer } from '../cluster/informer.js'
import type { LabelSelector } from '../../registry/meta/label-selector.js'
import { groupResourceOf, type DescribedResource } from './described-kinds.js'
import { ObjectsUnknown, type ObjectMatcher, type ObjectSelector } from './object-selector.js'

type Labels = Readonly<Record<string, string>>

export interface ClusterObjectsOptions {
  readonly client: ClusterClient
  readonly kinds: Pick<ClusterKinds, 'hasSynced' | 'failure' | 'ofResource'>
  /** A kind cannot be followed; told once for each reason. */
  readonly onError: (resource: string, error: unknown) => void
  /** How long a read waits for the first list of a kind. Default 2 s. */
  readonly waitMs?: number | undefined
  /** How many kinds are followed at once. Default 16. */
  readonly maxKinds?: number | undefined
  /** A kind that nobody asked for this long is not followed any more. Default 15 min. */
  readonly idleMs?: number | undefined
  readonly backoff?: { readonly firstMs: number; readonly maxMs: number } | undefined
  readonly now?: (() => number) | undefined
}

interface Followed { readonly resource: string; readonly informer: Informer<Labels>; usedAt: number; failure: { readonly text: string; readonly forbidden: boolean } | undefined }

const metadataOnly = (kind: string): string => `application/json;as=${kind};g=meta.k8s.io;v=v1,application/json`
const accept = { list: metadataOnly('PartialObjectMetadataList'), watch: metadataOnly('PartialObjectMetadata') }
/** While a kind was asked for within this time it is not dropped for another one. */
const inUseMs = 60_000
/** Different sets of labels that objects share; more of them are kept once per object. */
const maxShared = 10_000

/**
 * Knows the objects of a cluster by their metadata: a kind is listed and watched from the first time that somebody reads metrics of all
 * its objects, and not any more when no metric is about it or nobody asks. Of an object nothing but its labels is kept.
 */
export class ClusterObjects implements ObjectSelector {
  readonly #options: ClusterObjectsOptions
  readonly #followed = new Map<string, Followed>()
  readonly #shared = new Map<string, Labels>()
  readonly #now: () => number
  readonly #sweep: NodeJS.Timeout
  readonly #stopping = new Set<Promise<void>>()
  #stopped = false

  constructor (options: ClusterObjectsOptions) {
    this.#options = options
    this.#now = options.now ?? (() => performance.now())
    this.#sweep = setInterval(() => { this.#dropIdle() }, inUseMs).unref()
  }

  /** Names of the resources that are followed. */
  get following (): string[] { return [...this.#followed.keys()] }

  /** @throws ObjectsUnknown */
  matcher (resource: DescribedResource, selector: LabelSelector | undefined): ObjectMatcher | Promise<ObjectMatcher> {
    const followed = this.#follow(resource)
    if (followed.failure?.forbidden !== true && followed.informer.hasSynced) return matcherOf(followed.informer, selector)
    return this.#waited(followed, selector)
  }

  retain (described: (groupResource: string) => boolean): void {
    for (const name of this.#followed.keys()) if (!described(name)) this.#drop(name)
  }

  async stop (): Promise<void> {
    this.#stopped = true
    clearInterval(this.#sweep)
    for (const name of this.#followed.keys()) this.#drop(name)
    await Promise.all(this.#stopping)
  }

  async #waited (followed: Followed, selector: LabelSelector | undefined): Promise<ObjectMatcher> {
    const { informer, resource } = followed
    // Who may not list is told so at once, except by the first attempt, which takes a moment.
    if (followed.failure === undefined) await informer.whenSynced(this.#options.waitMs ?? 2000)
    const { failure } = followed
    if (failure?.forbidden === true) throw new ObjectsUnknown(`${failure.text}; this server needs get, list and watch on ${resource} to tell which of them are there and selected`, 'refused')
    if (informer.hasSynced) return matcherOf(informer, selector)
    throw new ObjectsUnknown(failure === undefined ? `the ${resource} of the cluster have not been read yet` : `the ${resource} of the cluster cannot be read: ${failure.text}`, 'pending')
  }

  #follow (resource: DescribedResource): Followed {
    const name = groupResourceOf(resource)
    let followed = this.#followed.get(name)
    if (followed === undefined) {
      followed = this.#started(name, this.#kindOf(resource, name))
      this.#makeRoom()
      this.#followed.set(name, followed)
      followed.informer.start()
    }
    followed.usedAt = this.#now()
    return followed
  }

  #kindOf (resource: DescribedResource, name: string): ClusterKind {
    const { kinds } = this.#options
    if (this.#stopped) throw new ObjectsUnknown('the server is shutting down', 'pending')
    if (!kinds.hasSynced) throw new ObjectsUnknown(kinds.failure === undefined ? 'the kinds of the cluster have not been read yet' : `the kinds of the cluster cannot be read: ${kinds.failure}`, 'pending')
    const kind = kinds.ofResource(resource.group, resource.resource)
    if (kind === undefined) throw new ObjectsUnknown(`the cluster has no resource ${name}`, 'refused')
    if (!kind.watchable) throw new ObjectsUnknown(`${name} cannot be listed and watched`, 'refused')
    return kind
  }

  #started (resource: string, { group, version, resource: plural, namespaced }: ClusterKind): Followed {
    const { client, backoff, onError } = this.#options
    const followed: Followed = {
      resource, usedAt: 0, failure: undefined,
      informer: new Informer<Labels>({
        client, accept,
        path: group === '' ? `/api/${version}/${plural}` : `/apis/${group}/${version}/${plural}`,
        keyOf: ({ namespace = '', name }) => namespaced ? `${namespace}/${name}` : name,
        keep: object => this.#share((object['metadata'] as { labels?: Labels }).labels),
        onConnect: () => { followed.failure = undefined },
        onError: error => {
          const failure = { text: error instanceof Error ? error.message : String(error), forbidden: isClusterError(error, 403) }
          if (failure.text !== followed.failure?.text) onError(resource, error)
          followed.failure = failure
        },
        backoff: backoff ?? { firstMs: 800, maxMs: 10_000 }
      })
    }
    return followed
  }

  /** @throws ObjectsUnknown when all kinds that are followed are in use */
  #makeRoom (): void {
    const max = this.#options.maxKinds ?? 16
    if (this.#followed.size < max) return
    const [oldest] = [...this.#followed.values()].sort((a, b) => a.usedAt - b.usedAt)
    if (oldest!.usedAt > this.#now() - inUseMs) throw new ObjectsUnknown(`objects of ${max} other kinds are followed already, which is the most at once`, 'pending')
    this.#drop(oldest!.resource)
  }

  #dropIdle (): void {
    const since = this.#now() - (this.#options.idleMs ?? 15 * 60_000)
    for (const { resource, usedAt } of this.#followed.values()) if (usedAt < since) this.#drop(resource)
  }

  #drop (name: string): void {
    const stopping = this.#followed.get(name)!.informer.stop().finally(() => { this.#stopping.delete(stopping) })
    this.#stopping.add(stopping)
    this.#followed.delete(name)
  }

  /** The pods of one ReplicaSet have the same labels. */
  #share (labels: Labels = {}): Labels {
    const text = JSON.stringify(labels)
    const known = this.#shared.get(text)
    if (known !== undefined) return known
    if (this.#shared.size >= maxShared) this.#shared.clear()
    this.#shared.set(text, labels)
    return labels
  }
}

const matcherOf = (informer: Informer<Labels>, selector: LabelSelector | undefined): ObjectMatcher => (namespace, name) => {
  const labels = informer.get(namespace === '' ? name : `${namespace}/${name}`)
  return labels !== undefined && (selector === undefined || selector.matches(labels))
}
