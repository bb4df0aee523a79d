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

t.test('A cluster knows kinds that are neither ours nor built in; what it says anew is noticed', t => {
  let rollout = { group: 'argoproj.io', version: 'v1alpha1', resource: 'rollouts', singular: 'rollout', namespaced: true }
  const known = (): typeof rollout[] => [rollout, { group: 'zoo.io', version: 'v1', resource: 'geese', singular: 'goose', namespaced: false }]
  const kinds = new DescribedKinds(builtInResources, {
    ofKind: (group, kind) => known().find(k => kind.toLowerCase() === k.singular && (group === undefined || k.group === group))
  })
  t.same(kinds.of(undefined, 'Goose'), { group: 'zoo.io', resource: 'geese', singular: 'goose', namespaced: false, apiVersion: 'zoo.io/v1' })
  t.match(kinds.of('zoo.io/v1beta1', 'Goose'), { resource: 'geese', apiVersion: 'zoo.io/v1beta1' })
  t.match(kinds.of(undefined, 'Pod'), { group: '', resource: 'pods' })
  t.match(kinds.of('argoproj.io/v1alpha1', 'Rollout'), { resource: 'rollouts', namespaced: true })
  t.match(kinds.of('argoproj.io/v1alpha1', 'Analysis'), { resource: 'analysises', namespaced: true })
  t.equal(kinds.changed(), false)
  rollout = { ...rollout, namespaced: false }
  t.equal(kinds.changed(), true)
  t.equal(kinds.changed(), false, 'that is known now')
  rollout = { ...rollout, singular: 'analysis', resource: 'analyses' }
  t.equal(kinds.changed(), true, 'a guess is corrected')
  t.match(kinds.of('argoproj.io/v1alpha1', 'Analysis'), { resource: 'analyses' })
  t.equal(new DescribedKinds(builtInResources).changed(), false)
  t.end()
})
