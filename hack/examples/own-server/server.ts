// A server of one's own resource: node --import tsx hack/examples/own-server/server.ts
// Outside this repository the import is from 'annex'.
import { fileURLToPath } from 'node:url'
import { createServer, defineResource, field, type ApiServer } from '../../../apiserver/index.js'

/** A Ticket has a title, a priority and, written by those who work on it, a state. */
const tickets = defineResource({
  group: 'desk.example.org',
  names: { plural: 'tickets', singular: 'ticket', kind: 'Ticket', shortNames: ['tk'], categories: ['all'] },
  scope: 'Namespaced',
  versions: [{
    name: 'v1',
    storage: true,
    schema: {
      type: 'object',
      description: 'Ticket is something that somebody wants done.',
      required: ['spec'],
      properties: {
        spec: {
          type: 'object',
          required: ['title'],
          properties: {
            title: { type: 'string', minLength: 1, description: 'What is to be done.' },
            priority: { type: 'integer', minimum: 1, maximum: 5, default: 3, description: '1 is the most urgent.' }
          }
        },
        status: { type: 'object', properties: { state: { type: 'string', enum: ['Open', 'Closed'] } } }
      }
    },
    subresources: { status: {} },
    columns: [
      { name: 'Title', type: 'string', jsonPath: '.spec.title' },
      { name: 'Priority', type: 'integer', jsonPath: '.spec.priority' },
      { name: 'State', type: 'string', jsonPath: '.status.state' }
    ]
  }],
  strategy: {
    // What a schema cannot say is a few lines of TypeScript, where others operate a webhook.
    validateUpdate (object, old) {
      const [title, before] = [object, old].map(o => (o['spec'] as { title: string }).title)
      return title === before ? [] : [field.forbidden('spec.title', 'a ticket keeps its title; open another one')]
    }
  }
})

/** Starts the server; options are the flags of `annex apiserver` in camel case. */
export function start (options: { securePort?: number; dataDir?: string } = {}): Promise<ApiServer> {
  return createServer({ resources: [tickets], dataDir: '.annex-own', ...options })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const server = await start()
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => { void server.close() })
  console.log(`serving ${server.url}; try: KUBECONFIG=${server.config.kubeconfigFile} kubectl get tickets`)
}
