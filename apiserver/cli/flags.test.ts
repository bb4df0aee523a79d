import fc from 'fast-check'
import t from 'tap'
import { formatDuration, parseDuration } from './duration.js'
import { flagSection } from './flag-types.js'
import { helpText, parseFlags } from './flags.js'

const section = flagSection('Test')
const table = {
  text: section.string('some-text', { default: 'x', help: 'text.' }),
  on: section.bool('on', { default: true, help: 'on.' }),
  off: section.bool('off', { default: false, help: 'off.' }),
  count: section.int('count', { default: 7, help: 'count.' }),
  time: section.duration('time', { default: 60_000, help: 'time.' }),
  list: section.strings('list', { default: ['d'], help: 'list.' }),
  array: section.stringArray('array', { default: [], help: 'array.' }),
  map: section.map('map', { default: {}, help: 'map.' }),
  level: section.int('v', { default: 0, shorthand: 'v', typeName: 'Level', help: 'level.' })
} as const

t.test('values are read as pflag reads them', async t => {
  const defaults = { text: 'x', on: true, off: false, count: 7, time: 60_000, list: ['d'], array: [], map: {}, level: 0 }
  for (const [args, expected] of [
    [[], {}],
    [['--some-text=a=b', '--count', '-3'], { text: 'a=b', count: -3 }],
    [['--some-text', '--on'], { text: '--on' }],
    [['--some-text='], { text: '' }],
    [['--some_text=a_b'], { text: 'a_b' }],
    [['--on=false', '--off'], { on: false, off: true }],
    [['--on=F', '--off=1'], { on: false, off: true }],
    [['--time=1h2m3.5s'], { time: 3_723_500 }],
    [['--list=a,b', '--list', 'c'], { list: ['a', 'b', 'c'] }],
    [['--list="a,b",c'], { list: ['a,b', 'c'] }],
    [['--list='], { list: [] }],
    [['--array=a,b', '--array=c'], { array: ['a,b', 'c'] }],
    [['--map=a=1,b=2=3', '--map=a=4'], { map: { a: '4', b: '2=3' } }],
    [['-v=2'], { level: 2 }],
    [['-v', '3'], { level: 3 }],
    [['-v4'], { level: 4 }],
    [['--v=5'], { level: 5 }],
    [['--v', '6'], { level: 6 }],
    [['--count=1', '--count=2'], { count: 2 }]
  ] as const) {
    const { options, errors } = parseFlags(table, args, 'annex test')
    t.same({ options, errors }, { options: { ...defaults, ...expected }, errors: [] }, args.join(' '))
  }
  t.same([...parseFlags(table, ['--some_text=a', '-v2'], 'c').changed], ['some-text', 'v'])
  t.ok(parseFlags(table, ['-h'], 'c').help)
  t.ok(parseFlags(table, ['--help'], 'c').help)
})

t.test('every error comes at once, in pflag\'s words', async t => {
  const { errors, options } = parseFlags(table, ['--nope', '--count=abc', '-x', '--on=maybe', 'stray', '--time=5', '--map=a', '--list="a', '--v=99999999999999999999', '--text'], 'annex test')
  t.same(errors, [
    'unknown flag: --nope',
    'invalid argument "abc" for "--count" flag: strconv.ParseInt: parsing "abc": invalid syntax',
    "unknown shorthand flag: 'x' in -x",
    'invalid argument "maybe" for "--on" flag: strconv.ParseBool: parsing "maybe": invalid syntax',
    'unknown command "stray" for "annex test"',
    'invalid argument "5" for "--time" flag: time: missing unit in duration "5"',
    'invalid argument "a" for "--map" flag: a must be formatted as key=value',
    'invalid argument "\\"a" for "--list" flag: parse error: bare " in non-quoted field',
    'invalid argument "99999999999999999999" for "-v, --v" flag: strconv.ParseInt: parsing "99999999999999999999": value out of range',
    'unknown flag: --text'
  ])
  t.equal(options.count, 7, 'a flag with an error keeps its default')
  t.same(parseFlags(table, ['--count'], 'c').errors, ['flag needs an argument: --count'])
  t.same(parseFlags(table, ['--', '--count=1'], 'c').errors, ['unknown command "--count=1" for "c"'])
})

t.test('durations are Go\'s', async t => {
  for (const [text, ms] of [['0', 0], ['0s', 0], ['5m0s', 300_000], ['1.5h', 5_400_000], ['100ms', 100], ['-1m30s', -90_000], ['+.5s', 500], ['2us', 0.002], ['1µs', 0.001]] as const) t.equal(parseDuration(text), ms, text)
  for (const [text, message] of [['', 'time: invalid duration ""'], ['x', 'time: invalid duration "x"'], ['1', 'time: missing unit in duration "1"'], ['1d', 'time: unknown unit "d" in duration "1d"'], ['-', 'time: invalid duration "-"'], ['1s x', 'time: unknown unit "s x" in duration "1s x"'], ['9999999h', 'time: invalid duration "9999999h"']] as const) {
    t.throws(() => parseDuration(text), { message }, text)
  }
  for (const [ms, text] of [[0, '0s'], [60_000, '1m0s'], [300_000, '5m0s'], [3_600_000, '1h0m0s'], [1500, '1.5s'], [100, '100ms'], [-90_000, '-1m30s'], [0.002, '2µs']] as const) t.equal(formatDuration(ms), text)
  fc.assert(fc.property(fc.integer({ min: -9e11, max: 9e11 }), ms => { t.equal(parseDuration(formatDuration(ms)), ms) }), { numRuns: 200 })
})

t.test('help names every flag once, by section, with its default', async t => {
  const text = helpText(table, { command: 'annex test', description: 'Tests.' })
  t.match(text, /^Tests\.\n\nUsage:\n {2}annex test \[flags\]\n\nTest flags:\n\n/)
  t.match(text, /\n {6}--some-text string +text\. \(default "x"\)\n/)
  t.match(text, /\n {6}--on +on\. \(default true\)\n {6}--off +off\.\n/)
  t.match(text, /\n {6}--time duration +time\. \(default 1m0s\)\n/)
  t.match(text, /\n {6}--list strings +list\. \(default \[d\]\)\n/)
  t.match(text, /\n {2}-v, --v Level +level\.\n/)
  t.match(text, /\n {2}-h, --help +help for annex test\n$/)
})
