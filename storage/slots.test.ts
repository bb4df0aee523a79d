import fc from 'fast-check'
import t from 'tap'
import { Slots } from './slots.js'

t.test('holds what was added and not removed, in places that are used again', async () => {
  fc.assert(fc.property(fc.array(fc.option(fc.nat(), { nil: undefined })), steps => {
    const slots = new Slots<{ id: number }>()
    const there: { readonly item: { id: number }; readonly slot: number }[] = []
    let most = 0
    steps.forEach((which, id) => {
      if (which === undefined || there.length === 0) {
        const item = { id }
        there.push({ item, slot: slots.add(item) })
      } else {
        const [gone] = there.splice(which % there.length, 1)
        slots.remove(gone!.slot)
      }
      most = Math.max(most, there.length)
      if (slots.size !== there.length || there.some(({ slot }) => slot >= most)) throw new Error('a place was not used again')
    })
    const ids = (items: Iterable<{ id: number }>): number[] => [...items].map(({ id }) => id).sort((a, b) => a - b)
    return JSON.stringify(ids(slots)) === JSON.stringify(ids(there.map(({ item }) => item)))
  }))
})

t.test('what is removed while it is gone through does not come', async t => {
  const slots = new Slots<{ name: string }>()
  const [a, b, c] = ['a', 'b', 'c'].map(name => slots.add({ name })) as [number, number, number]
  const seen: string[] = []
  for (const { name } of slots) {
    seen.push(name)
    if (name === 'a') slots.remove(b)
  }
  t.strictSame(seen, ['a', 'c'])
  t.equal(slots.size, 2)
  slots.remove(a)
  slots.remove(c)
  t.strictSame([...slots], [])
})
