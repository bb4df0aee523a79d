import { defineResource } from '../../generic/define-resource.js'
import type { ColumnDefinition, Subresources } from '../../generic/resource-definition.js'
import { databaseV1Schema, databaseV2Schema } from './schema.js'
import { databaseStrategy } from './strategy.js'
import { v1Conversion } from './v1.js'

const subresources: Subresources = {
  status: {},
  scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas', labelSelectorPath: '.status.selector' }
}

const columns: readonly ColumnDefinition[] = [
  { name: 'Engine', type: 'string', jsonPath: '.spec.engine' },
  { name: 'Version', type: 'string', jsonPath: '.spec.version' },
  { name: 'Replicas', type: 'integer', jsonPath: '.spec.replicas' },
  { name: 'Ready', type: 'boolean', jsonPath: '.status.ready' },
  { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' }
]

export const databases = defineResource({
  group: 'mycompany.io',
  names: { plural: 'databases', singular: 'database', kind: 'Database', shortNames: ['db'], categories: ['all'] },
  scope: 'Namespaced',
  strategy: databaseStrategy,
  versions: [
    { name: 'v2', storage: true, schema: databaseV2Schema, subresources, columns },
    { name: 'v1', schema: databaseV1Schema, conversion: v1Conversion, subresources, columns }
  ]
})
