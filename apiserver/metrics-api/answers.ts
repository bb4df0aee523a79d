import type { LabelSelector } from '../../registry/meta/label-selector.js'
import { newBadRequest } from '../../registry/meta/status-error.js'
import type { Reading, RequestSelector } from './metrics-reader.js'

/** `metav1.LabelSelector`, in Go's order. */
export interface LabelSelectorValue {
  matchLabels?: Record<string, string>
  matchExpressions?: { key: string; operator: string; values?: readonly string[] }[]
}

/**
 * A parsed selector as the object that answers carry.
 * @throws StatusError 400 for `<` and `>`, which it cannot hold. Source: `metav1.ParseToLabelSelector`.
 */
export function labelSelectorValue ({ requirements }: LabelSelector): LabelSelectorValue {
  const out: LabelSelectorValue = {}
  const operators = { in: 'In', '!=': 'NotIn', notin: 'NotIn', exists: 'Exists', '!': 'DoesNotExist' } as const
  for (const { key, operator, values } of requirements) {
    if (operator === '=' || operator === '==') {
      (out.matchLabels ??= {})[key] = values[0]!
      continue
    }
    const named = operators[operator as keyof typeof operators]
    if (named === undefined) throw newBadRequest(`"${operator}" isn't supported in label selectors`);
    (out.matchExpressions ??= []).push({ key, operator: named, ...(values.length > 0 && { values: [...values].sort() }) })
  }
  return out
}

/** `custom.metrics.k8s.io` MetricValueList: v1beta1 spells metric, selector and window differently. Members are in Go's order. */
export function metricValueList (version: 'v1beta1' | 'v1beta2', readings: readonly Reading[], series: RequestSelector | undefined): object {
  const selector = series === undefined ? null : labelSelectorValue(series.selector)
  return {
    kind: 'MetricValueList',
    apiVersion: `custom.metrics.k8s.io/${version}`,
    metadata: {},
    items: readings.map(r => version === 'v1beta1'
      ? { describedObject: reference(r), metricName: r.metric, timestamp: r.timestampText, ...window('window', r), value: r.valueText, selector }
      : { describedObject: reference(r), metric: { name: r.metric, selector }, timestamp: r.timestampText, ...window('windowSeconds', r), value: r.valueText })
  }
}

/** `external.metrics.k8s.io/v1beta1` ExternalMetricValueList. */
export function externalMetricValueList (readings: readonly Reading[]): object {
  return {
    kind: 'ExternalMetricValueList',
    apiVersion: 'external.metrics.k8s.io/v1beta1',
    metadata: {},
    items: readings.map(r => ({ metricName: r.metric, metricLabels: r.labels, timestamp: r.timestampText, ...window('window', r), value: r.valueText }))
  }
}

/** `v1.ObjectReference`: empty members are left out. */
function reference ({ object }: Reading): object {
  const { kind, namespace, name, apiVersion } = object!
  return { kind, ...(namespace && { namespace }), name, ...(apiVersion && { apiVersion }) }
}

const window = (member: 'window' | 'windowSeconds', { windowSeconds }: Reading): object => windowSeconds === undefined ? {} : { [member]: windowSeconds }
