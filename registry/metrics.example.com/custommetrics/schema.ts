import type { StructuralSchema } from '../../schema/structural-schema.js'

export const customMetricSchema: StructuralSchema = {
  type: 'object',
  description: 'CustomMetric is the latest value of one metric, which a HorizontalPodAutoscaler can scale on.',
  required: ['value'],
  properties: {
    metric: {
      type: 'object',
      description: 'Which metric this is.',
      properties: {
        name: { type: 'string', minLength: 1, description: 'The name of the metric; without one it is the name of the object.' },
        labels: { type: 'object', additionalProperties: { type: 'string' }, description: 'Labels by which metric selectors choose.' }
      }
    },
    describedObject: {
      type: 'object',
      description: 'The object of this namespace that the value is about; without one it is about something outside the cluster.',
      required: ['kind', 'name'],
      properties: {
        apiVersion: { type: 'string', description: 'The API version of the object.' },
        kind: { type: 'string', minLength: 1, description: 'The kind of the object.' },
        name: { type: 'string', minLength: 1, description: 'The name of the object.' }
      }
    },
    value: {
      'x-kubernetes-int-or-string': true,
      anyOf: [{ type: 'integer' }, { type: 'string' }],
      pattern: '^(\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\\+|-)?(([0-9]+(\\.[0-9]*)?)|(\\.[0-9]+))))?$',
      description: 'The value, as a quantity.'
    },
    timestamp: { type: 'string', format: 'date-time', description: 'When the value was measured; the server stamps it when the writer does not.' },
    windowSeconds: { type: 'integer', format: 'int64', minimum: 0, description: 'Over how many seconds it was measured.' },
    ttlSeconds: { type: 'integer', format: 'int64', minimum: 1, description: 'How many seconds after its timestamp the value counts; older values are not served to autoscalers.' }
  }
}
