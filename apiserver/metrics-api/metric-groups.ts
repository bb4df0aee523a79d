import type { RequestInfo } from '../request-info.js'

export const customMetricsGroup = 'custom.metrics.k8s.io'
export const externalMetricsGroup = 'external.metrics.k8s.io'

/**
 * Whether a request is for a group that autoscalers read. No answer to one may carry Retry-After: client-go would sleep in one of the few
 * workers of the HorizontalPodAutoscaler controller, up to ten times, where asking again at the next sync is better.
 */
export const isMetricRead = (info: RequestInfo): boolean => info.kind === 'resource' && (info.group === customMetricsGroup || info.group === externalMetricsGroup)
