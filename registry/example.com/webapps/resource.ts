import { defineResource } from '../../generic/define-resource.js'
import { webAppSchema } from './schema.js'

export const webapps = defineResource({
  group: 'example.com',
  names: { plural: 'webapps', singular: 'webapp', kind: 'WebApp', shortNames: ['wa'] },
  scope: 'Namespaced',
  versions: [{
    name: 'v1',
    storage: true,
    schema: webAppSchema,
    subresources: {
      status: {},
      scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas', labelSelectorPath: '.status.selector' }
    },
    columns: [
      { name: 'Replicas', type: 'integer', description: 'The number of replicas', jsonPath: '.spec.replicas' },
      { name: 'Ready', type: 'integer', description: 'The number of ready replicas', jsonPath: '.status.readyReplicas' },
      { name: 'Phase', type: 'string', description: 'The phase of the webapp', jsonPath: '.status.phase' },
      { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' }
    ]
  }]
})
