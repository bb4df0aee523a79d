import fc from 'fast-check'
import t from 'tap'
import { Coalescer } from './coalescer.js'

t.test('every caller gets a run that began after its call, and no more run than needed', async () => {
  await fc.assert(fc.asyncProperty(fc.array(fc.nat({ max: 4 }), { maxLength: 30 }), fc.array(fc.boolean(), { minLength: 40, maxLength: 40 }), async (waits, failing) => {
    let runs = 0
    let calls = 0
    let underWay = 0
    const coalescer = new Coalescer(async () => {
      const run = runs++
      const callsBefore = calls
      if (++underWay > 1) throw new Error('two runs at once')
      for (let i = 0; i < 3; i++) await undefined
      underWay--
      if (failing[run] === true) throw new Error(`failed ${callsBefore}`)
      return callsBefore
    })
    const results: Array<Promise<void>> = []
    for (const wait of waits) {
      for (let i = 0; i < wait; i++) await undefined
      const call = ++calls
      results.push(coalescer.run().catch((error: unknown) => Number((error as Error).message.slice('failed '.length))).then(seen => {
        if (!(seen >= call)) throw new Error(`call ${call} got a run that began after ${seen} calls`)
      }))
    }
    await Promise.all(results)
    return runs <= waits.length
  }))
})
