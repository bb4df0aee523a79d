import fc from 'fast-check'
import t from 'tap'
import { FakeClock, settle } from '../testing/fake-clock.js'
import { TokenBucket } from '../token-bucket.js'
import { BucketRateLimiter, defaultControllerRateLimiter, ItemExponentialFailureRateLimiter, MaxOfRateLimiter } from './rate-limiters.js'
import { Workqueue } from './workqueue.js'

const queueOf = (...items: string[]): Workqueue<string> => {
  const queue = new Workqueue<string>({ clock: new FakeClock() })
  items.forEach(item => { queue.add(item) })
  return queue
}

t.test('keys come out in the order in which they went in, each once', async t => {
  const queue = queueOf('a', 'b', 'a', 'c', 'b')
  t.equal(queue.length, 3)
  t.same([await queue.get(), await queue.get(), await queue.get()], ['a', 'b', 'c'])
  t.equal(queue.length, 0)
})

t.test('a key that is added while it is processed is handed out again only after it is done, and once', async t => {
  const queue = queueOf('a')
  t.equal(await queue.get(), 'a')
  queue.add('a')
  queue.add('a')
  t.equal(queue.length, 0)
  queue.done('a')
  t.equal(queue.length, 1)
  t.equal(await queue.get(), 'a')
  queue.done('a')
  t.equal(queue.length, 0)
})

t.test('a key that is done is not handed out again', async t => {
  const queue = queueOf('a')
  await queue.get()
  queue.done('a')
  queue.add('b')
  t.equal(await queue.get(), 'b')
})

t.test('who waits gets a key as soon as there is one, the first who waited first', async t => {
  const queue = queueOf()
  const [first, second] = [queue.get(), queue.get()]
  queue.add('a')
  queue.add('b')
  t.same([await first, await second], ['a', 'b'])
})

t.test('shutting down', async t => {
  t.test('hands out what is queued, takes nothing new, and then says that it is over', async t => {
    const queue = queueOf('a', 'b')
    queue.shutDown()
    queue.add('c')
    queue.addAfter('d', 0)
    t.same([await queue.get(), await queue.get(), await queue.get()], ['a', 'b', undefined])
  })
  t.test('tells everybody who waits', async t => {
    const queue = queueOf()
    const waiting = [queue.get(), queue.get()]
    queue.shutDown()
    t.same(await Promise.all(waiting), [undefined, undefined])
  })
  t.test('drops what waits for its time', async t => {
    const clock = new FakeClock()
    const queue = new Workqueue<string>({ clock })
    queue.addAfter('a', 50)
    queue.shutDown()
    t.equal(clock.timers, 0)
    t.equal(await queue.get(), undefined)
  })
  t.test('with drain waits until nothing is processed, also not what was added to itself meanwhile', async t => {
    const queue = queueOf('a', 'b')
    await queue.get()
    await queue.get()
    queue.add('a')
    let drained = false
    const drain = queue.shutDownWithDrain().then(() => { drained = true })
    queue.done('b')
    await settle()
    t.notOk(drained, 'a is processed')
    queue.done('a')
    t.equal(await queue.get(), 'a', 'it was dirty before')
    queue.done('a')
    await drain
    t.equal(await queue.get(), undefined)
  })
  t.test('without drain ends the waiting of the one with it', async t => {
    const queue = queueOf('a')
    await queue.get()
    const drain = queue.shutDownWithDrain()
    queue.shutDown()
    await drain
    t.pass('although a is not done')
  })
  t.test('with drain resolves at once if nothing is processed', async () => { await queueOf().shutDownWithDrain() })
})

t.test('a cleared queue hands out nothing, and the same keys can be added again', async t => {
  const queue = queueOf('a', 'b')
  queue.clear()
  t.equal(queue.length, 0)
  queue.add('b')
  t.equal(await queue.get(), 'b')
})

t.test('adding after a time', async t => {
  t.test('hands the key out when the time has come, not before', async t => {
    const clock = new FakeClock()
    const queue = new Workqueue<string>({ clock })
    queue.addAfter('a', 50)
    await clock.advance(49)
    t.equal(queue.length, 0)
    await clock.advance(1)
    t.equal(queue.length, 1)
    await queue.get()
    queue.done('a')
    await clock.advance(10_000)
    t.equal(queue.length, 0, 'once')
  })
  t.test('takes the earlier of two times, and once', async t => {
    for (const [first, second] of [[50, 30], [30, 50]] as const) {
      const clock = new FakeClock()
      const queue = new Workqueue<string>({ clock })
      queue.addAfter('a', first)
      queue.addAfter('a', second)
      await clock.advance(30)
      t.equal(await queue.get(), 'a', `${first} and ${second}`)
      queue.done('a')
      await clock.advance(100)
      t.equal(queue.length, 0)
    }
  })
  t.test('orders keys by their times', async t => {
    const clock = new FakeClock()
    const queue = new Workqueue<string>({ clock })
    queue.addAfter('third', 3000)
    queue.addAfter('first', 50)
    queue.addAfter('second', 300)
    await clock.advance(3000)
    t.same([await queue.get(), await queue.get(), await queue.get()], ['first', 'second', 'third'])
  })
  t.test('adds at once what has no time to wait', async t => {
    const queue = queueOf()
    queue.addAfter('a', 0)
    queue.addAfter('b', -1)
    t.equal(queue.length, 2)
  })
})

