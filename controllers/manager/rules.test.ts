import { readFileSync } from 'node:fs'
import t from 'tap'
import { parseAllDocuments } from 'yaml'
import { databaseOperatorRules, type PolicyRule } from '../database/rules.js'
import { webAppOperatorRules } from '../webapp/rules.js'

interface Manifest { readonly kind: string; readonly metadata: { readonly name: string }; readonly rules?: readonly PolicyRule[] }

const rights = (rules: readonly PolicyRule[]): string[] => [...new Set(rules.flatMap(r => r.apiGroups.flatMap(group => r.resources.flatMap(resource => r.verbs.map(verb => `${verb} ${resource}.${group}`)))))].sort()

t.test('the install manifests give the controller manager the rights that its operators take, and no others', t => {
  const manifests = parseAllDocuments(readFileSync(new URL('../../hack/deploy/annex.yaml', import.meta.url), 'utf8')).map(d => d.toJSON() as Manifest)
  const role = manifests.find(m => m.kind === 'ClusterRole' && m.metadata.name === 'annex:controller-manager')
  t.same(rights(role?.rules ?? []), rights([...webAppOperatorRules, ...databaseOperatorRules]))
  t.end()
})
