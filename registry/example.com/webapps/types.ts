import type { KubeObject } from '../../meta/object-meta.js'
import type { Condition } from '../../meta/condition.js'

/** A web application: so many replicas of an image behind a port. */
export interface WebApp extends KubeObject {
  spec: WebAppSpec
  status?: WebAppStatus
}

export interface WebAppSpec {
  /** 1 to 100. */
  replicas: number
  image: string
  /** 1 to 65535. */
  port: number
  /** Quantities, e.g. `100m`, `128Mi`. */
  resources?: { cpu?: number | string; memory?: number | string }
  env?: { name: string; value?: string }[]
}

export interface WebAppStatus {
  phase?: 'Pending' | 'Running' | 'Failed'
  readyReplicas?: number
  replicas?: number
  /** A label selector, for the scale subresource. */
  selector?: string
  observedGeneration?: number
  conditions?: Condition[]
}
