import t from 'tap'
import { backupSchedule } from './backup-schedule.js'

const at = (text: string): Date => new Date(text)

t.test('when a backup is due next, in UTC', async t => {
  const now = at('2026-01-31T23:59:30Z')
  const cases: [string, string | undefined][] = [
    ['@daily', '2026-02-01T00:00:00.000Z'], ['@hourly', '2026-02-01T00:00:00.000Z'], ['@weekly', '2026-02-01T00:00:00.000Z'], ['@monthly', '2026-02-01T00:00:00.000Z'], ['@yearly', '2027-01-01T00:00:00.000Z'],
    ['30 2 * * *', '2026-02-01T02:30:00.000Z'], ['*/7 * * * *', '2026-02-01T00:00:00.000Z'], ['5/15 * * * *', '2026-02-01T00:05:00.000Z'], ['0 0 29 2 *', '2028-02-29T00:00:00.000Z'],
    // Of two restricted days either will do, as in cron.
    ['0 0 15 * 1', '2026-02-02T00:00:00.000Z'],
    ['0 0 31 2 *', undefined],
    ['@every 6h', '2026-02-01T03:30:00.000Z'], ['@every 1h30m', '2026-02-01T00:30:00.000Z']
  ]
  for (const [text, next] of cases) {
    const schedule = backupSchedule(text)
    if ('error' in schedule) t.fail(`${text}: ${schedule.error}`)
    else t.equal(schedule.next(now, at('2026-01-31T21:30:00Z'))?.toISOString(), next, text)
  }
})

t.test('what a CronJob would not take', async t => {
  for (const text of ['@reboot', '60 * * * *', '0 0 * * 7', '0 0 * * 1,7', '0 0 * * 5-7', '0 24 * * *', '@every 5s', '@every 9999999h', '5-1 * * * *', '*/0 * * * *']) t.match(backupSchedule(text), { error: String }, text)
})
