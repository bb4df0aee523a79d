import type { KubeObject } from '../../meta/object-meta.js'

/** One metric's latest value, about an object of the same namespace or about something outside the cluster. */
export interface CustomMetric extends KubeObject {
  /** The name defaults to the object's. */
  metric?: { name?: string; labels?: Record<string, string> }
  describedObject?: { apiVersion?: string; kind: string; name: string }
  /** A Quantity. */
  value: number | bigint | string
  /** RFC 3339; stamped by the server when the writer does not. */
  timestamp?: string
  windowSeconds?: number
  /** How long after `timestamp` the value counts. */
  ttlSeconds?: number
}
