import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { planBackup } from './backups.js'
import { desiredBackup, script, type CronJob } from './desired-backup.js'
import { model, names } from './testing.js'

t.test('the script keeps as many dumps as wanted, the newest, and counts them', async t => {
  const dir = t.testdir({})
  const run = (dump: string, keep: number): void => {
    const text = script(dump, 'sql.gz').replace('cd /backups', `cd '${dir}'`).replace('/dev/termination-log', join(dir, '..', 'count'))
    execFileSync('bash', ['-c', text], { env: { ...process.env, KEEP: String(keep) }, stdio: 'pipe' })
  }
  const old = ['20250101T000000Z.sql.gz', '20250102T000000Z.sql.gz', '20250103T000000Z.sql.gz']
  for (const name of [...old, 'by-hand.txt', '20250104T000000Z.sql.gz.partial']) writeFileSync(join(dir, name), '')
  run('echo dump', 3)
  const files = readdirSync(dir).sort()
  t.strictSame(files.slice(0, 2), old.slice(1))
  t.equal(readFileSync(join(dir, files[2]!), 'utf8'), 'dump\n')
  t.equal(files[3], 'by-hand.txt', 'what is no dump stays, what is half of one goes')
  t.equal(files.length, 4)
  t.equal(readFileSync(join(dir, '..', 'count'), 'utf8'), '3')
  t.throws(() => { run('echo half; false | cat', 1) }, 'a dump that fails fails the Job')
  t.strictSame(readdirSync(dir).filter(f => f.endsWith('.sql.gz')).length, 3, 'and removes none')
})

t.test('the CronJob', async t => {
  const inputs = { names: names(), model: model(), image: 'i', schedule: '@daily', suspend: false, retention: 5 }
  const job = desiredBackup(inputs)
  t.match(job.spec, { schedule: '@daily', timeZone: 'Etc/UTC', suspend: false, concurrencyPolicy: 'Forbid' })
  const pod = (job as unknown as { spec: { jobTemplate: { spec: { template: { metadata: { labels: Record<string, string> }, spec: { containers: { env: unknown[] }[] } } } } } }).spec.jobTemplate.spec.template
  t.not(pod.metadata.labels['app.kubernetes.io/component'], names().selector['app.kubernetes.io/component'], 'its pods are none of the database\'s')
  t.match(pod.spec.containers[0]!.env, [{ name: 'HOST', value: 'orders' }, { name: 'KEEP', value: '5' }])
})

t.test('what is to be done about backups', async t => {
  const present: CronJob = { apiVersion: 'batch/v1', kind: 'CronJob', metadata: {}, spec: { schedule: '@hourly' } }
  const backup = (enabled: boolean, schedule?: string): Partial<ReturnType<typeof model>> => ({ backup: { enabled, schedule, retention: 3 } })
  const cases: [string, Parameters<typeof planBackup>, object][] = [
    ['enabled', [model(backup(true, '@daily')), undefined], { cronJob: { schedule: '@daily', suspend: false, retention: 3 }, schedule: Object, problem: undefined }],
    ['not said', [model(), undefined], { cronJob: undefined, schedule: undefined, problem: undefined }],
    ['disabled from the beginning', [model(backup(false, '@daily')), undefined], { cronJob: undefined, schedule: undefined, problem: undefined }],
    ['disabled later', [model(backup(false, '@daily')), present], { cronJob: { schedule: '@daily', suspend: true }, schedule: undefined, problem: undefined }],
    ['not said any more', [model(), present], { cronJob: { schedule: '@hourly', suspend: true }, schedule: undefined, problem: undefined }],
    ['no schedule', [model(backup(true)), undefined], { cronJob: undefined, problem: { reason: 'InvalidSchedule', message: /is not given/ } }],
    ['a schedule that is none', [model(backup(true, '61 * * * *')), present], { cronJob: { schedule: '@hourly', suspend: false }, schedule: undefined, problem: { reason: 'InvalidSchedule' } }]
  ]
  for (const [name, args, expected] of cases) t.match(planBackup(...args), expected, name)
})