t.test('rate-limited adds wait longer with every failure, until the key is forgotten', async t => {
  const clock = new FakeClock()
  const queue = new Workqueue<string>({ clock, rateLimiter: new ItemExponentialFailureRateLimiter({ baseMs: 1, maxMs: 1000 }) })
  const waits: number[] = []
  for (let i = 0; i < 3; i++) {
    queue.addRateLimited('one')
    waits.push(await clock.advanceToNextTimer())
    queue.done((await queue.get())!)
  }
  t.same(waits, [1, 2, 4])
  t.equal(queue.numRequeues('one'), 3)
  queue.addRateLimited('two')
  t.equal(clock.nextTimerMs, 1, 'another key has not failed')
  queue.forget('one')
  t.equal(queue.numRequeues('one'), 0)
  queue.addRateLimited('one')
  t.equal(clock.nextTimerMs, 1)
})

t.test('rate limiters', async t => {
  t.test('per key: base times two to the failures, with a limit that no number of failures breaks', async t => {
    const limiter = new ItemExponentialFailureRateLimiter<string>({ baseMs: 1, maxMs: 1000 })
    t.same([1, 2, 3, 4, 5].map(() => limiter.when('one')), [1, 2, 4, 8, 16])
    t.equal(limiter.numRequeues('one'), 5)
    t.equal(limiter.when('two'), 1)
    limiter.forget('one')
    t.equal(limiter.when('one'), 1)
    for (let i = 0; i < 2000; i++) limiter.when('many')
    t.equal(limiter.when('many'), 1000)
  })
  t.test('of a bucket: nothing up to the burst, then one after the other', async t => {
    const clock = new FakeClock()
    const limiter = new BucketRateLimiter<string>(new TokenBucket({ qps: 10, burst: 2, clock }))
    t.same(['a', 'b', 'c', 'd'].map(k => Math.round(limiter.when(k))), [0, 0, 100, 200])
    await clock.advance(10_000)
    t.equal(limiter.when('e'), 0)
  })
  t.test('the longest of several', async t => {
    const limiter = new MaxOfRateLimiter<string>(
      new ItemExponentialFailureRateLimiter({ baseMs: 1, maxMs: 1000 }), new ItemExponentialFailureRateLimiter({ baseMs: 5, maxMs: 8 })
    )
    t.same([1, 2, 3, 4].map(() => limiter.when('one')), [5, 8, 8, 8])
    t.equal(limiter.when('one'), 16)
    t.equal(limiter.numRequeues('one'), 5)
    limiter.forget('one')
    t.equal(limiter.numRequeues('one'), 0)
  })
  t.test('the default: 5 ms up to 1000 s for a key; 10 a second after 100 for all', async t => {
    const clock = new FakeClock()
    const limiter = defaultControllerRateLimiter<string>(clock)
    t.equal(limiter.when('a'), 5)
    for (let i = 0; i < 99; i++) limiter.when(`key ${i}`)
    t.equal(Math.round(limiter.when('z')), 100)
    await clock.advance(1_000_000)
    for (let i = 0; i < 30; i++) limiter.when('a')
    t.equal(limiter.when('a'), 1_000_000)
  })
})

t.test('metrics: what is added, waits, is worked on and is tried again', async t => {
  const clock = new FakeClock()
  const seen: (string | number)[] = []
  const queue = new Workqueue<string>({
    clock,
    metrics: { added: () => seen.push('added'), retried: () => seen.push('retried'), started: s => seen.push('started', s), finished: s => seen.push('finished', s) }
  })
  queue.add('a')
  queue.add('a')
  await clock.advance(50)
  await queue.get()
  t.same(seen.splice(0), ['added', 'started', 0.05])
  queue.add('a') // counted, although it waits for the worker
  await clock.advance(25)
  t.same(queue.unfinishedSeconds(), [0.025])
  queue.done('a')
  t.same(seen.splice(0), ['added', 'finished', 0.025])
  await queue.get()
  t.same(seen.splice(0), ['started', 0.025])
  queue.addAfter('b', 10)
  t.same(seen, ['retried'])
})

t.test('whatever happens in whatever order, no key is processed twice at once, none is lost, and none is processed more often than added', async t => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('add' as const), key: fc.integer({ min: 0, max: 4 }) }),
    fc.record({ do: fc.constant('addAfter' as const), key: fc.integer({ min: 0, max: 4 }), ms: fc.integer({ min: 1, max: 20 }) }),
    fc.record({ do: fc.constant('get' as const) }), fc.record({ do: fc.constant('done' as const), nth: fc.nat(4) }), fc.record({ do: fc.constant('advance' as const), ms: fc.integer({ min: 1, max: 20 }) })
  )
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 40 }), async steps => {
    const clock = new FakeClock()
    const queue = new Workqueue<number>({ clock })
    const processing: number[] = []
    const wanted = new Set<number>() // added since it was last handed out
    const later = new Map<number, number>()
    const take = async (): Promise<void> => {
      const key = (await queue.get())!
      if (processing.includes(key)) throw new Error(`${key} is processed twice`)
      if (!wanted.delete(key)) throw new Error(`${key} was not added`)
      processing.push(key)
    }
    const advance = async (ms: number): Promise<void> => {
      await clock.advance(ms)
      for (const [key, at] of later) if (at <= clock.monotonicMs()) { later.delete(key); wanted.add(key) }
    }
    for (const s of steps) {
      if (s.do === 'add') { queue.add(s.key); wanted.add(s.key) }
      if (s.do === 'addAfter') { queue.addAfter(s.key, s.ms); later.set(s.key, Math.min(later.get(s.key) ?? Infinity, clock.monotonicMs() + s.ms)) }
      if (s.do === 'get' && queue.length > 0) await take()
      if (s.do === 'done' && processing[s.nth] !== undefined) queue.done(processing.splice(s.nth, 1)[0]!)
      if (s.do === 'advance') await advance(s.ms)
    }
    await advance(100)
    for (const key of processing.splice(0)) queue.done(key)
    while (queue.length > 0) await take()
    t.equal(wanted.size, 0)
  }), { numRuns: 100 })
})
