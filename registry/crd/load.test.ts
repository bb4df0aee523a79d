import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import t from 'tap'
import { stringify } from 'yaml'
import { CrdFileError, loadCrdFiles } from './load.js'

const crds = path.resolve(import.meta.dirname, '../../test/conformance/crds')

function write (...documents: unknown[]): string {
  const file = path.join(mkdtempSync(path.join(tmpdir(), 'annex-crd-')), 'crd.yaml')
  writeFileSync(file, documents.map(d => typeof d === 'string' ? d : stringify(d)).join('---\n'))
  return file
}

const manifest = (change: (crd: Record<string, any>) => void = () => {}): Record<string, unknown> => { // eslint-disable-line typescript/no-explicit-any -- manifests are free-form here
  const crd = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'things.example.org' },
    spec: {
      group: 'example.org',
      scope: 'Namespaced',
      names: { plural: 'things', kind: 'Thing' },
      versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object', properties: { count: { type: 'integer' } } } } } } }]
    }
  }
  change(crd)
  return crd
}

t.test('the manifests of the conformance suite are read', async t => {
  const resources = loadCrdFiles([crds, path.join(crds, '../crds-extra')])
  t.same(resources.map(r => `${r.names.plural}.${r.group}`).sort(), ['custommetrics.metrics.example.com', 'databases.db.example.com', 'databases.mycompany.io', 'gadgets.fuzz.example.com', 'webapps.example.com', 'widgets.fuzz.example.com'])
  const widgets = resources.find(r => r.names.plural === 'widgets')!
  t.same(widgets.storageVersion.selectableFields, ['spec.color', 'spec.replicas', 'status.phase'])
  t.same(widgets.storageVersion.subresources.scale?.labelSelectorPath, '.status.selector')
  t.equal(resources.find(r => r.names.plural === 'gadgets')!.namespaced, false)
})

t.test('several documents, lists and defaults of names', async t => {
  const other = manifest(c => { c.metadata.name = 'others.example.org'; Object.assign(c.spec.names, { plural: 'others', kind: 'Other' }) })
  const [thing, second] = loadCrdFiles([write(manifest(), { apiVersion: 'v1', kind: 'List', items: [other] })])
  t.match(thing!.names, { singular: 'thing', listKind: 'ThingList', shortNames: [] })
  t.equal(second!.names.plural, 'others')
})

t.test('what cannot be honoured is refused with the file and the field', async t => {
  const cases: readonly [string, unknown, RegExp][] = [
    ['a conversion webhook', manifest(c => { c.spec.conversion = { strategy: 'Webhook' } }), /spec\.conversion\.strategy: "Webhook" is not supported/],
    ['a CEL rule', manifest(c => { c.spec.versions[0].schema.openAPIV3Schema['x-kubernetes-validations'] = [{ rule: 'true' }] }), /spec\.versions\[0\]\.schema\.openAPIV3Schema\.?.*x-kubernetes-validations/],
    ['no schema', manifest(c => { delete c.spec.versions[0].schema }), /spec\.versions\[0\]\.schema\.openAPIV3Schema: a structural schema is required/],
    ['a schema that is not structural', manifest(c => { c.spec.versions[0].schema.openAPIV3Schema.properties.spec.properties.count = {} }), /properties\[spec\]\.properties\[count\]\.type: Required value/],
    ['another kind', { apiVersion: 'v1', kind: 'ConfigMap' }, /kind: "ConfigMap": only CustomResourceDefinition/],
    ['an old API version', manifest(c => { c.apiVersion = 'apiextensions.k8s.io/v1beta1' }), /apiVersion: .* must be apiextensions\.k8s\.io\/v1/],
    ['a name that does not fit', manifest(c => { c.metadata.name = 'x' }), /metadata\.name: must be/],
    ['two storage versions', manifest(c => { c.spec.versions.push({ ...c.spec.versions[0], name: 'v2' }) }), /exactly one must be the storage version, found 2/],
    ['no YAML', 'a: [', /is not YAML/]
  ]
  for (const [name, document, says] of cases) {
    t.test(name, async t => {
      const file = write(document)
      const error = t.throws(() => loadCrdFiles([file]), CrdFileError) as CrdFileError
      t.match(error.message, says)
      t.ok(error.message.includes(file), 'the file is named')
    })
  }
  t.match((t.throws(() => loadCrdFiles(['/nowhere/at-all']), CrdFileError) as CrdFileError).message, /\/nowhere\/at-all: cannot be read/)
  const same = write(manifest())
  t.match((t.throws(() => loadCrdFiles([same, write(manifest())]), CrdFileError) as CrdFileError).message, /things\.example\.org is defined in .* already/)
})
