import { newBadRequest } from '../../registry/meta/status-error.js'
import { PageNotFound } from '../handlers/dispatch.js'
import type { ResourceRequestInfo } from '../request-info.js'

/** What a path of `custom.metrics.k8s.io` asks for. */
export interface CustomMetricPath {
  /** As written: `pods`, `deployments.apps`. */
  readonly resource: string
  /** Undefined: all. */
  readonly namespace: string | undefined
  /** The described object's name; undefined: all (`*`). */
  readonly object: string | undefined
  readonly metric: string
}

export interface ExternalMetricPath { readonly namespace: string; readonly metric: string }

/**
 * Reads `[/namespaces/{ns}]/{resource}/{name}/{metric}` and `/namespaces/{ns}/metrics/{metric}`, the latter about the namespace itself.
 * Segments come decoded, so `*` may have been sent as `%2A`.
 * @throws StatusError 400, PageNotFound. Source: kubernetes-sigs/custom-metrics-apiserver, `pkg/apiserver`.
 */
export function customMetricPath ({ namespace, parts }: ResourceRequestInfo): CustomMetricPath {
  const [resource = '', name = '', metric = ''] = parts
  const all = (text: string): string | undefined => text === '*' ? undefined : text
  if (parts.length === 3) return { resource: resource.toLowerCase(), namespace: namespace === '' ? undefined : all(namespace), object: all(name), metric }
  if (namespace !== '' && parts.length === 2 && resource === 'metrics') return { resource: 'namespaces', namespace: all(namespace), object: all(namespace), metric: name }
  if (namespace !== '' && parts.length === 1) throw newBadRequest('invalid request path')
  throw new PageNotFound()
}

/** Reads `/namespaces/{ns}/{metric}`. @throws PageNotFound */
export function externalMetricPath ({ namespace, parts }: ResourceRequestInfo): ExternalMetricPath {
  if (namespace === '' || parts.length !== 1) throw new PageNotFound()
  return { namespace, metric: parts[0]! }
}
