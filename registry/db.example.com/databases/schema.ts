import type { StructuralSchema } from '../../schema/structural-schema.js'

export const databaseV1Schema: StructuralSchema = {
  type: 'object',
  description: 'Database is a database with storage, backups and monitoring.',
  required: ['spec'],
  properties: {
    spec: {
      type: 'object',
      description: 'What is wanted.',
      required: ['type', 'version', 'storage'],
      properties: {
        type: { type: 'string', enum: ['mysql', 'postgresql', 'mongodb'], description: 'The database engine. Cannot be changed.' },
        version: { type: 'string', pattern: '^[0-9]+\\.[0-9]+\\.[0-9]+$', description: 'The version of the engine, for example 8.0.36.' },
        replicas: { type: 'integer', format: 'int32', minimum: 0, maximum: 100, default: 1, description: 'How many instances should run.' },
        storage: {
          type: 'object',
          description: 'The storage of each instance.',
          required: ['size'],
          properties: {
            size: { type: 'string', pattern: '^[0-9]+[KMGT]i?$', description: 'The size of the volume. Never shrinks.' },
            storageClass: { type: 'string', description: 'The StorageClass of the volume; the cluster\'s default without one.' }
          }
        },
        backup: {
          type: 'object',
          description: 'Scheduled backups.',
          properties: {
            enabled: { type: 'boolean', default: false, description: 'Whether backups are made.' },
            schedule: {
              type: 'string',
              pattern: '^(@(annually|yearly|monthly|weekly|daily|hourly|reboot)|@every ([0-9]+(ns|us|µs|ms|s|m|h))+|([0-9*,/-]+ ){4}[0-9*,/-]+)$',
              description: 'When backups are made, in cron syntax.'
            },
            retention: { type: 'integer', format: 'int32', minimum: 1, maximum: 365, default: 7, description: 'How many backups are kept.' }
          }
        },
        monitoring: {
          type: 'object',
          description: 'Metrics that are published about the database.',
          properties: {
            enabled: { type: 'boolean', default: false, description: 'Whether metrics are published.' },
            metrics: {
              type: 'array',
              description: 'Which metrics.',
              'x-kubernetes-list-type': 'set',
              items: { type: 'string', enum: ['cpu', 'memory', 'disk', 'connections', 'queries'] }
            }
          }
        }
      }
    },
    status: {
      type: 'object',
      description: 'What was observed.',
      properties: {
        phase: { type: 'string', enum: ['Pending', 'Creating', 'Running', 'Updating', 'Deleting', 'Failed'], description: 'A one-word summary; conditions say more.' },
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
            required: ['type', 'status'],
            properties: {
              type: { type: 'string', description: 'What the condition is about.' },
              status: { type: 'string', enum: ['True', 'False', 'Unknown'], description: 'Whether it holds.' },
              reason: { type: 'string', description: 'Why, in one CamelCase word.' },
              message: { type: 'string', description: 'Why, for a person.' },
              lastTransitionTime: { type: 'string', format: 'date-time', description: 'When the status changed last.' }
            }
          }
        },
        endpoints: {
          type: 'object',
          description: 'Where the database answers.',
          properties: {
            primary: { type: 'string', description: 'Host and port for reading and writing.' },
            readonly: { type: 'array', items: { type: 'string' }, description: 'Hosts and ports for reading.' }
          }
        },
        backupStatus: {
          type: 'object',
          description: 'The state of backups.',
          properties: {
            lastBackup: { type: 'string', format: 'date-time', description: 'When the last backup was finished.' },
            nextBackup: { type: 'string', format: 'date-time', description: 'When the next one is due.' },
            backupCount: { type: 'integer', format: 'int32', description: 'How many are kept now.' }
          }
        }
      }
    }
  }
}

/** v1beta1 accepts anything; what it means is v1's to say. */
export const databaseV1beta1Schema: StructuralSchema = {
  type: 'object',
  description: 'Database in its deprecated version: v1\'s fields, and the older spellings engine, size, storageClass and backupSchedule.',
  properties: {
    spec: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true, description: 'What is wanted.' },
    status: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true, description: 'What was observed.' }
  }
}
