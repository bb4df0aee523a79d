import fc from 'fast-check'
import t from 'tap'
import { canonicalQuantity } from '../../registry/meta/quantity.js'
import { isQuantity, quantityOfFloat } from './float-quantity.js'

t.test('Measured numbers become thousandths, rounded up', async t => {
  for (const [value, expected] of [
    [0, '0'], [-0, '0'], [1, '1'], [1000, '1k'], [0.1, '100m'], [0.069, '69m'], [1.5, '1500m'], [1.0001, '1001m'], [0.0001, '1m'], [1e-12, '1m'], [5e-324, '1m'],
    [-0.0001, '0'], [-1.0001, '-1'], [-1.5, '-1500m'], [2048000, '2048k'], [0.30000000000000004, '301m'], [1e15, '1P'], [9.2e15, '9200T'],
    [9.3e15, undefined], [-9.3e15, undefined], [1e21, undefined], [1.7976931348623157e308, undefined], [NaN, undefined], [Infinity, undefined], [-Infinity, undefined]
  ] as const) {
    const quantity = quantityOfFloat(value)
    t.equal(quantity && canonicalQuantity(quantity), expected, String(value))
    t.equal(isQuantity(value), expected !== undefined, String(value))
  }
})

t.test('The quantity is the least number of thousandths that is not less', async () => {
  fc.assert(fc.property(fc.double({ min: -1e9, max: 1e9, noNaN: true }), value => {
    const { unscaled, scale } = quantityOfFloat(value)!
    const thousandths = Number(unscaled) * 10 ** (scale + 3)
    const error = thousandths - value * 1000
    return error > -1e-3 && error < 1 + 1e-3
  }))
})
