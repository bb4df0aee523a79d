import type { StructuralSchema } from '../../schema/structural-schema.js'

export const webAppSchema: StructuralSchema = {
  type: 'object',
  description: 'WebApp is a web application: so many replicas of an image behind a port.',
  required: ['spec'],
  properties: {
    spec: {
      type: 'object',
      description: 'What is wanted.',
      required: ['replicas', 'image', 'port'],
      properties: {
        replicas: { type: 'integer', format: 'int32', minimum: 1, maximum: 100, description: 'How many pods should run.' },
        image: { type: 'string', minLength: 1, description: 'The container image, with tag or digest.' },
        port: { type: 'integer', format: 'int32', minimum: 1, maximum: 65535, description: 'The port that the container listens on.' },
        resources: {
          type: 'object',
          description: 'What each pod asks for and is limited to, as quantities.',
          properties: {
            cpu: { 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }], description: 'CPU, for example 250m.' },
            memory: { 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }], description: 'Memory, for example 128Mi.' }
          }
        },
        env: {
          type: 'array',
          description: 'Environment variables of the container. Several managers may own different ones.',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['name'],
          items: {
            type: 'object',
            required: ['name'],
            properties: { name: { type: 'string', description: 'The name of the variable.' }, value: { type: 'string', description: 'Its value.' } }
          }
        }
      }
    },
    status: {
      type: 'object',
      description: 'What was observed.',
      properties: {
        phase: { type: 'string', enum: ['Pending', 'Running', 'Failed'], description: 'A one-word summary; conditions say more.' },
        readyReplicas: { type: 'integer', format: 'int32', description: 'How many pods are ready.' },
        replicas: { type: 'integer', format: 'int32', description: 'How many pods there are.' },
        selector: { type: 'string', description: 'A label selector that finds the pods, for the scale subresource.' },
        observedGeneration: { type: 'integer', format: 'int64', description: 'The metadata.generation that this status is about.' },
        conditions: {
          type: 'array',
          description: 'Observations of the state, one a type.',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['type'],
          items: {
            type: 'object',
            required: ['type', 'status'],
            properties: {
              type: { type: 'string', description: 'What the condition is about.' },
              status: { type: 'string', enum: ['True', 'False', 'Unknown'], description: 'Whether it holds.' },
              reason: { type: 'string', description: 'Why, in one CamelCase word.' },
              message: { type: 'string', description: 'Why, for a person.' },
              lastTransitionTime: { type: 'string', format: 'date-time', description: 'When the status changed last.' }
            }
          }
        }
      }
    }
  }
}
