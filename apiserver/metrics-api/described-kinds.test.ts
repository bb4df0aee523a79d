import t from 'tap'
import { builtInResources } from '../../registry/groups.js'
import { DescribedKinds, groupResourceOf } from './described-kinds.js'

t.test('A kind is of the resource that the server or Kubernetes has, or of one guessed as Kubernetes guesses', t => {
  const kinds = new DescribedKinds(builtInResources)
  const table: [string | undefined, string, string, boolean, string][] = [
    ['v1', 'Pod', 'pods', true, 'v1'],
    [undefined, 'Pod', 'pods', true, 'v1'],
    ['', 'Node', 'nodes', false, 'v1'],
    ['v1', 'node', 'nodes', false, 'v1'],
    ['v1', 'Endpoints', 'endpoints', true, 'v1'],
    [undefined, 'Deployment', 'deployments.apps', true, 'apps/v1'],
    ['apps/v1beta1', 'Deployment', 'deployments.apps', true, 'apps/v1beta1'],
    ['networking.k8s.io/v1', 'Ingress', 'ingresses.networking.k8s.io', true, 'networking.k8s.io/v1'],
    ['db.example.com/v1beta1', 'Database', 'databases.db.example.com', true, 'db.example.com/v1beta1'],
    [undefined, 'WebApp', 'webapps.example.com', true, 'example.com/v1'],
    ['other.io/v1', 'Pod', 'pods.other.io', true, 'other.io/v1'],
    ['security.io/v1', 'Policy', 'policies.security.io', true, 'security.io/v1'],
    [undefined, 'Unheard', 'unheards', true, '']
  ]
  for (const [apiVersion, kind, resource, namespaced, answered] of table) {
    const found = kinds.of(apiVersion, kind)
    t.same([groupResourceOf(found), found.namespaced, found.apiVersion], [resource, namespaced, answered], `${apiVersion} ${kind}`)
  }
  t.end()
})
