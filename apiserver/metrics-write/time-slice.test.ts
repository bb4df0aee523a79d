import t from 'tap'
import { fewAtOnce, TimeSlice } from './time-slice.js'

const turn = async (): Promise<void> => { await new Promise<void>(resolve => { setImmediate(resolve) }) }

t.test('Work goes on for a millisecond, and then in the next turn', async t => {
  let ms = 100
  const slice = new TimeSlice(() => ms)
  t.equal(slice.over, false)
  ms += 0.9
  t.equal(slice.over, false)
  ms += 0.1
  t.equal(slice.over, true)
  let turns = 0
  setImmediate(() => { turns++ })
  await slice.next()
  t.same([turns, slice.over], [1, false])
})

t.test('A few at once, each in a turn of its own, and nothing after the end', async t => {
  const log: string[] = []
  const stop = new AbortController()
  const work = Array.from({ length: 5 }, (_, i) => async () => {
    log.push(`begin ${i}`)
    await turn()
    log.push(`end ${i}`)
    if (i === 1) stop.abort()
  })
  await fewAtOnce(work.slice(0, 3), 2)
  t.same(log, ['begin 0', 'begin 1', 'end 0', 'end 1', 'begin 2', 'end 2'])
  log.length = 0
  await fewAtOnce(work, 2, stop.signal)
  t.same(log, [], 'it was stopped above')
  const again = new AbortController()
  await fewAtOnce([work[0]!, async () => { again.abort() }, work[2]!], 2, again.signal)
  t.same(log, ['begin 0', 'end 0'], 'what was begun ends')
})
