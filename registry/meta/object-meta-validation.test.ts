import t from 'tap'
import { fieldErrorText } from './field-error.js'
import { isSubdomainName } from './names.js'
import type { ObjectMeta } from './object-meta.js'
import { finalizerWarnings, validateFieldManager, validateObjectMeta, validateObjectMetaUpdate } from './object-meta-validation.js'

const fine: ObjectMeta = { name: 'a', namespace: 'ns', uid: 'u', resourceVersion: '1', generation: 1, creationTimestamp: '2026-01-01T00:00:00Z' }
const check = (meta: ObjectMeta): string[] => validateObjectMeta(meta, { namespaced: true, nameRule: isSubdomainName }).map(fieldErrorText)
const owner = { apiVersion: 'v1', kind: 'ConfigMap', name: 'o', uid: '1' }

const wrong: readonly { name: string; meta: Partial<ObjectMeta>; says: RegExp[] }[] = [
  { name: 'no name', meta: { name: '' }, says: [/^metadata\.name: Required value: name or generateName is required$/] },
  { name: 'a name that is no DNS subdomain', meta: { name: 'A_b' }, says: [/^metadata\.name: Invalid value: "A_b": a lowercase RFC 1123 subdomain .* \(e\.g\. 'example\.com', regex used for validation is '/] },
  { name: 'a name of 254 characters', meta: { name: 'x'.repeat(254) }, says: [/must be no more than 253 characters$/] },
  { name: 'no namespace', meta: { namespace: '' }, says: [/^metadata\.namespace: Required value$/] },
  { name: 'a label key', meta: { labels: { 'a b': 'c' } }, says: [/^metadata\.labels: Invalid value: "a b": name part must consist of/] },
  { name: 'a label key with two slashes', meta: { labels: { 'a/b/c': '' } }, says: [/^metadata\.labels: Invalid value: "a\/b\/c": a valid label key must consist/] },
  { name: 'a label value', meta: { labels: { a: 'b!' } }, says: [/^metadata\.labels: Invalid value: "b!": a valid label must be an empty string or consist/] },
  { name: 'a long label value', meta: { labels: { a: 'b'.repeat(64) } }, says: [/must be no more than 63 bytes$/] },
  { name: 'an annotation key', meta: { annotations: { 'a b': '' } }, says: [/^metadata\.annotations: Invalid value: "a b"/] },
  { name: 'too much in annotations', meta: { annotations: { a: 'x'.repeat(262144) } }, says: [/^metadata\.annotations: Too long: may not be more than 262144 bytes$/] },
  { name: 'two controllers', meta: { ownerReferences: [{ ...owner, controller: true }, { ...owner, name: 'p', controller: true }] }, says: [/Only one reference can have Controller set to true\. Found "true" in references for ConfigMap\/o and ConfigMap\/p$/] },
  { name: 'an owner without anything', meta: { ownerReferences: [{ apiVersion: '', kind: '', name: '', uid: '' }] }, says: [/apiVersion: Invalid value: "": version must not be empty/, /kind: .*must not be empty/, /name: .*must not be empty/, /uid: .*must not be empty/] },
  { name: 'an Event as owner', meta: { ownerReferences: [{ ...owner, kind: 'Event' }] }, says: [/Kind=Event is disallowed from being an owner/] },
  { name: 'both garbage collection finalizers', meta: { finalizers: ['orphan', 'foregroundDeletion'] }, says: [/finalizer orphan and foregroundDeletion cannot be both set/] },
  { name: 'a managedFields operation', meta: { managedFields: [{ manager: 'm' }] }, says: [/^metadata\.managedFields\[0\]\.operation: Invalid value: "": must be `Apply` or `Update`$/] }
]

t.test('metadata', async t => {
  t.same(check(fine), [])
  t.same(check({ ...fine, labels: { 'example.com/a': 'B-c_d.1', b: '' }, finalizers: ['example.com/f'], ownerReferences: [owner] }), [])
  for (const { name, meta, says } of wrong) {
    t.test(name, async t => {
      const errors = check({ ...fine, ...meta })
      t.equal(errors.length, says.length, errors.join('\n'))
      says.forEach((s, i) => { t.match(errors[i], s) })
    })
  }
  t.match(validateObjectMeta(fine, { namespaced: false, nameRule: isSubdomainName }).map(fieldErrorText), ['metadata.namespace: Forbidden: not allowed on this type'])
})

t.test('metadata of an update', async t => {
  const update = (meta: Partial<ObjectMeta>, old: Partial<ObjectMeta> = {}): string[] => validateObjectMetaUpdate({ ...fine, ...meta }, { ...fine, ...old }).map(fieldErrorText)
  t.same(update({}), [])
  t.match(update({ uid: 'other' }), ['metadata.uid: Invalid value: "other": field is immutable'])
  t.match(update({ deletionTimestamp: '2026-01-01T00:00:00Z' }), ['metadata.deletionTimestamp: Invalid value: "2026-01-01T00:00:00Z": field is immutable'])
  t.match(update({ resourceVersion: '' }), ['metadata.resourceVersion: Invalid value: "": must be specified for an update'])
  t.match(update({ generation: 1 }, { generation: 2 }), ['metadata.generation: Invalid value: 1: must not be decremented'])
  const deleting = { deletionTimestamp: '2026-01-01T00:00:00Z' }
  t.match(update({ ...deleting, finalizers: ['a/b', 'a/c'] }, { ...deleting, finalizers: ['a/c'] }),
    ['metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"a/b"}'])
})

t.test('warnings and managers', async t => {
  t.same(finalizerWarnings(['a/b', 'orphan'], undefined), [])
  t.match(finalizerWarnings(['plain', 'dotted.name'], ['old']), [/"dotted.name": prefer a domain-qualified finalizer name including a path/, /"plain": prefer a domain-qualified finalizer name to avoid/])
  t.same(validateFieldManager('kubectl-client-side-apply', 'fieldManager'), [])
  t.match(validateFieldManager('x'.repeat(129), 'fieldManager').map(fieldErrorText), ['fieldManager: Too long: may not be more than 128 bytes'])
  t.match(validateFieldManager('a\nb', 'fieldManager').map(fieldErrorText), ['fieldManager: Invalid value: "a\\nb": invalid character U+000A (at position 1)'])
})

// In time that grows with the square of the number these would take minutes.
t.test('very many finalizers take time that grows with their number', async t => {
  const finalizers = Array.from({ length: 100_000 }, (_, i) => `example.com/${i}`)
  t.same(finalizerWarnings([...finalizers, 'example.com'], finalizers).length, 1)
  const ending = { ...fine, finalizers, deletionTimestamp: '2026-01-01T00:00:00Z' }
  t.same(validateObjectMetaUpdate({ ...ending, finalizers: [...finalizers].reverse() }, ending), [])
})
