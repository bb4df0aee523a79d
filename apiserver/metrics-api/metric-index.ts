import { groupResourceOf, type DescribedResource } from './described-kinds.js'
import type { LiveSamples, LiveSamplesTarget } from './live-samples.js'
import type { Sample } from './sample.js'

/** A custom metric as discovery lists it. */
export interface CustomMetricName { readonly resource: DescribedResource; readonly metric: string }

/** Samples of one metric and resource: by the namespace they are written in, then by the object they are about. */
type ByObject = Map<string, Map<string, Set<Sample>>>

/**
 * All samples, found by what a request asks for. A lookup visits the samples of its answer and no others.
 * There are two sources: stored samples, which are set and deleted here, and live ones, each in front of the stored one with its key
 * unless that is newer.
 * It knows nothing of time: what is expired is found too.
 */
export class MetricIndex implements LiveSamplesTarget {
  readonly #stored = new Map<string, Sample>()
  /** What is found: per key one of the two. */
  readonly #samples = new Map<string, Sample>()
  readonly #custom = new Map<string, { readonly name: CustomMetricName; readonly objects: ByObject }>()
  /** By the metric's name in lower case: client-go sends no other. */
  readonly #external = new Map<string, Map<string, Set<Sample>>>()
  readonly #resources = new Map<string, { readonly resource: DescribedResource; metrics: number }>()
  readonly #onNamesChange: () => void
  readonly #live: LiveSamples | undefined

  /** @param onNamesChange called when a metric's first sample comes or its last one goes; @param live followed until `close` */
  constructor (onNamesChange: () => void = () => {}, live?: LiveSamples) {
    this.#onNamesChange = onNamesChange
    this.#live = live
    live?.attach(this)
  }

  /** Follows the live samples no longer. */
  close (): void { this.#live?.detach(this) }

  get size (): number { return this.#samples.size }

  /** Takes a stored sample over, instead of the one with the same key. */
  set (sample: Sample): void {
    this.#stored.set(sample.key, sample)
    this.#settle(sample.key)
  }

  /** Forgets a stored sample. */
  delete (key: string): void {
    this.#stored.delete(key)
    this.#settle(key)
  }

  liveChanged (key: string): void { this.#settle(key) }

  #settle (key: string): void {
    const [live, stored] = [this.#live?.at(key), this.#stored.get(key)]
    // A stored one may be newer: another replica has written it.
    const sample = live === 'hidden' ? undefined : live === undefined || (stored !== undefined && stored.timestampMs > live.timestampMs) ? stored : live
    const before = this.#samples.get(key)
    if (sample === before) return
    if (sample === undefined) {
      this.#samples.delete(key)
    } else {
      this.#samples.set(key, sample)
      // The new one first, so that a metric with one sample does not vanish from discovery when that changes.
      this.#add(sample)
    }
    if (before !== undefined) this.#remove(before)
  }

  /** The resource that a path names: `pods`, `pod`, `deployments.apps`, `deployments`; undefined if no sample is about it. */
  resolve (text: string): DescribedResource | undefined {
    const wanted = text.toLowerCase()
    const exact = this.#resources.get(wanted)
    if (exact !== undefined) return exact.resource
    const all = [...this.#resources.values()].map(r => r.resource).sort((a, b) => a.group < b.group ? -1 : 1)
    return all.find(r => groupResourceOf({ group: r.group, resource: r.singular }) === wanted) ?? all.find(r => r.resource === wanted || r.singular === wanted)
  }

  /** Whether any sample is about a resource. @param groupResource as `groupResourceOf` writes it */
  describes (groupResource: string): boolean { return this.#resources.has(groupResource) }

  /**
   * Samples of a custom metric.
   * @param at the namespace they are written in and the name of the object they are about; all where undefined
   */
  * custom (resource: DescribedResource, metric: string, at: { namespace: string | undefined; object: string | undefined }): Iterable<Sample> {
    const objects = this.#custom.get(customKey(resource, metric))?.objects
    if (objects === undefined) return
    for (const byName of at.namespace === undefined ? objects.values() : present(objects.get(at.namespace))) {
      for (const samples of at.object === undefined ? byName.values() : present(byName.get(at.object))) yield * samples
    }
  }

  /** Samples of an external metric in a namespace. */
  external (namespace: string, metric: string): Iterable<Sample> {
    return this.#external.get(metric.toLowerCase())?.get(namespace) ?? []
  }

  /** Every custom metric that has a sample, in no order. */
  customNames (): CustomMetricName[] { return [...this.#custom.values()].map(c => c.name) }

  /** Every external metric that has a sample, in lower case. */
  externalNames (): string[] { return [...this.#external.keys()] }

  #add (sample: Sample): void {
    if (sample.described === undefined) {
      const key = sample.metric.toLowerCase()
      const isNew = !this.#external.has(key)
      entry(entry(this.#external, key, newMap), sample.namespace, newSet).add(sample)
      if (isNew) this.#onNamesChange()
      return
    }
    const { resource, name } = sample.described
    const key = customKey(resource, sample.metric)
    const isNew = !this.#custom.has(key)
    const { objects } = entry(this.#custom, key, () => ({ name: { resource, metric: sample.metric }, objects: new Map() }))
    entry(entry(objects, sample.namespace, newMap), name, newSet).add(sample)
    if (!isNew) return
    entry(this.#resources, groupResourceOf(resource), () => ({ resource, metrics: 0 })).metrics++
    this.#onNamesChange()
  }

  #remove (sample: Sample): void {
    if (sample.described === undefined) {
      const key = sample.metric.toLowerCase()
      const namespaces = this.#external.get(key)!
      namespaces.get(sample.namespace)!.delete(sample)
      dropEmpty(namespaces, sample.namespace)
      if (dropEmpty(this.#external, key)) this.#onNamesChange()
      return
    }
    const { resource, name } = sample.described
    const key = customKey(resource, sample.metric)
    const { objects } = this.#custom.get(key)!
    const byName = objects.get(sample.namespace)!
    byName.get(name)!.delete(sample)
    dropEmpty(byName, name)
    dropEmpty(objects, sample.namespace)
    if (objects.size > 0) return
    this.#custom.delete(key)
    const text = groupResourceOf(resource)
    if (--this.#resources.get(text)!.metrics === 0) this.#resources.delete(text)
    this.#onNamesChange()
  }
}

const customKey = (resource: DescribedResource, metric: string): string => `${groupResourceOf(resource)}/${metric}`
const newSet = (): Set<Sample> => new Set()
const newMap = (): Map<string, Set<Sample>> => new Map()
const present = <T>(value: T | undefined): T[] => value === undefined ? [] : [value]

function entry<K, V> (map: Map<K, V>, key: K, make: () => V): V {
  let value = map.get(key)
  if (value === undefined) map.set(key, value = make())
  return value
}

function dropEmpty<K> (map: Map<K, { readonly size: number }>, key: K): boolean {
  return map.get(key)?.size === 0 && map.delete(key)
}
