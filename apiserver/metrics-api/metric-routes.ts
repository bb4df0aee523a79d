import type { UserInfo } from '../authentication/interfaces.js'
import type { MetricsRouteConfig } from '../options/metrics-route-options.js'
import type { VirtualResource } from '../discovery/virtual-resource.js'
import { customMetricsGroup, externalMetricsGroup } from './metric-groups.js'
import { OtherAdapter, type AdapterAnswer } from './other-adapter.js'

/** A metric that a request asks for. */
export interface WantedMetric {
  readonly group: string
  /** Undefined: in all. */
  readonly namespace: string | undefined
  readonly metric: string
}

interface Route { readonly config: MetricsRouteConfig; readonly adapter: OtherAdapter; readonly namespace: RegExp; readonly metric: { readonly exact: RegExp; readonly anyCase: RegExp } }

export interface MetricRoutesOptions {
  readonly userAgent: string
  /** Another adapter has other metrics now. */
  readonly onChange: () => void
  /** Another adapter's discovery cannot be read; told once for each reason. */
  readonly onError: (url: string, error: unknown) => void
  /** How often the discovery of the others is read. Default one minute. */
  readonly discoveryMs?: number | undefined
  /** How long nothing is asked of an adapter that failed five times in a row. Default 10 s. */
  readonly restMs?: number | undefined
}

/** Which metrics are asked of which other adapter: the first rule that fits. Rules with the same way to the same server share it. */
export class MetricRoutes {
  readonly #routes: readonly Route[]
  readonly #adapters: readonly OtherAdapter[]

  constructor (configs: readonly MetricsRouteConfig[], options: MetricRoutesOptions) {
    const adapters = new Map<string, OtherAdapter>()
    this.#routes = configs.map(config => {
      const { url, caFile, serverName, identity, timeoutMs } = config
      const key = JSON.stringify({ url, caFile, serverName, identity, timeoutMs })
      let adapter = adapters.get(key)
      if (adapter === undefined) adapters.set(key, adapter = new OtherAdapter({ ...options, config, onError: error => { options.onError(url, error) } }))
      return { config, adapter, namespace: patternOf(config.namespace), metric: { exact: patternOf(config.metric), anyCase: patternOf(config.metric, 'i') } }
    })
    this.#adapters = [...adapters.values()]
  }

  start (): void { for (const adapter of this.#adapters) adapter.start() }
  async stop (): Promise<void> { await Promise.all(this.#adapters.map(a => a.stop())) }

  /** The adapter of a metric; a rule for some namespaces says nothing about a request for all. */
  find ({ group, namespace, metric }: WantedMetric): OtherAdapter | undefined {
    return this.#routes.find(r => fits(r, group, metric) && (namespace === undefined ? r.config.namespace === '*' : r.namespace.test(namespace)))?.adapter
  }

  /** @throws StatusError 503 */
  ask (adapter: OtherAdapter, request: { readonly url: string; readonly accept: string; readonly user: UserInfo; readonly signal: AbortSignal }): Promise<AdapterAnswer> {
    return adapter.ask(request)
  }

  /** What the others list of a group, as far as rules lead to it; the first of one name counts. */
  resources (group: string): VirtualResource[] {
    const found = new Map<string, VirtualResource>()
    for (const route of this.#routes) {
      for (const resource of route.adapter.resources(group)) {
        const slash = resource.name.indexOf('/')
        const metric = group === customMetricsGroup ? resource.name.slice(slash + 1) : resource.name
        const isMetric = group === customMetricsGroup ? slash > 0 : slash < 0 && !externalPlaceholders.has(resource.name)
        if (isMetric && fits(route, group, metric) && !found.has(resource.name)) found.set(resource.name, resource)
      }
    }
    return [...found.values()]
  }
}

/** What adapters list so that the list is not empty: custom-metrics-apiserver's, and ours. Those of custom metrics have no resource. */
const externalPlaceholders = new Set(['externalmetrics', 'externalmetricvalues'])

const fits = ({ config, metric: { exact, anyCase } }: Route, group: string, metric: string): boolean =>
  (config.group === undefined || config.group === group) && (group === externalMetricsGroup ? anyCase : exact).test(metric)

/** `*` stands for any text. */
const patternOf = (text: string, flags = ''): RegExp => new RegExp(`^${text.split('*').map(part => part.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')).join('.*')}$`, `s${flags}`)
