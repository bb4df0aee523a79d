import t from 'tap'
import { StorageError } from '../errors.js'
import type { WatchBatch } from '../interfaces.js'
import { WatchQueue } from './watch-queue.js'

const progress = (revision: bigint): WatchBatch => ({ events: [], revision })
const put = (revision: bigint): WatchBatch => ({ events: [{ type: 'put', key: 'k', value: Buffer.alloc(0), modRevision: revision }], revision })

t.test('batches come in order, those for readers that wait first', async t => {
  const queue = new WatchQueue(() => undefined)
  const waiting = [queue.next(), queue.next()]
  for (let i = 1n; i <= 4n; i++) queue.push(put(i))
  t.same((await Promise.all([...waiting, queue.next(), queue.next()])).map(r => r.value?.revision), [1n, 2n, 3n, 4n])
})

t.test('progress that nobody has read yet is replaced by newer progress', async t => {
  const queue = new WatchQueue(() => undefined)
  for (const batch of [progress(1n), progress(2n), put(3n), progress(4n), progress(5n)]) queue.push(batch)
  t.equal(queue.waitingRevision, 5n)
  t.same([(await queue.next()).value, (await queue.next()).value, (await queue.next()).value], [progress(2n), put(3n), progress(5n)])
})

t.test('a queue that fills up stops the stream, and lets it go on when it has room', async t => {
  const flow: string[] = []
  const queue = new WatchQueue(f => { flow.push(f) })
  let pushed = 0n
  while (!queue.full) queue.push(put(++pushed))
  t.same(flow, ['stop'])
  for (let read = 1n; queue.full; read++) t.equal((await queue.next()).value?.revision, read)
  t.same(flow, ['stop', 'go'])
})

t.test('a failure comes after what is waiting, once', async t => {
  const queue = new WatchQueue(() => undefined)
  const error = new StorageError('Compacted', 'compacted')
  queue.push(put(1n))
  queue.fail(error)
  queue.push(put(2n))
  t.equal((await queue.next()).value?.revision, 1n)
  await t.rejects(queue.next(), error)
  t.equal((await queue.next()).done, true)
})

t.test('a failure reaches one of the readers that wait, the others end', async t => {
  const queue = new WatchQueue(() => undefined)
  const error = new StorageError('Compacted', 'compacted')
  const readers = [queue.next(), queue.next()]
  queue.fail(error)
  const [first, second] = await Promise.allSettled(readers)
  t.same([first?.status, second?.status], ['rejected', 'fulfilled'])
  t.equal((await queue.next()).done, true)
})

t.test('closing ends everything at once', async t => {
  const queue = new WatchQueue(() => undefined)
  queue.push(put(1n))
  queue.close()
  queue.fail(new StorageError('Compacted', 'compacted'))
  t.equal((await queue.next()).done, true)
  t.ok(queue.ended)
})
