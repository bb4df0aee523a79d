import { defineResource } from '../../generic/define-resource.js'
import { customMetricSchema } from './schema.js'
import { customMetricStrategy } from './strategy.js'

export const custommetrics = defineResource({
  group: 'metrics.example.com',
  names: { plural: 'custommetrics', singular: 'custommetric', kind: 'CustomMetric', shortNames: ['cm8s'] },
  scope: 'Namespaced',
  strategy: customMetricStrategy,
  versions: [{
    name: 'v1alpha1',
    storage: true,
    schema: customMetricSchema,
    columns: [
      { name: 'Metric', type: 'string', jsonPath: '.metric.name' },
      { name: 'Kind', type: 'string', jsonPath: '.describedObject.kind' },
      { name: 'Object', type: 'string', jsonPath: '.describedObject.name' },
      { name: 'Value', type: 'string', jsonPath: '.value' },
      { name: 'Sampled', type: 'date', description: 'How long ago the value was measured', jsonPath: '.timestamp' },
      { name: 'TTL', type: 'integer', description: 'How many seconds after that it counts', priority: 1, jsonPath: '.ttlSeconds' },
      { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' }
    ]
  }]
})
