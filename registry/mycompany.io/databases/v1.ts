import type { VersionConversion } from '../../generic/resource-definition.js'
import type { Database } from './types.js'

/** v1 has no `spec.configuration`: its readers do not see it and its writers never change it. */
export const v1Conversion: VersionConversion = {
  toStorage (object, live) {
    const { spec } = object as Database
    const kept = (live as Database | undefined)?.spec.configuration
    if (typeof spec === 'object' && spec !== null) {
      if (kept === undefined) delete spec.configuration
      else spec.configuration = kept
    }
    return object
  },
  fromStorage (object) {
    delete (object as Database).spec?.configuration
    return object
  }
}
