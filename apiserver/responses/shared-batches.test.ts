import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { SharedBatches } from './shared-batches.js'

const [a, b, c] = [{ event: 'a' }, { event: 'b' }, { event: 'c' }]

t.test('the same events are made into bytes once a turn', async t => {
  const shared = new SharedBatches<object>()
  let made = 0
  const of = (...events: object[]): Buffer => shared.of(events, () => { made++; return Buffer.from(JSON.stringify(events)) })
  const bytes = of(a, b)
  t.equal(of(a, b), bytes, 'another array of the same events')
  t.equal(made, 1)
  t.equal(of(a).toString(), '[{"event":"a"}]', 'a beginning is another batch')
  t.equal(of(a, c).toString(), '[{"event":"a"},{"event":"c"}]')
  t.equal(of({ event: 'a' }, { event: 'b' }).toString(), bytes.toString(), 'events that only look alike')
  t.equal(made, 4)
  t.equal(of(a, b), bytes, 'still known between others')
  t.equal(made, 4)
})

t.test('nothing is kept of a turn that is over', async t => {
  const shared = new SharedBatches<object>()
  const first = shared.of([a], () => Buffer.from('1'))
  await turn()
  await turn()
  t.equal(shared.size, 0)
  t.not(shared.of([a], () => Buffer.from('1')), first)
  t.equal(shared.size, 1)
  await turn()
  await turn()
  t.equal(shared.size, 0, 'nor of the next')
})

t.test('of many different batches only some are kept', async t => {
  const shared = new SharedBatches<number>()
  for (let i = 0; i < 100; i++) t.equal(shared.of([i], () => Buffer.from(String(i))).toString(), String(i))
  t.equal(shared.size, 8)
  t.equal(shared.of([99], () => Buffer.from('again')).toString(), 'again')
})
