import type { Database } from '../../registry/mycompany.io/databases/types.js'
import type { DatabaseAdapter } from './model.js'

type Conditions = NonNullable<NonNullable<Database['status']>['conditions']>

/** Database of mycompany.io, read and written as v2: with `spec.configuration`, without backups and monitoring. */
export const mycompanyDatabase: DatabaseAdapter<Database> = {
  group: 'mycompany.io',
  version: 'v2',
  conditionTypes: [],
  model: ({ spec }) => ({
    engine: spec.engine,
    version: spec.version,
    replicas: spec.replicas ?? 1,
    storage: { size: spec.storage?.size ?? '10Gi', storageClass: spec.storage?.storageClass },
    configuration: spec.configuration ?? {}
  }),
  status: ({ phase, ready, replicas, selector, observedGeneration, conditions }) => ({ phase, ready, replicas, selector, observedGeneration, conditions: conditions as Conditions })
}
