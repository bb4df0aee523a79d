import t from 'tap'
import { defineResource, InvalidDefinitionError } from './define-resource.js'
import type { ResourceDefinition } from './resource-definition.js'
import { compareVersions } from './version-order.js'

const definition: ResourceDefinition = {
  group: 'example.com',
  names: { plural: 'things', singular: 'thing', kind: 'Thing' },
  scope: 'Namespaced',
  versions: [
    { name: 'v1beta1', schema: { type: 'object' }, deprecated: true },
    { name: 'v1', storage: true, schema: { type: 'object' } },
    { name: 'v2alpha1', served: false, schema: { type: 'object' } }
  ]
}

t.test('a declaration is completed', async t => {
  const resource = defineResource(definition)
  t.same(resource.versions.map(v => v.name), ['v1', 'v1beta1', 'v2alpha1'], 'versions are in order of preference')
  t.equal(resource.storageVersion.name, 'v1')
  t.equal(resource.names.listKind, 'ThingList')
  t.equal(resource.versions[1]!.deprecationWarning, 'example.com/v1beta1 Thing is deprecated; use example.com/v1 Thing')
  t.equal(resource.storageVersion.deprecationWarning, undefined)
  t.same(resource.storageVersion.columns.map(c => c.name), ['Age'])
  t.ok(Object.isFrozen(resource))
})

t.test('everything wrong with a declaration is said at once', async t => {
  try {
    defineResource({
      ...definition,
      group: 'Bad_Group',
      names: { plural: 'Things', singular: 'thing', kind: 'thing' },
      versions: [
        { name: 'one', schema: {}, subresources: { scale: { specReplicasPath: 'spec.replicas', statusReplicasPath: '.status.replicas' } } },
        { name: 'one', schema: {}, served: false }
      ]
    })
    t.fail('it was accepted')
  } catch (error) {
    t.ok(error instanceof InvalidDefinitionError)
    const { problems } = error as InvalidDefinitionError
    for (const part of ['group "Bad_Group"', 'names.plural "Things"', 'names.kind "thing"', 'exactly one must be the storage version, found 0', 'names must be unique', 'scale.specReplicasPath']) {
      t.ok(problems.some(p => p.includes(part)), part)
    }
  }
})

t.test('versions are ordered as Kubernetes orders them', async t => {
  const shuffled = ['v1alpha1', 'foo10', 'v2', 'v10', 'v11beta2', 'v10beta3', 'v3beta1', 'v12alpha1', 'v11alpha2', 'v1', 'foo1']
  t.same(shuffled.sort((a, b) => compareVersions(b, a)), ['v10', 'v2', 'v1', 'v11beta2', 'v10beta3', 'v3beta1', 'v12alpha1', 'v11alpha2', 'v1alpha1', 'foo1', 'foo10'])
})
