import t from 'tap'
import { FakeClock, turn } from '../../test/suites/fake-clock.js'
import { rejectsWith } from '../../test/suites/scripted-storage.js'
import type { Revision, Storage } from '../interfaces.js'
import { RevisionReader } from './revision-reader.js'

interface Call { readonly signal: AbortSignal; readonly answer: (revision: Revision) => void }

function reader (): { reader: RevisionReader; clock: FakeClock; calls: Call[] } {
  const clock = new FakeClock()
  const calls: Call[] = []
  const storage: Pick<Storage, 'currentRevision'> = {
    currentRevision: ({ signal } = {}) => new Promise((resolve, reject) => {
      signal!.addEventListener('abort', () => { reject(new Error('aborted')) }, { once: true })
      calls.push({ signal: signal!, answer: resolve })
    })
  }
  return { reader: new RevisionReader({ storage: storage as Storage, clock, timeoutMs: 3_000, known: () => 1n, onAnswer: () => {} }), clock, calls }
}

t.test('a call that takes too long is aborted, and the next one is not', async t => {
  const { reader: revisions, clock, calls } = reader()
  const first = rejectsWith(revisions.read(), 'Unavailable')
  await turn()
  const second = revisions.read()
  await clock.advance(3_000)
  await first
  await turn()
  t.equal(calls.length, 2)
  t.strictSame(calls.map(({ signal }) => signal.aborted), [true, false])
  calls[1]!.answer(7n)
  t.equal(await second, 7n)
  const third = revisions.read()
  await turn()
  t.equal(calls[2]!.signal.aborted, false)
  calls[2]!.answer(8n)
  t.equal(await third, 8n)
  t.equal(clock.pending, 0)
})

t.test('reads of one moment share a call, and one that comes later does not join it', async t => {
  const { reader: revisions, calls } = reader()
  const [a, b] = [revisions.read(), revisions.read()]
  await turn()
  const late = revisions.read()
  await turn()
  t.equal(calls.length, 1)
  calls[0]!.answer(5n)
  t.strictSame(await Promise.all([a, b]), [5n, 5n])
  await turn()
  t.equal(calls.length, 2)
  calls[1]!.answer(6n)
  t.equal(await late, 6n)
})
