import { readFileSync } from 'node:fs'
import t from 'tap'
import { parseAllDocuments } from 'yaml'
import { databaseOperatorRules, type PolicyRule } from './rules.js'

interface Manifest { readonly kind: string; readonly metadata: { readonly name: string }; readonly rules?: readonly PolicyRule[] }

t.test('the install manifests give the controller manager every right that the operator takes', async t => {
  const manifests = parseAllDocuments(readFileSync(new URL('../../hack/deploy/annex.yaml', import.meta.url), 'utf8')).map(d => d.toJSON() as Manifest)
  const rules = manifests.find(m => m.kind === 'ClusterRole' && m.metadata.name === 'annex:controller-manager')?.rules ?? []
  for (const { apiGroups, resources, verbs } of databaseOperatorRules) for (const group of apiGroups) for (const resource of resources) for (const verb of verbs) {
    t.ok(rules.some(r => r.apiGroups.includes(group) && r.resources.includes(resource) && r.verbs.includes(verb)), `${verb} ${resource}.${group}`)
  }
})
