import { setImmediate as turnEnds } from 'node:timers/promises'
import t from 'tap'
import { LargeAnswers } from './large-answers.js'

t.test('large answers are put together one in a turn, in the order in which they were asked for', async t => {
  const answers = new LargeAnswers()
  const begun: string[] = []
  t.equal(answers.turn(2000), undefined, 'the first at once')
  const waiting = ['second', 'third'].map(name => answers.turn(2000)!.then(() => { begun.push(name) }))
  t.equal(answers.waiting, 2)
  t.equal(answers.turn(10), undefined, 'a small one never waits')
  await turnEnds()
  t.same(begun, ['second'])
  await turnEnds()
  t.same(begun, ['second', 'third'])
  await Promise.all(waiting)
  await turnEnds()
  t.equal(answers.waiting, 0)
  t.equal(answers.turn(2000), undefined, 'and then at once again')
})
