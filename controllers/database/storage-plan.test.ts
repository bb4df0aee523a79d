import t from 'tap'
import { planStorage, type StorageInputs } from './storage-plan.js'
import { claim } from './testing.js'

const classes = new Map([['fast', { allowVolumeExpansion: true }], ['fixed', { allowVolumeExpansion: false }]])
const plan = (inputs: Partial<StorageInputs>): ReturnType<typeof planStorage> => planStorage({ wish: { size: '2Gi', storageClass: 'fast' }, template: { size: '1Gi', storageClass: 'fast' }, claims: [claim('a')], classes, ...inputs })

t.test('the first time, the template says what is wished', async t => {
  t.match(plan({ template: undefined, claims: [] }), { template: { size: '2Gi', storageClass: 'fast' }, recreate: false, expand: [], problem: undefined })
})

t.test('claims grow, and the StatefulSet is made anew for those to come', async t => {
  const grown = plan({ claims: [claim('a'), claim('b', { request: '2Gi', capacity: '1Gi' }), claim('c', { request: '2Gi' })] })
  t.match(grown, { template: { size: '2Gi' }, recreate: true, problem: undefined })
  t.strictSame(grown.expand.map(c => c.metadata.name), ['a'])
  t.strictSame(grown.expanding.map(c => c.metadata.name), ['b'])
  t.match(plan({ template: { size: '2048Mi', storageClass: 'fast' }, claims: [claim('a', { request: '2Gi' })] }), { recreate: false, template: { size: '2048Mi' } }, 'the same amount in other words is no change')
  t.match(plan({ claims: [claim('a', { phase: 'Pending' })] }), { recreate: true, expand: [], problem: undefined }, 'a claim that is not bound yet is asked later')
})

t.test('what cannot be done is left as it is, and said', async t => {
  const cases: [Partial<StorageInputs>, string, string][] = [
    [{ template: { size: '1Gi', storageClass: 'fixed' }, wish: { size: '2Gi', storageClass: 'fixed' }, claims: [claim('a', { storageClass: 'fixed' })] }, 'ExpansionNotSupported', '1Gi'],
    [{ wish: { size: '2Gi', storageClass: 'gone' }, template: { size: '1Gi', storageClass: 'gone' }, claims: [claim('a', { storageClass: 'gone' })] }, 'StorageClassNotFound', '1Gi'],
    [{ wish: { size: '2Gi' }, template: { size: '1Gi' }, claims: [claim('a', { storageClass: '' })] }, 'ExpansionNotSupported', '1Gi'],
    [{ wish: { size: '1Gi', storageClass: 'fast' }, template: { size: '2Gi', storageClass: 'fast' }, claims: [claim('a', { request: '2Gi' })] }, 'ShrinkNotSupported', '2Gi'],
    [{ wish: { size: '1Gi', storageClass: 'fixed' } }, 'StorageClassImmutable', '1Gi'],
    [{ wish: { size: '1Gi' } }, 'StorageClassImmutable', '1Gi']
  ]
  for (const [inputs, reason, size] of cases) {
    const planned = plan(inputs)
    t.match(planned, { recreate: false, expand: [], problem: { reason }, template: { size } }, reason)
    t.equal(planned.template.storageClass, (inputs.template ?? { storageClass: 'fast' }).storageClass, `${reason}: the class stays`)
  }
  t.match(plan({ claims: [claim('a'), claim('b', { storageClass: 'fixed' })] }), { recreate: false, expand: [], problem: { reason: 'ExpansionNotSupported' } }, 'all grow, or none')
})

t.test('between the two halves of making a StatefulSet anew, the claims say which class it is', async t => {
  t.match(plan({ template: undefined, wish: { size: '1Gi', storageClass: 'other' } }), { template: { size: '1Gi', storageClass: 'fast' }, problem: { reason: 'StorageClassImmutable' } })
  const unasked = plan({ template: undefined, wish: { size: '1Gi' } })
  t.match(unasked, { template: { storageClass: undefined }, problem: undefined }, 'nothing was asked for')
  t.equal(plan({ template: unasked.template, wish: { size: '1Gi' } }).problem, undefined, 'and nothing is wrong with it afterwards')
})
