import type { StructuralSchema } from '../../schema/structural-schema.js'

export const metricMappingSchema: StructuralSchema = {
  type: 'object',
  description: 'MetricMapping says what series that are written to this namespace by Prometheus remote write or OTLP become: metrics that a HorizontalPodAutoscaler can scale on.',
  required: ['spec'],
  properties: {
    spec: {
      type: 'object',
      description: 'Which series become which metric.',
      required: ['series', 'metric'],
      properties: {
        series: {
          type: 'object',
          description: 'Which series are taken. A name or at least one matcher that does not match an absent label is needed.',
          properties: {
            name: { type: 'string', minLength: 1, maxLength: 1024, description: 'The name of the series, exactly. For a pattern use a matcher of the label __name__.' },
            matchers: {
              type: 'array',
              maxItems: 16,
              description: 'What labels must be like, all of it.',
              items: {
                type: 'object',
                required: ['label'],
                properties: {
                  label: { type: 'string', minLength: 1, maxLength: 1024, description: 'The name of the label.' },
                  operator: { type: 'string', enum: ['=', '!=', '=~', '!~'], default: '=', description: 'How the label is compared: equal, not equal, or by an RE2 regular expression that matches the whole value, or does not.' },
                  value: { type: 'string', maxLength: 1024, default: '', description: 'What it is compared with. An absent label is empty.' }
                }
              }
            }
          }
        },
        metric: {
          type: 'object',
          description: 'The metric that is made.',
          required: ['name'],
          properties: {
            name: { type: 'string', minLength: 1, maxLength: 1024, description: "Its name. ${label} stands for the value of the series' label; ${__name__} is the name of the series." }
          }
        },
        describedObject: {
          type: 'object',
          description: 'The object of this namespace that the metric is about; without one it is an external metric.',
          required: ['kind', 'nameLabel'],
          properties: {
            apiVersion: { type: 'string', description: 'The API version of the object.' },
            kind: { type: 'string', minLength: 1, description: 'The kind of the object.' },
            nameLabel: { type: 'string', minLength: 1, maxLength: 1024, description: 'The label of the series that holds the name of the object.' }
          }
        },
        labels: {
          type: 'array',
          maxItems: 16,
          'x-kubernetes-list-type': 'set',
          description: 'Labels of the series that the metric keeps, for the selectors of autoscalers. Series that differ in other labels only fall together.',
          items: { type: 'string', minLength: 1, maxLength: 1024 }
        },
        function: {
          type: 'string',
          enum: ['Latest', 'Rate', 'Increase', 'Sum', 'Avg', 'Max'],
          default: 'Latest',
          description: 'What is made of the samples of a series: the latest one; the increase of a counter over the window, or that per second; or the sum, average or maximum of all samples of the window. Series that fall together are added up; Avg and Max are of all their samples.'
        },
        windowSeconds: { type: 'integer', format: 'int64', minimum: 1, maximum: 3600, description: 'Over how many seconds before the latest sample; 120 unless said. Not for Latest.' },
        ttlSeconds: { type: 'integer', format: 'int64', minimum: 1, maximum: 86400, description: 'How many seconds after its latest sample a series counts.' }
      }
    },
    status: {
      type: 'object',
      description: 'What was observed by the replica that received samples last.',
      properties: {
        observedGeneration: { type: 'integer', format: 'int64', description: 'The metadata.generation that this status is about.' },
        matchedSeries: { type: 'integer', format: 'int64', description: 'How many series match.' },
        metrics: { type: 'integer', format: 'int64', description: 'How many metrics they make.' },
        lastSampleTime: { type: 'string', format: 'date-time', description: 'The time of the latest sample.' },
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
              observedGeneration: { type: 'integer', format: 'int64', description: 'The metadata.generation that the condition is about.' },
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
