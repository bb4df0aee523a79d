import { invalid } from '../../registry/meta/field-error.js'
import { newInvalid } from '../../registry/meta/status-error.js'
import type { CustomMetric } from '../../registry/metrics.example.com/custommetrics/types.js'
import type { AdmissionAttributes, AdmissionPlugin } from '../admission/interfaces.js'
import type { MetricIndex } from './metric-index.js'

/**
 * Keeps external metrics of one namespace apart whose names would differ in case only: autoscalers ask for them in lower case, so they
 * would be read as one. What is so already may go on being written. Two writes at the same moment, or a server whose index is not filled
 * yet, get past it.
 */
export class ExternalNames implements AdmissionPlugin {
  readonly name = 'ExternalMetricNames'
  readonly operations = ['CREATE', 'UPDATE'] as const
  readonly resource = { group: 'metrics.example.com', resource: 'custommetrics' }
  readonly #index: () => MetricIndex | undefined

  constructor (index: () => MetricIndex | undefined) { this.#index = index }

  /** @throws StatusError 422 that names the other one */
  async validate ({ kind, namespace, object, oldObject }: AdmissionAttributes): Promise<void> {
    const metric = externalName(object)
    if (metric === undefined || metric === externalName(oldObject)) return
    const { metadata, metric: named } = object as CustomMetric
    for (const sample of this.#index()?.external(namespace, metric) ?? []) {
      if (sample.metric === metric || sample.key === `${namespace}/${metadata.name}`) continue
      const other = sample.key.slice(namespace.length + 1)
      throw newInvalid(kind, metadata.name ?? '', [invalid(named?.name === undefined ? 'metadata.name' : 'metric.name', metric,
        `differs only in case from the external metric ${JSON.stringify(sample.metric)} of the CustomMetric ${JSON.stringify(other)}, and external metrics are found without regard to case`)])
    }
  }
}

/** Undefined for a metric that is about an object. */
function externalName (object: object | undefined): string | undefined {
  const metric = object as CustomMetric | undefined
  return metric === undefined || metric.describedObject !== undefined ? undefined : metric.metric?.name ?? metric.metadata.name
}
