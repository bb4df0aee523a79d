import type { KubeObject } from '../../registry/meta/object-meta.js'
import type { DatabaseKinds } from './kinds.js'
import type { DatabaseModel } from './model.js'
import type { DatabaseNames } from './names.js'
import type { DatabaseSettings } from './settings.js'

/** One reconcile of one Database. */
export interface Work {
  readonly kinds: DatabaseKinds
  readonly object: KubeObject
  readonly names: DatabaseNames
  readonly model: DatabaseModel
  readonly settings: DatabaseSettings
  readonly signal: AbortSignal
}
