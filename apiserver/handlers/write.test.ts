import t from 'tap'
import type { KubeObject, OwnerReference } from '../../registry/meta/object-meta.js'
import { dedupOwnerReferences } from './write.js'

const owner = (uid: string, more: Partial<OwnerReference> = {}): OwnerReference => ({ apiVersion: 'v1', kind: 'ConfigMap', name: 'o', uid, ...more })

function dedup (references: readonly OwnerReference[]): { kept: OwnerReference[] | undefined; warnings: string[] } {
  const object: KubeObject = { apiVersion: 'v1', kind: 'A', metadata: { name: 'a', ownerReferences: [...references] } }
  const warnings: string[] = []
  dedupOwnerReferences(object, text => { warnings.push(text) })
  return { kept: object.metadata.ownerReferences as OwnerReference[] | undefined, warnings }
}

t.test('of owner references that say the same the first stays, and the warning names their uids', async t => {
  const { uid, name, kind, apiVersion } = owner('1')
  const { kept, warnings } = dedup([owner('1'), owner('2'), { uid, name, kind, apiVersion }, owner('1', { controller: true }), owner('2')])
  t.same(kept, [owner('1'), owner('2'), owner('1', { controller: true })])
  t.equal(warnings.length, 1)
  t.match(warnings[0], /duplicate UID\(s\) observed: 1, 2$/)
})

// In time that grows with the square of the number it would take minutes.
t.test('very many owner references take time that grows with their number', async t => {
  const references = Array.from({ length: 60_000 }, (_, i) => owner(`${i}`))
  t.same([dedup(references).kept?.length, dedup(references).warnings.length], [60_000, 0])
  t.equal(dedup(references.map(r => ({ ...r, uid: '1', name: r.uid }))).kept?.length, 60_000, 'of one uid, too')
})
