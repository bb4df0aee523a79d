import { Cron } from 'croner'

/** A schedule as a CronJob takes it, and when it is due. */
export interface BackupSchedule {
  readonly cron: string
  /** The first time after another, or undefined if there is none (the 31st of February). @param since when `@every` counts from */
  next (after: Date, since: Date): Date | undefined
}

/**
 * Reads a schedule: five fields, `@daily` and its like, or `@every 6h`. All times are UTC.
 * @returns the schedule, or why a CronJob would not take it
 */
export function backupSchedule (text: string): BackupSchedule | { readonly error: string } {
  if (text.startsWith('@every ')) return everySchedule(text)
  // What starts with a machine does not start here.
  if (text === '@reboot') return { error: 'schedule "@reboot" means the start of a machine, which a CronJob does not know; give five fields, @daily or @every 6h' }
  const dayOfWeek = text.split(' ')[4]
  if (dayOfWeek !== undefined && /(^|[,-])7($|[,/-])/.test(dayOfWeek)) return { error: `schedule ${JSON.stringify(text)}: Sunday is 0 in a CronJob, not 7` }
  try {
    const cron = new Cron(text, { paused: true, timezone: 'UTC', mode: '5-part', sloppyRanges: true })
    return { cron: text, next: after => cron.nextRun(after) ?? undefined }
  } catch (error) {
    return { error: `schedule ${JSON.stringify(text)}: ${error instanceof Error ? error.message : String(error)}` }
  }
}

const unitMs: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

function everySchedule (text: string): BackupSchedule | { readonly error: string } {
  const parts = [...text.slice('@every '.length).matchAll(/(\d+)(ns|us|µs|ms|s|m|h)/g)]
  // A CronJob counts in whole seconds, and at least one.
  const ms = Math.max(1000, Math.floor(parts.reduce((sum, [, n = '0', unit = '']) => sum + Number(n) * (unitMs[unit] ?? 0), 0) / 1000) * 1000)
  if (ms < 60_000) return { error: `schedule ${JSON.stringify(text)}: backups are at least a minute apart` }
  if (!Number.isFinite(ms) || ms > 10 * 365 * 86_400_000) return { error: `schedule ${JSON.stringify(text)} is too far apart` }
  return {
    cron: text,
    next: (after, since) => new Date(since.getTime() + Math.max(1, Math.floor((after.getTime() - since.getTime()) / ms) + 1) * ms)
  }
}
