import t from 'tap'
import type { JsonValue } from '../codec/value.js'
import { humanDuration } from './human-duration.js'
import { age, cellFor, compileColumn, dateOf, type CellColumn } from './table-cell.js'

const now = new Date('2024-03-10T12:00:00Z')
const object: JsonValue = { n: 3, big: 9007199254740993n, f: 1.5, large: 12345678.25, huge: 1e20, b: true, s: 'x', none: null, list: [1, { a: '<' }], when: '2024-03-05T12:00:00Z' }

const cells: readonly (readonly [type: CellColumn['type'], path: string, cell: JsonValue])[] = [
  ['integer', '.n', 3], ['integer', '.big', 9007199254740993n], ['integer', '.f', 1], ['integer', '.huge', -(2n ** 63n)], ['integer', '.s', null], ['integer', '.none', null], ['integer', '.missing', null],
  ['number', '.n', 3], ['number', '.f', 1.5], ['number', '.big', 9007199254740992], ['number', '.b', null],
  ['boolean', '.b', true], ['boolean', '.s', null],
  ['string', '.s', 'x'], ['string', '.n', '3'], ['string', '.big', '9007199254740993'], ['string', '.large', '1.234567825e+07'], ['string', '.b', 'true'], ['string', '.none', '<no value>'],
  ['string', '.list', '[1,{"a":"\\u003c"}]'], ['string', '.list[*]', '1'], ['string', '.list[9]', null], ['string', '.missing', null],
  ['date', '.when', '5d'], ['date', '.s', '<invalid>'], ['date', '.n', null], ['date', '.missing', null]
]

t.test('a cell is the first value found, in the column\'s type', async t => {
  for (const [type, jsonPath, cell] of cells) t.same(cellFor(compileColumn({ type, jsonPath }), object, now), cell, `${type} ${jsonPath}`)
})

t.test('a date column tells the timestamp behind its age', async t => {
  t.equal(dateOf(compileColumn({ type: 'date', jsonPath: '.when' }), object), Date.parse('2024-03-05T12:00:00Z'))
  t.equal(dateOf(compileColumn({ type: 'date', jsonPath: '.n' }), object), undefined)
  t.equal(dateOf(compileColumn({ type: 'string', jsonPath: '.when' }), object), undefined)
})

t.test('ages of timestamps', async t => {
  const table: readonly (readonly [string, string])[] = [
    ['2024-03-10T11:59:30Z', '30s'], ['2024-03-10T12:00:01Z', '0s'], ['2024-03-10T12:00:05Z', '<invalid>'], ['2024-03-10T12:30:00.5+01:00', '30m'], ['2024-03-10T3:00:00Z', '9h'],
    ['', '<unknown>'], ['null', '<unknown>'], ['0001-01-01T00:00:00Z', '<unknown>'], ['2024-03-10', '<invalid>'], ['2024-02-30T00:00:00Z', '<invalid>'], ['2024-03-10t12:00:00z', '<invalid>']
  ]
  for (const [timestamp, text] of table) t.equal(age(timestamp, now), text, timestamp)
})

t.test('durations for people have two or three figures', async t => {
  const [s, m, h, d] = [1000, 60_000, 3_600_000, 86_400_000]
  const table: readonly (readonly [number, string])[] = [
    [-2 * s, '<invalid>'], [-1.9 * s, '0s'], [0, '0s'], [119.9 * s, '119s'], [2 * m, '2m'], [2 * m + 5 * s, '2m5s'], [10 * m + 5 * s, '10m'], [179 * m, '179m'], [3 * h, '3h'], [3 * h + 7 * m, '3h7m'],
    [8 * h + 7 * m, '8h'], [47 * h, '47h'], [2 * d, '2d'], [2 * d + 3 * h, '2d3h'], [8 * d + 3 * h, '8d'], [729 * d, '729d'], [730 * d, '2y'], [731 * d, '2y1d'], [8 * 365 * d + d, '8y']
  ]
  for (const [ms, text] of table) t.equal(humanDuration(ms), text, text)
})
