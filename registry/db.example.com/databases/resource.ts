import { defineResource } from '../../generic/define-resource.js'
import { databaseV1beta1Schema, databaseV1Schema } from './schema.js'
import { databaseStrategy } from './strategy.js'
import { v1beta1Conversion } from './v1beta1.js'

export const databases = defineResource({
  group: 'db.example.com',
  names: { plural: 'databases', singular: 'database', kind: 'Database', shortNames: ['db'], categories: ['all', 'storage'] },
  scope: 'Namespaced',
  strategy: databaseStrategy,
  versions: [
    {
      name: 'v1',
      storage: true,
      schema: databaseV1Schema,
      subresources: {
        status: {},
        scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas', labelSelectorPath: '.status.selector' }
      },
      columns: [
        { name: 'Type', type: 'string', jsonPath: '.spec.type' },
        { name: 'Version', type: 'string', jsonPath: '.spec.version' },
        { name: 'Replicas', type: 'integer', jsonPath: '.spec.replicas' },
        { name: 'Phase', type: 'string', jsonPath: '.status.phase' },
        { name: 'Primary', type: 'string', priority: 1, jsonPath: '.status.endpoints.primary' },
        { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' }
      ]
    },
    {
      name: 'v1beta1',
      schema: databaseV1beta1Schema,
      conversion: v1beta1Conversion,
      deprecated: true,
      deprecationWarning: 'db.example.com/v1beta1 Database is deprecated; use db.example.com/v1 Database',
      subresources: { status: {} }
    }
  ]
})
