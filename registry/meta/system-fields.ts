import type { ObjectMeta } from './object-meta.js'

/** Forgets what only the server may say of an object that is being created (`rest.WipeObjectMetaSystemFields`). */
export function wipeSystemFields (meta: ObjectMeta): void {
  delete meta.uid
  delete meta.creationTimestamp
  delete meta.deletionTimestamp
  delete meta.deletionGracePeriodSeconds
  delete meta.selfLink
}
