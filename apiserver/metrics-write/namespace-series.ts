import { precedes, type CompiledMapping } from './compiled-mapping.js'
import type { MappedMetric, MetricIdentity } from './mapped-metric.js'
import type { Problem } from './mapping-problems.js'
import { MappingState } from './mapping-state.js'
import { nameOf } from './written-series.js'

/** Where a series goes. */
export interface Route { readonly state: MappingState; readonly to: MetricIdentity | Problem }

const nowhere: readonly Route[] = []

/** The mappings of one namespace, and which of them make the same metric. */
export class NamespaceSeries {
  readonly #states = new Map<string, MappingState>()
  /** Mappings by the series name that they want; the others look at every series. */
  #byName = new Map<string, MappingState[]>()
  #anyName: MappingState[] = []
  /** What was found out about series. Forgotten as a whole when there are too many, or the mappings change. */
  readonly #routes = new Map<string, readonly Route[]>()
  readonly #maxRoutes: number
  /** Who makes a metric, the one that counts first. */
  readonly #claims = new Map<string, MappedMetric[]>()
  /** Series held in this namespace. */
  seriesCount = 0

  constructor (maxRoutes: number) { this.#maxRoutes = maxRoutes }

  get empty (): boolean { return this.#states.size === 0 }
  get states (): Iterable<MappingState> { return this.#states.values() }
  state (name: string): MappingState | undefined { return this.#states.get(name) }

  set (mapping: CompiledMapping): MappingState {
    const state = new MappingState(mapping)
    this.#states.set(mapping.name, state)
    this.#changed()
    return state
  }

  delete (name: string): void {
    this.#states.delete(name)
    this.#changed()
  }

  /** @param key of the labels */
  routes (key: string, labels: ReadonlyMap<string, string>): readonly Route[] {
    const known = this.#routes.get(key)
    if (known !== undefined) return known
    const found: Route[] = []
    for (const state of [...this.#byName.get(nameOf(labels)) ?? [], ...this.#anyName]) {
      const to = state.route(labels)
      if (to !== undefined) found.push({ state, to })
    }
    const routes = found.length === 0 ? nowhere : found
    if (this.#routes.size >= this.#maxRoutes) this.#routes.clear()
    this.#routes.set(key, routes)
    return routes
  }

  /** Who makes a metric says so once it has been evaluated. @returns everyone else who makes it, if that was not known of this one */
  claim (metric: MappedMetric): readonly MappedMetric[] {
    const others = this.#claims.get(metric.identity.id) ?? []
    if (others.includes(metric)) return []
    this.#claims.set(metric.identity.id, [...others, metric].sort((a, b) => precedes(a.mapping, b.mapping) ? -1 : 1))
    return others
  }

  /** @returns everyone who still makes the metric, the one that counts first */
  release (metric: MappedMetric): readonly MappedMetric[] {
    const claims = (this.#claims.get(metric.identity.id) ?? []).filter(m => m !== metric)
    if (claims.length === 0) this.#claims.delete(metric.identity.id)
    else this.#claims.set(metric.identity.id, claims)
    return claims
  }

  /** Who makes the metric that counts. */
  owner (metric: MappedMetric): MappedMetric { return this.#claims.get(metric.identity.id)?.[0] ?? metric }

  #changed (): void {
    this.#routes.clear()
    this.#byName = new Map()
    this.#anyName = []
    for (const state of this.#states.values()) {
      const { seriesName } = state.mapping
      if (seriesName === undefined) this.#anyName.push(state)
      else this.#byName.set(seriesName, [...this.#byName.get(seriesName) ?? [], state])
    }
  }
}
