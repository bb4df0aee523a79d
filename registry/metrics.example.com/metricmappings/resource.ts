import { defineResource } from '../../generic/define-resource.js'
import { metricMappingSchema } from './schema.js'
import { metricMappingStrategy } from './strategy.js'

export const metricmappings = defineResource({
  group: 'metrics.example.com',
  names: { plural: 'metricmappings', singular: 'metricmapping', kind: 'MetricMapping', shortNames: ['mm'] },
  scope: 'Namespaced',
  strategy: metricMappingStrategy,
  versions: [{
    name: 'v1alpha1',
    storage: true,
    schema: metricMappingSchema,
    subresources: { status: {} },
    columns: [
      { name: 'Metric', type: 'string', jsonPath: '.spec.metric.name' },
      { name: 'Kind', type: 'string', jsonPath: '.spec.describedObject.kind' },
      { name: 'Function', type: 'string', jsonPath: '.spec.function' },
      { name: 'Series', type: 'integer', jsonPath: '.status.matchedSeries' },
      { name: 'Ready', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].status' },
      { name: 'Reason', type: 'string', priority: 1, jsonPath: '.status.conditions[?(@.type=="Ready")].reason' },
      { name: 'Last Sample', type: 'date', jsonPath: '.status.lastSampleTime' },
      { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' }
    ]
  }]
})
