import type { StructuralSchema } from '../../schema/structural-schema.js'

const specProperties: Readonly<Record<string, StructuralSchema>> = {
  engine: { type: 'string', enum: ['postgresql', 'mysql', 'mongodb'], description: 'The database engine. Cannot be changed.' },
  version: { type: 'string', minLength: 1, description: 'The version of the engine, for example 15 or 15.2.' },
  replicas: { type: 'integer', format: 'int32', minimum: 1, maximum: 10, default: 1, description: 'How many instances should run.' },
  storage: {
    type: 'object',
    description: 'The storage of each instance.',
    properties: {
      size: { type: 'string', pattern: '^[0-9]+Gi$', default: '10Gi', description: 'The size of the volume.' },
      storageClass: { type: 'string', description: 'The StorageClass of the volume; the cluster\'s default without one.' }
    }
  }
}

const configuration: StructuralSchema = { type: 'object', additionalProperties: { type: 'string' }, description: 'Settings of the engine, by name.' }

const status: StructuralSchema = {
  type: 'object',
  description: 'What was observed.',
  properties: {
    phase: { type: 'string', description: 'A one-word summary; conditions say more.' },
    ready: { type: 'boolean', description: 'Whether the database answers.' },
    replicas: { type: 'integer', format: 'int32', description: 'How many instances there are.' },
    selector: { type: 'string', description: 'A label selector that finds the pods, for the scale subresource.' },
    observedGeneration: { type: 'integer', format: 'int64', description: 'The metadata.generation that this status is about.' },
    conditions: {
      type: 'array',
      description: 'Observations of the state, one a type.',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['type'],
      items: {
        type: 'object',
        required: ['type', 'status', 'lastTransitionTime', 'reason', 'message'],
        properties: {
          type: { type: 'string', maxLength: 316, description: 'What the condition is about.' },
          status: { type: 'string', enum: ['True', 'False', 'Unknown'], description: 'Whether it holds.' },
          observedGeneration: { type: 'integer', format: 'int64', minimum: 0, description: 'The metadata.generation that the condition is about.' },
          lastTransitionTime: { type: 'string', format: 'date-time', description: 'When the status changed last.' },
          reason: { type: 'string', minLength: 1, maxLength: 1024, description: 'Why, in one CamelCase word.' },
          message: { type: 'string', maxLength: 32768, description: 'Why, for a person.' }
        }
      }
    }
  }
}

const databaseSchema = (properties: Readonly<Record<string, StructuralSchema>>): StructuralSchema => ({
  type: 'object',
  description: 'Database is a database of one engine, with storage of its own.',
  required: ['spec'],
  properties: {
    spec: { type: 'object', description: 'What is wanted.', required: ['engine', 'version'], properties },
    status
  }
})

export const databaseV2Schema = databaseSchema({ ...specProperties, configuration })
export const databaseV1Schema = databaseSchema(specProperties)
