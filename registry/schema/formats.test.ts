import { readFileSync } from 'node:fs'
import t from 'tap'
import { formatCheck, isSupportedFormat } from './formats.js'

// Recorded from strfmt as kube-apiserver v1.36.3 has it.
const recorded = JSON.parse(readFileSync(new URL('testdata/formats.json', import.meta.url), 'utf8')) as Record<string, { valid: string[]; invalid: string[] }>

for (const [format, { valid, invalid }] of Object.entries(recorded)) {
  t.test(`${format} takes what Go's strfmt takes`, async t => {
    const check = formatCheck(format)!
    for (const text of valid) t.equal(check(text), true, JSON.stringify(text))
    for (const text of invalid) t.equal(check(text), false, JSON.stringify(text))
  })
}

t.test('formats that custom resources do not know are not supported', async t => {
  for (const format of ['int-or-string', 'ip', 'binary', 'quantity', 'constructor', '']) t.notOk(isSupportedFormat(format), format)
  for (const format of ['date-time', 'datetime', 'k8s-short-name']) t.ok(isSupportedFormat(format), format)
})

// In time that grows with the square of the length these would take hours.
t.test('very long durations are refused in time that grows with their length', async t => {
  const check = formatCheck('duration')!
  const digits = '1'.repeat(500_000)
  for (const text of [digits, `${digits}.${digits}`, `${digits} ${digits}`, `1${' '.repeat(500_000)}1`]) t.equal(check(text), false)
  for (const text of [`${'1 '.repeat(100_000)}1 week`, `1h${digits}`]) t.equal(check(text), true, 'a number and a unit somewhere')
})
