import fc from 'fast-check'
import t from 'tap'
import { SampleWindow } from './sample-window.js'

const push = (window: SampleWindow, samples: readonly (readonly [number, number])[]): SampleWindow => {
  for (const [seconds, value] of samples) window.push(seconds * 1000, value)
  return window
}

t.test('Counters rise, and begin at zero after a reset', async t => {
  for (const [name, samples, expected] of [
    ['one sample says nothing', [[0, 5]], undefined],
    ['steady', [[0, 10], [15, 25], [30, 40]], { value: 30, seconds: 30 }],
    ['a reset', [[0, 100], [15, 10], [30, 25]], { value: 25, seconds: 30 }],
    ['a reset to zero', [[0, 100], [15, 0], [30, 25]], { value: 25, seconds: 30 }],
    ['two resets', [[0, 9], [10, 4], [20, 3]], { value: 7, seconds: 20 }],
    ['nothing happens', [[0, 9], [10, 9]], { value: 0, seconds: 10 }],
    ['older than the window', [[0, 1000], [60, 0], [90, 6]], { value: 6, seconds: 30 }]
  ] as const) t.same(push(new SampleWindow(60_000), samples).increase(), expected, name)
})

t.test('Without a window it is the newest sample', async t => {
  const window = push(new SampleWindow(0), [[1, 5], [2, 7]])
  t.match(window, { count: 1, lastMs: 2000, lastValue: 7, truncated: false })
})

t.test('More samples than are kept make the window shorter, and it says so', async t => {
  const window = push(new SampleWindow(60_000, 4), [[1, 1], [2, 2], [3, 3], [4, 4], [5, 5], [6, 6]])
  t.match(window, { count: 4, truncated: true })
  t.same(window.increase(), { value: 3, seconds: 3 })
  t.equal(window.valueAt(3000), 3)
  t.equal(window.valueAt(2000), undefined)
  t.match(push(window, [[600, 1]]), { count: 1, truncated: false })
})

/** Times between 1 ms and 40 s apart. */
const history = fc.array(fc.record({ afterMs: fc.integer({ min: 1, max: 40_000 }), value: fc.oneof(fc.integer({ min: 0, max: 1000 }), fc.double({ min: 0, max: 1e6, noNaN: true })) }), { minLength: 1, maxLength: 120 })

t.test('A window says what a plain list of its samples says', async () => {
  fc.assert(fc.property(history, fc.integer({ min: 1, max: 120_000 }), fc.integer({ min: 2, max: 40 }), (steps, windowMs, limit) => {
    const window = new SampleWindow(windowMs, limit)
    let all: { at: number; value: number }[] = []
    let at = 0
    for (const { afterMs, value } of steps) {
      at += afterMs
      window.push(at, value)
      all.push({ at, value })
      all = all.filter(s => s.at > at - windowMs).slice(-limit)
      let increase = 0
      for (let i = 1; i < all.length; i++) increase += all[i]!.value < all[i - 1]!.value ? all[i]!.value : all[i]!.value - all[i - 1]!.value
      const expected = all.length < 2 ? undefined : { value: increase, seconds: (at - all[0]!.at) / 1000 }
      if (JSON.stringify([window.count, window.sum(), window.max(), window.increase()]) !==
        JSON.stringify([all.length, all.reduce((sum, s) => sum + s.value, 0), Math.max(...all.map(s => s.value)), expected])) return false
      if (all.some(s => window.valueAt(s.at) !== s.value)) return false
    }
    return true
  }))
})

t.test('An increase is never negative, and that of a counter without resets is last minus first', async () => {
  fc.assert(fc.property(history, steps => {
    const [any, counter] = [new SampleWindow(1e9), new SampleWindow(1e9)]
    let at = 0
    let total = 0
    for (const { afterMs, value } of steps) {
      at += afterMs
      total += Math.floor(value)
      any.push(at, value)
      counter.push(at, total)
    }
    const first = Math.floor(steps[0]!.value)
    return (any.increase()?.value ?? 0) >= 0 && (counter.increase()?.value ?? 0) === (steps.length < 2 ? 0 : total - first)
  }))
})
