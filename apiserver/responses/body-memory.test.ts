import t from 'tap'
import { BodyMemory } from './body-memory.js'

const kb = 1024

t.test('what was given back is used again, for a body that fits', async t => {
  const memory = new BodyMemory(1024 * kb)
  const first = memory.take(200 * kb)
  t.equal(first.length, 200 * kb)
  memory.giveBack(first)
  t.equal(memory.freeBytes, 256 * kb)
  const second = memory.take(230 * kb)
  t.equal(second.buffer, first.buffer)
  t.equal(second.length, 230 * kb)
  t.equal(memory.freeBytes, 0)
  t.not(memory.take(200 * kb).buffer, first.buffer, 'it is in use')
})

t.test('the smallest that is large enough is taken, never one much too large', async t => {
  const memory = new BodyMemory(4096 * kb)
  const bodies = [1024, 256, 512].map(size => memory.take(size * kb))
  for (const body of bodies) memory.giveBack(body)
  t.equal(memory.take(250 * kb).buffer, bodies[1]!.buffer)
  t.equal(memory.take(250 * kb).buffer, bodies[2]!.buffer)
  t.not(memory.take(250 * kb).buffer, bodies[0]!.buffer)
  t.equal(memory.freeBytes, 1024 * kb)
})

t.test('no more is kept than the limit', async t => {
  const memory = new BodyMemory(1000 * kb)
  const bodies = Array.from({ length: 10 }, () => memory.take(256 * kb))
  t.equal(new Set(bodies.map(body => body.buffer)).size, 10)
  for (const body of bodies) memory.giveBack(body)
  t.equal(memory.freeBytes, 768 * kb)
  t.equal(memory.take(256 * kb).buffer, bodies[7]!.buffer, 'what came last is there')
  memory.giveBack(memory.take(1001 * kb))
  t.equal(memory.freeBytes, 512 * kb, 'one that is larger than all of it is not kept')
})

t.test('sizes that nobody wants any more make room', async t => {
  const memory = new BodyMemory(1024 * kb)
  for (const body of Array.from({ length: 16 }, () => memory.take(64 * kb))) memory.giveBack(body)
  const large = memory.take(640 * kb)
  memory.giveBack(large)
  t.equal(memory.freeBytes, 1024 * kb)
  t.equal(memory.take(640 * kb).buffer, large.buffer)
  t.equal(memory.freeBytes, 384 * kb)
})

t.test('what is given back twice, or was never taken, is not lent to two', async t => {
  const memory = new BodyMemory(1024 * kb)
  const body = memory.take(100 * kb)
  memory.giveBack(body)
  memory.giveBack(body)
  memory.giveBack(Buffer.alloc(100 * kb))
  memory.giveBack(body.subarray(0, 80 * kb))
  t.equal(memory.freeBytes, 128 * kb)
  const again = memory.take(100 * kb)
  memory.giveBack(body)
  t.equal(memory.freeBytes, 0, 'the first borrower has no say any more')
  t.not(memory.take(100 * kb).buffer, again.buffer)
})

t.test('a small body is a buffer like others', async t => {
  const memory = new BodyMemory(1024 * kb)
  const body = memory.take(1000)
  t.equal(body.length, 1000)
  memory.giveBack(body)
  t.equal(memory.freeBytes, 0)
})
